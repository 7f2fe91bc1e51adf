/** Refusals by the edge itself, before any exchange exists: unknown paths, wrong methods, shutting down. Always in the client's dialect (G04). */

import type { Family } from '../dialect/codec.ts'
import { families } from '../dialect/family.ts'
import { errorCatalogue } from '../errors.ts'
import type { RefusalCode } from '../plugin/refusal.ts'

/** The family of a caller about whom only the request is known. */
export function familyOfRequest(request: Request, byPath: Family): Family {
  return request.headers.has('anthropic-version') || request.headers.has('anthropic-beta') ? 'anthropic' : byPath
}

/** An error response. */
export function edgeError(family: Family, code: RefusalCode, id: string, message?: string, headers?: Record<string, string>): Response {
  const entry = errorCatalogue[code]
  const status = (family === 'anthropic' && entry.anthropicStatus) || entry.status
  const body = families[family].operations[0]!.dialect.errorBody({ code, message: message ?? entry.message, requestId: id })
  return new Response(body, { status, headers: { 'content-type': 'application/json', 'x-request-id': id, 'request-id': id, ...headers } })
}

/** A request id: sortable by time, unique. */
export function newRequestId(): string {
  return `req_${Bun.randomUUIDv7('base64url')}`
}
