/** What a session came to: requests, tokens, money, what its caches did. Sums are exact: money is whole picodollars. */

import {
  type Cost,
  cacheSavings,
  costOf,
  inputTokens,
  type Outcome,
  outcomeCost,
  outputTokens,
  type Price,
  type PricesAt,
  type PromptCacheValue,
  type TrimValue,
  type Usage,
} from 'headgate/plugin'

export interface Totals {
  requests: number
  /** Ended otherwise than with an answer. */
  failed: number
  /** Answered from a cache of the gateway. */
  fromCache: number
  /** Requests whose usage no provider told. */
  unmetered: number
  uncached: number
  cacheRead: number
  cacheWrite5m: number
  cacheWrite1h: number
  cacheWriteOther: number
  output: number
  /** Requests that came while their prefix was warm, and those of them that read less than half of it. */
  warm: number
  warmMisses: number
  spend: bigint
  /** Requests whose cost is not known: `spend` is what all cost at least. */
  unpriced: number
  /** What the provider's cache saved, net of what writing cost more, and reads alone. */
  cacheNet: bigint
  cacheGross: bigint
  trim: bigint
  trimmedTokens: number
  /** What the calls would have cost that were spared by a cache of the gateway. */
  response: bigint
  /** Requests that were trimmed, or answered from a cache, with a saving that can't be measured. */
  unmeasured: number
}

export function emptyTotals(): Totals {
  return {
    requests: 0,
    failed: 0,
    fromCache: 0,
    unmetered: 0,
    uncached: 0,
    cacheRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    cacheWriteOther: 0,
    output: 0,
    warm: 0,
    warmMisses: 0,
    spend: 0n,
    unpriced: 0,
    cacheNet: 0n,
    cacheGross: 0n,
    trim: 0n,
    trimmedTokens: 0,
    response: 0n,
    unmeasured: 0,
  }
}

const counts = Object.entries(emptyTotals()).flatMap(([name, value]) => (typeof value === 'number' ? [name] : [])) as readonly CountName[]
const amounts = ['spend', 'cacheNet', 'cacheGross', 'trim', 'response'] as const
type CountName = { [K in keyof Totals]: Totals[K] extends number ? K : never }[keyof Totals]

/** Adds one exchange. @param warm its prefix should have been in the provider's cache; undefined = not known */
export function addOutcome(
  totals: Totals,
  outcome: Outcome,
  about: {
    readonly prices: PricesAt
    readonly trim: TrimValue | undefined
    /** What a cache of the gateway says of it. */
    readonly cache: PromptCacheValue | undefined
    /** Input tokens of the request before, if its prefix is still warm. */
    readonly warmInput: number | undefined
  },
): void {
  totals.requests++
  if (outcome.end !== 'finished') totals.failed++
  if (about.cache?.response !== undefined) addAnswer(totals, about.cache, about.prices)
  const { served } = outcome
  addCost(totals, outcomeCost(outcome, about.prices))
  if (!served) return
  const usage = served.usage ?? outcome.usage
  if (usage.source === 'unknown') {
    totals.unmetered++
    return
  }
  addUsage(totals, usage)
  if (about.warmInput !== undefined && usage.source === 'reported') {
    totals.warm++
    if (usage.cacheRead * 2 < about.warmInput) totals.warmMisses++
  }
  const saved = cacheSavings(usage, served.price)
  if (saved) {
    totals.cacheNet += saved.net
    totals.cacheGross += saved.gross
  }
  if (about.trim) addTrim(totals, about.trim, usage, served.price)
}

/** It was answered without a call: the cost of that which answered before is what it spared. */
function addAnswer(totals: Totals, { instead }: PromptCacheValue, { catalog, at }: PricesAt): void {
  totals.fromCache++
  const priceOf = (model: string) => instead && catalog.price(instead.upstream, model, at)
  const spared = instead && costOf(instead.usage, priceOf(instead.model), priceOf)
  if (spared?.known) totals.response += spared.pico
  else totals.unmeasured++
}

function addCost(totals: Totals, cost: Cost): void {
  totals.spend += cost.known ? cost.pico : cost.atLeast
  if (!cost.known) totals.unpriced++
}

function addUsage(totals: Totals, usage: Usage): void {
  totals.uncached += usage.inputUncached
  totals.cacheRead += usage.cacheRead
  totals.cacheWrite5m += usage.cacheWrite5m
  totals.cacheWrite1h += usage.cacheWrite1h
  totals.cacheWriteOther += usage.cacheWriteOther
  totals.output += outputTokens(usage)
}

function addTrim(totals: Totals, trim: TrimValue, usage: Usage, price: Price | undefined): void {
  totals.trimmedTokens += Math.round(trim.tokens)
  if (trim.tokens === 0) return
  const saved = price && trim.savings(usage, price)
  if (saved === undefined) totals.unmeasured++
  else totals.trim += saved
}

/** Adds the totals of another instance. */
export function addTotals(to: Totals, from: Totals): void {
  for (const name of counts) to[name] += from[name]
  for (const name of amounts) to[name] += from[name]
}

/** Totals as JSON; amounts are decimal texts of picodollars. */
export function writeTotals(totals: Totals): Record<string, number | string> {
  const made: Record<string, number | string> = {}
  for (const name of counts) made[name] = totals[name]
  for (const name of amounts) made[name] = String(totals[name])
  return made
}

/** Totals that another instance wrote, which may be of another version. */
export function readTotals(value: unknown): Totals {
  const totals = emptyTotals()
  if (typeof value !== 'object' || value === null) return totals
  const from = value as Record<string, unknown>
  for (const name of counts) if (Number.isSafeInteger(from[name])) totals[name] = from[name] as number
  for (const name of amounts) {
    const text = from[name]
    if (typeof text === 'string' && /^-?\d{1,30}$/.test(text)) totals[name] = BigInt(text)
  }
  return totals
}

/** All input tokens that providers counted. */
export function inputOf(totals: Totals): number {
  return inputTokens({
    ...totals,
    source: 'reported',
    inputUncached: totals.uncached,
    outputVisible: 0,
    reasoning: 0,
    inputAudio: 0,
    outputAudio: 0,
  })
}
