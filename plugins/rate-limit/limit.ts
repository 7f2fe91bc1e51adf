/**
 * What a caller is told of a limit: headers and the sentence of a refusal. Pure.
 */

import type { TakeResult } from 'headgate/plugin'

/** The `x-ratelimit-*` headers; the reset in unix seconds, rounded up so that it is never too early. */
export function limitHeaders(limit: number, result: TakeResult): Record<string, string> {
  return {
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(Math.max(0, result.remaining)),
    'x-ratelimit-reset': String(Math.ceil(result.resetAt / 1000)),
  }
}

/** Seconds until the window ends, for `Retry-After`: whole, at least 1. */
export function retryAfter(result: TakeResult, now: number): number {
  return Math.max(1, Math.ceil((result.resetAt - now) / 1000))
}

/** The sentence of a refusal. `window` in milliseconds; `what` says who or what is limited. */
export function refusalMessage(limit: number, window: number, what: string, seconds: number): string {
  const requests = limit === 1 ? '1 request' : `${limit} requests`
  return `Rate limit reached: ${requests} per ${durationText(window)} for ${what}. Try again in ${seconds} s.`
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
