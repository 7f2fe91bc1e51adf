/**
 * A failed reply as this gateway publishes it, before the plugins see it: its status, and the body of an upstream that speaks of itself.
 *
 * An upstream's error in the client's own dialect leaves as it came, unless the operator spells such errors otherwise.
 */

import type { Dialect } from '../dialect/codec.ts'
import { ReplyCore } from '../pipeline/reply-core.ts'
import type { Refusal } from '../plugin/reply.ts'
import type { ErrorVoice } from '../upstream/error-voice.ts'

/** The same reply, or one in its place. */
export function inOurWords(reply: ReplyCore, errors: ErrorVoice, dialect: Dialect): ReplyCore {
  const { attempt, code, source } = reply
  const { family } = dialect
  if (code !== undefined) reply.status = errors.restated(code, reply.status, family)
  if (source.kind !== 'whole' || !errors.respells(code, family)) return reply
  const said = dialect.readError(reply.status, source.body)
  const refusal: Refusal = {
    type: 'refusal',
    code: code ?? 'upstream_error',
    message: said.message,
    status: reply.status,
    ...(said.param !== undefined && { param: said.param }),
    ...(attempt?.retryAfter !== undefined && { retryAfter: attempt.retryAfter }),
  }
  const upstream = { ...(said.type !== undefined && { type: said.type }), ...(said.code !== undefined && { code: said.code }) }
  const made = new ReplyCore(
    false,
    reply.status,
    reply.headers,
    false,
    { kind: 'refusal', refusal, upstream },
    {
      code: refusal.code,
      message: said.message,
      ...(attempt && { attempt }),
    },
  )
  made.origin = reply.origin
  if (reply.by !== undefined) made.by = reply.by
  return made
}
