/**
 * What was saved on an exchange: by the provider's prompt cache, by trimming, or by not calling a provider at all. Pure.
 *
 * Amounts are in picodollars, at the price and by the usage of the call that was served; what can't be told is undefined, never 0.
 */

import { cacheSavings, type Outcome, type PromptCacheValue, type TrimValue } from 'headgate/plugin'

export interface Savings {
  /** Less than without the provider's cache; negative when writing it cost more than reading saved. */
  readonly cache_savings: bigint | undefined
  /** By what was read alone. */
  readonly cache_savings_gross: bigint | undefined
  readonly trim_savings: bigint | undefined
  readonly trimmed_tokens: number | undefined
  /** Who is to thank for what is read. */
  readonly cache_attribution: string | undefined
  readonly cache_status: CacheStatus | undefined
}

/** `hit`, `joined`: answered without a call of its own. `read`, `written`, `none`: what the provider's prompt cache did. */
export type CacheStatus = 'hit' | 'joined' | 'read' | 'written' | 'none'

export function savingsOf({ served }: Pick<Outcome, 'served'>, trim: TrimValue | undefined, cache: PromptCacheValue | undefined): Savings {
  const usage = served?.usage
  const known = usage !== undefined && usage.source !== 'unknown'
  const saved = known ? cacheSavings(usage, served?.price) : undefined
  return {
    cache_savings: saved?.net,
    cache_savings_gross: saved?.gross,
    trim_savings: trim && known && served?.price ? trim.savings(usage, served.price) : undefined,
    trimmed_tokens: trim?.tokens,
    cache_attribution: cache?.attribution,
    cache_status: cache?.response ?? (known ? statusOf(usage) : undefined),
  }
}

function statusOf(usage: { cacheRead: number; cacheWrite5m: number; cacheWrite1h: number; cacheWriteOther: number }): CacheStatus {
  if (usage.cacheRead > 0) return 'read'
  return usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther > 0 ? 'written' : 'none'
}
