/** From the setting in gateway.yaml to a records store; loads only the driver that is used. */

import type { Logger } from '../plugin/host.ts'
import { createRecordsStore, type RecordsStore } from './records.ts'
import { memorySpool } from './spool.ts'

/** Records in memory: for tests and rehearsals. Real SQL, nothing on disk. */
export function memoryRecords(log: Logger): RecordsStore {
  return createRecordsStore({
    driver: async () => (await import('./sqlite/driver.ts')).sqliteDriver({ path: ':memory:' }),
    spool: async () => memorySpool(),
    log,
  })
}
