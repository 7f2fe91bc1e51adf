/**
 * What comes out of PostgreSQL: the same values as out of SQLite (`sqlite/rows.ts`).
 *
 * `BIGINT` is bigint, `INTEGER` number, `BOOLEAN` boolean, `BYTEA` a plain Uint8Array. An integer that is no column of a table (a count, a
 * sum, `a + b`) is bigint, whatever width PostgreSQL gave it.
 */

import type { SqlRow, SqlValue } from '../../plugin/host.ts'

/** Type numbers of PostgreSQL (pg_type.oid). */
const oid = { bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23, float4: 700, float8: 701, numeric: 1700 } as const

/** Readers for the client: text of the wire to value. */
export const types = {
  bigint: { to: oid.int8, from: [oid.int8], parse: (text: string) => BigInt(text), serialize: (value: unknown) => String(value) },
  // the sum of BIGINTs: whole unless it has a point, as in SQLite
  numeric: {
    to: oid.numeric,
    from: [oid.numeric],
    parse: (text: string) => (/^-?\d+$/.test(text) ? BigInt(text) : Number(text)),
    serialize: (value: unknown) => String(value),
  },
} as const

interface Column {
  readonly name: string
  readonly type: number
  /** 0 for what is no column of a table. */
  readonly table?: number
}

type Convert = (value: SqlValue) => SqlValue

const toBigint: Convert = (value) => (typeof value === 'number' ? BigInt(value) : value)
const toPlainBytes: Convert = (value) => (value instanceof Uint8Array ? new Uint8Array(value) : value)

/** Plain rows of a result. */
export function plainRows(rows: readonly SqlRow[], columns: readonly Column[] | undefined): SqlRow[] {
  const plain = rows.slice() as Record<string, SqlValue>[]
  for (const { name, type, table } of columns ?? []) {
    const whole = type === oid.int4 || type === oid.int2
    const convert = type === oid.bytea ? toPlainBytes : whole && !table ? toBigint : undefined
    if (convert) for (const row of plain) row[name] = convert(row[name]!)
  }
  return plain
}
