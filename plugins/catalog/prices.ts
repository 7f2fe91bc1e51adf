/**
 * Prices as they are told: in USD, markup added, exact to the last digit.
 *
 * What a class costs that its price does not name follows the rule of all prices (`PriceRates`): cache reads cost as plain input, cache writes are unknown
 * unless plain input is free.
 */

import { formatUsd, type Model, type Price, type PriceRates, perMillion, priceAt, withMarkup } from 'headgate/plugin'

/** USD as decimal texts; absent = not known. */
export interface Rates {
  readonly input?: string
  readonly output?: string
  readonly cache_read?: string
  readonly cache_write?: string
  readonly cache_write_1h?: string
  readonly reasoning?: string
  readonly audio_input?: string
  readonly audio_output?: string
  /** Per request. */
  readonly request?: string
}

/** The price in force of a model: its own, else that of its first target. */
export function priceOf({ price }: Model, now: number): Price | undefined {
  return price && priceAt(price, now)
}

/** @param per how many tokens the rates are for */
export function ratesOf(price: PriceRates, per: 'token' | 'million', markup: string): Rates {
  const { input, output, request } = price
  const free = input === 0n ? input : undefined
  // amounts are counted in 1e-12 USD, and a token may cost less than that can say: marked up and told per million, then divided as text
  const one = (rate: bigint | undefined) => {
    if (rate === undefined) return undefined
    const million = formatUsd(withMarkup(perMillion(rate), markup))
    return per === 'million' ? million : shifted(million)
  }
  const rates: { readonly [Name in keyof Rates]: string | undefined } = {
    input: one(input),
    output: one(output),
    cache_read: one(price.cache_read ?? input),
    cache_write: one(price.cache_write ?? free),
    cache_write_1h: one(price.cache_write_1h),
    reasoning: one(price.reasoning),
    audio_input: one(price.audio_input),
    audio_output: one(price.audio_output),
    request: request === undefined ? undefined : formatUsd(withMarkup(request, markup)),
  }
  return Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate !== undefined))
}

/** Whether every token is known to cost nothing. */
export function isFree(price: Price | undefined): boolean {
  if (!price) return false
  const { input, output, request = 0n } = price
  return input === 0n && (output ?? 0n) === 0n && request === 0n
}

/** A millionth of a decimal, as a decimal. */
function shifted(text: string): string {
  const negative = text.startsWith('-')
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.')
  const digits = whole.padStart(7, '0')
  const made = `${digits.slice(0, -6)}.${digits.slice(-6)}${fraction}`.replace(/\.?0+$/, '').replace(/^0+(?=\d)/, '')
  return negative ? `-${made}` : made
}
