/**
 * The arithmetic of token buckets, in whole numbers only, so that no rounding drifts and all stores agree to the last token.
 *
 * One token is cut into `scale` units such that each millisecond refills a whole number of them: with L tokens per W milliseconds,
 * both divided by their greatest common divisor, a token is W units and a millisecond brings L. Pure; knows no store and no clock.
 */

/** A bucket in units. */
export interface BucketUnits {
  /** Units per token. */
  readonly scale: number
  /** Units that each millisecond refills. */
  readonly rate: number
  /** Units of a full bucket. */
  readonly full: number
}

/** Largest count of units: sums of two stay exact in a double, in JavaScript and in Lua. */
export const mostUnits = 2 ** 51
/** Below this, halving the rate would change it by more than a thousandth. */
const leastRate = 1024

/**
 * Units of a bucket that holds `burst` tokens and is refilled by `limit` per `window` milliseconds.
 *
 * Where the numbers are too large to be exact, the rate is rounded down by less than a thousandth: a limit may be stricter, never looser.
 * @throws RangeError for a bucket that would take more than centuries to fill.
 */
export function bucketUnits(limit: number, window: number, burst: number): BucketUnits {
  if (limit === 0) return { scale: 1, rate: 0, full: Math.min(burst, mostUnits) }
  const divisor = gcd(limit, window)
  let scale = window / divisor
  let rate = limit / divisor
  while (burst * scale > mostUnits) {
    if (rate < leastRate)
      throw new RangeError(`a bucket of ${burst} refilled by ${limit} per ${window} ms is too large to be counted exactly`)
    scale = Math.ceil(scale / 2)
    rate = Math.floor(rate / 2)
  }
  return { scale, rate, full: burst * scale }
}

/** The level after `elapsed` milliseconds of refill. Clocks that go back refill nothing. */
export function refilled(level: number, elapsed: number, { rate, full }: BucketUnits): number {
  if (elapsed <= 0 || level >= full) return Math.min(level, full)
  return elapsed >= millisecondsTo(full, level, rate) ? full : level + elapsed * rate
}

/** Milliseconds until a bucket at `level` has `wanted` units; a bucket that is never refilled has them in no time that ends: 100 years. */
export function millisecondsTo(wanted: number, level: number, rate: number): number {
  if (level >= wanted) return 0
  return rate === 0 ? never : Math.min(never, Math.ceil((wanted - level) / rate))
}

/** A hundred years in milliseconds. */
export const never = 3_155_760_000_000

function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b]
  return a
}
