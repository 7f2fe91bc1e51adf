/**
 * The way down: `admit` and `request`, top to bottom, until somebody refuses or answers.
 *
 * Stays synchronous as long as every hook does.
 */

import type { Completed, Refusal } from '../plugin/reply.ts'
import type { ExchangeCore } from './core.ts'
import { isThenable, runStep, type Verdict } from './fence.ts'
import type { Step } from './plan.ts'

/** An answer and the list position it came from. */
export interface Stop {
  readonly answer: Refusal | Completed
  readonly index: number
  /** For a `reply` hook: where the pass goes on with this answer; those before it have run. */
  readonly resume?: number
}

/** Runs `steps` in order; undefined when all let the exchange pass. */
export function descend(core: ExchangeCore, steps: readonly Step[], from = 0): Stop | undefined | Promise<Stop | undefined> {
  for (let i = from; i < steps.length; i++) {
    const step = steps[i]!
    if (!core.isActive(step.instance)) continue
    core.reach(step.instance)
    const result = runStep(core, step)
    if (result === undefined) continue
    if (isThenable(result)) return descendLater(core, steps, i, result as Promise<Verdict>)
    return { answer: result, index: step.instance.index }
  }
  return undefined
}

/** Goes on behind step `at`, whose hook is asynchronous. */
function descendLater(core: ExchangeCore, steps: readonly Step[], at: number, result: Promise<Verdict>): Promise<Stop | undefined> {
  return result.then((verdict) => (verdict ? { answer: verdict, index: steps[at]!.instance.index } : descend(core, steps, at + 1)))
}
