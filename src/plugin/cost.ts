/**
 * What an exchange cost: usage times price, exact to the picodollar, or known not to be known.
 *
 * An unknown cost is never 0: it says which figures are missing and what it costs at least. Costs add up in any order to the same sum.
 * What the provider charges is counted here; markups, balances and invoices are the business of plugins.
 */

import type { Catalog } from './host.ts'
import { largestAmount } from './money.ts'
import type { Attempt, Outcome, Usage } from './outcome.ts'
import { inputTokens, outputTokens } from './outcome.ts'
import { type Price, type PriceClass, type PriceRates, priceClasses } from './price.ts'

/** Picodollars per class; classes that were not used are absent. */
export type CostByClass = Readonly<Partial<Record<PriceClass, bigint>>>

export interface KnownCost {
  readonly known: true
  /** Picodollars. */
  readonly pico: bigint
  /** Adds up to `pico`. */
  readonly byClass: CostByClass
  /** Some of the usage behind it is an estimate. */
  readonly estimated?: true
}
export interface UnknownCost {
  readonly known: false
  /**
   * What is not known, sorted: `usage` (the upstream said nothing, or not all), `price` (none stands in the catalogue), a price class, or
   * `amount` (more than can be counted). Of work by another model with its name before it: `claude-opus-4-8: price`.
   */
  readonly missing: readonly string[]
  /** Picodollars of what is known. */
  readonly atLeast: bigint
  readonly byClass: CostByClass
}
export type Cost = KnownCost | UnknownCost

/** What costs nothing, and surely so. */
export const noCost: KnownCost = Object.freeze({ known: true, pico: 0n, byClass: Object.freeze({}) })

/** The price of another model, by the name that the upstream gives it. */
export type PriceOf = (model: string) => Price | undefined

/**
 * The cost of a usage. `priceOf` gives the prices of other models that worked for it (`usage.extra`, E04); without it such work is unknown.
 * Never throws: a figure that a provider made up may not keep an exchange from being settled.
 */
export function costOf(usage: Usage, price: Price | undefined, priceOf?: PriceOf): Cost {
  const own = ownCost(usage, price)
  if (!usage.extra || usage.extra.length === 0) return own
  const extras = usage.extra.map(({ model, usage: extra }) => {
    if (model === undefined) return costOf(extra, price, priceOf)
    const cost = costOf(extra, priceOf?.(model), priceOf)
    return cost.known ? cost : { ...cost, missing: cost.missing.map((what) => `${model}: ${what}`) }
  })
  return sumCosts([own, ...extras])
}

function ownCost(usage: Usage, price: Price | undefined): Cost {
  if (usage.source === 'unknown') return { known: false, missing: ['usage'], atLeast: 0n, byClass: {} }
  const tokens = tokensByClass(usage)
  const missing: string[] = usage.source === 'partial' ? ['usage'] : []
  const rates = price && ratesFor(price, inputTokens(usage))
  const byClass: Partial<Record<PriceClass, bigint>> = {}
  let pico = 0n
  let used = false
  for (const name of priceClasses) {
    const count = tokens[name]
    if (count <= 0) continue
    used = true
    const rate = rates && rateOf(rates, name)
    if (rates && rate === undefined) missing.push(name)
    if (rate === undefined) continue
    pico += byClass[name] = BigInt(count) * rate
  }
  if (used && !price) missing.push('price')
  if (used && rates?.request) pico += byClass.request = rates.request
  if (pico > largestAmount) return tooMuch(missing)
  if (missing.length > 0) return { known: false, missing: missing.sort(), atLeast: pico, byClass }
  return { known: true, pico, byClass, ...(usage.source === 'estimated' && { estimated: true as const }) }
}

/**
 * Tokens of a usage as they are priced: disjoint, none negative. Audio is contained in the figures of a usage, so it is taken out of plain
 * input and visible output; audio beyond those was read from a cache and is priced as that.
 */
export function tokensByClass(usage: Usage): Readonly<Record<PriceClass, number>> {
  const audioInput = Math.min(usage.inputAudio, usage.inputUncached)
  const audioOutput = Math.min(usage.outputAudio, usage.outputVisible)
  return {
    input: usage.inputUncached - audioInput,
    output: usage.outputVisible - audioOutput,
    cache_read: usage.cacheRead,
    cache_write: usage.cacheWrite5m + usage.cacheWriteOther,
    cache_write_1h: usage.cacheWrite1h,
    reasoning: usage.reasoning,
    audio_input: audioInput,
    audio_output: audioOutput,
    request: 0,
  }
}

/** The rates that hold for a request of so many input tokens. */
function ratesFor(price: Price, input: number): PriceRates {
  return price.longContext && input > price.longContext.above ? price.longContext : price
}

/** The rate of a class, by the rules of {@link PriceRates} for absent ones. */
function rateOf(rates: PriceRates, name: PriceClass): bigint | undefined {
  const rate = rates[name]
  if (rate !== undefined) return rate
  switch (name) {
    case 'cache_read':
      return rates.input
    case 'reasoning':
      return rates.output
    case 'cache_write':
    case 'cache_write_1h':
    case 'audio_input':
      return rates.input === 0n ? 0n : undefined
    case 'audio_output':
      return rates.output === 0n ? 0n : undefined
    default:
      return undefined
  }
}

