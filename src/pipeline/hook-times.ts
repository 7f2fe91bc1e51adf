/**
 * What each hook did with the time of an exchange, for plugins that want to know (`hookTimes`): hooks are wrapped when the plan is made.
 *
 * Without such a plugin in the list nothing here runs: no hook is wrapped, and an exchange has nothing to remember. Measures only; what a hook does or
 * returns stays what it is.
 */

import type { HookRun } from '../plugin/outcome.ts'
import type { ErasedHooks, Instance } from './plan.ts'
import type { PluginView } from './view.ts'

type Writable = { -readonly [K in keyof HookRun]: HookRun[K] }

/** The same instance, whose hooks note when they ran. */
export function timedInstance(instance: Instance): Instance {
  const { hooks } = instance
  const timed: ErasedHooks = { ...hooks }
  const plain = <A>(hook: string, run: (x: PluginView, argument: A) => unknown) => {
    return (x: PluginView, argument: A): unknown => {
      const over = begun(x, instance, hook)
      try {
        const result = run(x, argument)
        if (!(result instanceof Promise)) {
          over()
          return result
        }
        return result.finally(over)
      } catch (error) {
        over()
        throw error
      }
    }
  }
  if (hooks.admit) timed.admit = plain('admit', (x) => hooks.admit!(x)) as (x: PluginView) => unknown
  if (hooks.request) timed.request = plain('request', (x) => hooks.request!(x)) as (x: PluginView) => unknown
  if (hooks.attempt) timed.attempt = plain('attempt', (x, call) => hooks.attempt!(x, call as never))
  if (hooks.reply) timed.reply = plain('reply', (x, reply) => hooks.reply!(x, reply as never))
  if (hooks.settle) timed.settle = plain('settle', (x, outcome) => hooks.settle!(x, outcome as never))
  if (hooks.around) {
    timed.around = async (x, next) => {
      const run = entered(x, instance, 'around')
      let below = 0
      let depth = 0
      let since = 0
      try {
        return await hooks.around!(x, async (options) => {
          if (depth++ === 0) since = x.core.elapsed()
          try {
            return await next(options)
          } finally {
            if (--depth === 0) below += x.core.elapsed() - since
          }
        })
      } finally {
        run.endedAt = x.core.elapsed()
        run.ownMs = Math.max(0, run.endedAt - run.startedAt - below)
      }
    }
  }
  if (hooks.event) timed.event = (x, event) => summed(x, instance, 'event', () => hooks.event!(x, event))
  if (hooks.inspect) {
    const { inspect } = hooks
    timed.inspect = { ...inspect, window: (x, text, last) => summed(x, instance, 'inspect', () => inspect.window(x, text, last)) }
  }
  return { ...instance, hooks: timed }
}

/** Notes a run; its end is still to be said. */
function entered({ core }: PluginView, instance: Instance, hook: string): Writable {
  const now = core.elapsed()
  const run: Writable = { plugin: instance.id, hook, startedAt: now, endedAt: now, ownMs: 0, calls: 1 }
  core.hooks ??= []
  if (core.hooks.length < mostRuns) core.hooks.push(run)
  return run
}

/** A plugin that asks for a hundred calls does not make a record of any size. */
const mostRuns = 500

function begun(x: PluginView, instance: Instance, hook: string): () => void {
  const run = entered(x, instance, hook)
  return () => {
    run.endedAt = x.core.elapsed()
    run.ownMs = run.endedAt - run.startedAt
  }
}

/** The calls for the many events of a reply are one run. */
function summed<T>(x: PluginView, instance: Instance, hook: string, work: () => T): T {
  const { core } = x
  let run = core.hooks?.findLast((one) => one.plugin === instance.id && one.hook === hook) as Writable | undefined
  const began = core.elapsed()
  if (run) run.calls++
  else run = entered(x, instance, hook)
  try {
    return work()
  } finally {
    run.endedAt = core.elapsed()
    run.ownMs += run.endedAt - began
  }
}
