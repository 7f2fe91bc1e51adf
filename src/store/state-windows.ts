/**
 * Limits in this process: fixed windows and token buckets, exact because nothing here is asynchronous.
 *
 * A list of takes is tried in order, each on top of those before it; when one is short all are undone. Redis does the same with the
 * same numbers (`redis/scripts.ts`). Amounts were checked before they come here.
 *
 * A clock that is set back a little goes on with the window or bucket that it knows: nobody gets more. One that is set back by more than
 * that lasts begins anew, or what was taken in a future that did not come would count until it does.
 */

import type { Give, Take, TakeResult } from '../plugin/host.ts'
import { type BucketUnits, bucketUnits, millisecondsTo, mostUnits, refilled } from './state-bucket.ts'
import { ExpiringMap } from './state-expiring.ts'

interface FixedWindow {
  used: number
  readonly endsAt: number
  readonly size: 0
}

interface Bucket {
  /** Units left, as of `at`; negative after a correction that took more than there was. */
  level: number
  at: number
  /** Units per token, as counted in `level`. */
  scale: number
  /** When it is full again: then it need not be remembered. */
  endsAt: number
  readonly size: 0
}

export class Windows {
  private readonly fixed: ExpiringMap<FixedWindow>
  private readonly buckets: ExpiringMap<Bucket>

  constructor(most: number) {
    this.fixed = new ExpiringMap(most)
    this.buckets = new ExpiringMap(most)
  }

  get count(): number {
    return this.fixed.count + this.buckets.count
  }

  clear(): void {
    this.fixed.clear()
    this.buckets.clear()
  }

  /** Takes from one fixed window. */
  take(prefix: string, key: string, amount: number, limit: number, length: number, now: number): TakeResult {
    const window = this.fixedWindow(`${prefix}${length}\n${key}`, length, now)
    const taken = window.used + amount <= limit
    if (taken) window.used += amount
    return { taken, remaining: Math.max(0, limit - window.used), resetAt: window.endsAt }
  }

  /** Takes from all limits or from none. */
  takeAll(prefix: string, takes: readonly Take[], now: number): TakeResult[] {
    const tried: (() => TakeResult)[] = []
    const undo: (() => void)[] = []
    let enough = true
    for (const take of takes) {
      const step = take.kind === 'bucket' ? this.tryBucket(prefix, take, now) : this.tryFixed(prefix, take, now)
      if (step.undo) undo.push(step.undo)
      else enough = false
      tried.push(() => step.result(enough))
    }
    if (!enough) for (const one of undo) one()
    return tried.map((result) => result())
  }

  /** Corrects takes of windows that are not over. */
  give(prefix: string, corrections: readonly Give[], now: number): void {
    for (const give of corrections) {
      if (give.amount === 0 || give.at <= now) continue
      if (give.kind === 'bucket') this.giveBucket(prefix, give, now)
      else this.giveFixed(prefix, give, now)
    }
  }

  private tryFixed(prefix: string, { key, amount, limit, window: length }: Take, now: number): Tried {
    const window = this.fixedWindow(`${prefix}${length}\n${key}`, length, now)
    const result = (taken: boolean) => ({ taken, remaining: Math.max(0, limit - window.used), resetAt: window.endsAt })
    if (window.used + amount > limit) return { result }
    window.used += amount
    return { result, undo: () => void (window.used -= amount) }
  }

  private tryBucket(prefix: string, { key, amount, limit, window, burst = limit }: Take, now: number): Tried {
    const units = bucketUnits(limit, window, burst)
    const bucket = this.bucket(prefix + key, units, now)
    const { scale, rate, full } = units
    const cost = amount * scale
    const enough = amount <= burst && cost <= bucket.level
    const result = (taken: boolean): TakeResult => {
      bucket.endsAt = now + millisecondsTo(full, bucket.level, rate)
      const left = { taken, remaining: Math.max(0, Math.floor(bucket.level / scale)), resetAt: bucket.endsAt }
      return enough || amount > burst ? left : { ...left, waitFor: Math.max(1, millisecondsTo(cost, bucket.level, rate)) }
    }
    if (!enough) return { result }
    bucket.level -= cost
    return { result, undo: () => void (bucket.level += cost) }
  }

  private giveFixed(prefix: string, { key, amount, window: length, at }: Give, now: number): void {
    if (endOf(now, length) !== at) return
    const window = this.fixedWindow(`${prefix}${length}\n${key}`, length, now)
    window.used = Math.min(Number.MAX_SAFE_INTEGER / 2, Math.max(0, window.used - amount))
  }

  private giveBucket(prefix: string, { key, amount, limit, window, burst = limit }: Give, now: number): void {
    const units = bucketUnits(limit, window, burst)
    const bucket = this.bucket(prefix + key, units, now)
    const change = Math.max(-mostUnits, Math.min(mostUnits, amount * units.scale))
    bucket.level = Math.max(-mostUnits, Math.min(units.full, bucket.level + change))
    bucket.endsAt = now + millisecondsTo(units.full, bucket.level, units.rate)
  }

  private fixedWindow(key: string, length: number, now: number): FixedWindow {
    const known = this.fixed.get(key, now)
    if (known && known.endsAt - now <= 2 * length) return known
    const fresh: FixedWindow = { used: 0, endsAt: endOf(now, length), size: 0 }
    this.fixed.set(key, fresh, now)
    return fresh
  }

  /** The bucket as it stands at `now`: refilled, and counted in the units of today's limit. */
  private bucket(key: string, units: BucketUnits, now: number): Bucket {
    const known = this.buckets.get(key, now)
    if (!known) {
      const fresh: Bucket = { level: units.full, at: now, scale: units.scale, endsAt: now + 1, size: 0 }
      this.buckets.set(key, fresh, now)
      return fresh
    }
    if (known.scale !== units.scale) {
      known.level = Math.floor(known.level / known.scale) * units.scale
      known.scale = units.scale
    }
    if (known.at - now > millisecondsTo(units.full, 0, units.rate)) known.at = now
    known.level = refilled(known.level, now - known.at, units)
    known.at = Math.max(known.at, now)
    return known
  }
}

/** A take that was tried. Without `undo` there was not enough. */
interface Tried {
  result(taken: boolean): TakeResult
  readonly undo?: () => void
}

/** The end of the fixed window that `now` lies in. */
function endOf(now: number, length: number): number {
  return now - (now % length) + length
}
