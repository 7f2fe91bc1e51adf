/**
 * Settling: what a request really cost is entered and its reservation goes, in one transaction, exactly once by the id of the hold.
 *
 * A settlement is plain data: while the store is away it waits as a row of `budget_waiting`, which the store spools, and is entered later the same way.
 */

import type { Records, SqlQuery } from 'headgate/plugin'
import { type Entry, enter, openAccount } from './ledger.ts'
import { never } from './tables.ts'
import type { Take } from './takes.ts'

/** A counter that a request was taken from. */
export interface Taken {
  readonly counter: string
  readonly unit: Take['unit']
  readonly endsAt: number | undefined
  /** What the hold took. */
  readonly held: bigint
}

export interface Settlement {
  /** Id of the hold. */
  readonly id: string
  /** A name under which this is charged once, whatever was done before: of a call that was made again. */
  readonly once?: string
  readonly account: string
  readonly takes: readonly Taken[]
  /** Absent: nothing was delivered, and all is given back. */
  readonly charge?: {
    /** The entry, but for its id and account; its amount is 0 for accounts that do not pay. */
    readonly entry: Omit<Entry, 'id' | 'account'>
    /** Picodollars that caps count, also for accounts that do not pay. */
    readonly spent: bigint
  }
}

/** What became of it: `repeated` when it had been settled before. */
export type Settled = 'charged' | 'released' | 'repeated'

export function settle(records: Records, settlement: Settlement): Promise<Settled> {
  return records.transaction((sql) => settleIn(sql, settlement), { isolation: 'rows' })
}

/** Writes it down to be settled later: durable when it resolves. */
export async function keep(records: Records, settlement: Settlement, now: number): Promise<void> {
  await records.append('budget_waiting', [{ id: settlement.id, at: BigInt(now), settlement: textOf(settlement) }])
}

export async function settleIn(sql: SqlQuery, { id, once, account, takes, charge }: Settlement): Promise<Settled> {
  if (charge && !(await enter(sql, { ...charge.entry, id: `charge:${once ?? id}`, account }))) {
    // charged before, by this settlement or by an earlier call of the same name: what this one holds goes back
    return once === undefined ? 'repeated' : await settleIn(sql, { id, account, takes })
  }
  const [hold] = await sql<{ amount: bigint }>`DELETE FROM budget_hold WHERE id = ${id} RETURNING amount`
  if (!charge && !hold) return 'repeated'
  const paid = charge ? -charge.entry.amount : 0n
  const held = hold?.amount ?? 0n
  if (paid !== 0n || held !== 0n) {
    const rows = await sql`UPDATE budget_account SET balance = balance - ${paid}, held = held - ${held},
      included = CASE WHEN included > ${paid} THEN included - ${paid} ELSE ${0n} END WHERE id = ${account} RETURNING id`
    if (rows.length === 0) await openAccount(sql, account, charge?.entry.at ?? 0, -paid)
  }
  for (const take of takes) {
    const used = !charge ? 0n : take.unit === 'messages' ? 1n : charge.spent
    const back = hold ? take.held : 0n
    if (used === 0n && back === 0n) continue
    const ends = take.endsAt === undefined ? never : BigInt(take.endsAt)
    await sql`INSERT INTO budget_counter (id, used, held, ends_at) VALUES (${take.counter}, ${used}, ${0n}, ${ends})
      ON CONFLICT (id) DO UPDATE SET used = budget_counter.used + ${used}, held = budget_counter.held - ${back}`
  }
  return charge ? 'charged' : 'released'
}

/** JSON in which amounts are texts that end in `n`. */
export function textOf(settlement: Settlement): string {
  return JSON.stringify(settlement, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}

const bigKeys = new Set(['held', 'amount', 'cost', 'spent'])

/** @throws SyntaxError when it is none */
export function settlementOf(text: string): Settlement {
  return JSON.parse(text, (key, value: unknown) =>
    bigKeys.has(key) && typeof value === 'string' ? BigInt(value.slice(0, -1)) : value,
  ) as Settlement
}
