/**
 * Errors as Anthropic-speaking clients expect them (PROTOCOL §1.7): `{type:"error",error:{type,message},request_id}`. The words come
 * from the catalogue; the upstream's own win.
 */

import { errorCatalogue } from '../../errors.ts'
import type { WireError } from '../codec.ts'
import { jsonText } from '../shape.ts'
import { frameText } from '../sse.ts'

/** The body of an HTTP error. */
export function messagesErrorBody(error: WireError): string {
  if (error.body !== undefined) return error.body
  const fields = { type: error.words?.type ?? error.upstreamType ?? errorCatalogue[error.code].anthropic, message: error.message }
  return jsonText({ type: 'error', error: { ...fields, ...error.extra, ...fields }, request_id: error.requestId })
}

/** The frame that ends a stream with an error; the SDK acts on its `event:` line (B08). */
export function messagesErrorFrames(error: WireError): string {
  return frameText('error', messagesErrorBody(error))
}

const own = /_error$|^request_too_large$/
const types: readonly (readonly [RegExp, string])[] = [
  [/rate_?limit|resource_exhausted|too_many/i, 'rate_limit_error'],
  [/overloaded|unavailable/i, 'overloaded_error'],
  [/timeout|deadline/i, 'timeout_error'],
  [/quota|balance|billing/i, 'billing_error'],
  [/auth|api_key/i, 'authentication_error'],
  [/permission/i, 'permission_error'],
  [/invalid|context_length|failed_precondition/i, 'invalid_request_error'],
]

/** The type word that this dialect has for an error of any dialect; `api_error` for what is no fault of the client. */
export function messagesErrorType(kind: string): string {
  if (own.test(kind) && kind !== 'server_error') return kind
  return types.find(([words]) => words.test(kind))?.[1] ?? 'api_error'
}

/** The frame of an error event, which knows only a word and a sentence. */
export function inStreamError(kind: string, message: string): string {
  return frameText('error', jsonText({ type: 'error', error: { type: kind, message } }))
}
