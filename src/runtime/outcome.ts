/** The outcome of an inference exchange, put together once, when its last byte is handed over. */

import type { ExchangeCore } from '../pipeline/core.ts'
import type { ReplyCore } from '../pipeline/reply-core.ts'
import { estimateText } from '../plugin/estimate-text.ts'
import { type Attempt, addUsage, type Outcome, type Usage, unknownUsage } from '../plugin/outcome.ts'
import type { DeliveryEnd } from '../upstream/delivery.ts'

/** Calls that went on with a reply, and what those before the last of them used. */
export interface Continued {
  readonly attempts: readonly Attempt[]
  readonly usage: Usage | undefined
}

export function outcomeOf(core: ExchangeCore, delivery: DeliveryEnd, reply: ReplyCore, continued: Continued): Outcome {
  const last = continued.attempts.at(-1)
  const attempt = last ?? reply.attempt ?? core.attempts.at(-1)
  const used = attempt?.usage ?? unknownUsage
  const gone = delivery.code === 'client_closed'
  const end = gone ? 'abandoned' : delivery.end
  const given = reply.ok && !delivery.unserved
  const served = given ? reply.attempt : undefined
  return {
    end,
    status: gone ? 499 : reply.status,
    code: delivery.code,
    by: delivery.by ?? reply.by,
    message: delivery.message,
    usage: continued.usage ? addUsage(continued.usage, used) : used,
    attempts: core.attempts,
    served,
    continued: last && continued.attempts,
    modelAsked: core.modelAsked,
    modelServed: served?.modelServed,
    upstream: served?.upstream,
    stream: core.body?.stream ?? false,
    streamState: streamState(end, given, attempt),
    bytesIn: core.bytesIn,
    bytesOut: core.bytesOut,
    timings: {
      admittedAt: core.admittedAt,
      bodyAt: core.bodyAt,
      headAt: core.headAt,
      firstContentAt: core.firstContentAt,
      endAt: core.elapsed(),
    },
    // both lists are those of the exchange: what settle hooks note from now on stands in them for the hooks above
    verdicts: core.ownVerdicts(),
    hooks: core.hooks,
    dropped: core.dropped,
    edits: core.body && core.body.notes.length > 0 ? core.body.notes : undefined,
  }
}

/**
 * What a stream used that broke off, with what was used before it. Providers report at the end, which never came: what it said is estimated, and counts for
 * as long as they have not reported more.
 * @param share tokens that it has said
 */
export function joinedUsage(before: Usage | undefined, reported: Usage | undefined, share: number): Usage {
  const known = reported ?? unknownUsage
  const own: Usage =
    reported?.source === 'reported' ? reported : { ...known, source: 'partial', outputVisible: Math.max(known.outputVisible, share) }
  return before ? addUsage(before, own) : own
}

/**
 * What the last of several calls has said, in tokens: what all of them have said, less what the others had when they broke off.
 * @param said by all of them
 */
export function shareOf(said: string, others: readonly (Attempt | undefined)[]): number {
  const before = others.reduce((sum, attempt) => sum + (attempt?.delivered ?? 0), 0)
  return Math.max(0, Math.ceil(estimateText(said)) - before)
}

function streamState(end: Outcome['end'], given: boolean, attempt: Attempt | undefined): Outcome['streamState'] {
  if (end === 'abandoned') return 'client_disconnect'
  if (!given) return 'none'
  if (end === 'finished') return 'completed'
  return attempt?.failure?.endsWith('_timeout') ? 'timeout' : 'upstream_error'
}
