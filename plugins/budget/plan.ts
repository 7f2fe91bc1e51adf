/**
 * Which plan an account has, and what it allows. Pure; amounts in picodollars.
 *
 * A plan that was set for the account wins over that of its tier. One that has run out is no plan, and is not replaced by that of the tier.
 */

import { type PrincipalCap, parseUsd } from 'headgate/plugin'
import type { BudgetConfig } from './config.ts'

export interface Cap {
  readonly of: 'account' | 'key' | 'user' | 'session'
  readonly per: 'day' | 'month' | 'total'
  /** Picodollars. */
  readonly usd?: bigint
  readonly messages?: number
}

export interface Plan {
  readonly name: string
  /** The account pays. */
  readonly billed: boolean
  /** Picodollars a month. */
  readonly included: bigint
  readonly overage: bigint
  readonly caps: readonly Cap[]
}

/** What was set for one account. */
export interface Settings {
  /** Name of its plan. */
  readonly plan?: string | undefined
  /** Milliseconds since the epoch at which the plan runs out. */
  readonly until?: number | undefined
  /** Caps that take the place of the plan's own for the account. */
  readonly caps?: readonly PrincipalCap[] | undefined
}

/** A plan, or why there is none. */
export type PlanChoice = Plan | { readonly refusal: string }

export interface Plans {
  /** @param tier of the caller */
  of(settings: Settings | undefined, tier: string | undefined, now: number): PlanChoice
  readonly names: readonly string[]
}

const prepaid: Plan = { name: 'prepaid', billed: true, included: 0n, overage: 0n, caps: [] }
const unlimited: Plan = { name: 'unlimited', billed: false, included: 0n, overage: 0n, caps: [] }

export function plansOf(config: Pick<BudgetConfig, 'plans' | 'no_plan'>): Plans {
  const plans = new Map<string, Plan>()
  for (const [name, { billed, included, overage, caps }] of Object.entries(config.plans)) {
    const mine = caps.map(({ of, per, usd, messages }, i): Cap => {
      if (usd === undefined && messages === undefined) throw new Error(`plans.${name}.caps[${i}] caps nothing: give usd or messages`)
      return { of, per, ...(usd !== undefined && { usd: picoOf(usd) }), ...(messages !== undefined && { messages }) }
    })
    plans.set(name, { name, billed, included: picoOf(included), overage: picoOf(overage), caps: mine })
  }
  const none = (why: string): PlanChoice => {
    if (config.no_plan === 'prepaid') return prepaid
    return config.no_plan === 'unlimited' ? unlimited : { refusal: why }
  }
  const chosen = (settings: Settings | undefined, tier: string | undefined, now: number): PlanChoice => {
    const name = settings?.plan
    if (name === undefined) return (tier !== undefined && plans.get(tier)) || none('This account has no subscription.')
    const { until } = settings!
    if (until !== undefined && until <= now)
      return { refusal: `The subscription of this account (${name}) ended on ${new Date(until).toISOString().slice(0, 10)}.` }
    return plans.get(name) ?? none(`The plan of this account (${name}) is no longer offered.`)
  }
  return {
    names: [...plans.keys()],
    of(settings, tier, now) {
      const choice = chosen(settings, tier, now)
      if (!settings?.caps || 'refusal' in choice) return choice
      return { ...choice, caps: [...choice.caps.filter((cap) => cap.of !== 'account'), ...capsOf(settings.caps, 'account')] }
    },
  }
}

/** Caps as principals and accounts carry them. @throws RangeError for an amount that is none */
export function capsOf(caps: readonly PrincipalCap[], of: Cap['of']): Cap[] {
  return caps.map(({ per, usd, messages }) => ({
    of,
    per,
    ...(usd !== undefined && { usd: parseUsd(usd) }),
    ...(messages !== undefined && { messages }),
  }))
}

/** Picodollars of a number of the config: what was written, to the last digit. */
export function picoOf(usd: number): bigint {
  return parseUsd(/e/.test(String(usd)) ? usd.toFixed(12) : String(usd))
}
