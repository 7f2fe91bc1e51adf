/**
 * Failed upstream calls as replies: which code and status the client sees, and in whose words (PROTOCOL §1.7).
 *
 * The upstream's own sentence always reaches the client (G05); a rejection of the gateway's own key never looks like the client's fault.
 */

import type { Dialect, UpstreamError } from '../dialect/codec.ts'
import { errorCatalogue } from '../errors.ts'
import { ReplyCore } from '../pipeline/reply-core.ts'
import type { Attempt, AttemptFailure } from '../plugin/outcome.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { Refusal } from '../plugin/reply.ts'
import type { HttpError } from './http/transport.ts'

/** The catalogue's code for an upstream's HTTP status. */
export function codeOfStatus(status: number): RefusalCode {
  switch (status) {
    case 401:
      return 'upstream_auth'
    case 402:
      return 'insufficient_balance'
    case 403:
      return 'permission_denied'
    case 404:
      return 'not_found'
    case 408:
    case 504:
      return 'upstream_timeout'
    case 409:
      return 'conflict'
    case 413:
      return 'request_too_large'
    case 429:
      return 'rate_limited'
    case 503:
    case 529:
      return 'overloaded'
    default:
      return status >= 400 && status < 500 ? 'invalid_request' : 'upstream_error'
  }
}

/** HTTP status of a refusal for a client of this family. */
export function statusOf(refusal: Refusal, family: Dialect['family']): number {
  if (refusal.status !== undefined) return refusal.status
  const entry = errorCatalogue[refusal.code]
  return (family === 'anthropic' && entry.anthropicStatus) || entry.status
}

/** A failure of the call itself: nothing of the upstream's answer is worth showing, except perhaps a sentence. */
export function callFailed(
  attempt: Attempt,
  failure: AttemptFailure,
  code: RefusalCode,
  message: string,
  family: Dialect['family'],
  status?: number,
): ReplyCore {
  attempt.failure = failure
  attempt.message = message
  const refusal: Refusal = status === undefined ? { type: 'refusal', code, message } : { type: 'refusal', code, message, status }
  return new ReplyCore(
    false,
    statusOf(refusal, family),
    retryHeaders(refusal, new Headers()),
    false,
    { kind: 'refusal', refusal },
    { code, message, attempt },
  )
}

/** What a failed connection means. `live`: while the reply was being passed on. */
export function failureOf(error: HttpError, live: boolean): { failure: AttemptFailure; code: RefusalCode; message: string } {
  const { kind, message } = error
  if (!live && kind === 'connect_timeout')
    return { failure: 'connect_timeout', code: 'upstream_unreachable', message: 'The model provider could not be reached in time.' }
  if (!live && (kind === 'connect' || kind === 'tls'))
    return { failure: 'connect', code: 'upstream_unreachable', message: `The model provider could not be reached: ${message}.` }
  if (!live && (kind === 'protocol' || kind === 'too_large'))
    return { failure: 'bad_reply', code: 'upstream_bad_reply', message: `The model provider's answer is not usable: ${message}.` }
  return { failure: 'reset', code: 'upstream_error', message: `The connection to the model provider failed: ${message}.` }
}

/** An error status of the upstream, or an error inside a 200 (B07, G03). `body` is forwarded as it is when it is an error of the client's own dialect. */
export function upstreamRefused(
  attempt: Attempt,
  failure: AttemptFailure,
  status: number,
  error: UpstreamError,
  headers: Headers,
  ownKey: boolean,
  body?: Uint8Array,
): ReplyCore {
  attempt.failure = failure
  attempt.message = error.message
  const wait = Number(headers.get('retry-after'))
  if (Number.isFinite(wait) && headers.has('retry-after')) attempt.retryAfter = wait
  const code = codeOfStatus(status)
  if (code === 'upstream_auth' && ownKey) {
    const message = `${errorCatalogue.upstream_auth.message} It said: ${error.message}`
    const refusal: Refusal = { type: 'refusal', code, message }
    return new ReplyCore(false, 502, retryHeaders(refusal, new Headers()), false, { kind: 'refusal', refusal }, { code, message, attempt })
  }
  if (body !== undefined) {
    return new ReplyCore(false, status, headers, false, { kind: 'whole', body, error: true }, { code, message: error.message, attempt })
  }
  headers.delete('content-type')
  const refusal: Refusal = {
    type: 'refusal',
    code,
    message: error.message,
    status,
    ...(error.param === undefined ? {} : { param: error.param }),
  }
  const upstream = { ...(error.type === undefined ? {} : { type: error.type }), ...(error.code === undefined ? {} : { code: error.code }) }
  return new ReplyCore(false, status, headers, false, { kind: 'refusal', refusal, upstream }, { code, message: error.message, attempt })
}

function retryHeaders(refusal: Refusal, headers: Headers): Headers {
  if (errorCatalogue[refusal.code].retry === false) headers.set('x-should-retry', 'false')
  return headers
}
