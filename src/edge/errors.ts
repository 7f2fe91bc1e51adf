/** Refusals by the edge itself, before any exchange exists: unknown paths, wrong methods, shutting down. Always in the client's dialect (G04). */

import { type FamilyApi, families } from '../dialect/family.ts'
import { errorCatalogue } from '../errors.ts'
import type { RefusalCode } from '../plugin/refusal.ts'

/** The API of a caller about whom only the request is known. */
export function apiOfRequest({ headers }: Request, byPath: FamilyApi): FamilyApi {
  if (headers.has('anthropic-version') || headers.has('anthropic-beta')) return families.anthropic
  return headers.has('x-goog-api-key') ? families.gemini : byPath
}

/** An error response. `status` where it is not that of the code. */
export function edgeError(
  { family, operations }: FamilyApi,
  code: RefusalCode,
  id: string,
  message?: string,
  headers?: Record<string, string>,
  status?: number,
): Response {
  const entry = errorCatalogue[code]
  const usual = (family === 'anthropic' && entry.anthropicStatus) || entry.status
  const body = operations[0]!.dialect.errorBody({ code, message: message ?? entry.message, requestId: id })
  return new Response(body, {
    status: status ?? usual,
    headers: { 'content-type': 'application/json', 'x-request-id': id, 'request-id': id, ...headers },
  })
}

const run = `${Date.now().toString(36)}${crypto.randomUUID().replaceAll('-', '').slice(0, 12)}`
let made = 0

/** A request id, unique over processes and starts: those of one process sort in the order in which they were made. */
export function newRequestId(): string {
  return `req_${run}${(++made).toString(36).padStart(7, '0')}`
}
