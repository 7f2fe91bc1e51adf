/**
 * Sums over exchanges by day, month, key, account, tier, model, upstream, thread, session or attribution: exact, and fast where the sums that are kept can
 * tell.
 *
 * Of a time that begins or ends within a day, that day's part is summed up from the exchanges themselves, and so is all of one session. Else the kept sums
 * are read, and the exchanges added that are not in them yet. Who is to thank for what a cache gave is told by the exchanges alone. Amounts are bigints
 * here: no database rounds them or overflows.
 */

import type { SqlQuery, SqlValue } from 'headgate/plugin'
import { cuts, dayLength, dayOf } from './daily.ts'
import { conditionsOf, type Filter } from './query.ts'
import { hoursOf } from './row-pages.ts'
import { type Condition, statement } from './statement.ts'
import { addSums, type Key, keys, type Sums, selectSums, sumsFrom } from './sums.ts'
import { endOfInstance, rowId } from './tables.ts'
import { unrolled } from './unrolled.ts'

export const groupings = ['day', 'month', 'key', 'account', 'tier', 'model', 'upstream', 'thread', 'session', 'attribution'] as const
export type Grouping = (typeof groupings)[number]

/** What may be filtered by. */
export type UsageFilter = Pick<Filter, 'from' | 'to' | 'caller' | 'account' | 'tier' | 'model' | 'upstream' | 'session' | 'thread'>

export interface UsageLine {
  /** Values of what was grouped by, in the order asked for; empty where an exchange has none. */
  readonly group: readonly string[]
  readonly sums: Readonly<Sums>
}

/** Readings of sums that change meanwhile. */
const mostTries = 20
const filters = ['caller', 'account', 'tier', 'model', 'upstream', 'thread'] as const

/** Sums per group, sorted by group. */
export async function usageBy(sql: SqlQuery, by: readonly Grouping[], filter: UsageFilter): Promise<UsageLine[]> {
  const lines: UsageLine[] = []
  const { from, to } = filter
  const first = from === undefined ? undefined : Math.ceil(from / dayLength) * dayLength
  const last = to === undefined ? undefined : Math.floor(to / dayLength) * dayLength
  if (by.includes('attribution') && filter.session === undefined) return await fromHours(sql, by, filter)
  if (filter.session !== undefined || (first !== undefined && last !== undefined && first > last)) {
    lines.push(...(await fromRows(sql, by, filter, [])))
  } else {
    if (first !== undefined && first > from!) lines.push(...(await fromRows(sql, by, { ...filter, to: first }, [])))
    if (last !== undefined && last < to!) lines.push(...(await fromRows(sql, by, { ...filter, from: last }, [])))
    const whole = { ...filter, from: first, to: last }
    if (first === undefined || last === undefined || first < last) lines.push(...(await fromSums(sql, by, whole)))
  }
  return merged(lines)
}

/** Sums of what no kept sums tell apart. */
async function fromHours(sql: SqlQuery, by: readonly Grouping[], filter: UsageFilter): Promise<UsageLine[]> {
  let lines: UsageLine[] = []
  let groups = 0
  for await (const hour of hoursOf(sql, filter.from, filter.to)) {
    lines.push(...(await fromRows(sql, by, { ...filter, ...hour }, [])))
    if (lines.length < groups * 2 + 1000) continue
    lines = merged(lines)
    groups = lines.length
  }
  return merged(lines)
}

/** One line for each group, in their order. */
function merged(lines: readonly UsageLine[]): UsageLine[] {
  // many come in order, and each once
  if (lines.every((line, i) => i === 0 || compare(lines[i - 1]!.group, line.group) < 0)) return [...lines]
  const groups = new Map<string, UsageLine>()
  for (const line of lines) {
    const id = line.group.join('\0')
    const found = groups.get(id)
    if (found) addSums(found.sums, line.sums)
    else groups.set(id, line)
  }
  return [...groups.values()].sort((a, b) => compare(a.group, b.group))
}

/** Sums of the exchanges that a filter and further conditions leave. */
async function fromRows(sql: SqlQuery, by: readonly Grouping[], filter: UsageFilter, more: readonly Condition[]): Promise<UsageLine[]> {
  const { model, ...rest } = filter
  // exchanges that are not in the sums yet are few, and found by their ids
  const leads = more.length === 0
  const conditions = [...conditionsOf(rest, leads), ...more]
  // names that no upstream was asked for are not counted as models, neither here nor in the sums
  if (model === '' || (model !== undefined && !leads)) conditions.push([[`${keys.model} = `, ''], [model]])
  else if (model !== undefined) conditions.push([['model_asked = ', ` AND (attempts > 0 OR ending = 'finished')`], [model]])
  const dated = by.some((name) => name === 'day' || name === 'month')
  const told = keysOf(by)
  const groups = [...(dated ? ['at / 86400000'] : []), ...told.map((key) => keys[key])]
  const columns = [...(dated ? ['at / 86400000 AS day'] : []), ...told.map((key) => `${keys[key]} AS ${key}_`)]
  return await summed(sql, 'audit_exchange', columns, groups, conditions, by)
}

