/**
 * What a database must be able to do to hold records: the interface that the SQLite and the PostgreSQL driver implement.
 *
 * A driver knows one database and nothing of plugins, spools and retries in the background. Every call either does its work, fails with
 * an error of the statement, or fails with `StoreUnavailable` within seconds; none hangs.
 */

import { type Migration, type SqlQuery, type SqlValue, StoreUnavailable, type TransactionOptions } from '../plugin/host.ts'

export type Row = Readonly<Record<string, SqlValue>>

/** Rows for one table, in order. Checked: names are identifiers, values are what SQL can hold, each row has an `id`. */
export interface TableRows {
  readonly table: string
  readonly rows: readonly Row[]
}

export interface RecordsDriver {
  /** For people: `sqlite` or `postgres`. */
  readonly kind: string
  /** Opens the database, or finds out whether one that was open can be reached again. @throws StoreUnavailable */
  open(): Promise<void>
  /** One statement of its own; a write is durable when it resolves. */
  readonly sql: SqlQuery
  /** Runs `run` in a transaction, isolated as the options say; again after a conflict. Durable when it resolves. */
  transaction<T>(run: (sql: SqlQuery) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Inserts all rows in one transaction, except those whose `id` is there. Durable when it resolves. */
  insert(batch: readonly TableRows[]): Promise<void>
  /** Runs those of a plugin's migrations that this database has not seen. Safe when several instances do it at once. */
  migrate(plugin: string, migrations: readonly Migration[]): Promise<void>
  /** Divides a table by ranges of `id`, where it can. Safe when several instances do it at once. @throws StoreBusy */
  divide(table: string, bounds: readonly string[]): Promise<void>
  /** Drops the parts that end at or before an id; undefined when the table is not divided. @throws StoreBusy */
  dropParts(table: string, before: string, also?: (sql: SqlQuery, until: string) => Promise<void>): Promise<number | undefined>
  close(): Promise<void>
}

/** Milliseconds after which a transaction that does not come to its end is rolled back. */
export const transactionLimit = 5000

/** The store is there and could not do this now: a lock that was not given up, too many conflicts, a statement that took too long. */
export class StoreBusy extends StoreUnavailable {}

/** The work of a transaction within its time: it holds up others. @throws Error that says so */
export async function inTransactionTime<T>(work: Promise<T>, limit = transactionLimit): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    const why = `a transaction took more than ${limit / 1000} s: it may await nothing but its own sql`
    timer = setTimeout(() => reject(new Error(why)), limit)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
