/**
 * Prices of a model, per class of tokens and by date. Shapes, and how a written price becomes one; nothing is counted here (`cost.ts`).
 *
 * A class that a provider does not price apart is absent. What that means per class is said once, in {@link PriceRates}.
 */

import { checkAmount, usd } from './money.ts'

/** The classes that a price may name, as they are spelled in the config. */
export const priceClasses = [
  'input',
  'output',
  'cache_read',
  'cache_write',
  'cache_write_1h',
  'reasoning',
  'audio_input',
  'audio_output',
  'request',
] as const
export type PriceClass = (typeof priceClasses)[number]

/**
 * Picodollars per token of a class; of `request` per request. An absent class is not 0:
 * - `cache_read`: the input price. No provider charges more for a token that it found in its cache.
 * - `reasoning`: the output price.
 * - `request`: no fee.
 * - `cache_write`, `cache_write_1h`, `audio_input`, `audio_output`: unknown. A provider that counts these tokens apart charges them
 *   apart (1.25 or 2 times the input and more), so that the price of plain tokens would be a wrong bill. Only where plain tokens of
 *   that side are free are these free too.
 * - `input`, `output`: unknown.
 */
export type PriceRates = Readonly<Partial<Record<PriceClass, bigint>>>

export interface Price extends PriceRates {
  /** In force from this moment on, milliseconds since the epoch; absent = always. */
  readonly from?: number
  /** The price of a request whose whole input, cached or not, is more than `above` tokens. It holds for all of that request's tokens. */
  readonly longContext?: PriceRates & { readonly above: number }
}

/** The prices of a model by date, the earliest first. Empty = no price is known. */
export type PriceList = readonly Price[]

/** The price in force at a time (milliseconds since the epoch): the latest that has begun; undefined when none has. */
export function priceAt(list: PriceList, at: number): Price | undefined {
  for (let i = list.length - 1; i >= 0; i--) {
    const price = list[i]!
    if (price.from === undefined || price.from <= at) return price
  }
  return undefined
}

/**
 * Picodollars per token of a price in USD per million tokens, a decimal text with up to six decimals.
 * @throws RangeError with a sentence for the operator.
 */
export function parsePrice(text: string): bigint {
  const m = /^([0-9]{1,12})(?:\.([0-9]+))?$/.exec(text)
  if (!m) throw new RangeError('a price is digits with a point, for example 0.30')
  const fraction = (m[2] ?? '').replace(/0+$/, '')
  if (fraction.length > 6) throw new RangeError('a price has at most 6 decimals: a millionth of a dollar per million tokens')
  return checkAmount(BigInt(m[1]!) * 1_000_000n + BigInt(fraction.padEnd(6, '0')))
}

/** A price per token as USD per million tokens, in picodollars, for {@link formatUsd}. */
export function perMillion(rate: bigint): bigint {
  return rate * (usd / 1_000_000n)
}
