/**
 * Reserving: what a request may cost at most is set aside before its upstream is called, from the balance and from every cap that holds, or from none.
 *
 * One transaction of conditional updates: nothing is read first, so that callers who want the same account wait for each other as briefly as can be.
 */

import { largestAmount, type Records, type SqlQuery } from 'headgate/plugin'
import { beginMonth } from './month.ts'
import { monthAfter } from './period.ts'
import type { Plan } from './plan.ts'
import { never } from './tables.ts'
import type { Take } from './takes.ts'

export interface Wanted {
  /** Id of the hold. */
  readonly id: string
  readonly account: string
  readonly plan: Plan
  /** Picodollars. */
  readonly amount: bigint
  readonly takes: readonly Take[]
  readonly month: string
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly expiresAt: number
  readonly instance: string
  readonly requestId: string
  readonly model: string
}

/** What was not enough. `left`: picodollars, or messages, that were there. */
export interface Short {
  readonly of: 'balance' | Take
  readonly left: bigint
}

/** Every write says its condition, and all touch account, counters and hold in this order. */
const rows = { isolation: 'rows' } as const

/** Ends a transaction that could not take all. */
class Missing extends Error {
  constructor(readonly short: Short) {
    super('not enough')
  }
}

/** Takes all, or says what was short and takes nothing. */
export async function reserve(records: Records, wanted: Wanted): Promise<Short | undefined> {
  for (const take of wanted.takes) if (amountOf(take, wanted) > take.limit) return { of: take, left: await leftOf(records.sql, take) }
  try {
    await records.transaction((sql) => take(sql, wanted), rows)
    return undefined
  } catch (error) {
    if (error instanceof Missing) return error.short
    throw error
  }
}

async function take(sql: SqlQuery, wanted: Wanted): Promise<void> {
  const { id, account, amount, takes, now } = wanted
  const held = wanted.plan.billed ? amount : 0n
  if (held > 0n && !(await takeBalance(sql, wanted))) {
    const row = await beginMonth(sql, account, wanted.plan, wanted.month, now)
    const left = row.balance + wanted.plan.overage - row.held
    if (left < held || !(await takeBalance(sql, wanted))) throw new Missing({ of: 'balance', left: left > 0n ? left : 0n })
  }
  for (const one of takes) {
    const part = amountOf(one, wanted)
    const ends = one.endsAt === undefined ? never : BigInt(one.endsAt)
    const taken = await sql`INSERT INTO budget_counter (id, used, held, ends_at) VALUES (${one.counter}, ${0n}, ${part}, ${ends})
      ON CONFLICT (id) DO UPDATE SET held = budget_counter.held + ${part}
      WHERE budget_counter.used + budget_counter.held <= ${one.limit - part} RETURNING id`
    if (taken.length === 0) throw new Missing({ of: one, left: await leftOf(sql, one) })
  }
  await sql`INSERT INTO budget_hold (id, account, amount, takes, instance, expires_at, created_at, request_id, model)
    VALUES (${id}, ${account}, ${held}, ${heldText(takes, wanted)}, ${wanted.instance}, ${BigInt(wanted.expiresAt)}, ${BigInt(now)},
      ${wanted.requestId}, ${wanted.model})`
}

/** Sums that 64 bits can't hold are not made: PostgreSQL refuses them, and SQLite makes floats of them. */
async function takeBalance(sql: SqlQuery, { account, amount, plan, month }: Wanted): Promise<boolean> {
  const taken = await sql`UPDATE budget_account SET held = held + ${amount}
    WHERE id = ${account} AND (term = ${month} OR term = ${monthAfter(month)}) AND granted >= ${plan.included}
      AND balance - held >= ${amount - plan.overage} AND held <= ${largestAmount - amount} RETURNING id`
  return taken.length > 0
}

async function leftOf(sql: SqlQuery, { counter, limit }: Take): Promise<bigint> {
  const [row] = await sql<{ used: bigint; held: bigint }>`SELECT used, held FROM budget_counter WHERE id = ${counter}`
  const left = limit - (row ? row.used + row.held : 0n)
  return left > 0n ? left : 0n
}

function amountOf(take: Take, { amount }: Wanted): bigint {
  return take.unit === 'messages' ? 1n : amount
}

/** Counters and what they hold, for whoever releases it. */
function heldText(takes: readonly Take[], wanted: Wanted): string {
  return JSON.stringify(takes.map((take) => [take.counter, String(amountOf(take, wanted))]))
}
