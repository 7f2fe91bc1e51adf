/**
 * `around`: each such plugin wraps everything below it; at the bottom stands the upstream call.
 *
 * `next()` may be called any number of times, also at the same time. Replies that the plugin does not return are discarded, so that no
 * upstream call runs on unseen. The plugin's own timeout runs only while none of its `next()` calls is pending: waiting for a model is
 * not the plugin's time. What a branch that failed did to the body and the target is undone, so that the next one begins where it began.
 *
 *   idle ──call──▶ own time ──next()──▶ waiting ──resolved──▶ own time … ──returned──▶ done
 */

import { afterReading } from '../plugin/after-reading.ts'
import type { BrokenStream, Next, NextOptions } from '../plugin/hooks.ts'
import type { Completed, Refusal, Reply } from '../plugin/reply.ts'
import { Branch } from './branch.ts'
import type { ExchangeCore } from './core.ts'
import { failed, HookTimeout, isCompleted, isRefusal } from './fence.ts'
import type { Instance } from './plan.ts'
import { completedReply, type ReplyCore, refusalReply } from './reply-core.ts'
import type { PluginView } from './view.ts'

export interface ChainEnds {
  /** Makes the upstream call. Never rejects. */
  readonly upstream: (core: ExchangeCore, branch: Branch | undefined) => Promise<ReplyCore>
  /** HTTP status of a refusal in the client's dialect. */
  readonly statusOf: (refusal: Refusal) => number
}

/** Runs the around plugins from list position `from` on, then the upstream call. Never rejects. */
export function runAround(core: ExchangeCore, ends: ChainEnds, from = 0, branch?: Branch): Promise<ReplyCore> {
  const { around } = core.plan
  for (let i = from; i < around.length; i++) {
    const instance = around[i]!
    if (core.isActive(instance) && wraps(core, instance)) return runOne(core, ends, instance, i, branch)
  }
  return ends.upstream(core, branch)
}

/** Whether an instance wants to stand around this exchange. One that can't say so does, and is fenced there. */
function wraps(core: ExchangeCore, instance: Instance): boolean {
  const { hooks } = instance
  if (!hooks.wraps) return true
  try {
    return hooks.wraps(core.view(instance)) !== false
  } catch {
    return true
  }
}

/** A hook that stands around what is below it: its `next`, its own time, and the replies that it was given. */
interface Layer {
  /** Calls the hook. Rejects with what it threw, or with `HookTimeout`. */
  run<T>(ask: (x: PluginView, next: Next) => Promise<T>): Promise<T>
  /** No reply but `kept` is wanted any more: calls that have not answered yet end, and so do those that have. */
  finish(kept?: unknown): void
  made(reply: unknown): reply is ReplyCore
}

/** @param below position in `plan.around` of the first that stands below it */
function layerOf(core: ExchangeCore, ends: ChainEnds, instance: Instance, below: number, outer: Branch | undefined): Layer {
  const made: ReplyCore[] = []
  const pending = new Set<Branch>()
  let over = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let expire: (error: Error) => void = () => {}
  const arm = () => {
    if (instance.timeout > 0 && !over) timer = setTimeout(() => expire(new HookTimeout(instance.timeout)), instance.timeout)
  }

  const next = async (options: NextOptions = {}): Promise<Reply> => {
    if (over) throw new Error('next() called after the hook was over')
    clearTimeout(timer)
    const branch = new Branch(outer, options.signal)
    pending.add(branch)
    core.underWay++
    try {
      if (options.after !== undefined) await waited(options.after, branch, core.signal)
      const before = core.mark()
      const reply = await runAround(core, ends, below, branch)
      if (over) reply.discard()
      else made.push(reply)
      if (!reply.ok && pending.size === 1) core.undoEdits(before)
      return reply
    } finally {
      core.underWay--
      pending.delete(branch)
      branch.hasAnswered()
      if (pending.size === 0) arm()
    }
  }
  return {
    run: (ask) =>
      new Promise((resolve, reject) => {
        expire = reject
        arm()
        ask(core.view(instance), next).then(resolve, reject)
      }),
    finish(kept) {
      over = true
      clearTimeout(timer)
      for (const branch of pending) branch.end()
      for (const reply of made) if (reply !== kept) reply.discard()
    },
    made: (reply): reply is ReplyCore => made.includes(reply as ReplyCore),
  }
}

