/**
 * Sums over exchanges by day, month, key, account, tier, model, upstream, thread or session: exact, and fast where the sums that are kept can tell.
 *
 * Of a time that begins or ends within a day, that day's part is summed up from the exchanges themselves, and so is all of one session. Else the kept
 * sums are read, and the exchanges added that are not in them yet. Amounts are bigints here: no database rounds them or overflows.
 */

import type { SqlQuery, SqlValue } from 'headgate/plugin'
import { cuts, dayLength, dayOf } from './daily.ts'
import { conditionsOf, type Filter } from './query.ts'
import { type Condition, statement } from './statement.ts'
import { addSums, type Key, keys, type Sums, selectSums, sumsFrom } from './sums.ts'
import { endOfInstance, rowId } from './tables.ts'
import { unrolled } from './unrolled.ts'

export const groupings = ['day', 'month', 'key', 'account', 'tier', 'model', 'upstream', 'thread', 'session'] as const
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

/** One line for each group. */
function merged(lines: readonly UsageLine[]): UsageLine[] {
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
  const conditions = [...conditionsOf(rest), ...more]
  // names that no upstream was asked for are not counted as models, neither here nor in the sums
  if (model === '') conditions.push([[`${keys.model} = ''`], []])
  else if (model !== undefined) conditions.push([['model_asked = ', ` AND (attempts > 0 OR ending = 'finished')`], [model]])
  const dated = by.some((name) => name === 'day' || name === 'month')
  const told = keysOf(by)
  const groups = [...(dated ? ['at / 86400000'] : []), ...told.map((key) => keys[key])]
  const columns = [...(dated ? ['at / 86400000 AS day'] : []), ...told.map((key) => `${keys[key]} AS ${key}_`)]
  const head = `SELECT ${[...columns, selectSums('rows')].join(', ')} FROM audit_exchange`
  const rows = await sql(...statement(head, conditions, groups.length === 0 ? '' : `GROUP BY ${groups.join(', ')}`))
  return linesOf(rows, by, (row) => dayOf(Number(row.day) * dayLength))
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
  return linesOf(await sql(...grouped('audit_daily', columns, conditions)), by, (row) => row.day as string)
}

async function sessionSums(sql: SqlQuery, by: readonly Grouping[], filter: UsageFilter): Promise<UsageLine[]> {
  const conditions: Condition[] = equal(filter)
  if (filter.from !== undefined) conditions.push([['day >= ', ''], [BigInt(filter.from / dayLength)]])
  if (filter.to !== undefined) conditions.push([['day < ', ''], [BigInt(filter.to / dayLength)]])
  const columns = [...(by.some((g) => g === 'day' || g === 'month') ? ['day'] : []), ...keysOf(by)]
  return linesOf(await sql(...grouped('audit_session', columns, conditions)), by, (row) => dayOf(Number(row.day) * dayLength))
}

function grouped(table: string, columns: readonly string[], conditions: readonly Condition[]): [TemplateStringsArray, ...SqlValue[]] {
  const told = columns.map((column) => (column === 'day' ? 'day' : `${column} AS ${column}_`))
  const head = `SELECT ${[...told, selectSums('sums')].join(', ')} FROM ${table}`
  return statement(head, conditions, columns.length === 0 ? '' : `GROUP BY ${columns.join(', ')}`)
}

function equal(filter: UsageFilter): Condition[] {
  return filters.flatMap((name) => (filter[name] === undefined ? [] : [[[`${name} = `, ''], [filter[name]]] as const]))
}

/** Columns of sums that a grouping is told from; times stand apart. */
function keysOf(by: readonly Grouping[]): Key[] {
  const all = by.flatMap((name) => (name === 'day' || name === 'month' ? [] : [name === 'key' ? 'caller' : name]))
  return [...new Set(all)] as Key[]
}

/** Lines of a result. Columns bear a `_` behind their names, so that none is taken for a column of the table. */
function linesOf(
  rows: readonly Readonly<Record<string, SqlValue>>[],
  by: readonly Grouping[],
  day: (row: (typeof rows)[number]) => string,
) {
  const lines: UsageLine[] = []
  for (const row of rows) {
    const sums = sumsFrom(row)
    if (!sums) continue
    const group = by.map((name) => {
      if (name === 'day') return day(row)
      if (name === 'month') return day(row).slice(0, 7)
      return row[name === 'key' ? 'caller_' : `${name}_`] as string
    })
    lines.push({ group, sums })
  }
  return lines
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
