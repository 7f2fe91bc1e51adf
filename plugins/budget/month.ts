/**
 * What happens to an account when a month begins, at its first request or look in it: what is left of the old credit expires, overage is invoiced, and the
 * credit of the plan is granted. A plan that includes more than was granted so far adds the difference at once.
 *
 * Where another gateway, whose clock is ahead, has begun the next month, that is the month for all: nothing expires twice.
 * Credit that open reservations stand on does not expire under them; it goes with the next month.
 */

import type { SqlQuery } from 'headgate/plugin'
import { enter, openAccount } from './ledger.ts'
import { monthAfter } from './period.ts'
import type { Plan } from './plan.ts'
import type { AccountRow } from './tables.ts'

/** True when the account is up to date for the plan and month. */
export function isCurrent(row: Pick<AccountRow, 'term' | 'granted'>, plan: Plan, month: string): boolean {
  return (row.term === month || row.term === monthAfter(month)) && row.granted >= plan.included
}

/** Brings an account up to date, inside a transaction that owns its row from then on; makes it where there is none. Gives it as it is then. */
export async function beginMonth(sql: SqlQuery, id: string, plan: Plan, month: string, now: number): Promise<AccountRow> {
  let row = await ownedRow(sql, id)
  if (!row) {
    await openAccount(sql, id, now, 0n)
    row = (await ownedRow(sql, id))!
  }
  if (row.term === monthAfter(month)) month = row.term
  if (isCurrent(row, plan, month)) return row
  let { balance, included, granted } = row
  const add = async (kind: 'expiry' | 'invoice' | 'grant', key: string, amount: bigint, note: string) => {
    if (amount === 0n || !(await enter(sql, { id: `${kind}:${key}:${id}`, account: id, at: now, kind, amount, note }))) return
    balance += amount
    if (kind !== 'invoice') included += amount
  }
  if (row.term !== month) {
    let unused = included - row.held
    if (balance - row.held < unused) unused = balance - row.held
    if (unused < 0n) unused = 0n
    await add('expiry', row.term, -unused, `credit of ${row.term} that was not used`)
    if (plan.overage > 0n && balance < 0n) await add('invoice', row.term, -balance, `overage until ${row.term}, to be invoiced`)
    // what was taken away by hand may have been credit
    if (included > balance) included = balance > 0n ? balance : 0n
    granted = 0n
  }
  if (plan.included > granted) {
    await add('grant', `${month}:${plan.included}`, plan.included - granted, `credit of ${month} (${plan.name})`)
    granted = plan.included
  }
  await sql`UPDATE budget_account SET balance = ${balance}, included = ${included}, granted = ${granted}, term = ${month} WHERE id = ${id}`
  return { ...row, balance, included, granted, term: month }
}

/** The row, which nobody else can write to until the transaction is over. */
async function ownedRow(sql: SqlQuery, id: string): Promise<AccountRow | undefined> {
  const rows = await sql<AccountRow>`UPDATE budget_account SET held = held WHERE id = ${id}
    RETURNING id, balance, held, included, granted, term, settings`
  return rows[0]
}

export async function accountRow(sql: SqlQuery, id: string): Promise<AccountRow | undefined> {
  const rows = await sql<AccountRow>`SELECT id, balance, held, included, granted, term, settings FROM budget_account WHERE id = ${id}`
  return rows[0]
}
