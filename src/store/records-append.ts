/**
 * Appending rows that may not be lost: many small appends share a commit, and a spool stands in while the store is down.
 *
 *     append ──▶ waits for the commit before it ──▶ store up and spool empty? ──▶ one transaction ──▶ resolved
 *                                                └▶ else, or it fails there ──▶ spool ──▶ resolved
 *
 * Everything that touches the spool runs one after the other here, so rows never overtake those that wait.
 */

import { type Logger, StoreUnavailable } from '../plugin/host.ts'
import type { RecordsDriver, TableRows } from './records-driver.ts'
import type { Spool } from './spool.ts'

/** Rows of one commit: more would hold up the process for too long. */
const batchRows = 200
const replayRows = 500
/** Rows that may wait in memory. */
const maxWaiting = 20_000

export interface AppenderOptions {
  readonly driver: RecordsDriver
  readonly spool: () => Promise<Spool>
  /** Whether the store can be reached, as far as is known. */
  readonly up: () => boolean
  /** Resolves when that is known. */
  readonly opened: () => Promise<void>
  /** Told when the store was found down. */
  readonly down: (error: StoreUnavailable) => void
  readonly log: Logger
}

export interface Appender {
  append(rows: TableRows): Promise<void>
  /**
   * Moves all rows out of the spool into the store, then calls `done` before anything else is appended.
   * @throws StoreUnavailable when the store is down again
   */
  replay(done: () => void): Promise<void>
  /** Waits until nothing is under way. */
  close(): Promise<void>
}

interface Waiting {
  readonly rows: TableRows
  resolve(): void
  reject(error: unknown): void
}

export function createAppender(options: AppenderOptions): Appender {
  const { driver, up, down, log } = options
  let waiting: Waiting[] = []
  let count = 0
  /** A flush is due or under way. */
  let flushing = false
  let last: Promise<unknown> = Promise.resolve()

  /** Runs jobs one after the other. */
  const inOrder = <T>(job: () => Promise<T>): Promise<T> => {
    const next = last.then(job)
    last = next.catch(() => {})
    return next
  }

  const flush = () => {
    void inOrder(async () => {
      const batch = take()
      try {
        if (batch.length > 0) await write(batch)
      } catch (error) {
        for (const w of batch) w.reject(error)
      }
      if (waiting.length > 0)
        setImmediate(flush) // others get their turn in between
      else flushing = false
    })
  }
  const take = (): Waiting[] => {
    let rows = 0
    let n = 0
    while (n < waiting.length && (n === 0 || rows + waiting[n]!.rows.rows.length <= batchRows)) rows += waiting[n++]!.rows.rows.length
    const batch = waiting.slice(0, n)
    waiting = waiting.slice(n)
    count -= rows
    return batch
  }

  const write = async (batch: readonly Waiting[]): Promise<void> => {
    await options.opened()
    const spool = await options.spool()
    if (!up() || !spool.empty) return await toSpool(spool, batch)
    try {
      await driver.insert(batch.map((w) => w.rows))
    } catch (error) {
      if (error instanceof StoreUnavailable) {
        down(error)
        return await toSpool(spool, batch)
      }
      if (batch.length === 1) throw error
      // one of them is wrong: only its own caller is told
      for (const one of batch) await write([one]).catch((reason: unknown) => one.reject(reason))
      return
    }
    for (const w of batch) w.resolve()
  }
  const toSpool = async (spool: Spool, batch: readonly Waiting[]): Promise<void> => {
    await spool.write(batch.map((w) => w.rows))
    for (const w of batch) w.resolve()
  }

  /** One step: false when nothing waits any more. Larger than what may be spooled between two, so that it comes to an end. */
  const replayStep = async (caughtUp: () => void): Promise<boolean> => {
    const spool = await options.spool()
    const batch = await spool.read(replayRows)
    if (!batch) {
      caughtUp()
      return false
    }
    try {
      await driver.insert(batch)
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error
      for (const { table, rows } of batch) for (const row of rows) await replayOne(spool, { table, rows: [row] })
    }
    await spool.done()
    if (spool.empty) caughtUp()
    return !spool.empty
  }
  const replayOne = async (spool: Spool, row: TableRows): Promise<void> => {
    try {
      await driver.insert([row])
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error
      const reason = error instanceof Error ? error.message : String(error)
      log.error('a spooled row was set aside: the database does not take it', { table: row.table, id: row.rows[0]?.id, error: reason })
      await spool.reject(row, reason)
    }
  }

  return {
    append(rows) {
      if (rows.rows.length === 0) return Promise.resolve()
      if (count + rows.rows.length > maxWaiting) return Promise.reject(new StoreUnavailable('too many rows wait to be appended'))
      count += rows.rows.length
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      waiting.push({ rows, resolve, reject })
      if (!flushing) {
        flushing = true
        setImmediate(flush) // what is appended in the same turn goes along
      }
      return promise
    },
    async replay(done) {
      while (await inOrder(() => replayStep(done)));
    },
    async close() {
      while (flushing) {
        await new Promise((resolve) => setImmediate(resolve))
        await last
      }
      await last
    },
  }
}
