/** Records on a real PostgreSQL: the suite of all databases, and what only a server can do: die, hang, come back. */

import { afterAll, beforeAll } from 'bun:test'
import { postgresDriver } from '../../src/store/postgres/driver.ts'
import { recordsSuite } from '../../src/store/records.suite.ts'
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server.stop())

recordsSuite('PostgreSQL', () => postgresDriver({ url: server.url, limits: { transaction: 300 } }))
