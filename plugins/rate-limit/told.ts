/**
 * What a caller is told of limits: which one is the tightest, how its reset is written, and the sentences of refusals. Pure.
 */

import type { TakeResult } from 'headgate/plugin'
import type { Limit, What } from './limit.ts'
import { whomText } from './subject.ts'

/** How the time of a reset is written. */
export type ResetForm = 'unix' | 'unix_ms' | 'seconds' | 'ms' | 'duration' | 'iso'

/** The time at which a limit is whole again, as text; rounded up so that it is never too early. Both in milliseconds since the epoch. */
export function resetText(form: ResetForm, at: number, now: number): string {
  const left = Math.max(0, at - now)
  switch (form) {
    case 'unix':
      return String(Math.ceil(at / 1000))
    case 'unix_ms':
      return String(at)
    case 'seconds':
      return String(Math.ceil(left / 1000))
    case 'ms':
      return String(left)
    case 'duration':
      return leftText(left)
    case 'iso':
      return `${new Date(Math.min(Math.ceil(at / 1000) * 1000, latest)).toISOString().slice(0, 19)}Z`
  }
}

/** The last second of the year 9999, in milliseconds: later ones have no usual spelling. */
const latest = 253_402_300_799_000

/** A duration as OpenAI's headers have it: `120ms`, `1s`, `6m0s`, `1h0m0s`. */
function leftText(ms: number): string {
  if (ms < 1000) return `${ms}ms`
  const seconds = Math.ceil(ms / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60]
  return h > 0 ? `${h}h${m}m${s}s` : m > 0 ? `${m}m${s}s` : `${s}s`
}

/** Index of the limit of which the smallest share is left; of equals the one that takes longest to be whole again. -1 when there is none of that kind. */
export function tightest(limits: readonly Limit[], results: readonly TakeResult[], what?: What): number {
  let found = -1
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < limits.length; i++) {
    const limit = limits[i]!
    if (what !== undefined && limit.what !== what) continue
    const { remaining, resetAt } = results[i]!
    const share = limit.capacity === 0 ? 0 : Math.max(0, remaining) / limit.capacity
    if (share < least || (share === least && resetAt > results[found]!.resetAt)) {
      found = i
      least = share
    }
  }
  return found
}

/** Milliseconds until a take that failed would find enough. A window is never longer than itself, whatever the clocks of a store say. */
export function waitOf(limit: Limit, result: TakeResult, now: number): number {
  if (result.waitFor !== undefined) return result.waitFor
  const left = result.resetAt - now
  return limit.kind === 'fixed' ? Math.min(left, limit.window) : left
}

/** Milliseconds as whole seconds for `Retry-After`: at least 1. */
export function retryAfter(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}

/** The sentence of a refusal. `amount`: what this request would have taken; `seconds`: how long to wait. */
export function refusalMessage(limit: Limit, subject: string, amount: number, seconds: number): string {
  if (limit.capacity === 0) return `Rate limit reached: no ${limit.what} are allowed for ${whomText(limit.by, subject)}. Ask the operator.`
  const needs = limit.what === 'tokens' ? `; this request may need ${amount}` : ''
  return `Rate limit reached: ${limitText(limit)} for ${whomText(limit.by, subject)}${needs}. Try again in ${seconds} s.`
}

/** The sentence for a request that no waiting makes possible. */
export function tooLargeMessage(limit: Limit, subject: string, tokens: number): string {
  return `The request is about ${tokens} tokens long, and ${limitText(limit)} are all that is allowed for ${whomText(limit.by, subject)}. Shorten it.`
}

/** `60 requests per 1m`, `10 requests per 1s, 20 at once`. */
function limitText({ limit, what, window, kind, capacity }: Limit): string {
  const amount = limit === 1 ? `1 ${what.slice(0, -1)}` : `${limit} ${what}`
  return `${amount} per ${durationText(window)}${kind === 'bucket' && capacity !== limit ? `, ${capacity} at once,` : ''}`
}

/** Milliseconds as people write them: `1m`, `90s`, `250ms`. */
export function durationText(ms: number): string {
  for (const [unit, length] of units) if (ms >= length && ms % length === 0) return `${ms / length}${unit}`
  return `${ms}ms`
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const
