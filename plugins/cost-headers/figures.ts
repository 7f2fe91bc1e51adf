/**
 * The figures of one reply: amounts as decimal texts, and what is not known left out. Pure.
 */

import {
  type Attempt,
  attemptCost,
  type Cost,
  cacheSavings,
  formatCents,
  formatUsd,
  noCost,
  type PricesAt,
  type PromptCacheValue,
  promptCacheStatus,
  type TrimValue,
  type Usage,
  unknownUsage,
  withMarkup,
} from 'headgate/plugin'

export const moneyFigures = [
  'cost_usd',
  'cost_cents',
  'cost_unknown',
  'cache_savings_usd',
  'cache_savings_gross_usd',
  'trim_savings_usd',
  'trimmed_tokens',
  'cache_status',
  'cache_attribution',
] as const
export type MoneyFigure = (typeof moneyFigures)[number]
/** Decimal texts, and words for the cache; `cost_unknown` is `true` or absent. */
export type Figures = Readonly<Partial<Record<MoneyFigure, string>>>

export interface Rendering {
  /** Percent, as a decimal text. */
  readonly markup: string
  readonly decimals?: number | undefined
}

/** What a usage of one upstream call cost. Answers without a call cost nothing. */
export function costFor(attempt: Attempt | undefined, usage: Usage, prices: PricesAt): Cost {
  return attempt ? attemptCost({ ...attempt, usage }, prices) : noCost
}

/** The figures of a reply. `trim`: what was taken out of its request; absent where no plugin does so. `cache`: what was done for the prompt cache. */
export function figuresFor(
  attempt: Attempt | undefined,
  usage: Usage | undefined,
  cost: Cost,
  how: Rendering,
  trim?: Pick<TrimValue, 'tokens' | 'savings'>,
  cache?: PromptCacheValue,
): Figures {
  const money = how.decimals === undefined ? {} : { decimals: how.decimals }
  const usd = (pico: bigint) => formatUsd(withMarkup(pico, how.markup), money)
  const saved = trim && trimSaved(trim, attempt, usage)
  const savings = attempt ? cacheSavings(usage ?? unknownUsage, attempt.price) : { net: 0n, gross: 0n }
  const status = attempt && promptCacheStatus(cache, usage)
  return {
    ...(cost.known
      ? { cost_usd: usd(cost.pico), cost_cents: formatCents(withMarkup(cost.pico, how.markup), money) }
      : { cost_unknown: 'true' }),
    ...(saved !== undefined && { trim_savings_usd: usd(saved) }),
    ...(trim && { trimmed_tokens: trimmedTokens(trim) }),
    ...(savings && { cache_savings_usd: usd(savings.net), cache_savings_gross_usd: usd(savings.gross) }),
    ...(status !== undefined && { cache_status: status }),
    ...(cache && { cache_attribution: cache.attribution }),
  }
}

/** Picodollars; undefined when they can't be known. */
function trimSaved({ tokens, savings }: Pick<TrimValue, 'tokens' | 'savings'>, attempt: Attempt | undefined, usage: Usage | undefined) {
  if (tokens === 0 || !attempt) return 0n
  return usage && attempt.price && savings(usage, attempt.price)
}

/** The tokens that a request is shorter by: a whole number. */
export function trimmedTokens({ tokens }: Pick<TrimValue, 'tokens'>): string {
  return String(Math.max(0, Math.round(tokens)))
}
