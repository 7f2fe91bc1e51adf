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
  return new MadeOutcome(core, delivery, reply, continued)
}

/** A class, for all of them have one shape. */
class MadeOutcome implements Outcome {
  readonly end: Outcome['end']
  readonly status: number
  readonly code: Outcome['code']
  readonly by: string | undefined
  readonly message: string | undefined
  readonly usage: Usage
  readonly attempts: readonly Attempt[]
  readonly served: Attempt | undefined
  readonly continued: readonly Attempt[] | undefined
  readonly modelAsked: string | undefined
  readonly modelServed: string | undefined
  readonly upstream: string | undefined
  readonly stream: boolean
  readonly streamState: Outcome['streamState']
  readonly bytesIn: number
  readonly bytesOut: number
  readonly timings: Outcome['timings']
  readonly dropped: readonly string[] | undefined
  readonly edits: Outcome['edits']
  readonly verdicts: Outcome['verdicts']
  readonly hooks: Outcome['hooks']

  constructor(core: ExchangeCore, delivery: DeliveryEnd, reply: ReplyCore, continued: Continued) {
    const last = continued.attempts.at(-1)
    const attempt = last ?? reply.attempt ?? core.attempts.at(-1)
    const used = attempt?.usage ?? unknownUsage
    const gone = delivery.code === 'client_closed'
    const end = gone ? 'abandoned' : delivery.end
    const served = reply.ok ? reply.attempt : undefined
    this.end = end
    this.status = gone ? 499 : reply.status
    this.code = delivery.code
    this.by = delivery.by ?? reply.by
    this.message = delivery.message
    this.usage = continued.usage ? addUsage(continued.usage, used) : used
    this.attempts = core.attempts
    this.served = served
    this.continued = last && continued.attempts
    this.modelAsked = core.modelAsked
    this.modelServed = served?.modelServed
    this.upstream = served?.upstream
    this.stream = core.body?.stream ?? false
    this.streamState = streamState(end, reply, attempt)
    this.bytesIn = core.bytesIn
    this.bytesOut = core.bytesOut
    this.timings = {
      admittedAt: core.admittedAt,
      bodyAt: core.bodyAt,
      headAt: core.headAt,
      firstContentAt: core.firstContentAt,
      endAt: core.elapsed(),
    }
    this.dropped = core.dropped
    this.edits = core.body && core.body.notes.length > 0 ? core.body.notes : undefined
    // what settle hooks note from now on stands in it for those above them
    this.verdicts = core.ownVerdicts()
    this.hooks = core.hooks
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

function streamState(end: Outcome['end'], reply: ReplyCore, attempt: Attempt | undefined): Outcome['streamState'] {
  if (end === 'abandoned') return 'client_disconnect'
  if (!reply.ok) return 'none'
  if (end === 'finished') return 'completed'
  return attempt?.failure?.endsWith('_timeout') ? 'timeout' : 'upstream_error'
}
