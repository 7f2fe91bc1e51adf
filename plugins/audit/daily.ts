/**
 * Sums over the exchanges, so that a month's cost is read from some thousand rows instead of some million: by day, by month, by session.
 *
 * The rows of an instance have numbers without gaps. `audit_head.rolled` says up to which number they are in the sums; both change in one
 * transaction, so each row is counted once. What is not rolled yet is added when somebody asks (`usage.ts`). The database adds up by itself: no row
 * comes here.
 *
 * The sums of a day are kept in several cuts, each without the columns that would make it long: who asks for a year by model reads some thousand
 * rows, whatever the number of keys. The cut `month` is that of `all` by month.
 */

import type { Records, SqlQuery } from 'headgate/plugin'
import { template } from './statement.ts'
import { type Key, keys, rowSums, sumNames } from './sums.ts'
import { rowId } from './tables.ts'
import { enterZones } from './zones.ts'

/** Rows rolled in one transaction: some 5 ms. */
const chunk = 400

/** The cuts by day, the shortest first, with what each tells apart. */
export const cuts: readonly (readonly [name: string, keys: readonly Key[]])[] = [
  ['model', ['tier', 'model', 'upstream', 'thread']],
  ['caller', ['account', 'caller', 'tier', 'thread']],
  ['all', ['account', 'caller', 'tier', 'model', 'upstream', 'thread']],
]
/** Columns of the tables, in the order of their primary keys. */
const dailyKeys = ['account', 'caller', 'tier', 'model', 'upstream', 'thread'] as const
const sessionKeys = ['session', ...dailyKeys] as const

export const dayLength = 86_400_000

/** `2026-11-21`, UTC. */
export function dayOf(ms: bigint | number): string {
  return new Date(Number(ms)).toISOString().slice(0, 10)
}

/** Rolls up some rows of one instance; how many it were. */
export async function rollUp(records: Records, instance: string, rolled: bigint, now: number): Promise<number> {
  const after = rowId(instance, rolled)
  const last = rowId(instance, rolled + BigInt(chunk))
  const [some] = await records.sql`SELECT id FROM audit_exchange WHERE id > ${after} AND id <= ${last} LIMIT 1`
  if (!some) {
    await finish(records.sql, instance, rolled, now)
    return 0
  }
  return await records.transaction(
    async (sql) => {
      // whoever comes first has the head to itself; the other one finds it changed
      const [head] = await sql`UPDATE audit_head SET rolled = rolled WHERE id = ${instance} AND rolled = ${rolled} RETURNING id`
      if (!head) return 0
      const days = await sql<{
        day: bigint
        n: bigint
        last: bigint
      }>`SELECT at / 86400000 AS day, count(*) AS n, max(seq) AS last FROM audit_exchange
        WHERE id > ${after} AND id <= ${last} GROUP BY at / 86400000 ORDER BY 1`
      let end = after
      for (const { last } of days) if (rowId(instance, last) > end) end = rowId(instance, last)
      for (const { day } of days) await enterDay(sql, Number(day), after, end)
      await enterZones(sql, after, end)
      await sql`UPDATE audit_head SET rolled = ${BigInt(end.slice(end.lastIndexOf('.') + 1))} WHERE id = ${instance}`
      return days.reduce((sum, d) => sum + Number(d.n), 0)
    },
    { isolation: 'rows' },
  )
}

/** Adds the rows of one day (days since 1970) of a range of ids to all sums. */
export async function enterDay(sql: SqlQuery, day: number, after: string, end: string): Promise<void> {
  const text = dayOf(day * dayLength)
  const times = [BigInt(day * dayLength), BigInt((day + 1) * dayLength)] as const
  const range = [after, end, ...times] as const
  for (const [cut, told] of cuts) await sql(daily(told), cut, text, ...range)
  await sql(daily(dailyKeys), 'month', text.slice(0, 7), ...range)
  await sql(bySession, ...range)
}

// `+at`: by the ids alone the few rows are found at once; SQLite would rather walk through all exchanges of the day by their times
const where = [' FROM audit_exchange WHERE id > ', ' AND id <= ', ' AND +at >= ', ' AND +at < '] as const

/** Values: cut, day, then the range. */
function daily(told: readonly Key[]): TemplateStringsArray {
  const columns = dailyKeys.map((key) => (told.includes(key) ? keys[key] : "''")).join(', ')
  const groups = told.map((key) => keys[key]).join(', ')
  return template([
    `INSERT INTO audit_daily (cut, day, ${dailyKeys.join(', ')}, ${sumNames.join(', ')}) SELECT CAST(`,
    ' AS TEXT), CAST(',
    ` AS TEXT), ${columns}, ${rowSums}${where[0]}`,
    ...where.slice(1),
    ` GROUP BY ${groups} ORDER BY ${groups} ON CONFLICT (cut, day, ${dailyKeys.join(', ')}) DO UPDATE SET ${added('audit_daily')}`,
  ])
}

/** Values: the range. */
const bySession = template([
  `INSERT INTO audit_session (day, ${sessionKeys.join(', ')}, ${sumNames.join(', ')}) SELECT at / 86400000,
    ${sessionKeys.map((key) => keys[key]).join(', ')}, ${rowSums}${where[0]}`,
  ...where.slice(1),
  ` GROUP BY at / 86400000, ${sessionKeys.map((key) => keys[key]).join(', ')} ORDER BY ${sessionKeys.map((key) => keys[key]).join(', ')}
    ON CONFLICT (day, ${sessionKeys.join(', ')}) DO UPDATE SET ${added('audit_session')}`,
])

function added(table: string): string {
  return sumNames.map((name) => `${name} = ${table}.${name} + excluded.${name}`).join(', ')
}

/** Notes that no row can come any more: the chain was closed, or has given no sign of life for two days. */
async function finish(sql: SqlQuery, instance: string, rolled: bigint, now: number): Promise<void> {
  const [head] = await sql<{ closed_at: bigint | null; seq: bigint; beat_at: bigint }>`
    SELECT closed_at, seq, beat_at FROM audit_head WHERE id = ${instance} AND rolled = ${rolled}`
  if (!head) return
  const over = (head.closed_at !== null && rolled >= head.seq) || Number(head.beat_at) < now - 2 * dayLength
  if (over) await sql`UPDATE audit_head SET done = ${true} WHERE id = ${instance} AND rolled = ${rolled}`
}
