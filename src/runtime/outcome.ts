/** The outcome of an inference exchange, put together once, when its last byte is handed over. */

import type { ExchangeCore } from '../pipeline/core.ts'
import type { ReplyCore } from '../pipeline/reply-core.ts'
import { type Attempt, type Outcome, unknownUsage } from '../plugin/outcome.ts'
import type { DeliveryEnd } from '../upstream/delivery.ts'

export function outcomeOf(core: ExchangeCore, delivery: DeliveryEnd, reply: ReplyCore): Outcome {
  const attempt = reply.attempt ?? core.attempts.at(-1)
  const gone = delivery.code === 'client_closed'
  const end = gone ? 'abandoned' : delivery.end
  const served = reply.ok ? reply.attempt : undefined
  return {
    end,
    status: gone ? 499 : reply.status,
    code: delivery.code,
    by: delivery.by,
    message: delivery.message,
    usage: attempt?.usage ?? unknownUsage,
    attempts: core.attempts,
    served,
    modelAsked: core.modelAsked,
    modelServed: served?.modelServed,
    upstream: served?.upstream,
    stream: core.body?.stream ?? false,
    streamState: streamState(end, reply, attempt),
    bytesIn: core.bytesIn,
    bytesOut: core.bytesOut,
    timings: {
      admittedAt: core.admittedAt,
      bodyAt: core.bodyAt,
      headAt: core.headAt,
      firstContentAt: core.firstContentAt,
      endAt: core.elapsed(),
    },
    verdicts: core.verdicts,
    dropped: core.dropped,
    edits: core.body && core.body.notes.length > 0 ? core.body.notes : undefined,
  }
}

function streamState(end: Outcome['end'], reply: ReplyCore, attempt: Attempt | undefined): Outcome['streamState'] {
  if (end === 'abandoned') return 'client_disconnect'
  if (!reply.ok) return 'none'
  if (end === 'finished') return 'completed'
  return attempt?.failure?.endsWith('_timeout') ? 'timeout' : 'upstream_error'
}