/** More than 64 bits hold. */
function tooMuch(missing: Iterable<string>): UnknownCost {
  return { known: false, missing: [...new Set([...missing, 'amount'])].sort(), atLeast: largestAmount, byClass: {} }
}

/** The sum of costs; known when all of them are. The order does not matter. */
export function sumCosts(costs: Iterable<Cost>): Cost {
  let pico = 0n
  let estimated = false
  const byClass: Partial<Record<PriceClass, bigint>> = {}
  const missing = new Set<string>()
  for (const cost of costs) {
    pico += cost.known ? cost.pico : cost.atLeast
    if (cost.known) estimated ||= cost.estimated === true
    else for (const what of cost.missing) missing.add(what)
    for (const name of priceClasses) {
      const part = cost.byClass[name]
      if (part !== undefined) byClass[name] = (byClass[name] ?? 0n) + part
    }
  }
  if (pico > largestAmount) return tooMuch(missing)
  if (missing.size > 0) return { known: false, missing: [...missing].sort(), atLeast: pico, byClass }
  return { known: true, pico, byClass, ...(estimated && { estimated: true as const }) }
}

/** Where prices of other models are looked up, and as of when: `host.catalog` and the exchange's `receivedAt`. */
export interface PricesAt {
  readonly catalog: Pick<Catalog, 'price'>
  /** Milliseconds since the epoch. */
  readonly at: number
}

/**
 * What one upstream call cost, by the price that was in force when it was made. A call that gave no content and reported nothing cost
 * nothing: providers do not charge for errors. One that gave content and reported nothing, or only zeros, is unknown (E10).
 * Where nothing has a price above 0, it cost nothing, whatever was used. `others` prices work that other models did for it.
 */
export function attemptCost(attempt: Attempt, others?: PricesAt): Cost {
  const cost = costOfCall(attempt, others)
  return !cost.known && attempt.price && !attempt.usage?.extra && isFree(attempt.price) ? noCost : cost
}

function costOfCall(attempt: Attempt, others: PricesAt | undefined): Cost {
  const { usage, price } = attempt
  if (usage && !(saysNothing(usage) && attempt.firstContentAt !== undefined))
    return usage.extra ? costOf(usage, price, others && pricesOf(attempt, others)) : ownCost(usage, price)
  return attempt.firstContentAt === undefined ? noCost : { known: false, missing: ['usage'], atLeast: 0n, byClass: {} }
}

/** Whether everything costs nothing: no usage has to be known for that. */
function isFree(price: Price): boolean {
  const kinds = [price, ...(price.longContext ? [price.longContext] : [])]
  return kinds.every((rates) => !rates.request && priceClasses.every((name) => name === 'request' || rateOf(rates, name) === 0n))
}

/** Prices of other models at the upstream of a call. */
function pricesOf({ upstream }: Attempt, { catalog, at }: PricesAt): PriceOf {
  return (model) => catalog.price(upstream, model, at)
}

/** Whether a usage is made of zeros, as backends send it that do not count (E10). */
export function saysNothing(usage: Usage): boolean {
  return inputTokens(usage) === 0 && outputTokens(usage) === 0 && usage.extra === undefined
}

/**
 * What providers charge for an exchange: the sum over its upstream calls, also those that failed or lost and yet used tokens. 0 for what
 * was refused or answered without a call.
 */
export function outcomeCost(outcome: Pick<Outcome, 'attempts'>, others?: PricesAt): Cost {
  if (outcome.attempts.length === 1) return attemptCost(outcome.attempts[0]!, others)
  return sumCosts(outcome.attempts.map((attempt) => attemptCost(attempt, others)))
}

/** What the reply cost that the client was given, whole or in part; failed and discarded calls are left out. 0 when it was given none. */
export function servedCost({ served, continued }: Pick<Outcome, 'served' | 'continued'>, others?: PricesAt): Cost {
  if (!served) return noCost
  const cost = attemptCost(served, others)
  return continued ? sumCosts([cost, ...continued.map((attempt) => attemptCost(attempt, others))]) : cost
}

export interface CacheSavings {
  /** Picodollars less than the same call would have cost without any cache; negative when writing cost more than reading saved. */
  readonly net: bigint
  /** Picodollars that cache reads cost less than plain input. */
  readonly gross: bigint
}

/** What a provider's prompt cache saved; undefined when a figure for it is not known. */
export function cacheSavings(usage: Usage, price: Price | undefined): CacheSavings | undefined {
  if (usage.source === 'unknown' || usage.source === 'partial') return undefined
  const tokens = tokensByClass(usage)
  if (tokens.cache_read + tokens.cache_write + tokens.cache_write_1h === 0) return { net: 0n, gross: 0n }
  const rates = price && ratesFor(price, inputTokens(usage))
  const input = rates?.input
  if (!rates || input === undefined) return undefined
  const gross = BigInt(tokens.cache_read) * (input - rateOf(rates, 'cache_read')!)
  let net = gross
  for (const name of ['cache_write', 'cache_write_1h'] as const) {
    const rate = rateOf(rates, name)
    if (tokens[name] > 0 && rate === undefined) return undefined
    if (rate !== undefined) net -= BigInt(tokens[name]) * (rate - input)
  }
  return { net, gross }
}
