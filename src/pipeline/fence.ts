/**
 * The fence around every hook: timeout, undo, open or closed.
 *
 * A hook that throws, rejects, times out or returns something that is no answer has its changes undone. Then the failure mode decides:
 * `open` goes on as if the plugin were not there, `closed` refuses the exchange. A hook that answers at once pays for a try block and
 * nothing else: no promise, no timer.
 *
 *   run ──sync──▶ judge ──▶ undefined | refusal | completed
 *    └──promise──▶ race with timer ──▶ judge, or revoke the view + undo + failed
 */

import { JsonSyntaxError } from '../json/document.ts'
import { StoreUnavailable } from '../plugin/host.ts'
import { refusalCodes } from '../plugin/refusal.ts'
import type { Completed, Refusal } from '../plugin/reply.ts'
import type { CoreMark, ExchangeCore } from './core.ts'
import type { Instance, Step } from './plan.ts'

export type Verdict = Refusal | Completed | undefined

export class HookTimeout extends Error {
  constructor(ms: number) {
    super(`did not finish within ${ms} ms`)
  }
}

/** Runs one step of the way down (`admit`, `request`, `attempt`). */
export function runStep(core: ExchangeCore, step: Step, argument?: unknown): Verdict | Promise<Verdict> {
  const { instance } = step
  const mark = core.mark()
  let result: unknown
  try {
    result = step.run(core.view(instance), argument as never)
  } catch (error) {
    return failed(core, instance, step.hook, error, mark)
  }
  if (result === undefined || result === null) return undefined
  if (isThenable(result)) return judgeLater(core, step, result, mark)
  return judge(core, step, result, mark)
}

// Closures stand in functions of their own: where one may be made, every call pays for a scope on the heap, made or not.
function judgeLater(core: ExchangeCore, step: Step, result: PromiseLike<unknown>, mark: CoreMark): Promise<Verdict> {
  const { instance } = step
  return withTimeout(result, instance.timeout).then(
    (value) => judge(core, step, value, mark),
    (error) => {
      if (error instanceof HookTimeout) core.revoke(instance)
      return failed(core, instance, step.hook, error, mark)
    },
  )
}

function judge(core: ExchangeCore, step: Step, value: unknown, mark: CoreMark): Verdict {
  if (value === undefined || value === null) return undefined
  if (isRefusal(value)) {
    core.verdict(step.instance, step.hook, 'refused', value.code)
    return value
  }
  if (step.hook === 'request' && isCompleted(value)) {
    core.verdict(step.instance, step.hook, 'replied')
    return value
  }
  return failed(core, step.instance, step.hook, new TypeError(`returned something that is no answer: ${describe(value)}`), mark)
}

/** A refusal that can be sent: a known code, and an HTTP status that says so. */
export function isRefusal(value: unknown): value is Refusal {
  const { type, code, status } = value as Partial<Refusal>
  return (
    type === 'refusal' &&
    (refusalCodes as readonly string[]).includes(code!) &&
    (status === undefined || (Number.isInteger(status) && status >= 400 && status <= 599))
  )
}

/** An answer that can be sent: a list of events. */
export function isCompleted(value: unknown): value is Completed {
  const { type, events } = value as Partial<Completed>
  return type === 'completed' && Array.isArray(events) && events.every((e) => typeof (e as { type?: unknown } | null)?.type === 'string')
}

/** Undoes, logs, and lets the failure mode decide. Says nothing of the error to the client. */
export function failed(core: ExchangeCore, instance: Instance, hook: string, error: unknown, mark?: CoreMark): Refusal | undefined {
  if (mark) core.undo(mark)
  // a large body is parsed only when a plugin looks into it; that it is broken is the client's fault, not the plugin's
  if (error instanceof JsonSyntaxError) return { type: 'refusal', code: 'invalid_json', message: error.message }
  core.failures++
  instance.failed(hook, error, core.id)
  core.verdict(instance, hook, instance.failure === 'open' ? 'failed-open' : 'failed-closed', messageOf(error))
  if (instance.failure === 'open') return undefined
  if (error instanceof StoreUnavailable) {
    const message = `The plugin "${instance.id}" of this gateway can't reach its store now. Try again in a moment.`
    return { type: 'refusal', code: 'store_unavailable', retryAfter: 1, message }
  }
  return {
    type: 'refusal',
    code: 'plugin_failed',
    message: `The plugin "${instance.id}" of this gateway failed. Name the request id to the operator.`,
  }
}

/** Resolves or rejects with the promise, or rejects with `HookTimeout`. The late result of a hook that timed out is ignored. 0 = no limit. */
export function withTimeout<T>(promise: PromiseLike<T>, ms: number): Promise<T> {
  if (ms <= 0) return Promise.resolve(promise)
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new HookTimeout(ms)), ms)
    promise.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function describe(value: unknown): string {
  return typeof value === 'object'
    ? `an object with keys ${
        Object.keys(value as object)
          .slice(0, 5)
          .join(', ') || '(none)'
      }`
    : typeof value
}
