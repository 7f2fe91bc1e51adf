/**
 * Sums over exchanges by day, month, key, account, tier, model, upstream or session: exact, and fast where the daily sums can tell.
 *
 * What is asked by session, or for a part of a day, is summed up from the exchanges themselves. Else the daily sums are read, and the
 * exchanges added that are not in them yet. Amounts are added up as bigints here: no database rounds them or overflows.
 */

import type { SqlQuery } from 'headgate/plugin'
import { addRow, addSums, cuts, type DayKey, dayOf, keyOf, noSums, type Summed, type Sums, sumNames, unrolled } from './daily.ts'
import { type Condition, conditionsOf, type Filter, statement } from './query.ts'
import { endOfInstance, rowId } from './tables.ts'

export const groupings = ['day', 'month', 'key', 'account', 'tier', 'model', 'upstream', 'thread', 'session'] as const
export type Grouping = (typeof groupings)[number]

/** What may be filtered by. */
export type UsageFilter = Pick<Filter, 'from' | 'to' | 'caller' | 'account' | 'tier' | 'model' | 'upstream' | 'session' | 'thread'>

export interface UsageLine {
  /** Values of what was grouped by, in the order asked for; empty where an exchange has none. */
  readonly group: readonly string[]
  readonly sums: Readonly<Sums>
}

const pageSize = 2000
const dayLength = 86_400_000
/** Readings of sums that change meanwhile. */
const mostTries = 20

/** Sums per group, sorted by group. */
export async function usageBy(sql: SqlQuery, by: readonly Grouping[], filter: UsageFilter): Promise<UsageLine[]> {
  const groups = new Map<string, { group: string[]; sums: Sums }>()
  const groupOf = (key: DayKey, session: string | null) => {
    const group = by.map((name) => groupValue(name, key, session))
    const id = JSON.stringify(group)
    let found = groups.get(id)
    if (!found) groups.set(id, (found = { group, sums: noSums() }))
    return found.sums
  }
  const wholeDays = (filter.from ?? 0) % dayLength === 0 && (filter.to ?? 0) % dayLength === 0
  if (!wholeDays || by.includes('session') || filter.session !== undefined) {
    await fromRows(sql, undefined, filter, (row) => addRow(groupOf(keyOf(row), row.session), row))
  } else {
    await fromSums(sql, by, filter, groupOf)
  }
  return [...groups.values()].sort((a, b) => compare(a.group, b.group))
}

function groupValue(name: Grouping, key: DayKey, session: string | null): string {
  switch (name) {
    case 'month':
      return key.day.slice(0, 7)
    case 'key':
      return key.caller
    case 'session':
      return session ?? ''
    default:
      return key[name]
  }
}

type Row = Summed & { readonly id: string; readonly session: string | null }

/** A range of exchanges: those of a time, or the end of an instance's chain. */
type Range = { readonly instance: string; readonly after: bigint } | undefined

async function fromRows(sql: SqlQuery, range: Range, filter: UsageFilter, take: (row: Row) => void): Promise<void> {
  const head = `SELECT id, at, account, caller, tier, model_asked, upstream, thread, session, ending, attempts, input, cache_read, cache_write, output,
    reasoning, cost, cost_least, saved FROM audit_exchange`
  for (let last: Row | undefined; ; ) {
    const conditions = conditionsOf(filter)
    if (range)
      conditions.push([
        ['id > ', ' AND id < ', ''],
        [last?.id ?? rowId(range.instance, range.after), endOfInstance(range.instance)],
      ])
    else if (last)
      conditions.push([
        ['at >= ', ' AND (at > ', ' OR id > ', ')'],
        [last.at, last.at, last.id],
      ])
    const order = range ? 'ORDER BY id LIMIT ' : 'ORDER BY at, id LIMIT '
    const rows = await sql<Row>(...statement(head, conditions, order, BigInt(pageSize)))
    // names that no upstream was asked for are not counted as models, neither here nor in the sums
    for (const row of rows) if (filter.model === undefined || keyOf(row).model === filter.model) take(row)
    if (rows.length < pageSize) return
    last = rows.at(-1)!
  }
}

