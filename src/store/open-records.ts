/** From the setting in gateway.yaml to a records store; loads only the driver that is used, and opens nothing before it is needed. */

import { dirname, join, resolve } from 'node:path'
import type { Logger } from '../plugin/host.ts'
import { createRecordsStore, type RecordsStore } from './records.ts'
import type { RecordsDriver } from './records-driver.ts'
import { memorySpool } from './spool.ts'
import { spoolFiles } from './spool-claim.ts'

export interface OpenRecordsOptions {
  /** Folder of gateway.yaml, which paths are relative to. */
  readonly folder: string
  /** Bytes on disk for rows that wait. */
  readonly spoolLimit: number
  readonly log: Logger
}

/** Records at `memory`, `sqlite:<path>` or the URL of a PostgreSQL. */
export function openRecords(where: string, { folder, spoolLimit, log }: OpenRecordsOptions): RecordsStore {
  if (where === 'memory') return memoryRecords(log)
  const path = where.startsWith('sqlite:') ? resolve(folder, where.slice('sqlite:'.length)) : undefined
  const spool = join(path === undefined ? resolve(folder, 'data') : dirname(path), 'spool')
  const store: RecordsStore = createRecordsStore({
    driver: () => driverOf(where, folder),
    spool: async () =>
      (await import('./spool-file.ts')).fileSpool({ folder: spool, limit: spoolLimit, log, found: () => void store.recover() }),
    log,
    waiting: () => spoolFiles(spool).length > 0,
  })
  return store
}

/** The same records for a command that asks and changes them beside a running gateway: rows that wait in the spool are not its business. */
export function openRecordsBeside(where: string, { folder, log }: Pick<OpenRecordsOptions, 'folder' | 'log'>): RecordsStore {
  if (where === 'memory') return memoryRecords(log)
  return createRecordsStore({ driver: () => driverOf(where, folder), spool: async () => memorySpool(), log })
}

async function driverOf(where: string, folder: string): Promise<RecordsDriver> {
  if (!where.startsWith('sqlite:')) return (await import('./postgres/driver.ts')).postgresDriver({ url: where })
  return (await import('./sqlite/driver.ts')).sqliteDriver({ path: resolve(folder, where.slice('sqlite:'.length)) })
}

/** Records in memory: for tests and rehearsals. Real SQL, nothing on disk. `wrap` puts something between the store and its driver. */
export function memoryRecords(log: Logger, wrap: (driver: RecordsDriver) => RecordsDriver = (driver) => driver): RecordsStore {
  return createRecordsStore({
    driver: async () => wrap((await import('./sqlite/driver.ts')).sqliteDriver({ path: ':memory:' })),
    spool: async () => memorySpool(),
    log,
  })
}
