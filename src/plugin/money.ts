/**
 * Amounts of money: whole picodollars (1e-12 USD) in a bigint, never a float.
 *
 * A price per million tokens with up to six decimals is a whole number of picodollars per token, so every cost is exact to its last
 * digit. Amounts are kept by stores as signed 64-bit integers; what does not fit (some 9.2 million USD) is refused here, clearly.
 * This file reads, writes and marks up amounts; it knows no prices (`price.ts`) and no usage (`cost.ts`).
 */

/** One US dollar, in picodollars. */
export const usd = 1_000_000_000_000n
/** One US cent, in picodollars. */
const cent = usd / 100n
/** Largest amount, either side of 0: what a signed 64-bit integer holds. */
export const largestAmount = 9_223_372_036_854_775_807n

export interface MoneyFormat {
  /** Exactly so many decimals, rounded half up (away from 0). All that there are when absent, without trailing zeros. */
  readonly decimals?: number
}

/**
 * Picodollars of a decimal text such as `0.30` or `-12.5`.
 * @throws RangeError when it is no plain decimal, has more than 12 decimals, or is too large.
 */
export function parseUsd(text: string): bigint {
  const m = /^(-?)([0-9]{1,30})(?:\.([0-9]+))?$/.exec(text)
  if (!m) throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is not an amount of USD: write digits with a point, for example 0.30`)
  const fraction = (m[3] ?? '').replace(/0+$/, '')
  if (fraction.length > 12) throw new RangeError(`${text.slice(0, 40)} has more than 12 decimals: amounts are counted in 1e-12 USD`)
  const pico = BigInt(m[2]!) * usd + BigInt(fraction.padEnd(12, '0'))
  return checkAmount(m[1] === '-' ? -pico : pico)
}

/** The amount itself. @throws RangeError when a signed 64-bit integer can't hold it. */
export function checkAmount(pico: bigint): bigint {
  if (pico > largestAmount || pico < -largestAmount) {
    throw new RangeError(
      `an amount of ${formatUsd(pico, { decimals: 0 })} USD is too large: at most ${formatUsd(largestAmount)} are counted`,
    )
  }
  return pico
}

/** USD as a plain decimal, without exponent: `0.0000123`, `12`, `-0.5`. */
export function formatUsd(pico: bigint, format: MoneyFormat = {}): string {
  return decimal(pico, usd, 12, format.decimals)
}

/** US cents as a plain decimal, without exponent. */
export function formatCents(pico: bigint, format: MoneyFormat = {}): string {
  return decimal(pico, cent, 10, format.decimals)
}

/**
 * The amount with a markup of so many percent, a decimal text such as `20`, `12.5` or `-10`. Exact, then rounded once: half up
 * (away from 0) to a whole picodollar.
 * @throws RangeError when `percent` is no plain decimal, or the result is too large.
 */
export function withMarkup(pico: bigint, percent: string): bigint {
  const m = /^(-?)([0-9]{1,12})(?:\.([0-9]{1,12}))?$/.exec(percent)
  if (!m) throw new RangeError(`${JSON.stringify(percent.slice(0, 40))} is not a percentage: write digits with a point, for example 12.5`)
  const scale = 10n ** BigInt(m[3]?.length ?? 0)
  const share = BigInt(m[2]! + (m[3] ?? ''))
  return checkAmount(divideHalfUp(pico * (100n * scale + (m[1] === '-' ? -share : share)), 100n * scale))
}

/** The quotient, rounded half up: 0.5 goes away from 0. `by` is positive. */
export function divideHalfUp(amount: bigint, by: bigint): bigint {
  const size = amount < 0n ? -amount : amount
  const rounded = (2n * size + by) / (2n * by)
  return amount < 0n ? -rounded : rounded
}

/** `amount` in units of `unit` = 10^`digits`. */
function decimal(amount: bigint, unit: bigint, digits: number, decimals: number | undefined): string {
  let places = digits
  let value = amount
  if (decimals !== undefined) {
    if (!(decimals >= 0 && decimals <= digits)) throw new RangeError(`decimals must be from 0 to ${digits}`)
    places = decimals
    value = divideHalfUp(amount, 10n ** BigInt(digits - decimals))
    unit = 10n ** BigInt(decimals)
  }
  const size = value < 0n ? -value : value
  const whole = size / unit
  const padded = places === 0 ? '' : (size % unit).toString().padStart(places, '0')
  const fraction = decimals === undefined ? padded.replace(/0+$/, '') : padded
  return `${value < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}
