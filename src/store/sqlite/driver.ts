/**
 * Records in SQLite: one connection in this process, one transaction at a time, commits synced together.
 *
 *     sql ──▶ lane ──▶ statement ──▶ (it wrote) wait for the next sync of the log
 *     transaction ──▶ lane ──▶ BEGIN IMMEDIATE … COMMIT ──▶ wait for the next sync
 *
 * The database itself is synchronous, so a statement that finds the lane free runs at once. A file that another process has locked is
 * tried again for a while, outside of SQLite, so that this process goes on meanwhile.
 */

import { type SqlQuery, type SqlRow, type SqlValue, StoreUnavailable } from '../../plugin/host.ts'
import { inTransactionTime, type RecordsDriver } from '../records-driver.ts'
import { createLane } from '../records-lane.ts'
import { runMigrations } from '../records-migrations.ts'
import { insertText, textOf } from '../records-text.ts'
import { bindable, insertGroups } from '../records-values.ts'
import { Busy, type Connection, connect } from './connection.ts'
import { type WalSync, walSync } from './sync.ts'

export interface SqliteOptions {
  /** Absolute path of the file; `:memory:` keeps nothing. */
  readonly path: string
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** Milliseconds to go on trying while another process holds the lock. */
  readonly patience?: number
  /** Milliseconds of one transaction. */
  readonly transactionLimit?: number
}

export function sqliteDriver(options: SqliteOptions): RecordsDriver {
  const { path, now = Date.now, patience = 2000 } = options
  const lane = createLane()
  let connection: Connection | undefined
  let sync: WalSync | undefined

  const current = (): Connection => {
    if (!connection) throw new StoreUnavailable('the records are closed')
    return connection
  }
  const run = (text: string, values: readonly SqlValue[] = []) => current().run(text, values)
  const durable = () => sync?.durable() ?? Promise.resolve()

  /** Since when the file was found locked: who comes later does not wait for another full time. */
  let lockedSince: number | undefined
  /** Runs what may find the file locked, again and again until it does not. */
  const patiently = async <T>(work: () => T): Promise<T> => {
    for (let pause = 2; ; pause = Math.min(pause * 2, 100)) {
      try {
        const result = work()
        lockedSince = undefined
        return result
      } catch (error) {
        if (!(error instanceof Busy)) throw error
        lockedSince ??= Date.now()
        if (Date.now() + pause > lockedSince + patience) throw error
        await Bun.sleep(pause * (0.5 + Math.random()))
      }
    }
  }

  const atomically = async <T>(work: () => T | Promise<T>): Promise<T> => {
    const result = await lane.run(async () => {
      await patiently(() => run('BEGIN IMMEDIATE'))
      try {
        const result = await work()
        run('COMMIT')
        return result
      } catch (error) {
        rollback()
        throw error
      }
    })
    await durable()
    return result
  }
  const rollback = () => {
    try {
      run('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself, as it does when the disk is full
    }
  }

  const sql: SqlQuery = async <Row = SqlRow>(template: TemplateStringsArray, ...values: readonly SqlValue[]): Promise<Row[]> => {
    const text = textOf(template, 'sqlite')
    const bound = values.map(bindable)
    const once = () => patiently(() => run(text, bound))
    const { rows, wrote } = await lane.run(once)
    if (wrote) await durable()
    return rows as Row[]
  }

  return {
    kind: 'sqlite',
    sql,
    async open() {
      await lane.run(async () => {
        connection ??= await patiently(() => connect(path))
        // the write makes the log, and tells whether the file may be written
        await patiently(() => run('BEGIN IMMEDIATE'))
        run('COMMIT')
        if (connection.wal) sync ??= walSync(path)
      })
    },
    transaction: (work) =>
      atomically(async () => {
        let over = false
        let failed: unknown
        const own: SqlQuery = async <Row = SqlRow>(template: TemplateStringsArray, ...values: readonly SqlValue[]): Promise<Row[]> => {
          if (over) throw new Error('the transaction is over: await every statement inside it')
          try {
            return run(textOf(template, 'sqlite'), values.map(bindable)).rows as Row[]
          } catch (error) {
            failed ??= error
            throw error
          }
        }
        try {
          const result = await inTransactionTime(work(own), options.transactionLimit)
          if (failed !== undefined) throw failed // a failed statement ends the transaction in PostgreSQL, so it does here
          return result
        } finally {
          over = true
        }
      }),
    insert: (batch) =>
      atomically(() => {
        for (const { table, columns, rows } of insertGroups(batch)) {
          const text = insertText(table, columns, 1, 'sqlite')
          for (const row of rows)
            run(
              text,
              columns.map((c) => row[c]!),
            )
        }
      }),
    migrate: (plugin, migrations) =>
      atomically(() =>
        runMigrations(
          { run: async (text, values) => run(text, values).rows, placeholder: (n) => `?${n}`, translate: (s) => s },
          plugin,
          migrations,
          now(),
        ),
      ),
    // rows are deleted a few at a time
    divide: () => Promise.resolve(),
    dropParts: () => Promise.resolve(undefined),
    async close() {
      await lane.run(() => {
        sync?.close()
        connection?.close()
        sync = undefined
        connection = undefined
      })
    },
  }
}
