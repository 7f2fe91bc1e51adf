/**
 * What a request takes from, besides the balance of its account: one counter for each cap in money or messages that holds for it. Pure.
 *
 * A counter's name begins with words of ours and ends with its subject, so that no caller can choose to be counted as another.
 */

import type { PrincipalValue, SessionValue } from 'headgate/plugin'
import { endOf, periodOf } from './period.ts'
import { type Cap, capsOf, type Plan } from './plan.ts'

export interface Take {
  readonly counter: string
  readonly cap: Cap
  readonly unit: 'usd' | 'messages'
  /** Picodollars, or messages. */
  readonly limit: bigint
  /** Milliseconds since the epoch when the period ends; undefined for never. */
  readonly endsAt: number | undefined
}

/** Who asks, as far as budgets go. */
export interface Caller {
  readonly account: string
  readonly key: string
  readonly tier: string | undefined
  /** End user; the key where nobody says who it is. */
  readonly user: string
  readonly session: string | undefined
  readonly caps: Cap[]
}

/** Longest name of a user or session that is kept as it is. */
const longName = 64

/** Callers that no plugin has named share one anonymous account. */
export function callerOf(principal: PrincipalValue | undefined, session: SessionValue | undefined, user: string | undefined): Caller {
  const key = principal?.id ?? 'anonymous'
  return {
    account: principal?.account ?? 'anonymous',
    key,
    tier: principal ? principal.tier : 'anonymous',
    user: short(principal?.user ?? user ?? key),
    session: session && short(session.id),
    caps: principal?.caps ? capsOf(principal.caps, 'key') : [],
  }
}

/** The counters of a caller, in the order in which all take from them. */
export function takesOf(plan: Plan, caller: Caller, now: number): Take[] {
  const takes = new Map<string, Take>()
  for (const cap of [...plan.caps, ...caller.caps]) {
    const subject = subjectOf(cap.of, caller)
    if (subject === undefined) continue
    const endsAt = endOf(cap.per, now)
    for (const unit of ['usd', 'messages'] as const) {
      const given = cap[unit]
      if (given === undefined) continue
      const counter = `${unit}/${cap.per}/${periodOf(cap.per, now)}/${cap.of}/${subject}`
      const limit = BigInt(given)
      const known = takes.get(counter)
      if (!known || limit < known.limit) takes.set(counter, { counter, cap, unit, limit, endsAt })
    }
  }
  return [...takes.values()].sort((a, b) => (a.counter < b.counter ? -1 : 1))
}

function subjectOf(of: Cap['of'], { account, key, user, session }: Caller): string | undefined {
  switch (of) {
    case 'account':
      return account
    case 'key':
      return key
    case 'user':
      return `${JSON.stringify(account)}/${user}`
    case 'session':
      return session === undefined ? undefined : `${JSON.stringify(account)}/${session}`
  }
}

function short(name: string): string {
  return name.length <= longName ? name : `sha256:${new Bun.CryptoHasher('sha256').update(name).digest('hex')}`
}
