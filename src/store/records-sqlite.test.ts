import { afterAll } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recordsSuite } from './records.suite.ts'
import { sqliteDriver } from './sqlite/driver.ts'

const folder = mkdtempSync(join(tmpdir(), 'headgate-records-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

recordsSuite('SQLite', () => sqliteDriver({ path: join(folder, 'data', 'suite.db'), transactionLimit: 300 }))
