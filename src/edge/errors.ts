/**
 * Who calls, and in which dialect the edge answers where no exchange is made: while the gateway shuts down, and when the edge itself fails. Always in the
 * client's dialect (G04), spelled as the operator wants.
 */

import { type FamilyApi, families } from '../dialect/family.ts'
import { errorCatalogue } from '../errors.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { ErrorVoice } from '../upstream/error-voice.ts'

/** The API of a caller about whom only the request is known. */
export function apiOfRequest({ headers }: Request, byPath: FamilyApi): FamilyApi {
  if (headers.has('anthropic-version') || headers.has('anthropic-beta')) return families.anthropic
  return headers.has('x-goog-api-key') ? families.gemini : byPath
}

/** An error response. */
export function edgeError(
  errors: ErrorVoice,
  { family, operations }: FamilyApi,
  code: RefusalCode,
  id: string,
  message = errorCatalogue[code].message,
  headers?: Record<string, string>,
): Response {
  const status = errors.status({ code }, family)
  const body = errors.body(operations[0]!.dialect, { code, message, requestId: id }, status)
  return new Response(body, { status, headers: { 'content-type': 'application/json', 'x-request-id': id, 'request-id': id, ...headers } })
}

const run = `${Date.now().toString(36)}${crypto.randomUUID().replaceAll('-', '').slice(0, 12)}`
let made = 0

/** A request id, unique over processes and starts: those of one process sort in the order in which they were made. */
export function newRequestId(): string {
  return `req_${run}${(++made).toString(36).padStart(7, '0')}`
}