async function runOne(
  core: ExchangeCore,
  ends: ChainEnds,
  instance: Instance,
  position: number,
  outer: Branch | undefined,
): Promise<ReplyCore> {
  core.reach(instance)
  const mark = core.mark()
  const layer = layerOf(core, ends, instance, position + 1, outer)
  try {
    const result: Reply | Refusal | Completed = await layer.run((x, next) => instance.hooks.around!(x, next))
    if (layer.made(result)) {
      layer.finish(result)
      return result
    }
    if (typeof result === 'object' && result !== null) {
      if (isRefusal(result)) {
        const reply = refusalReply(result, ends.statusOf(result), instance.index, instance.id)
        core.verdict(instance, 'around', 'refused', result.code)
        layer.finish()
        return reply
      }
      if (isCompleted(result)) {
        const reply = completedReply(result, core.body?.stream ?? false, instance.index, instance.id)
        core.verdict(instance, 'around', 'replied')
        layer.finish()
        return reply
      }
    }
    throw new TypeError('around must resolve with a reply of its own next(), a refusal or an answer')
  } catch (error) {
    layer.finish()
    if (error instanceof HookTimeout) core.revoke(instance)
    const refusal = failed(core, instance, 'around', error, mark)
    if (refusal) return refusalReply(refusal, ends.statusOf(refusal), instance.index, instance.id)
    return await runAround(core, ends, position + 1, outer)
  }
}

/**
 * Asks the plugins, nearest the upstream first, for a reply that goes on with a stream that broke off; undefined when none has one. Never rejects: a hook
 * that fails leaves the error that there is.
 */
export async function runResume(core: ExchangeCore, ends: ChainEnds, broken: BrokenStream, branch: Branch): Promise<ReplyCore | undefined> {
  for (const instance of core.plan.resume) {
    if (!core.isActive(instance)) continue
    const mark = core.mark()
    const below = core.plan.around.findIndex((other) => other.index > instance.index)
    const layer = layerOf(core, ends, instance, below < 0 ? core.plan.around.length : below, branch)
    core.underWay++
    try {
      const result = await layer.run((x, next) => instance.hooks.resume!(x, broken, next))
      if (result !== undefined && !layer.made(result)) throw new TypeError('resume must resolve with a reply of its own next(), or nothing')
      layer.finish(result?.ok ? result : undefined)
      if (result?.ok) {
        core.verdict(instance, 'resume', 'resumed', result.attempt?.upstream)
        return result
      }
    } catch (error) {
      layer.finish()
      if (error instanceof HookTimeout) core.revoke(instance)
      // once the client has gone what it waited for was ended, which is no failure of the hook
      if (!branch.ended) failed(core, instance, 'resume', error, mark)
      return undefined
    } finally {
      core.underWay--
    }
  }
  return undefined
}

/**
 * Waits so many milliseconds, or for a promise, or until the client has gone: then what stands below ends the exchange at once.
 * @throws why the branch ended, when it ends before
 */
function waited(after: number | PromiseLike<unknown>, branch: Branch, client: AbortSignal): Promise<void> {
  if (branch.ended) return Promise.reject(endOf(branch))
  return new Promise((resolve, reject) => {
    const done = (then: () => void) => {
      clearTimeout(timer)
      leave()
      client.removeEventListener('abort', gone)
      then()
    }
    // in its own turn: where the client's leaving ends the branch, that goes before
    const gone = () => void setImmediate(() => done(resolve))
    const leave = branch.listen(() => done(() => reject(endOf(branch))))
    client.addEventListener('abort', gone)
    // what came in time goes first, and may end the branch
    const timer = typeof after === 'number' ? setTimeout(afterReading, after, () => done(resolve)) : undefined
    if (typeof after !== 'number') {
      after.then(
        () => done(resolve),
        (error: unknown) => done(() => reject(error as Error)),
      )
    }
  })
}

function endOf({ reason }: Branch): Error {
  return reason instanceof Error ? reason : new DOMException('This branch was ended.', 'AbortError')
}
