/** Savings out of many records on a real PostgreSQL: the suite of all databases. */

import { afterAll, beforeAll, describe } from 'bun:test'
import { postgresDriver } from '../../src/store/postgres/driver.ts'
import { type PostgresServer, postgresMissing, startPostgres } from '../support/postgres-server.ts'
import { savingsSuite } from '../support/savings-suite.ts'

describe.skipIf(postgresMissing !== undefined)(postgresMissing ?? 'a real PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server.stop())
  savingsSuite('PostgreSQL', async () => postgresDriver({ url: server.url }))
})