/** Runs a statement of sums; again in parts when a sum has more than 64 bits. */
async function summed(
  sql: SqlQuery,
  table: 'audit_exchange' | 'audit_daily' | 'audit_session',
  columns: readonly string[],
  groups: readonly string[],
  conditions: readonly Condition[],
  by: readonly Grouping[],
): Promise<UsageLine[]> {
  const run = async (parted: boolean) => {
    const head = `SELECT ${[...columns, selectSums(table === 'audit_exchange' ? 'rows' : 'sums', parted)].join(', ')} FROM ${table}`
    const rows = await sql(...statement(head, conditions, groups.length === 0 ? '' : `GROUP BY ${groups.join(', ')}`))
    return linesOf(rows, by, parted)
  }
  try {
    return await run(false)
  } catch (error) {
    if (!(error instanceof Error && /integer overflow|bigint out of range/i.test(error.message))) throw error
    return await run(true)
  }
}

/** Reads kept sums and what is not in them; again when something was rolled up meanwhile. */
async function fromSums(sql: SqlQuery, by: readonly Grouping[], filter: UsageFilter): Promise<UsageLine[]> {
  for (let tries = 0; ; tries++) {
    const heads = await unrolled(sql)
    const lines = await (by.includes('session') ? sessionSums(sql, by, filter) : dailySums(sql, by, filter))
    for (const { id, rolled } of heads) {
      const rest: Condition = [
        ['id > ', ' AND id < ', ''],
        [rowId(id, rolled), endOfInstance(id)],
      ]
      lines.push(...(await fromRows(sql, by, filter, [rest])))
    }
    const told = (list: typeof heads) => list.map((h) => `${h.id} ${h.rolled}`).join()
    if (tries >= mostTries || told(heads) === told(await unrolled(sql))) return lines
  }
}

async function dailySums(sql: SqlQuery, by: readonly Grouping[], filter: UsageFilter): Promise<UsageLine[]> {
  const cut = cutFor(by, filter)
  const name = (ms: number) => (cut === 'month' ? dayOf(ms).slice(0, 7) : dayOf(ms))
  const conditions: Condition[] = [[['cut = ', ''], [cut]], ...equal(filter)]
  if (filter.from !== undefined) conditions.push([['day >= ', ''], [name(filter.from)]])
  if (filter.to !== undefined) conditions.push([['day < ', ''], [name(filter.to)]])
  const columns = [...(by.some((g) => g === 'day' || g === 'month') ? ['day'] : []), ...keysOf(by)]
  return await summed(sql, 'audit_daily', told(columns), columns, conditions, by)
}

async function sessionSums(sql: SqlQuery, by: readonly Grouping[], filter: UsageFilter): Promise<UsageLine[]> {
  const conditions: Condition[] = equal(filter)
  const { from, to } = filter
  // of one day the database reads the groups as they lie
  if (from !== undefined && to === from + dayLength) conditions.push([['day = ', ''], [BigInt(from / dayLength)]])
  else {
    if (from !== undefined) conditions.push([['day >= ', ''], [BigInt(from / dayLength)]])
    if (to !== undefined) conditions.push([['day < ', ''], [BigInt(to / dayLength)]])
  }
  const columns = [...(by.some((g) => g === 'day' || g === 'month') ? ['day'] : []), ...keysOf(by)]
  return await summed(sql, 'audit_session', told(columns), columns, conditions, by)
}

/** Columns under names that no column of the table has. */
function told(columns: readonly string[]): string[] {
  return columns.map((column) => (column === 'day' ? 'day' : `${column} AS ${column}_`))
}

function equal(filter: UsageFilter): Condition[] {
  return filters.flatMap((name) => (filter[name] === undefined ? [] : [[[`${name} = `, ''], [filter[name]]] as const]))
}

/** Columns of sums that a grouping is told from; times stand apart. */
function keysOf(by: readonly Grouping[]): Key[] {
  const all = by.flatMap((name) => (name === 'day' || name === 'month' ? [] : [name === 'key' ? 'caller' : name]))
  return [...new Set(all)] as Key[]
}

function linesOf(rows: readonly Readonly<Record<string, SqlValue>>[], by: readonly Grouping[], parted: boolean): UsageLine[] {
  const lines: UsageLine[] = []
  const columns = by.map((name) => (name === 'key' ? 'caller_' : `${name}_`))
  for (const row of rows) {
    const sums = sumsFrom(row, parted)
    if (!sums) continue
    const group = by.map((name, i) => (name === 'day' || name === 'month' ? timeOf(row.day!, name) : (row[columns[i]!] as string)))
    lines.push({ group, sums })
  }
  return lines
}

/** A day or month as it is told: of a text, or of days since 1970. */
function timeOf(day: SqlValue, name: 'day' | 'month'): string {
  const text = typeof day === 'string' ? day : dayOf(Number(day) * dayLength)
  return name === 'day' ? text : text.slice(0, 7)
}

/** The shortest cut that tells apart all that is asked for. */
function cutFor(by: readonly Grouping[], f: UsageFilter): string {
  const needed = [...keysOf(by), ...filters.filter((name) => f[name] !== undefined)]
  const [name] = cuts.find(([, told]) => needed.every((key) => told.includes(key)))!
  const whole = (ms: number | undefined) => ms === undefined || dayOf(ms).endsWith('-01')
  return name === 'all' && !by.includes('day') && whole(f.from) && whole(f.to) ? 'month' : name
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (const [i, text] of a.entries()) if (text !== b[i]) return text < b[i]! ? -1 : 1
  return 0
}