/** Reads the sums and what is not in them; again when something was rolled up meanwhile. */
async function fromSums(
  sql: SqlQuery,
  by: readonly Grouping[],
  filter: UsageFilter,
  groupOf: (key: DayKey, session: null) => Sums,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    const heads = await unrolled(sql)
    const taken = await dailySums(sql, by, filter)
    for (const { id, rolled } of heads) {
      await fromRows(sql, { instance: id, after: rolled }, filter, (row) => {
        const sums = noSums()
        addRow(sums, row)
        taken.push({ key: keyOf(row), sums })
      })
    }
    const told = (list: typeof heads) => list.map((h) => `${h.id} ${h.rolled}`).join()
    if (told(heads) !== told(await unrolled(sql)) && tries < mostTries) continue
    for (const { key, sums } of taken) addSums(groupOf(key, null), sums)
    return
  }
}

const keyColumns: Readonly<Partial<Record<Grouping, keyof DayKey>>> = {
  day: 'day',
  month: 'day',
  key: 'caller',
  account: 'account',
  tier: 'tier',
  model: 'model',
  upstream: 'upstream',
  thread: 'thread',
}
/** Amounts are added up in two parts: a sum that overflows 64 bits is an error in both databases. */
const part = 1_000_000n
const money = ['cost', 'cost_least', 'saved'] as const

async function dailySums(sql: SqlQuery, by: readonly Grouping[], f: UsageFilter): Promise<{ key: DayKey; sums: Sums }[]> {
  const columns = [...new Set(by.flatMap((name) => keyColumns[name] ?? []))]
  const conditions: Condition[] = [[['cut = ', ''], [cutFor(columns, f)]]]
  const is = (column: string, value: string | undefined) => {
    if (value !== undefined) conditions.push([[`${column} = `, ''], [value]])
  }
  if (f.from !== undefined) conditions.push([['day >= ', ''], [dayOf(f.from)]])
  if (f.to !== undefined) conditions.push([['day < ', ''], [dayOf(f.to)]])
  is('caller', f.caller)
  is('account', f.account)
  is('tier', f.tier)
  is('model', f.model)
  is('upstream', f.upstream)
  is('thread', f.thread)
  const list = columns.join(', ')
  const counts = sumNames.filter((name) => !(money as readonly string[]).includes(name))
  const sums = [
    ...counts.map((name) => `sum(${name}) AS ${name}`),
    ...money.flatMap((name) => [`sum(${name} / ${part}) AS ${name}_high`, `sum(${name} % ${part}) AS ${name}_low`]),
  ].join(', ')
  const text = `SELECT ${list === '' ? '' : `${list}, `}${sums} FROM audit_daily`
  const rows = await sql<Readonly<Record<string, bigint | string | null>>>(
    ...statement(text, conditions, list === '' ? '' : `GROUP BY ${list}`),
  )
  return rows.flatMap((row) => {
    if (row.requests === null) return [] // the sum of nothing
    const made = noSums()
    for (const name of counts) made[name] = row[name] as bigint
    for (const name of money) made[name] = (row[`${name}_high`] as bigint) * part + (row[`${name}_low`] as bigint)
    const key = { day: '', account: '', caller: '', tier: '', model: '', upstream: '', thread: '', ...row } as unknown as DayKey
    return [{ key, sums: made }]
  })
}

/** The shortest cut that tells apart all that is asked for. */
function cutFor(columns: readonly (keyof DayKey)[], f: UsageFilter): string {
  const needed: (keyof DayKey)[] = [...columns]
  for (const name of ['caller', 'account', 'tier', 'model', 'upstream', 'thread'] as const) if (f[name] !== undefined) needed.push(name)
  return cuts.find(([, told]) => needed.every((column) => told.includes(column)))![0]
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (const [i, text] of a.entries()) if (text !== b[i]) return text < b[i]! ? -1 : 1
  return 0
}
