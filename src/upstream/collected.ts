/**
 * Answers that were read to their end before anything left: whole replies and error bodies, as replies of the pipeline.
 *
 * Decides what such a body is: a reply, an error inside a 200 (B07, G03), an error in the upstream's words, or nothing of use. Does no I/O.
 */

import type { Dialect, Family } from '../dialect/codec.ts'
import type { ReplyTranslation } from '../dialect/translate.ts'
import { ReplyCore } from '../pipeline/reply-core.ts'
import type { Attempt } from '../plugin/outcome.ts'
import { callFailed, upstreamRefused } from './failure.ts'
import type { HeaderLines } from './http/transport.ts'
import { noteUsage } from './noted-usage.ts'
import { bytesWithoutCredentials } from './own-credential.ts'
import { translatedWhole } from './translated-events.ts'

/** Bytes above which a whole reply is refused, and an error body cut; what is said then. */
export const limits = { whole: 256 * 1024 * 1024, error: 1024 * 1024, exceeded: 'The model provider sent too much.' } as const

/** What is known of the answer besides its body. */
export interface Answered {
  readonly attempt: Attempt
  readonly dialect: Dialect
  /** API family of the client. */
  readonly family: Family
  /** Present when the client speaks another dialect. */
  readonly translation?: ReplyTranslation | undefined
  readonly status: number
  /** Headers for the client. */
  readonly headers: Headers
  /** The client asked for a stream. */
  readonly stream: boolean
  /** The upstream is called with the gateway's own key. */
  readonly ownKey: boolean
  /** Headers of the call. What they hold of the gateway's own is kept from the client. */
  readonly sent: Headers | HeaderLines
}

/** The reply that a whole body of a 2xx is. `now` = milliseconds since the exchange was received. */
export function replyOfWhole(answered: Answered, body: Uint8Array, now: number): ReplyCore {
  const { attempt, dialect, family, headers, status, stream, translation } = answered
  if (body.length === 0) return callFailed(attempt, 'empty', 'upstream_bad_reply', 'The model provider answered with nothing.', family)
  let summary = dialect.summary(body)
  if (summary.error || !summary.valid) {
    body = bytesWithoutCredentials(body, answered.sent)
    summary = dialect.summary(body)
  }
  noteUsage(attempt, summary.usage) // what failed may be paid for all the same
  if (summary.error) return upstreamRefused(answered, 'error_in_reply', summary.error.status ?? 502, summary.error)
  if (!summary.valid) {
    const said = dialect.readError(502, body).message
    const message = `The model provider answered with something that is not a reply: ${said}`
    return callFailed(attempt, 'bad_reply', 'upstream_bad_reply', message, family)
  }
  attempt.firstContentAt = now
  const estimate = summary.usage ? undefined : translation?.estimate?.()
  const usage = summary.usage ?? estimate
  noteUsage(attempt, usage)
  if (summary.model !== undefined) attempt.modelServed = summary.model
  if (summary.id !== undefined) attempt.replyId = summary.id
  if (translation || stream || summary.pieces) {
    const decoded = dialect.decodeWhole(body, translation ? 'translate' : 'relay')
    if (decoded) {
      headers.delete('content-type')
      const events = translation ? translatedWhole(decoded.events, translation, estimate) : decoded.events
      const fault = translation && events.find((event) => event.type === 'error')
      if (fault?.type === 'error') return callFailed(attempt, 'error_in_reply', 'upstream_error', fault.message, family)
      return new ReplyCore(true, 200, headers, stream, { kind: 'completed', events }, { attempt })
    }
    if (translation) return callFailed(attempt, 'bad_reply', 'upstream_bad_reply', 'The model provider answered with no reply.', family)
  }
  if (!headers.get('content-type')?.startsWith('application/json')) headers.set('content-type', 'application/json')
  return new ReplyCore(true, status, headers, false, { kind: 'whole', body, error: false }, { attempt })
}

/** The reply that a stream without content is: empty, or a JSON body under the name of a stream (A15). */
export function replyOfNoStream(answered: Answered, body: Uint8Array, now: number): ReplyCore {
  const first = body.find((b) => b > 32)
  if (first === 0x7b) return replyOfWhole(answered, body, now)
  const message = `The model provider ${body.length === 0 ? 'answered with an empty stream' : 'ended the stream before any content'}.`
  return callFailed(answered.attempt, 'empty', 'upstream_bad_reply', message, answered.family)
}

/** The reply that an error status is. A redirect is not followed: it could take the key elsewhere. */
export function replyOfError(answered: Answered, body: Uint8Array): ReplyCore {
  const { attempt, dialect, family, status, translation } = answered
  body = bytesWithoutCredentials(body, answered.sent)
  if (status >= 300 && status < 400) {
    const message = `The model provider answered with a redirect (${status}), which is not followed.`
    return callFailed(attempt, 'status', 'upstream_bad_reply', message, family)
  }
  const envelope = !translation && isEnvelope(body, dialect) ? body : undefined
  return upstreamRefused(answered, 'status', status, dialect.readError(status, body), envelope)
}

/** True for an error body in the client's own dialect, which is forwarded byte for byte. */
function isEnvelope(body: Uint8Array, dialect: Dialect): boolean {
  try {
    const value = JSON.parse(new TextDecoder().decode(body)) as { type?: unknown; error?: unknown } | null
    if (typeof value?.error !== 'object' || value.error === null) return false
    const error = value.error as { message?: unknown; type?: unknown; code?: unknown; status?: unknown }
    if (typeof error.message !== 'string') return false
    if (dialect.family === 'gemini') return typeof error.code === 'number' && typeof error.status === 'string'
    return dialect.family === 'anthropic' ? value.type === 'error' && typeof error.type === 'string' : typeof error.code !== 'number'
  } catch {
    return false
  }
}

/** True when a body begins as a stream does, whatever its content type says (A15). */
export function looksLikeStream(first: Uint8Array): boolean {
  return /^(\xef\xbb\xbf)?\s*(data|event|id|retry)?:/.test(Buffer.from(first.subarray(0, 64)).toString('latin1'))
}

/** Chunks as one piece of `size` bytes. */
export function join(chunks: readonly Uint8Array[], size: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!
  const out = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    out.set(chunk, at)
    at += chunk.length
  }
  return out
}
