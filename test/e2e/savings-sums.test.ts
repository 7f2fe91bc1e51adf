/** Savings out of many records, on SQLite; `test/servers/savings.ts` does the same on PostgreSQL. */

import { sqliteDriver } from '../../src/store/sqlite/driver.ts'
import { savingsSuite } from '../support/savings-suite.ts'

savingsSuite('SQLite', async () => sqliteDriver({ path: ':memory:' }))
