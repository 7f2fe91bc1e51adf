/** Refusals by the edge itself, before any exchange exists: unknown paths, wrong methods, shutting down. Always in the client's dialect (G04). */

import type { Family } from '../dialect/codec.ts'
import { families } from '../dialect/family.ts'
import { errorCatalogue } from '../errors.ts'
import type { RefusalCode } from '../plugin/refusal.ts'

/** The family of a caller about whom only the request is known. */
export function familyOfRequest(request: Request, byPath: Family): Family {
  const { headers } = request
  if (headers.has('anthropic-version') || headers.has('anthropic-beta')) return 'anthropic'
  return headers.has('x-goog-api-key') ? 'gemini' : byPath
}

/** An error response. */
export function edgeError(family: Family, code: RefusalCode, id: string, message?: string, headers?: Record<string, string>): Response {
  const entry = errorCatalogue[code]
  const status = (family === 'anthropic' && entry.anthropicStatus) || entry.status
  const body = families[family].operations[0]!.dialect.errorBody({ code, message: message ?? entry.message, requestId: id })
  return new Response(body, { status, headers: { 'content-type': 'application/json', 'x-request-id': id, 'request-id': id, ...headers } })
}

const run = `${Date.now().toString(36)}${crypto.randomUUID().replaceAll('-', '').slice(0, 12)}`
let made = 0

/** A request id, unique over processes and starts: those of one process sort in the order in which they were made. */
export function newRequestId(): string {
  return `req_${run}${(++made).toString(36).padStart(7, '0')}`
}
