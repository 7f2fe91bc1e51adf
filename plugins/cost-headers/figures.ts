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
  type Usage,
  unknownUsage,
  withMarkup,
} from 'headgate/plugin'

export const moneyFigures = ['cost_usd', 'cost_cents', 'cost_unknown', 'cache_savings_usd', 'cache_savings_gross_usd'] as const
export type MoneyFigure = (typeof moneyFigures)[number]
/** Decimal texts; `cost_unknown` is `true` or absent. */
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

/** The figures of a reply. */
export function figuresFor(attempt: Attempt | undefined, usage: Usage | undefined, cost: Cost, how: Rendering): Figures {
  const money = how.decimals === undefined ? {} : { decimals: how.decimals }
  const usd = (pico: bigint) => formatUsd(withMarkup(pico, how.markup), money)
  const savings = attempt ? cacheSavings(usage ?? unknownUsage, attempt.price) : { net: 0n, gross: 0n }
  return {
    ...(cost.known
      ? { cost_usd: usd(cost.pico), cost_cents: formatCents(withMarkup(cost.pico, how.markup), money) }
      : { cost_unknown: 'true' }),
    ...(savings && { cache_savings_usd: usd(savings.net), cache_savings_gross_usd: usd(savings.gross) }),
  }
}
