/**
 * What an exchange is charged: what its upstream calls used, by their prices, and what is not known of either filled in on the dear side. Pure.
 *
 * Billed is what was delivered: the usage that providers reported wins; where the client left before it came, the input that was reported or
 * estimated, and of the output what had passed. Calls that failed and reported nothing cost nothing.
 */

import {
  type Attempt,
  addUsage,
  attemptCost,
  type Cost,
  costOf,
  inputTokens,
  type Outcome,
  outputTokens,
  type Price,
  type PriceRates,
  type PricesAt,
  type Usage,
  unknownUsage,
  withMarkup,
} from 'headgate/plugin'
import type { Rates } from './bound.ts'

export interface Charge {
  /** Picodollars to be paid, with markup. */
  readonly amount: bigint
  /** Picodollars that providers charge. */
  readonly cost: bigint
  readonly usage: Usage
  readonly inputTokens: number
  readonly outputTokens: number
  /** What was not known and is the operator's bound: `price`, or a class of tokens. */
  readonly unknown: readonly string[]
}

export interface ChargeContext {
  readonly prices: PricesAt
  /** For what has no price. */
  readonly rates: Rates
  /** Percent, as a decimal text. */
  readonly markup: string
  /** Output tokens that have passed to the client. */
  readonly delivered: number
  /** Tokens of the input, estimated. Asked for only when nobody reported them. */
  readonly input: () => number
}

/** The charge of an exchange. @throws RangeError when it is too large to be counted */
export function chargeOf(outcome: Pick<Outcome, 'attempts' | 'served' | 'continued'>, context: ChargeContext): Charge {
  const { served } = outcome
  const given = served ? [served, ...(outcome.continued ?? [])] : []
  const unknown = new Set<string>()
  let cost = 0n
  let usage = unknownUsage
  for (const attempt of outcome.attempts) {
    const at = given.indexOf(attempt)
    const used = at >= 0 ? servedUsage(attempt.usage, given.length === 1 ? context : shareOf(given, at, context)) : attempt.usage
    if (at >= 0) usage = at === 0 ? used! : addUsage(usage, used!)
    if (used === undefined) continue
    cost += picoOf({ ...attempt, usage: used }, context, unknown)
  }
  return {
    amount: withMarkup(cost, context.markup),
    cost,
    usage,
    inputTokens: inputTokens(usage),
    outputTokens: outputTokens(usage),
    unknown: [...unknown],
  }
}

function picoOf(attempt: Attempt & { readonly usage: Usage }, { prices, rates }: ChargeContext, unknown: Set<string>): bigint {
  const known = attemptCost(attempt, prices)
  if (known.known) return known.pico
  const gaps = known.missing.filter((what) => what !== 'usage')
  if (gaps.length === 0) return known.atLeast // a call that failed: what it reported
  for (const gap of gaps) unknown.add(gap.replace(/^.*: /, ''))
  const of = (model: string) => filled(prices.catalog.price(attempt.upstream, model, prices.at), rates)
  const cost: Cost = costOf(attempt.usage, filled(attempt.price, rates), of)
  return cost.known ? cost.pico : cost.atLeast
}

/** A price in which nothing is missing. */
function filled(price: Price | undefined, { input, output, request }: Rates): Price {
  const fill = (r: PriceRates): PriceRates => ({
    ...r,
    input: r.input ?? input,
    output: r.output ?? output,
    cache_write: r.cache_write ?? input,
    cache_write_1h: r.cache_write_1h ?? input,
    audio_input: r.audio_input ?? input,
    audio_output: r.audio_output ?? output,
  })
  if (!price) return fill({ request })
  const { longContext } = price
  return { ...price, ...fill(price), ...(longContext && { longContext: { ...longContext, ...fill(longContext) } }) }
}

/**
 * What one of several calls gave that went on with a reply, one after the other: what was said before a call is not its output, but its input. `input` is that
 * of the last one.
 */
function shareOf(given: readonly Attempt[], at: number, context: ChargeContext): Pick<ChargeContext, 'delivered' | 'input'> {
  let before = 0
  let after = 0
  for (let i = 0; i < given.length - 1; i++) {
    if (i < at) before += given[i]!.delivered ?? 0
    else after += given[i]!.delivered ?? 0
  }
  const last = at === given.length - 1
  return {
    delivered: last ? Math.max(0, context.delivered - before) : (given[at]!.delivered ?? 0),
    input: () => Math.max(1, context.input() - after),
  }
}

/** What the client was given, as reported, or filled up with what passed. */
function servedUsage(usage: Usage | undefined, { delivered, input }: Pick<ChargeContext, 'delivered' | 'input'>): Usage {
  if (usage && usage.source !== 'unknown' && usage.source !== 'partial') return usage
  const known = usage ?? unknownUsage
  const given = inputTokens(known) > 0
  return {
    ...known,
    source: 'estimated',
    inputUncached: given ? known.inputUncached : Math.max(1, input()),
    outputVisible: Math.max(known.outputVisible, delivered - known.reasoning),
  }
}
