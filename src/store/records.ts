/**
 * Durable records: one database for all plugins, opened at its first use, and whether it can be reached.
 *
 *     idle ──first use──▶ opening ──▶ up ⇄ down (tries again in the background: migrations, spool, then up)
 *
 * While it is down, statements fail at once and appended rows wait in the spool. Knows nothing of SQL: `sqlite/` and `postgres/` do.
 */

import {
  type Logger,
  type Migration,
  type Records,
  type SqlQuery,
  type SqlRow,
  type SqlValue,
  StoreUnavailable,
  type TransactionOptions,
} from '../plugin/host.ts'
import { createAppender } from './records-append.ts'
import { type RecordsDriver, StoreBusy } from './records-driver.ts'
import { checkMigrations } from './records-migrations.ts'
import { checkName } from './records-text.ts'
import { checkRows } from './records-values.ts'
import type { Spool } from './spool.ts'

export interface RecordsStoreOptions {
  /** Makes the driver, when it is used for the first time. */
  readonly driver: () => Promise<RecordsDriver>
  readonly spool: () => Promise<Spool>
  readonly log: Logger
  /** Whether rows wait on disk since an earlier run. */
  readonly waiting?: () => boolean
}

export interface RecordsStore {
  /** The records of one plugin: `plugin` names its migrations. */
  scoped(plugin: string): Records
  /** All plugins have named their tables: rows that wait may be brought in. Before that they would not find theirs. */
  start(): void
  /** Why it can't be reached; undefined when all is well, or nobody has used it yet. */
  readonly problem: string | undefined
  /** How much waits in the spool, in bytes. */
  readonly spooled: number
  /** Tables are being made or brought to their version: of millions of rows that takes minutes. */
  readonly migrating: boolean
  /** Tries now to reach it, and to bring in what waits. True when it is up. */
  recover(): Promise<boolean>
  /** Lets appends finish, then closes. Calls after that fail. */
  close(): Promise<void>
}

/** Milliseconds before a store that failed is asked again: it may have been one connection, unless it was up for no longer than `brief`. */
const firstLook = 10
const brief = 1000
/** Milliseconds between attempts to reach one that is down. */
const pause = 250

interface Pending {
  readonly plugin: string
  readonly migrations: readonly Migration[]
}

