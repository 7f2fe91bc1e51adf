/**
 * Accounts as people see and change them: the command line, the admin API and the callers' own endpoint share it.
 *
 * Every change of a balance is an entry of the ledger. Amounts in picodollars, times in milliseconds since the epoch.
 */

import type { PrincipalCap, Records, SqlRow } from 'headgate/plugin'
import { type Entry, type EntryKind, enterIntoBalance, openAccount } from './ledger.ts'
import { accountRow, beginMonth, isCurrent } from './month.ts'
import { endOf, monthOf } from './period.ts'
import type { Plan, PlanChoice, Plans, Settings } from './plan.ts'
import type { AccountRow } from './tables.ts'
import { type Caller, type Take, takesOf } from './takes.ts'

export interface CapView {
  readonly take: Take
  readonly used: bigint
}
export interface AccountView {
  readonly account: string
  readonly plan: PlanChoice
  readonly settings: Settings
  readonly balance: bigint
  /** The part of the balance that is credit of this month. */
  readonly included: bigint
  /** What requests under way reserve. */
  readonly held: bigint
  /** What may still be reserved. */
  readonly available: bigint
  readonly caps: readonly CapView[]
  /** When the month ends. */
  readonly resetsAt: number
}

/** Settings to change; null takes one away. */
export interface SettingChanges {
  readonly plan?: string | null
  readonly until?: number | null
  readonly caps?: readonly PrincipalCap[] | null
}

/** An entry as it is read: with its id. */
export type LedgerEntry = Entry

export interface Page<T> {
  readonly items: readonly T[]
  /** Give this as `after` for the next page; absent on the last one. */
  readonly next?: string
}

export interface Accounts {
  settings(account: string): Promise<Settings | undefined>
  view(caller: Caller): Promise<AccountView>
  list(options?: { readonly after?: string; readonly limit?: number }): Promise<Page<AccountRow>>
  /** The newest first. */
  ledger(account: string, options?: { readonly after?: string; readonly limit?: number }): Promise<Page<LedgerEntry>>
  /** False when there is an entry with this id already. */
  enter(entry: {
    id: string
    account: string
    kind: Extract<EntryKind, 'topup' | 'refund' | 'adjust'>
    amount: bigint
    note?: string | undefined
  }): Promise<boolean>
  set(account: string, changes: SettingChanges): Promise<Settings>
  /** Balance, and the sum of all entries: the same number, always. */
  audit(account: string): Promise<{ readonly balance: bigint; readonly sum: bigint }>
}

interface EntryRow extends SqlRow {
  readonly id: string
  readonly account: string
  readonly at: bigint
  readonly kind: string
  readonly amount: bigint
  readonly request_id: string | null
  readonly model: string | null
  readonly input_tokens: bigint | null
  readonly output_tokens: bigint | null
  readonly cost: bigint | null
  readonly markup: string | null
  readonly price: string | null
  readonly source: string | null
  readonly unknown: string | null
  readonly caller: string | null
  readonly note: string | null
}

