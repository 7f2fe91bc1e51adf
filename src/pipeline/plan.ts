/**
 * The plan: an ordered list of plugin instances compiled into one flat list of steps per pass.
 *
 * Hooks that a plugin does not define have no step and cost nothing. The plan is immutable; an exchange keeps the one it started
 * with. This file may not run anything.
 */

import type { FailureMode, Plugin } from '../plugin/define.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { BrokenStream, Hooks, Inspection, Next, ReplyHead, UpstreamCall } from '../plugin/hooks.ts'
import type { Outcome } from '../plugin/outcome.ts'
import type { Completed, Refusal, Reply } from '../plugin/reply.ts'
import { timedInstance } from './hook-times.ts'
import type { Condition } from './match.ts'
import type { PluginView } from './view.ts'

/** The hooks of an instance with their types erased; the types were checked where the plugin was defined. */
export interface ErasedHooks {
  admit?(x: PluginView): unknown
  request?(x: PluginView): unknown
  around?(x: PluginView, next: Next): Promise<Reply | Refusal | Completed>
  wraps?(x: PluginView): boolean
  attempt?(x: PluginView, call: UpstreamCall): unknown
  reply?(x: PluginView, reply: ReplyHead): unknown
  event?(x: PluginView, event: StreamEvent): StreamEvent | readonly StreamEvent[] | null | undefined
  hears?(x: PluginView): boolean
  inspect?: Inspection<PluginView>
  resume?(x: PluginView, broken: BrokenStream, next: Next): Promise<Reply | undefined>
  settle?(x: PluginView, outcome: Outcome): unknown
}

/** One plugin in the list, set up. */
export interface Instance {
  /** Position in the list, 0 = nearest the client. */
  readonly index: number
  readonly id: string
  readonly plugin: Plugin
  readonly hooks: ErasedHooks
  readonly failure: FailureMode
  /** It needs to know what every reply used. */
  readonly usage: boolean
  /** Replies end when it has settled. */
  readonly holdsEnd: boolean
  /** It wants to know how long hooks take. */
  readonly hookTimes?: boolean
  /** Milliseconds that an asynchronous hook may take. */
  readonly timeout: number
  /** The operator's `when`; absent = always. */
  readonly condition?: Condition
  /** Told of every failed hook, and of the exchange whose id the client saw, for the log. */
  readonly failed: (hook: string, error: unknown, exchange: string) => void
}

/** A hook of one instance in one pass. */
export interface Step {
  readonly instance: Instance
  readonly hook: 'admit' | 'request' | 'reply' | 'attempt' | 'settle'
  readonly run: (x: PluginView, argument: never) => unknown
}

export interface Plan {
  readonly instances: readonly Instance[]
  /** Top down. */
  readonly admit: readonly Step[]
  /** Top down; holds the `admit` steps of instances whose condition needs the body. */
  readonly request: readonly Step[]
  readonly around: readonly Instance[]
  readonly attempt: readonly Step[]
  /** Bottom up, like the next ones. */
  readonly reply: readonly Step[]
  readonly events: readonly Instance[]
  readonly resume: readonly Instance[]
  readonly settle: readonly Step[]
  /** True when some instance needs to know what every reply used. */
  readonly usage: boolean
  /** True when some instance wants replies to end after settlement. */
  readonly holdsEnd: boolean
  /** True when some instance wants to know how long hooks take. */
  readonly hookTimes: boolean
  /** True when some instance has a condition. */
  readonly conditional: boolean
}

/** Told how long a hook took, in milliseconds; of one call among {@link sampled}. */
export type HookTime = (instance: Instance, hook: string, ms: number) => void

/** One call of each hook among so many is timed. A power of two. */
export const sampled = 64

/** Compiles instances, in list order, into a plan. `timed` is told how long hooks take. */
export function compilePlan(list: readonly Instance[], timed?: HookTime): Plan {
  const hookTimes = list.some((i) => i.hookTimes)
  const instances = hookTimes ? list.map(timedInstance) : list
  const admit: Step[] = []
  const request: Step[] = []
  const attempt: Step[] = []
  const reply: Step[] = []
  const settle: Step[] = []
  for (const instance of instances) {
    const { hooks } = instance
    if (hooks.admit) (instance.condition?.needsBody ? request : admit).push({ instance, hook: 'admit', run: (x) => hooks.admit!(x) })
    if (hooks.request) request.push({ instance, hook: 'request', run: (x) => hooks.request!(x) })
    if (hooks.attempt) attempt.push({ instance, hook: 'attempt', run: (x, call) => hooks.attempt!(x, call) })
    if (hooks.reply) reply.unshift({ instance, hook: 'reply', run: (x, head) => hooks.reply!(x, head) })
    if (hooks.settle) settle.unshift({ instance, hook: 'settle', run: (x, outcome) => hooks.settle!(x, outcome) })
  }
  if (timed)
    for (const steps of [admit, request, attempt, reply, settle]) for (const [i, step] of steps.entries()) steps[i] = timedStep(step, timed)
  return {
    instances,
    admit,
    request,
    around: instances.filter((i) => i.hooks.around),
    attempt,
    reply,
    events: instances.filter((i) => i.hooks.event || i.hooks.inspect).reverse(),
    resume: instances.filter((i) => i.hooks.resume).reverse(),
    settle,
    usage: instances.some((i) => i.usage),
    holdsEnd: instances.some((i) => i.holdsEnd),
    hookTimes,
    conditional: instances.some((i) => i.condition),
  }
}

/** The same step, which now and then tells how long it took. */
function timedStep(step: Step, tell: HookTime): Step {
  const { instance, hook, run } = step
  let calls = 0
  return {
    instance,
    hook,
    run(x, argument) {
      calls = (calls + 1) & (sampled - 1)
      if (calls !== 0) return run(x, argument)
      const began = performance.now()
      const over = () => tell(instance, hook, performance.now() - began)
      const result = run(x, argument)
      if (result instanceof Promise) result.then(over, over)
      else over()
      return result
    },
  }
}

/** Hooks as a plugin returned them, seen as erased ones. */
export function eraseHooks(hooks: Hooks): ErasedHooks {
  return hooks as unknown as ErasedHooks
}
