/**
 * One SQLite connection: its settings, its prepared statements, what its errors mean. Everything here is synchronous.
 *
 * `busy_timeout` stays small, because waiting in SQLite stops the whole process; who finds the file locked waits outside.
 */

import { Database, type Statement } from 'bun:sqlite'
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { type SqlRow, type SqlValue, StoreUnavailable } from '../../plugin/host.ts'
import { StoreBusy } from '../records-driver.ts'
import { rowConverter } from './rows.ts'

/** Prepared statements kept; the one that was used longest ago goes first. */
const maxStatements = 256

interface Prepared {
  readonly statement: Statement
  readonly convert: ((rows: SqlRow[]) => SqlRow[]) | undefined
}

export interface Connection {
  /** Commits go to a write-ahead log that is still to be synced; false on file systems that can't: then each commit syncs itself. */
  readonly wal: boolean
  /** Runs one statement. `wrote` tells whether it could have written. @throws StoreUnavailable, Busy or the statement's error */
  run(text: string, values: readonly SqlValue[]): { readonly rows: SqlRow[]; readonly wrote: boolean }
  close(): void
}

/** The file is locked by another process at this moment. */
export class Busy extends StoreBusy {}

/** @param path of the file, or `:memory:`. Folders are made; the file can be read by its owner only. @throws StoreUnavailable */
export function connect(path: string): Connection {
  const { db, wal } = open(path)
  const statements = new Map<string, Prepared>()
  const prepare = (text: string): Prepared => {
    let prepared = statements.get(text)
    if (prepared) statements.delete(text)
    else {
      const statement = db.prepare(text)
      prepared = { statement, convert: statement.columnNames.length > 0 ? rowConverter(statement) : undefined }
      if (statements.size >= maxStatements) {
        const [oldest, { statement }] = statements.entries().next().value!
        statement.finalize()
        statements.delete(oldest)
      }
    }
    statements.set(text, prepared)
    return prepared
  }
  return {
    wal,
    run(text, values) {
      try {
        const { statement, convert } = prepare(text)
        const rows = statement.all(...(values as SqlValue[])) as SqlRow[]
        return { rows: convert ? convert(rows) : rows, wrote: !statement.readonly }
      } catch (error) {
        throw meaning(error)
      }
    },
    close() {
      for (const { statement } of statements.values()) statement.finalize()
      statements.clear()
      db.close()
    },
  }
}

function open(path: string): { readonly db: Database; readonly wal: boolean } {
  try {
    if (path !== ':memory:' && !existsSync(path)) {
      mkdirSync(dirname(path), { recursive: true })
      closeSync(openSync(path, 'a', 0o600))
    }
    const db = new Database(path, { safeIntegers: true, create: true, readwrite: true })
    try {
      db.run('PRAGMA busy_timeout = 20')
      const { journal_mode: mode } = db.query('PRAGMA journal_mode = WAL').get() as { journal_mode: string }
      const wal = mode === 'wal'
      db.run(`PRAGMA synchronous = ${wal ? 'NORMAL' : 'FULL'}`)
      db.run('PRAGMA foreign_keys = ON')
      db.run('PRAGMA case_sensitive_like = ON') // as in PostgreSQL
      db.run('PRAGMA journal_size_limit = 67108864')
      return { db, wal }
    } catch (error) {
      db.close()
      throw error
    }
  } catch (error) {
    throw meaning(error, path)
  }
}

const locked = /^SQLITE_(BUSY|LOCKED)/
const broken = /^SQLITE_(FULL|IOERR|CANTOPEN|READONLY|NOTADB|CORRUPT|NOMEM|PERM|AUTH|PROTOCOL)/

/** Errors of the file are `StoreUnavailable`; errors of the statement stay what they are. */
function meaning(error: unknown, path?: string): unknown {
  if (!(error instanceof Error) || error instanceof StoreUnavailable) return error
  const code = 'code' in error ? String(error.code) : ''
  const where = path === undefined ? '' : ` (${path})`
  if (locked.test(code)) return new Busy('the records are locked by another process', { cause: error })
  if (broken.test(code) || path !== undefined)
    return new StoreUnavailable(`the records can't be used: ${error.message}${where}`, { cause: error })
  return error
}
