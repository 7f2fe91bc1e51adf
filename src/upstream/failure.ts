/**
 * Failed upstream calls as replies: which code and status the client sees, and in whose words (PROTOCOL §1.7).
 *
 * The upstream's own sentence always reaches the client (G05); a rejection of the gateway's own key or account never looks like the client's fault.
 */

import type { Dialect, Family, UpstreamError } from '../dialect/codec.ts'
import { errorCatalogue } from '../errors.ts'
import { ReplyCore } from '../pipeline/reply-core.ts'
import type { Attempt, AttemptFailure } from '../plugin/outcome.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { Refusal } from '../plugin/reply.ts'
import { clientWording, codeOfError } from './error-class.ts'
import type { HeaderLines, HttpError } from './http/transport.ts'
import { withoutCredentials } from './own-credential.ts'

/** HTTP status of a refusal for a client of this family. */
export function statusOf(refusal: Refusal, family: Family): number {
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
  family: Family,
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

/** What is said of a call that ran into one of its limits. */
export const lateness = {
  first_byte_timeout: 'The model provider did not begin to answer in time.',
  first_token_timeout: 'The model provider did not begin to say anything in time.',
  idle_timeout: 'The model provider fell silent.',
  total_timeout: 'The model provider did not finish in time.',
} as const satisfies Partial<Record<AttemptFailure, string>>

const unpaidAccount = "The model provider wants this gateway's own account to be paid for."

/** What is known of the answer that carries an error. */
export interface RefusedAnswer {
  readonly attempt: Attempt
  readonly headers: Headers
  /** API family of the client. */
  readonly family: Family
  /** The upstream is called with the gateway's own key. */
  readonly ownKey: boolean
  /** The upstream's dialect. */
  readonly dialect: Pick<Dialect, 'family'>
  /** Present when the client speaks another dialect. */
  readonly translation?: unknown
  /** Headers of the call. */
  readonly sent: Headers | HeaderLines
}

/** An error status of the upstream, or an error inside a 200 (B07, G03). `body` is forwarded as it is when it is an error of the client's own dialect. */
export function upstreamRefused(
  answered: RefusedAnswer,
  failure: AttemptFailure,
  status: number,
  told: UpstreamError,
  body?: Uint8Array,
): ReplyCore {
  const { attempt, family, headers, ownKey, sent } = answered
  const error = { ...told, message: withoutCredentials(told.message, sent) }
  attempt.failure = failure
  attempt.message = error.message
  if (error.retryAfter !== undefined && !headers.has('retry-after')) headers.set('retry-after', String(Math.ceil(error.retryAfter)))
  const asked = waitOf(headers)
  if (asked !== undefined) {
    attempt.retryAfter = asked
    // clients of model APIs count on seconds
    if (isDate(headers.get('retry-after'))) headers.set('retry-after', String(asked))
  }
  const said = codeOfError(status, error)
  // a client that speaks another dialect sent no key of that provider
  const ours = ownKey || answered.translation !== undefined
  // nor does a client owe what this gateway's account lacks
  const code = ours && said === 'insufficient_balance' ? 'upstream_auth' : said
  if (code === 'upstream_auth' && ours) {
    const what = said === 'insufficient_balance' ? unpaidAccount : errorCatalogue.upstream_auth.message
    const message = `${what} It said: ${error.message}`
    const refusal: Refusal = { type: 'refusal', code, message }
    return new ReplyCore(false, 502, retryHeaders(refusal, new Headers()), false, { kind: 'refusal', refusal }, { code, message, attempt })
  }
  if (body !== undefined) {
    return new ReplyCore(false, status, headers, false, { kind: 'whole', body, error: true }, { code, message: error.message, attempt })
  }
  headers.delete('content-type')
  // also in the client's own dialect: this envelope is not one of it (Bedrock's Claude, compatible servers)
  const message = clientWording(code, error.message, family)
  // of the dialects that are translated only OpenAI's have their statuses and words of errors in common
  const wait = attempt.retryAfter === undefined ? {} : { retryAfter: attempt.retryAfter }
  if (answered.translation !== undefined && !(family === 'openai' && answered.dialect.family === family)) {
    const refusal: Refusal = { type: 'refusal', code, message, ...wait }
    return new ReplyCore(false, statusOf(refusal, family), headers, false, { kind: 'refusal', refusal }, { code, message, attempt })
  }
  const refusal: Refusal = { type: 'refusal', code, message, status, ...wait, ...(error.param === undefined ? {} : { param: error.param }) }
  // clients act on the code of an overflow, which few servers but OpenAI's own send (G06)
  const word = code === 'context_length_exceeded' ? (errorCatalogue[code].openai[1] ?? undefined) : error.code
  const upstream = { ...(error.type === undefined ? {} : { type: error.type }), ...(word === undefined ? {} : { code: word }) }
  return new ReplyCore(false, status, headers, false, { kind: 'refusal', refusal, upstream }, { code, message, attempt })
}

/** Seconds that an answer asks to wait, as a number or until a date. */
function waitOf(headers: Headers): number | undefined {
  const given = headers.get('retry-after') ?? undefined
  if (given !== undefined && isDate(given)) return Math.max(0, Math.ceil((Date.parse(given) - Date.now()) / 1000))
  const ms = headers.get('retry-after-ms') ?? undefined
  const seconds = given !== undefined ? Number(given) : ms !== undefined ? Number(ms) / 1000 : Number.NaN
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined
}

/** Whether a header says a time as HTTP does: `Sat, 21 Nov 2026 22:49:38 GMT`. */
function isDate(text: string | null): boolean {
  return text !== null && /^[A-Z][a-z]{2,}, ?\d/.test(text) && !Number.isNaN(Date.parse(text))
}

function retryHeaders(refusal: Refusal, headers: Headers): Headers {
  if (errorCatalogue[refusal.code].retry === false) headers.set('x-should-retry', 'false')
  return headers
}