export function accountsOf(records: Records, plans: Plans, now: () => number): Accounts {
  const settingsOf = (text: string): Settings => JSON.parse(text) as Settings
  const rowOf = async (account: string, plan: Plan | undefined): Promise<AccountRow | undefined> => {
    const row = await accountRow(records.sql, account)
    const month = monthOf(now())
    if (!plan?.billed || (row ? isCurrent(row, plan, month) : plan.included === 0n)) return row
    return records.transaction((sql) => beginMonth(sql, account, plan, month, now()), { isolation: 'rows' })
  }
  return {
    async settings(account) {
      const rows = await records.sql<{ settings: string }>`SELECT settings FROM budget_account WHERE id = ${account}`
      return rows[0] && settingsOf(rows[0].settings)
    },

    async view(caller) {
      const { account } = caller
      const at = now()
      const settings = (await this.settings(account)) ?? {}
      const choice = plans.of(settings, caller.tier, at)
      const plan = 'refusal' in choice ? undefined : choice
      // who knows no tier may not know the plan: then a month does not begin
      const sure = settings.plan !== undefined || caller.tier !== undefined
      const row = await rowOf(account, sure ? plan : undefined)
      const { balance = 0n, included = 0n, held = 0n } = row ?? {}
      const caps: CapView[] = []
      for (const take of plan ? takesOf(plan, caller, at) : []) {
        const rows = await records.sql<{ used: bigint; held: bigint }>`SELECT used, held FROM budget_counter WHERE id = ${take.counter}`
        caps.push({ take, used: rows[0] ? rows[0].used + rows[0].held : 0n })
      }
      const left = balance + (plan?.overage ?? 0n) - held
      const available = left > 0n ? left : 0n
      return { account, plan: choice, settings, balance, included, held, available, caps, resetsAt: endOf('month', at)! }
    },

    async list({ after = '', limit = 100 } = {}) {
      const items = await records.sql<AccountRow>`SELECT id, balance, held, included, granted, term, settings FROM budget_account
        WHERE id > ${after} ORDER BY id LIMIT ${limit}`
      return { items, ...(items.length === limit && { next: items[limit - 1]!.id }) }
    },

    async ledger(account, { after, limit = 100 } = {}) {
      const [, time = '9000000000000000', id = ''] = /^(\d{1,16})\.(.*)$/s.exec(after ?? '') ?? []
      const before = BigInt(time)
      const rows =
        await records.sql<EntryRow>`SELECT id, account, at, kind, amount, request_id, model, input_tokens, output_tokens, cost, markup, price,
          source, unknown, caller, note FROM budget_ledger
        WHERE account = ${account} AND (at < ${before} OR (at = ${before} AND id < ${id})) ORDER BY at DESC, id DESC LIMIT ${limit}`
      const last = rows.length === limit ? rows[limit - 1] : undefined
      return { items: rows.map(entryOf), ...(last && { next: `${last.at}.${last.id}` }) }
    },

    enter: ({ id, account, kind, amount, note }) =>
      records.transaction((sql) => enterIntoBalance(sql, { id, account, at: now(), kind, amount, note }), { isolation: 'rows' }),

    set: (account, changes) =>
      records.transaction(async (sql) => {
        let row = await accountRow(sql, account)
        if (!row) {
          await openAccount(sql, account, now(), 0n)
          row = (await accountRow(sql, account))!
        }
        const merged = Object.entries({ ...settingsOf(row.settings), ...changes }).filter(
          ([, value]) => value !== null && value !== undefined,
        )
        const settings = JSON.stringify(Object.fromEntries(merged))
        await sql`UPDATE budget_account SET settings = ${settings} WHERE id = ${account}`
        return settingsOf(settings)
      }),

    async audit(account) {
      const [sum] = await records.sql<{ sum: bigint }>`SELECT coalesce(sum(amount), 0) AS sum FROM budget_ledger WHERE account = ${account}`
      const row = await accountRow(records.sql, account)
      return { balance: row?.balance ?? 0n, sum: sum?.sum ?? 0n }
    },
  }
}

function entryOf(row: EntryRow): LedgerEntry {
  return {
    id: row.id,
    account: row.account,
    at: Number(row.at),
    kind: row.kind as EntryKind,
    amount: row.amount,
    requestId: row.request_id ?? undefined,
    model: row.model ?? undefined,
    inputTokens: row.input_tokens === null ? undefined : Number(row.input_tokens),
    outputTokens: row.output_tokens === null ? undefined : Number(row.output_tokens),
    cost: row.cost ?? undefined,
    markup: row.markup ?? undefined,
    price: row.price ?? undefined,
    source: row.source ?? undefined,
    unknown: row.unknown ?? undefined,
    caller: row.caller ?? undefined,
    note: row.note ?? undefined,
  }
}
