/**
 * Exchanges for what no kept sum can tell: an hour at a time, so that no statement takes long, whatever the number of exchanges; and a page at a time, so
 * that little is held. In the order of time. Writes nothing.
 */

import type { SqlQuery, SqlValue } from 'headgate/plugin'
import { type Condition, statement } from './statement.ts'

const pageSize = 2000
const hour = 3_600_000

export interface Stretch {
  /** Milliseconds since the epoch; `to` is not in it. */
  readonly from: number
  readonly to: number
}

/** Stretches of an hour that have exchanges, of a time or of all. */
export async function* hoursOf(sql: SqlQuery, from: number | undefined, to: number | undefined): AsyncGenerator<Stretch> {
  for (let begin = from ?? 0; ; ) {
    const [next] = await sql<{ at: bigint }>`SELECT at FROM audit_exchange WHERE at >= ${BigInt(Math.ceil(begin))} ORDER BY at LIMIT 1`
    if (!next || (to !== undefined && Number(next.at) >= to)) return
    const at = Number(next.at)
    const end = Math.min(Math.floor(at / hour) * hour + hour, to ?? Number.POSITIVE_INFINITY)
    yield { from: Math.max(begin, at), to: end }
    begin = end
  }
}

/** What `columns` say of the exchanges that fulfil all conditions, a page at a time. */
export async function* rowPages<T>(sql: SqlQuery, columns: string, conditions: readonly Condition[]): AsyncGenerator<readonly T[]> {
  type Row = Record<string, SqlValue> & { at: bigint; id: string }
  let after: readonly Condition[] = []
  for (;;) {
    const rows = await sql<Row>(
      ...statement(`SELECT at, id, ${columns} FROM audit_exchange`, [...conditions, ...after], 'ORDER BY at, id LIMIT ', BigInt(pageSize)),
    )
    if (rows.length > 0) yield rows as unknown as readonly T[]
    if (rows.length < pageSize) return
    const { at, id } = rows.at(-1)!
    after = [
      [
        ['at >= ', ' AND (at > ', ' OR id > ', ')'],
        [at, at, id],
      ],
    ]
  }
}
