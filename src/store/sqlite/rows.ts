/**
 * What comes out of SQLite: each column as it was declared, so that a plugin sees the same values on both databases.
 *
 * `BIGINT` is bigint, `INTEGER` number, `BOOLEAN` boolean. An integer that is no column (a count, a sum, `a + b`) is bigint.
 */

import type { Statement } from 'bun:sqlite'
import type { SqlRow, SqlValue } from '../../plugin/host.ts'

type Convert = (value: SqlValue) => SqlValue

const toBoolean: Convert = (value) => (typeof value === 'bigint' ? value !== 0n : value)
const toNumber: Convert = (value) => {
  if (typeof value !== 'bigint') return value
  // PostgreSQL refuses it when it is written; who tests with SQLite only should learn it too
  if (value > 2147483647n || value < -2147483648n) throw new RangeError(`an INTEGER column holds ${value}: declare it BIGINT`)
  return Number(value)
}
const toFloat: Convert = (value) => (typeof value === 'bigint' ? Number(value) : value)

function converterOf(declared: string | null): Convert | undefined {
  if (declared === null || /big|int8/i.test(declared)) return undefined
  if (/bool/i.test(declared)) return toBoolean
  if (/int/i.test(declared)) return toNumber
  return /doub|real|floa/i.test(declared) ? toFloat : undefined
}

/** Gives rows of this statement their values; undefined when they have them already. */
export function rowConverter(statement: Statement): ((rows: SqlRow[]) => SqlRow[]) | undefined {
  const names = statement.columnNames
  const columns = statement.declaredTypes
    .map((declared, i) => [names[i]!, converterOf(declared)] as const)
    .filter((c): c is readonly [string, Convert] => c[1] !== undefined)
  if (columns.length === 0) return undefined
  return (rows) => {
    for (const row of rows as Record<string, SqlValue>[]) for (const [name, convert] of columns) row[name] = convert(row[name]!)
    return rows
  }
}
