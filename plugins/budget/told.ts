/**
 * What people are told: the sentences of refusals, and accounts and entries as JSON. Pure. Amounts are USD, exact, as plain numbers.
 */

import { exactNumber, formatUsd, type Json, type RefusalCode, type RefusalOptions } from 'headgate/plugin'
import type { AccountView, LedgerEntry } from './accounts.ts'
import type { Plan } from './plan.ts'
import type { Short } from './reserve.ts'
import type { AccountRow } from './tables.ts'
import type { Take } from './takes.ts'

/** The refusal of a request that may cost `amount`, by what was short. */
export function refusalFor(short: Short, plan: Plan, amount: bigint, resetsAt: number): readonly [RefusalCode, RefusalOptions] {
  const cost = dollars(amount)
  if (short.of !== 'balance') return ['quota_exceeded', capRefusal(short.of, short.left, amount)]
  if (plan.included === 0n && plan.overage === 0n) {
    const message = `The balance does not cover this request: it may cost up to ${cost}, and ${dollars(short.left)} are left. Top up, or ask for less with a lower output limit.`
    return ['insufficient_balance', { message, extra: { available_usd: number(short.left), needed_usd: number(amount) } }]
  }
  const until = new Date(resetsAt).toISOString()
  const message = `The credit of this month does not cover this request: it may cost up to ${cost}, and ${dollars(short.left)} are left until ${until}.`
  return ['quota_exceeded', { message, extra: { available_usd: number(short.left), needed_usd: number(amount), resets_at: until } }]
}

function capRefusal({ cap, unit, limit, endsAt }: Take, left: bigint, amount: bigint): RefusalOptions {
  const whose = { account: 'this account', key: 'this API key', user: 'this user', session: 'this session' }[cap.of]
  const per = cap.per === 'total' ? '' : ` a ${cap.per}`
  const until = endsAt === undefined ? undefined : new Date(endsAt).toISOString()
  const when = until === undefined ? '' : ` It begins anew at ${until}.`
  const extra: Record<string, Json> = { cap: `${cap.of}_${unit}_per_${cap.per}`, ...(until !== undefined && { resets_at: until }) }
  if (unit === 'messages')
    return { message: `The cap of ${limit} message${limit === 1n ? '' : 's'}${per} for ${whose} is reached.${when}`, extra }
  const rest = `this request may cost up to ${dollars(amount)}, and ${dollars(left)} are left`
  return { message: `The cap of ${dollars(limit)}${per} for ${whose} does not cover this request: ${rest}.${when}`, extra }
}

/** An account as its owner sees it. */
export function accountJson(view: AccountView): Json {
  const { plan } = view
  const known = 'refusal' in plan ? undefined : plan
  return {
    account: view.account,
    plan: known ? known.name : null,
    ...('refusal' in plan && { problem: plan.refusal }),
    ...(view.settings.until !== undefined && { plan_until: new Date(view.settings.until).toISOString() }),
    billed: known?.billed ?? true,
    currency: 'USD',
    balance: number(view.balance),
    included: number(view.included),
    reserved: number(view.held),
    available: number(view.available),
    ...(known && known.overage > 0n && { overage: number(known.overage) }),
    caps: view.caps.map(({ take: { cap, unit, limit, endsAt }, used }) => ({
      of: cap.of,
      per: cap.per,
      unit,
      limit: unit === 'usd' ? number(limit) : Number(limit),
      used: unit === 'usd' ? number(used) : Number(used),
      ...(endsAt !== undefined && { resets_at: new Date(endsAt).toISOString() }),
    })),
    resets_at: new Date(view.resetsAt).toISOString(),
  }
}

/** What was given to an account, and what of it was used. */
export function totalsJson(balance: bigint, charged: bigint): Json {
  return { total_credits: number(balance + charged), total_usage: number(charged) }
}

/** An account in a list. */
export function rowJson({ id, balance, held, included, settings }: AccountRow): Json {
  return {
    account: id,
    balance: number(balance),
    reserved: number(held),
    included: number(included),
    settings: JSON.parse(settings) as Json,
  }
}

export function entryJson(e: LedgerEntry): Json {
  return {
    id: e.id,
    account: e.account,
    at: new Date(e.at).toISOString(),
    kind: e.kind,
    amount: number(e.amount),
    ...(e.requestId !== undefined && { request_id: e.requestId }),
    ...(e.model !== undefined && { model: e.model }),
    ...(e.inputTokens !== undefined && { input_tokens: e.inputTokens }),
    ...(e.outputTokens !== undefined && { output_tokens: e.outputTokens }),
    ...(e.cost !== undefined && { cost: number(e.cost) }),
    ...(e.markup !== undefined && { markup: e.markup }),
    ...(e.price !== undefined && { price: JSON.parse(e.price) as Json }),
    ...(e.source !== undefined && { source: e.source }),
    ...(e.unknown !== undefined && { unknown: e.unknown.split(',') }),
    ...(e.caller !== undefined && { caller: e.caller }),
    ...(e.note !== undefined && { note: e.note }),
  }
}

function number(pico: bigint): Json {
  return exactNumber(formatUsd(pico))
}

/** For sentences: cents, or as much as a small amount needs. */
export function dollars(pico: bigint): string {
  const small = pico > -10_000_000_000n && pico < 10_000_000_000n && pico !== 0n
  return `$${formatUsd(pico, small ? {} : { decimals: 4 }).replace(/(\.\d\d\d*?)0+$/, '$1')}`
}
