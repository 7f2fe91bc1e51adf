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
  const fields = { type: error.upstreamType ?? errorCatalogue[error.code].anthropic, message: error.message }
  return jsonText({ type: 'error', error: { ...fields, ...error.extra, ...fields }, request_id: error.requestId })
}

/** The frame that ends a stream with an error; the SDK acts on its `event:` line (B08). */
export function messagesErrorFrames(error: WireError): string {
  return frameText('error', messagesErrorBody(error))
}

/** The frame of an error event, which knows only a word and a sentence. */
export function inStreamError(kind: string, message: string): string {
  return frameText('error', jsonText({ type: 'error', error: { type: kind, message } }))
}
