/**
 * Entries of the ledger, and the one way to write them: with the balance that they change, inside the transaction of the caller.
 *
 * An entry's id is what it happens for, so that whatever is repeated is entered once.
 */

import { formatUsd, type SqlQuery, usd } from 'headgate/plugin'

/**
 * `topup`, `refund`, `adjust` are made by people. `charge` is a request, `released` a reservation whose gateway died. `grant` is the credit of a month,
 * `expiry` what was left of it, `invoice` the overage of a month that is to be paid elsewhere.
 */
export const kinds = ['topup', 'refund', 'adjust', 'charge', 'released', 'grant', 'expiry', 'invoice'] as const
export type EntryKind = (typeof kinds)[number]

export interface Entry {
  readonly id: string
  readonly account: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly kind: EntryKind
  /** Picodollars; charges and expiries are negative. */
  readonly amount: bigint
  readonly requestId?: string | undefined
  readonly model?: string | undefined
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
  /** Picodollars that providers charge, without markup. */
  readonly cost?: bigint | undefined
  /** Percent. */
  readonly markup?: string | undefined
  /** The price that was used, in USD per million tokens, as JSON. */
  readonly price?: string | undefined
  /** `reported` or `estimated`. */
  readonly source?: string | undefined
  /** What was not known and is the operator's bound. */
  readonly unknown?: string | undefined
  /** Id of the key. */
  readonly caller?: string | undefined
  readonly note?: string | undefined
}

/** Writes an entry; false when it is there already. The balance is the caller's business. */
export async function enter(sql: SqlQuery, e: Entry): Promise<boolean> {
  const rows =
    await sql`INSERT INTO budget_ledger (id, account, at, kind, amount, request_id, model, input_tokens, output_tokens, cost, markup, price,
      source, unknown, caller, note)
    VALUES (${e.id}, ${e.account}, ${BigInt(e.at)}, ${e.kind}, ${e.amount}, ${e.requestId ?? null}, ${e.model ?? null}, ${e.inputTokens ?? null},
      ${e.outputTokens ?? null}, ${e.cost ?? null}, ${e.markup ?? null}, ${e.price ?? null}, ${e.source ?? null}, ${e.unknown ?? null},
      ${e.caller ?? null}, ${e.note ?? null})
    ON CONFLICT (id) DO NOTHING RETURNING id`
  return rows.length > 0
}

/** The most that people can make of a balance, either side of 0: half of what 64 bits hold, so that credit and overage fit besides. */
export const largestBalance = 4_500_000n * usd

/** An entry would take a balance beyond `largestBalance`, or its id names another one. */
export class NotEntered extends Error {}

/**
 * Writes an entry and adds it to the balance, unless it is there already. The account is made where there is none.
 * @throws NotEntered, and nothing is entered
 */
export async function enterIntoBalance(sql: SqlQuery, e: Entry): Promise<boolean> {
  const { amount, account } = e
  if (!(await enter(sql, e))) {
    const [there] = await sql<{ account: string; amount: bigint }>`SELECT account, amount FROM budget_ledger WHERE id = ${e.id}`
    if (!there || (there.account === account && there.amount === amount)) return false
    throw new NotEntered(`this id names another entry already: ${formatUsd(there.amount)} USD for ${there.account}`)
  }
  let fits = amount <= largestBalance && amount >= -largestBalance
  if (fits) {
    const rows = await sql`UPDATE budget_account SET balance = balance + ${amount} WHERE id = ${account}
      AND balance <= ${amount > 0n ? largestBalance - amount : largestBalance * 2n}
      AND balance >= ${amount < 0n ? -largestBalance - amount : -largestBalance * 2n} RETURNING id`
    if (rows.length > 0) return true
    const there = await sql`SELECT id FROM budget_account WHERE id = ${account}`
    fits = there.length === 0
  }
  if (!fits) throw new NotEntered(`balances are ${formatUsd(largestBalance)} USD at most, either side of 0`)
  await openAccount(sql, account, e.at, amount)
  return true
}

/** Makes an account with such a balance; one that somebody else has just made gets it on top. */
export async function openAccount(sql: SqlQuery, id: string, at: number, balance: bigint): Promise<void> {
  await sql`INSERT INTO budget_account (id, balance, held, included, granted, term, settings, created_at)
    VALUES (${id}, ${balance}, ${0n}, ${0n}, ${0n}, ${''}, ${'{}'}, ${BigInt(at)})
    ON CONFLICT (id) DO UPDATE SET balance = budget_account.balance + ${balance}`
}
