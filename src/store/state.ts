/**
 * What a store of shared state is to the runtime, and the rules that all of them keep.
 *
 * `state-memory.ts` and `redis/` implement {@link StateStore}; `state.suite.ts` holds both to the same behaviour. Everything a plugin
 * may do wrong (a fraction where a count is meant, a value that is no JSON) is refused here, before a store is asked.
 */

import { type Give, type State, StoreUnavailable, type Take } from '../plugin/host.ts'
import { bucketUnits } from './state-bucket.ts'

/** Shared state of a whole gateway. Outlives a reload while its URL is the same. */
export interface StateStore {
  /** The state of one plugin instance: its keys are its own. */
  scoped(scope: string): State
  /** Why it can't be used now, in one sentence without secrets; undefined when it can. */
  readonly problem: string | undefined
  /** Ends what the store holds open; calls fail from then on. Never rejects. */
  close(): Promise<void>
}

/** Longest life of what was written without a `ttl`, in milliseconds: 30 days. No key stays for ever. */
export const longestTtl = 30 * 24 * 3600_000

/** The `ttl` of a call in whole milliseconds, at least 1. @throws RangeError when it is no number of milliseconds above 0. */
export function ttlOf(ttl: number | undefined): number {
  if (ttl === undefined) return longestTtl
  if (!(ttl > 0)) throw new RangeError(`a ttl is a number of milliseconds above 0, not ${ttl}`)
  return Math.min(Math.ceil(ttl), Number.MAX_SAFE_INTEGER / 4)
}

/** A value as JSON. @throws TypeError for what JSON can't hold: undefined, functions, bigint, circles. */
export function encode(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new TypeError(`a value of state is JSON, and ${typeof value} is none`)
  return text
}

/** @throws RangeError unless the amount of a counter is a whole number. */
export function checkCount(amount: number): void {
  if (!Number.isSafeInteger(amount)) throw new RangeError(`state counts in whole numbers, not in ${amount}`)
}

/** @throws RangeError unless a take is in whole numbers from 0 up and its window is at least a millisecond long. */
export function checkTake({ amount, limit, window, kind, burst }: Take): void {
  if (!(Number.isSafeInteger(amount) && amount >= 0))
    throw new RangeError(`the amount of a take is a whole number from 0 up, not ${amount}`)
  checkLimit(limit, window, kind, burst)
}

/** @throws RangeError unless a correction is in whole numbers. */
export function checkGive({ amount, limit, window, kind, burst }: Give): void {
  checkCount(amount)
  checkLimit(limit, window, kind, burst)
}

function checkLimit(limit: number, window: number, kind: Take['kind'], burst = limit): void {
  if (!(Number.isSafeInteger(limit) && limit >= 0)) throw new RangeError(`a limit is a whole number from 0 up, not ${limit}`)
  if (!(Number.isSafeInteger(window) && window > 0))
    throw new RangeError(`a window is a whole number of milliseconds above 0, not ${window}`)
  if (!(Number.isSafeInteger(burst) && burst >= 0)) {
    throw new RangeError(`a burst is a whole number from 0 up, not ${burst}`)
  }
  if (kind === 'bucket') bucketUnits(limit, window, burst) // throws for one too large to be exact
}

/** What `add` says of a key that holds something else. */
export function notACounter(key: string): TypeError {
  return new TypeError(`${JSON.stringify(key)} holds no whole number, so nothing can be added to it`)
}

/** The failure of a store that was closed. */
export function closedStore(): StoreUnavailable {
  return new StoreUnavailable('the shared state is closed')
}
