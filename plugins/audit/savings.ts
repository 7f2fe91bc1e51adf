/**
 * What was saved on an exchange: by the provider's prompt cache, by trimming, or by not calling a provider at all. Pure.
 *
 * Amounts are in picodollars, at the price and by the usage of the call that was served; what can't be told is undefined, never 0.
 */

import { cacheSavings, costOf, type Outcome, type PricesAt, type PromptCacheValue, type TrimValue } from 'headgate/plugin'

export interface Savings {
  /** Less than without the provider's cache; negative when writing it cost more than reading saved. */
  readonly cache_savings: bigint | undefined
  /** By what was read alone. */
  readonly cache_savings_gross: bigint | undefined
  readonly trim_savings: bigint | undefined
  /** Of a request that was answered; what was never billed was never shorter. */
  readonly trimmed_tokens: number | undefined
  readonly trim: TrimTold | undefined
  /** What the answer of another exchange, given again, would have cost here at today's price. */
  readonly response_savings: bigint | undefined
  /** Who is to thank for what is read. */
  readonly cache_attribution: string | undefined
  readonly cache_status: CacheStatus | undefined
}

/** What a trimmer did. Tokens are estimates. */
export interface TrimTold {
  /** `trimmed`, or why it was not: `control`, `off`. */
  readonly arm: string
  /** Tokens less in what the request carried for the first time. */
  readonly new_tokens?: number
  /** Tokens less by class; absent where nothing was. */
  readonly classes?: Readonly<Record<string, number>>
}

/** `hit`, `joined`: answered without a call of its own. `read`, `written`, `none`: what the provider's prompt cache did. */
export type CacheStatus = 'hit' | 'joined' | 'read' | 'written' | 'none'

/** @param prices those in force when the exchange came */
export function savingsOf(
  { served }: Pick<Outcome, 'served'>,
  trim: TrimValue | undefined,
  cache: PromptCacheValue | undefined,
  prices: PricesAt,
): Savings {
  const usage = served?.usage
  const known = usage !== undefined && usage.source !== 'unknown'
  const saved = known ? cacheSavings(usage, served?.price) : undefined
  const trimmed = served && trim?.tokens
  return {
    cache_savings: saved?.net,
    cache_savings_gross: saved?.gross,
    trim_savings: trimmed === 0 ? 0n : trim && known && served?.price ? trim.savings(usage, served.price) : undefined,
    trimmed_tokens: trimmed,
    trim: trim && trimOf(trim),
    response_savings: cache?.response && spared(cache, prices),
    cache_attribution: cache?.attribution,
    cache_status: cache?.response ?? (known ? statusOf(usage) : undefined),
  }
}

const mostClasses = 20

function trimOf({ reason, tokens, newTokens, classes }: TrimValue): TrimTold {
  const arm = reason?.slice(0, 40) ?? 'trimmed'
  if (tokens === 0) return { arm }
  const told = Object.entries(classes).slice(0, mostClasses)
  return { arm, new_tokens: Math.round(newTokens), classes: Object.fromEntries(told.map(([name, count]) => [name, Math.round(count)])) }
}

/** What the call would have cost that was not made. */
function spared({ instead }: PromptCacheValue, { catalog, at }: PricesAt): bigint | undefined {
  if (!instead) return undefined
  const { upstream, model, usage } = instead
  const cost = costOf(usage, catalog.price(upstream, model, at), (other) => catalog.price(upstream, other, at))
  return cost.known ? cost.pico : undefined
}

function statusOf(usage: { cacheRead: number; cacheWrite5m: number; cacheWrite1h: number; cacheWriteOther: number }): CacheStatus {
  if (usage.cacheRead > 0) return 'read'
  return usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther > 0 ? 'written' : 'none'
}
