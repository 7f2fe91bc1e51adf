/**
 * The way up: `reply` hooks bottom to top on status and headers, then, when all is known, `settle`.
 *
 * Who is asked: every plugin at or above the place that the answer came from; and for `settle` also those below it whose own hook ran on
 * the way down, because they may hold a reservation.
 */

import type { Outcome } from '../plugin/outcome.ts'
import type { ExchangeCore } from './core.ts'
import type { Stop } from './descend.ts'
import { failed, HookTimeout, isThenable, withTimeout } from './fence.ts'
import type { ReplyCore } from './reply-core.ts'

/** Runs the `reply` hooks. Gives the reply to go on with, or a refusal as soon as a hook that fails closed has failed. */
export function runReply(core: ExchangeCore, reply: ReplyCore, from = 0): ReplyCore | Stop | Promise<ReplyCore | Stop> {
  const steps = core.plan.reply
  for (let i = from; i < steps.length; i++) {
    const step = steps[i]!
    if (step.instance.index > reply.origin || !core.isActive(step.instance)) continue
    const before = new Headers(reply.headers)
    try {
      const result = step.run(core.view(step.instance), reply as never)
      if (isThenable(result)) return replyLater(core, reply, i, before, result)
    } catch (error) {
      const stop = replyFailed(core, i, reply, before, error)
      if (stop) return stop
    }
  }
  return reply
}

/** Goes on behind step `at`, whose hook is asynchronous. */
function replyLater(
  core: ExchangeCore,
  reply: ReplyCore,
  at: number,
  before: Headers,
  result: PromiseLike<unknown>,
): Promise<ReplyCore | Stop> {
  const { instance } = core.plan.reply[at]!
  return withTimeout(result, instance.timeout).then(
    () => runReply(core, reply, at + 1),
    (error) => {
      if (!(error instanceof HookTimeout)) return replyFailed(core, at, reply, before, error) ?? runReply(core, reply, at + 1)
      core.revoke(instance)
      // another object: the hook still holds the old one
      const copy = reply.copy()
      return replyFailed(core, at, copy, before, error) ?? runReply(core, copy, at + 1)
    },
  )
}

/** A reply hook that failed: its headers are undone, then the failure mode decides. A reply that is a refusal already stays one. */
function replyFailed(core: ExchangeCore, at: number, reply: ReplyCore, before: Headers, error: unknown): Stop | undefined {
  const { instance } = core.plan.reply[at]!
  for (const name of [...reply.headers.keys()]) reply.headers.delete(name)
  for (const [name, value] of before) reply.headers.append(name, value)
  const refusal = failed(core, instance, 'reply', error)
  return refusal && reply.ok ? { answer: refusal, index: instance.index, resume: at + 1 } : undefined
}

/** Runs the `settle` hooks, once per exchange. Resolves when all are done; never rejects. */
export function runSettle(core: ExchangeCore, outcome: Outcome, origin: number, from = 0): undefined | Promise<undefined> {
  const steps = core.plan.settle
  for (let i = from; i < steps.length; i++) {
    const step = steps[i]!
    const { instance } = step
    if (instance.index > origin && !core.hasRun(instance)) continue
    if (!core.isActive(instance)) continue
    try {
      const result = step.run(core.view(instance), outcome as never)
      if (isThenable(result)) return settleLater(core, outcome, origin, i, result)
    } catch (error) {
      instance.failed('settle', error, core.id)
    }
  }
  return undefined
}

/** Goes on behind step `at`, whose hook is asynchronous. */
function settleLater(core: ExchangeCore, outcome: Outcome, origin: number, at: number, result: PromiseLike<unknown>): Promise<undefined> {
  const { instance } = core.plan.settle[at]!
  return withTimeout(result, instance.timeout)
    .then(undefined, (error) => {
      if (error instanceof HookTimeout) core.body?.lend() // the hook goes on, though nobody waits for it
      instance.failed('settle', error, core.id)
    })
    .then(() => runSettle(core, outcome, origin, at + 1))
}
