/**
 * The values that go into a database: what both can hold, in the form in which both hold it.
 *
 * A text with a NUL character can't be stored in PostgreSQL and is cut by SQLite's functions, so it bears U+FFFD instead on both.
 */

import type { SqlValue } from '../plugin/host.ts'
import type { Row, TableRows } from './records-driver.ts'
import { checkName } from './records-text.ts'

const least = -(2n ** 63n)
const most = 2n ** 63n - 1n

/** The value to bind. @throws TypeError or RangeError for what SQL can't hold. */
export function bindable(value: unknown): SqlValue {
  switch (typeof value) {
    case 'string':
      return value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value
    case 'number':
      if (!Number.isFinite(value)) throw new RangeError(`${value} can't be stored: numbers must be finite`)
      if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 2 ** 64)
        throw new RangeError(`${value} is not exact: use a bigint`)
      return value
    case 'bigint':
      if (value < least || value > most) throw new RangeError(`${value} does not fit into 64 bits`)
      return value
    case 'boolean':
      return value
    case 'object':
      if (value === null || value instanceof Uint8Array) return value
  }
  const what = value === undefined ? 'undefined' : Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`
  throw new TypeError(`${what} can't be stored: use string, number, bigint, boolean, null or Uint8Array`)
}

/** Rows for `append`, checked and copied. @throws TypeError or RangeError */
export function checkRows(table: string, rows: readonly Row[]): TableRows {
  checkName(table)
  return {
    table,
    rows: rows.map((row) => {
      const copy: Record<string, SqlValue> = {}
      for (const column in row) {
        checkName(column)
        copy[column] = bindable(row[column])
      }
      if (typeof copy.id !== 'string' || copy.id === '') throw new TypeError(`a row for ${table} has no id: give it a text that is its own`)
      return copy
    }),
  }
}

/** Consecutive rows of the same table with the same columns. */
export interface InsertGroup {
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: Row[]
}

/** Splits a batch into groups that one INSERT can hold, in order. */
export function insertGroups(batch: readonly TableRows[]): InsertGroup[] {
  const groups: InsertGroup[] = []
  let last: InsertGroup | undefined
  for (const { table, rows } of batch) {
    for (const row of rows) {
      const columns = Object.keys(row)
      if (last && last.table === table && same(last.columns, columns)) last.rows.push(row)
      else groups.push((last = { table, columns, rows: [row] }))
    }
  }
  return groups
}

function same(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
