/**
 * What a request can cost at most: worst input at the dearest rate of its side, worst output at the dearest of its own. Pure.
 *
 * A model has several targets, and plugins below may choose any of them: the dearest counts. A price that is not known is what the operator says
 * it is at most, or nothing that can be reserved.
 */

import {
  largestAmount,
  type Model,
  type Price,
  type PriceList,
  type PriceRates,
  parsePrice,
  priceAt,
  type Target,
  withMarkup,
} from 'headgate/plugin'
import type { BudgetConfig } from './config.ts'

/** Picodollars per token, and per request. */
export interface Rates {
  readonly input: bigint
  readonly output: bigint
  readonly request: bigint
}

export interface Bound extends Rates {
  /** Tokens. */
  readonly inputTokens: number
  readonly outputTokens: number
  /** The request or the catalogue limits the output: it can't become longer. */
  readonly limited: boolean
  /** Some price was not known, and is the operator's bound. */
  readonly guessed: boolean
}

/** Prices that the request may be charged by; undefined among them where one is not known. Empty when nobody knows the model. */
export function pricesFor(model: Model | undefined, target: Target | undefined, at: number): (Price | undefined)[] {
  const lists: PriceList[] = []
  if (target?.price) lists.push(target.price)
  for (const one of model?.targets ?? []) lists.push(one.price ?? model?.price ?? [])
  return lists.map((list) => priceAt(list, at))
}

/** The operator's bound for prices that are not known. */
export function unknownRates(config: BudgetConfig['unknown_price']): Rates | undefined {
  if (!config) return undefined
  return { input: parsePrice(decimal(config.input)), output: parsePrice(decimal(config.output)), request: 0n }
}

function decimal(usd: number): string {
  return /e/.test(String(usd)) ? usd.toFixed(6) : String(usd)
}

/** The dearest rates of several prices for so much input; undefined when one is not known and nothing is said of such. `writes`: there is output to pay. */
export function dearest(
  prices: readonly (Price | undefined)[],
  inputTokens: number,
  unknown: Rates | undefined,
  writes: boolean,
): (Rates & { readonly guessed: boolean }) | undefined {
  let most: Rates = { input: 0n, output: 0n, request: 0n }
  let guessed = prices.length === 0
  if (guessed && !unknown) return undefined
  if (guessed) most = unknown!
  for (const price of prices) {
    const sets: PriceRates[] = price ? [price] : []
    if (price?.longContext && inputTokens > price.longContext.above) sets.push(price.longContext)
    const known = sets.length > 0 && sets.every((rates) => rates.input !== undefined && (rates.output !== undefined || !writes))
    if (!known) {
      if (!unknown) return undefined
      guessed = true
      most = larger(most, unknown)
    }
    for (const r of sets) {
      const input = max(r.input, r.cache_read, r.cache_write, r.cache_write_1h, r.audio_input)
      most = larger(most, { input, output: max(r.output, r.reasoning, r.audio_output), request: r.request ?? 0n })
    }
  }
  return { ...most, guessed }
}

/** What markup makes of an amount is linear but for the last picodollar. */
const scale = 10n ** 15n

/** Picodollars that a bound comes to, with markup; what can't be counted is the largest amount, which hardly anybody has. */
export function costOfBound({ input, output, request, inputTokens, outputTokens }: Bound, markup: string): bigint {
  const plain = BigInt(inputTokens) * input + BigInt(outputTokens) * output + request
  const countable = (largestAmount * scale) / max(scale, withMarkup(scale, markup))
  return plain < countable ? withMarkup(plain, markup) : largestAmount
}

/** Output tokens that so much money, markup included, pays for besides the input; never negative. */
export function affordable(money: bigint, bound: Bound, markup: string): number {
  if (bound.output === 0n) return bound.outputTokens
  const plain = money <= 0n ? 0n : (money * scale) / max(1n, withMarkup(scale, markup))
  const left = plain - BigInt(bound.inputTokens) * bound.input - bound.request
  return left <= 0n ? 0 : Number(left / bound.output)
}

function larger(a: Rates, b: Rates): Rates {
  return { input: max(a.input, b.input), output: max(a.output, b.output), request: max(a.request, b.request) }
}
function max(...amounts: readonly (bigint | undefined)[]): bigint {
  let most = 0n
  for (const amount of amounts) if (amount !== undefined && amount > most) most = amount
  return most
}
