/**
 * Takes and corrections as simply as they can be said: the model that stores are held to.
 *
 * Fixed windows by their end; buckets as exact fractions of a token in bigint, without the cleverness of `state-bucket.ts`.
 */

import type { Give, Take, TakeResult } from '../plugin/host.ts'

interface Bucket {
  /** Tokens times `window`. */
  level: bigint
  at: number
}

type Limit = Omit<Take, 'amount'>

/** A new, empty model. */
export function stateModel(): {
  takeAll(takes: readonly Take[], now: number): TakeResult[]
  give(corrections: readonly Give[], now: number): void
} {
  let used = new Map<string, number>()
  let buckets = new Map<string, Bucket>()
  const endOf = (window: number, now: number) => (Math.floor(now / window) + 1) * window
  const name = ({ key, window }: Limit, end: number) => `${key} ${window} ${end}`
  const full = ({ limit, burst = limit, window }: Limit) => BigInt(burst) * BigInt(window)

  const levelOf = (limit: Limit, now: number): bigint => {
    const bucket = buckets.get(limit.key)
    if (!bucket) return full(limit)
    const level = bucket.level + BigInt(now - bucket.at) * BigInt(limit.limit)
    return level < full(limit) ? level : full(limit)
  }
  const setLevel = (limit: Limit, level: bigint, now: number) =>
    void buckets.set(limit.key, { level: level < full(limit) ? level : full(limit), at: now })
  const until = (wanted: bigint, level: bigint, rate: number): number => {
    if (level >= wanted) return 0
    return rate === 0 ? 3_155_760_000_000 : Number((wanted - level + BigInt(rate) - 1n) / BigInt(rate))
  }

  return {
    takeAll(takes, now) {
      const before = [new Map(used), new Map([...buckets].map(([k, b]) => [k, { ...b }]))] as const
      const enough = takes.map((take) => {
        if (take.kind === 'bucket') {
          const left = levelOf(take, now) - BigInt(take.amount) * BigInt(take.window)
          if (left >= 0n) setLevel(take, left, now)
          return left >= 0n
        }
        const key = name(take, endOf(take.window, now))
        const sum = (used.get(key) ?? 0) + take.amount
        if (sum <= take.limit) used.set(key, sum)
        return sum <= take.limit
      })
      const taken = enough.every((e) => e)
      if (!taken) [used, buckets] = before
      return takes.map((take, i) => {
        const end = endOf(take.window, now)
        if (take.kind !== 'bucket') return { taken, remaining: Math.max(0, take.limit - (used.get(name(take, end)) ?? 0)), resetAt: end }
        const level = levelOf(take, now)
        const left = level / BigInt(take.window)
        const result = { taken, remaining: left < 0n ? 0 : Number(left), resetAt: now + until(full(take), level, take.limit) }
        if (enough[i] || take.amount > (take.burst ?? take.limit)) return result
        return { ...result, waitFor: Math.max(1, until(BigInt(take.amount) * BigInt(take.window), level, take.limit)) }
      })
    },
    give(corrections, now) {
      for (const give of corrections) {
        if (give.at <= now) continue
        if (give.kind === 'bucket') setLevel(give, levelOf(give, now) + BigInt(give.amount) * BigInt(give.window), now)
        else if (give.at === endOf(give.window, now)) {
          const key = name(give, give.at)
          used.set(key, Math.max(0, (used.get(key) ?? 0) - give.amount))
        }
      }
    },
  }
}