export function createRecordsStore(options: RecordsStoreOptions): RecordsStore {
  const { log } = options
  let made: Promise<RecordsDriver> | undefined
  let driver: RecordsDriver | undefined
  let started = false
  let state: 'idle' | 'up' | 'down' | 'closed' = 'idle'
  let closing = false
  let opening: Promise<void> | undefined
  let problem: string | undefined
  let upSince = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let recovering: Promise<boolean> | undefined
  let pending: Pending[] = []
  /** Plugins whose tables could not be made after the store was back. */
  const broken = new Map<string, Error>()
  /** Plugins that wait for their tables. */
  let migrating = 0

  let spool: Spool | undefined
  const lazily = once(async () => {
    spool = await options.spool()
    return spool
  })
  const appender = createAppender({
    driver: {
      kind: 'any',
      open: () => use().open(),
      sql: (text, ...values) => use().sql(text, ...values),
      transaction: (run, options) => use().transaction(run, options),
      insert: (batch) => use().insert(batch),
      migrate: (plugin, migrations) => use().migrate(plugin, migrations),
      divide: (table, bounds) => use().divide(table, bounds),
      dropParts: (table, before, also) => use().dropParts(table, before, also),
      close: () => use().close(),
    },
    spool: lazily,
    up: () => state === 'up',
    opened: () => open(),
    down: (error) => wentDown(error),
    log,
  })

  const use = (): RecordsDriver => {
    if (!driver) throw new StoreUnavailable('the records are closed')
    return driver
  }

  /** Opens at the first call; never rejects for a store that is down. */
  const open = (): Promise<void> => {
    if (state === 'idle') opening ??= first()
    return opening ?? Promise.resolve()
  }
  const first = async (): Promise<void> => {
    made ??= options.driver()
    driver = await made
    try {
      await driver.open()
      const { empty } = await lazily()
      if (state !== 'idle') return
      state = 'up'
      upSince = performance.now()
      if (started && !empty) void recover()
    } catch (error) {
      if (state === 'idle') wentDown(error)
    }
  }

  const wentDown = (error: unknown): void => {
    if (state === 'closed') return
    problem = error instanceof Error ? error.message : String(error)
    const was = state
    state = 'down'
    if (was !== 'down') log.error('the records store is down; it is tried again in the background', { error: problem })
    again(was === 'up' && performance.now() - upSince > brief ? firstLook : pause)
  }
  const again = (ms: number): void => {
    if (timer || state === 'closed') return
    const look = () => {
      timer = undefined
      void recover()
    }
    timer = setTimeout(look, ms * (0.5 + Math.random() / 2))
    timer.unref()
  }

  const recover = (): Promise<boolean> => {
    recovering ??= bringBack().finally(() => {
      recovering = undefined
    })
    return recovering
  }
  const bringBack = async (): Promise<boolean> => {
    if (state === 'idle') await open()
    if (state === 'closed') return false
    const was = state
    try {
      await use().open()
      await migratePending()
      const isUp = () => {
        if (state === 'closed') return
        state = 'up'
        upSince = performance.now()
        problem = undefined
      }
      if (started) await appender.replay(isUp)
      else isUp()
      if (state === ('closed' as string)) return false
      if (was === 'down') log.info('the records store is back')
      return true
    } catch (error) {
      wentDown(error)
      return false
    }
  }
  const migratePending = async (): Promise<void> => {
    while (pending.length > 0) {
      const { plugin, migrations } = pending[0]!
      try {
        await use().migrate(plugin, migrations)
        broken.delete(plugin)
      } catch (error) {
        if (error instanceof StoreUnavailable) throw error
        const reason = error instanceof Error ? error : new Error(String(error))
        log.error('the tables of a plugin could not be made', { plugin, error: reason.message })
        broken.set(plugin, reason)
      }
      pending = pending.slice(1)
    }
  }

  /** Runs what needs the store to be up. */
  const reached = async <T>(plugin: string, work: (driver: RecordsDriver) => Promise<T>): Promise<T> => {
    await open()
    if (state !== 'up')
      throw new StoreUnavailable(state === 'closed' ? 'the records are closed' : `the records can't be reached: ${problem}`)
    const reason = broken.get(plugin)
    if (reason) throw reason
    try {
      return await work(use())
    } catch (error) {
      if (error instanceof StoreUnavailable && !(error instanceof StoreBusy) && state === 'up') wentDown(error)
      throw error
    }
  }

  const migrate = async (plugin: string, migrations: readonly Migration[]): Promise<void> => {
    checkMigrations(plugin, migrations)
    migrating++
    try {
      await reached(plugin, (d) => d.migrate(plugin, migrations))
      return
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || state === 'closed') throw error
    } finally {
      migrating--
    }
    pending = [...pending.filter((p) => p.plugin !== plugin), { plugin, migrations }]
    log.warn('the tables of a plugin are made when the records store is back', { plugin })
  }

  return {
    scoped(plugin) {
      return {
        sql: <Row = SqlRow>(text: TemplateStringsArray, ...values: readonly SqlValue[]) =>
          reached(plugin, (d) => d.sql<Row>(text, ...values)),
        transaction: <T>(run: (sql: SqlQuery) => Promise<T>, options?: TransactionOptions) =>
          reached(plugin, (d) => d.transaction(run, options)),
        async append(table, rows) {
          if (closing) throw new StoreUnavailable('the records are closed')
          await appender.append(checkRows(table, rows))
        },
        migrate: (migrations) => migrate(plugin, migrations),
        divide: (table, bounds) => reached(plugin, (d) => d.divide(checkedTable(table), checkedBounds(bounds))),
        dropParts: (table, before, also) => reached(plugin, (d) => d.dropParts(checkedTable(table), before, also)),
        get available() {
          return state === 'up' || state === 'idle'
        },
      }
    },
    start() {
      started = true
      if (state !== 'idle' || options.waiting?.()) void recover()
    },
    get problem() {
      return state === 'down' ? problem : undefined
    },
    get spooled() {
      return spool?.depth ?? 0
    },
    get migrating() {
      return migrating > 0
    },
    recover,
    async close() {
      if (closing) return
      closing = true
      if (timer) clearTimeout(timer)
      timer = undefined
      await opening
      await appender.close()
      state = 'closed'
      if (timer) clearTimeout(timer)
      await recovering
      if (made) await (await lazily()).close()
      await driver?.close()
    },
  }
}

function checkedTable(table: string): string {
  checkName(table)
  return table
}

/** @throws RangeError when they are no bounds of parts */
function checkedBounds(bounds: readonly string[]): readonly string[] {
  const ascending = bounds.every((id, i) => i === 0 || id > bounds[i - 1]!)
  if (bounds.length < 2 || !ascending) throw new RangeError('parts need two or more ids as bounds, ascending')
  return bounds
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
