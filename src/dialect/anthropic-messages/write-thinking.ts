/**
 * How a Messages request says how much to think (PROTOCOL §1.3, D04), and what of the other parameters that forbids.
 *
 * Thinking is a hint: where it can't be, it is left out and disclosed. A forced tool call is none: of the two it stays.
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation } from '../conversation.ts'
import { budgetOfEffort, effortOfBudget, nearestEffort } from '../effort.ts'
import type { LossReport } from '../loss.ts'
import type { Block } from './cache-marks.ts'

export interface ThinkingWritten {
  readonly thinking: Block | undefined
  readonly effort: string | undefined
  readonly maxTokens: number
  /** The model will think: sampling is then limited. */
  readonly on: boolean
}

/** Output cap where neither the client nor the catalogue says one: every Claude model since 3.5 takes it. */
export const defaultMaxTokens = 8192
/** Smallest budget that the provider takes. */
const minBudget = 1024

export interface ThinkingLimits {
  /** A tool call is forced, which the provider refuses beside a budget (recorded traffic: not beside adaptive thinking). */
  readonly forced: boolean
  /** The model's last turn made calls without a thought before them, which the provider refuses beside a budget. */
  readonly loopWithoutThought: boolean
  /** The conversation came in this dialect. */
  readonly own: boolean
}

/** The thinking that is asked of the model, and the limit of output that goes with it (D04, I08). */
export function writeThinking(
  conversation: Conversation,
  target: WriteTarget,
  limits: ThinkingLimits,
  report: LossReport,
): ThinkingWritten {
  const { can, maxOutput } = target
  const { params, names } = conversation
  const asked = params.reasoning
  const field = names.reasoning ?? 'reasoning'
  const maxTokens = params.maxOutput ?? maxOutput ?? defaultMaxTokens
  const none: ThinkingWritten = { thinking: undefined, effort: undefined, maxTokens, on: false }
  if (!asked) return none
  if (asked.off || asked.effort === 'none' || asked.budget === 0) {
    const known = can.adaptiveThinking || can.thinkingBudget
    if (known && !can.thinkingOff) {
      report.drop(field) // this model always thinks: it is told to think as little as it can
      return { ...none, effort: can.efforts[0], on: true }
    }
    return {
      ...none,
      thinking: known ? { type: 'disabled' } : undefined,
      effort: asked.off ? effortOf(asked.effort, target, field, report) : undefined,
    }
  }
  const wordless = asked.effort === undefined && asked.budget === undefined && !asked.adaptive
  if (wordless) return none // only says how thoughts are to be shown
  const justEffort = limits.own && asked.effort !== undefined && asked.budget === undefined && !asked.adaptive
  if (justEffort) return { ...none, effort: effortOf(asked.effort, target, field, report) }
  if (!can.adaptiveThinking && !can.thinkingBudget) {
    report.drop(field)
    return none
  }

  const counted = asked.budget !== undefined && asked.budget > 0
  if (can.adaptiveThinking && !(counted && can.thinkingBudget && limits.own)) {
    const word = asked.effort ?? (counted ? effortOfBudget(asked.budget ?? -1) : undefined)
    const display = asked.visible === undefined ? {} : { display: asked.visible === 'omitted' ? 'omitted' : 'summarized' }
    return { ...none, thinking: { type: 'adaptive', ...display }, effort: effortOf(word, target, field, report), on: true }
  }

  if (limits.forced || limits.loopWithoutThought) {
    report.drop(field)
    return none
  }
  const wanted = Math.max(minBudget, counted ? (asked.budget ?? 0) : budgetOfEffort(asked.effort ?? 'medium'))
  // room for the answer is made only where the client did not say how long it may be
  const cap = params.maxOutput ?? Math.min(Math.max(maxTokens, wanted + defaultMaxTokens), maxOutput ?? Number.POSITIVE_INFINITY)
  const budget = Math.min(wanted, cap - 1)
  if (budget < minBudget) {
    report.drop(field)
    return none
  }
  const display = asked.visible === 'omitted' ? { display: 'omitted' } : {}
  const effort = can.adaptiveThinking ? effortOf(asked.effort, target, field, report) : undefined
  return { thinking: { type: 'enabled', budget_tokens: budget, ...display }, effort, maxTokens: cap, on: true }
}

/** I08: the nearest word that the model knows; another one than asked for is disclosed. */
function effortOf(word: string | undefined, target: WriteTarget, field: string, report: LossReport): string | undefined {
  if (word === undefined || word === 'none') return undefined
  const nearest = nearestEffort(word, target.can.efforts)
  if (nearest !== word) report.drop(field)
  return nearest
}
