/** Records on a real PostgreSQL: the suite of all databases, and what only a server can do: die, hang, come back. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreUnavailable } from '../../src/plugin/host.ts'
import { openRecords } from '../../src/store/open-records.ts'
import { type PostgresLimits, postgresDriver } from '../../src/store/postgres/driver.ts'
import { quiet, recordsSuite } from '../../src/store/records.suite.ts'
import { createRecordsStore, type RecordsStore } from '../../src/store/records.ts'
import { fileSpool } from '../../src/store/spool-file.ts'
import { type PostgresServer, postgresMissing, startPostgres } from '../support/postgres-server.ts'
import { until } from '../support/within.ts'

let server: PostgresServer

describe.skipIf(postgresMissing !== undefined)(postgresMissing ?? 'a real PostgreSQL', () => {
  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server.stop())
  recordsSuite('PostgreSQL', () => postgresDriver({ url: server.url, limits: { transaction: 300 } }))
  describe('that fails', failures)
})

const tables = [
  { id: '1', statements: ['CREATE TABLE kill_row (id TEXT PRIMARY KEY, amount BIGINT NOT NULL)'] }, // as the fixture says it
  { id: '2', statements: ['CREATE TABLE kill_sum (id TEXT PRIMARY KEY, total BIGINT NOT NULL)'] },
]

function failures(): void {
  const folders: string[] = []
  const stores: RecordsStore[] = []
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close()
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  })
  const place = () => {
    const folder = mkdtempSync(join(tmpdir(), 'headgate-pg-'))
    folders.push(folder)
    return folder
  }
  const opened = (limits: Partial<PostgresLimits> = {}, url = server.url, folder = place(), pool = 10) => {
    const store = createRecordsStore({
      driver: async () => postgresDriver({ url, limits, pool }),
      spool: () => fileSpool({ folder: join(folder, 'spool'), limit: 100_000_000, log: quiet }),
      log: quiet,
    })
    store.start()
    stores.push(store)
    return { store, records: store.scoped('kill'), spool: () => readdirSync(folder).flatMap((f) => readdirSync(join(folder, f))) }
  }
  const empty = async () => {
    const { records } = opened()
    await records.migrate(tables)
    await records.sql`DELETE FROM kill_row`
    await records.sql`DELETE FROM kill_sum`
    await records.sql`INSERT INTO kill_sum VALUES ('all', 0)`
  }

  test('kill -9 and a new start under load: no acknowledged row is lost, none is there twice, sums agree', async () => {
    await empty()
    const places = [opened(), opened()] // two instances
    const acknowledged: string[] = []
    let sure = 0
    let unsure = 0
    let going = true
    let n = 0
    const appending = async (records: ReturnType<RecordsStore['scoped']>) => {
      while (going) {
        const id = `r${++n}`
        await records.append('kill_row', [{ id, amount: 1n }])
        acknowledged.push(id)
      }
    }
    const adding = async (records: ReturnType<RecordsStore['scoped']>) => {
      while (going) {
        try {
          await records.sql`UPDATE kill_sum SET total = total + 1 WHERE id = 'all'`
          sure++
        } catch (error) {
          expect(error).toBeInstanceOf(StoreUnavailable)
          unsure++
          await Bun.sleep(20)
        }
      }
    }
    for (const { records } of places) await records.migrate(tables)
    const work = places.flatMap(({ records }) => [...Array.from({ length: 8 }, () => appending(records)), adding(records)])
    let spooled = 0
    for (let round = 0; round < 2; round++) {
      const before = acknowledged.length
      await until(10_000, 'rows before the kill', () => acknowledged.length > before + 2000)
      await server.kill()
      await until(10_000, 'both know', () => places.every((p) => !p.records.available))
      const down = acknowledged.length
      await until(10_000, 'rows while it is down', () => acknowledged.length > down + 200)
      spooled += acknowledged.length - down
      await server.start()
      await until(15_000, 'both are back', () => places.every((p) => p.records.available))
    }
    const after = acknowledged.length
    await until(10_000, 'rows after it is back', () => acknowledged.length > after + 500)
    going = false
    await Promise.all(work)
    for (const { store } of places) expect(await store.recover()).toBe(true)
    const { records } = places[0]!
    const there = await records.sql<{ id: string }>`SELECT id FROM kill_row`
    const ids = new Set(there.map((r) => r.id))
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
    expect(there.length).toBe(ids.size)
    expect(ids.size).toBe(n)
    const [sum] = await records.sql<{ total: bigint }>`SELECT total FROM kill_sum`
    expect(Number(sum!.total)).toBeGreaterThanOrEqual(sure)
    expect(Number(sum!.total)).toBeLessThanOrEqual(sure + unsure)
    for (const { spool } of places) expect(spool()).toEqual([])
    console.log(`${acknowledged.length} rows acknowledged, ${spooled} of them while down; ${sure} sums sure, ${unsure} unsure`)
  }, 60_000)

  test('a server that hangs: statements fail within seconds, rows are spooled, and come in when it goes on', async () => {
    await empty()
    const { store, records } = opened({ statement: 500, connect: 500 })
    await records.migrate(tables)
    await records.append('kill_row', [{ id: 'before', amount: 1n }])
    server.freeze()
    try {
      const start = performance.now()
      const [statement, transaction, append] = await Promise.allSettled([
        records.sql`SELECT id FROM kill_row`,
        records.transaction((sql) => sql`SELECT id FROM kill_row`),
        records.append('kill_row', [{ id: 'meanwhile', amount: 1n }]),
      ])
      expect(performance.now() - start).toBeLessThan(10_000)
      expect(statement).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) })
      expect(transaction).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) })
      expect(append.status).toBe('fulfilled')
      expect(records.available).toBe(false)
      const fast = performance.now()
      await expect(records.sql`SELECT id FROM kill_row`).rejects.toBeInstanceOf(StoreUnavailable)
      expect(performance.now() - fast).toBeLessThan(50)
      expect(await store.recover()).toBe(false)
    } finally {
      server.thaw()
    }
    await until(10_000, 'it is back', () => records.available)
    expect(await records.sql`SELECT id FROM kill_row ORDER BY id`).toEqual([{ id: 'before' }, { id: 'meanwhile' }])
  }, 30_000)

  test('a statement that takes too long is ended, and the store is not taken for dead', async () => {
    await empty()
    const { records } = opened({ statement: 300 })
    await records.migrate(tables)
    await expect(records.sql`SELECT pg_sleep(5)`).rejects.toThrow('too long')
    expect(records.available).toBe(true)
    const inside = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    const other = opened()
    const holder = other.records.transaction(async (sql) => {
      await sql`UPDATE kill_sum SET total = 5`
      inside.resolve()
      await held.promise
    })
    await inside.promise
    await expect(records.sql`UPDATE kill_sum SET total = 6`).rejects.toBeInstanceOf(StoreUnavailable)
    held.resolve()
    await holder
    expect(await records.sql`SELECT total FROM kill_sum`).toEqual([{ total: 5n }])
  })

  test('dead at the start: migrate waits, rows are spooled, and all is there when it comes', async () => {
    await server.kill()
    const folder = place()
    const store = openRecords(server.url, { folder, spoolLimit: 1_000_000, log: quiet })
    stores.push(store)
    const records = store.scoped('late')
    const start = performance.now()
    await records.migrate([{ id: '1', statements: ['CREATE TABLE late_row (id TEXT PRIMARY KEY, x BLOB)'] }])
    expect(performance.now() - start).toBeLessThan(5000)
    store.start()
    await records.append('late_row', [{ id: 'a', x: new Uint8Array([1, 2]) }])
    await expect(records.sql`SELECT * FROM late_row`).rejects.toBeInstanceOf(StoreUnavailable)
    expect(store.problem).toContain("PostgreSQL can't be reached")
    await server.start()
    await until(15_000, 'it is back', () => records.available)
    expect(await records.sql`SELECT * FROM late_row`).toEqual([{ id: 'a', x: new Uint8Array([1, 2]) }])
    expect(store.problem).toBeUndefined()
  }, 40_000)

  test('statements and transactions side by side: none gets into the transaction of another', async () => {
    await empty()
    const { records } = opened({}, server.url, place(), 2)
    await records.migrate(tables)
    await records.sql`SELECT id FROM kill_row`
    let n = 0
    const insert = () => records.sql`INSERT INTO kill_row VALUES (${`s${++n}`}, ${1n})`
    const inTransaction = () => records.transaction((sql) => sql`INSERT INTO kill_row VALUES (${`s${++n}`}, ${1n})`)
    // in some orders a transaction begins when a connection has all but one of the statements that it takes
    for (let round = 0; round < 60; round++) {
      const one = async (i: number) => {
        for (let turn = 0; turn < (i * round) % 7; turn++) await Promise.resolve()
        await ((i + round) % 4 === 0 ? inTransaction() : insert())
        await ((i + round) % 3 === 0 ? inTransaction() : insert())
      }
      await Promise.all(Array.from({ length: 4 + (round % 9) }, (_, i) => one(i)))
    }
    const [seen] = await opened().records.sql<{ n: bigint }>`SELECT count(*) AS n FROM kill_row`
    expect(Number(seen!.n)).toBe(n)
  }, 30_000)

  test('connections that the server ends in mid-transaction: each is made anew, and transactions go on', async () => {
    await empty()
    const { records } = opened({}, server.url, place(), 5)
    await records.migrate(tables)
    const admin = opened({}, server.url, place(), 2).records
    let going = true
    let done = 0
    const work = async () => {
      while (going) {
        try {
          await records.transaction(async (sql) => {
            await sql`SELECT id FROM kill_row`
            await sql`UPDATE kill_sum SET total = total + 1 WHERE id = 'all'`
          })
          done++
        } catch (error) {
          expect(error).toBeInstanceOf(StoreUnavailable)
          await Bun.sleep(5)
        }
      }
    }
    const workers = Array.from({ length: 8 }, work)
    for (let round = 0; round < 12; round++) {
      const before = done
      await until(3000, `transactions in round ${round}`, () => done > before + 20)
      await until(3000, 'one was ended', async () => {
        const ended = await admin.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'headgate' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()`
        return ended.length > 0
      })
    }
    const before = done
    await until(3000, 'transactions at the end', () => done > before + 100)
    going = false
    await Promise.all(workers)
    const [sum] = await records.sql<{ total: bigint }>`SELECT total FROM kill_sum`
    expect(Number(sum!.total)).toBeGreaterThanOrEqual(done)
    const [open] = await admin.sql<{ n: bigint }>`SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'headgate'`
    expect(Number(open!.n)).toBeLessThanOrEqual(7)
  }, 60_000)

  test('connections that the server ends under shared statements: none is left behind, and an end waits for what is under way', async () => {
    await empty()
    const admin = postgresDriver({ url: server.url, pool: 2 })
    await admin.open()
    const open = async () => {
      const [row] = await admin.sql<{ n: bigint }>`SELECT count(*) AS n FROM pg_stat_activity
        WHERE application_name = ${'headgate'} AND query NOT LIKE ${'%pg_stat_activity%'}`
      return Number(row!.n)
    }
    const others = await open()
    const driver = postgresDriver({ url: server.url, pool: 10 })
    await driver.open()
    for (let round = 0; round < 5; round++) {
      // heard of at once: the server may end them before it has answered who ends them
      const all = Promise.allSettled(
        Array.from({ length: 12 }, (_, n) => driver.sql`SELECT pg_sleep(${0.05 + n / 1000}), ${`round ${round}`} AS round`),
      )
      await until(3000, 'they run', async () => {
        const ended = await admin.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = ${'headgate'} AND query LIKE ${'SELECT pg_sleep%'} AND state = ${'active'}`
        return ended.length > 0
      })
      await all
      await driver.sql`SELECT id FROM kill_row`
    }
    await Bun.sleep(300) // as long as the client would take to connect anew
    expect(await open()).toBeLessThanOrEqual(others + 4)
    const inside = Promise.withResolvers<void>()
    const work = driver.transaction(async (sql) => {
      await sql`INSERT INTO kill_row VALUES ('at the end', 1)`
      inside.resolve()
      await Bun.sleep(100)
      await sql`INSERT INTO kill_row VALUES ('at the very end', 1)`
    })
    await inside.promise
    await driver.close()
    await work
    expect(await admin.sql`SELECT id FROM kill_row ORDER BY id`).toEqual([{ id: 'at the end' }, { id: 'at the very end' }])
    await until(3000, 'none is left behind', async () => (await open()) <= others)
    await admin.close()
  }, 30_000)

  test('a transaction that nobody waits for any more is not begun, however long it waited for a connection', async () => {
    await empty()
    const driver = postgresDriver({ url: server.url, pool: 2, limits: { transaction: 100 } })
    await driver.open()
    try {
      const long = driver.migrate('long', [{ id: '1', statements: ['SELECT pg_sleep(4)'] }])
      await until(2000, 'it has the connection', async () => {
        const running = await driver.sql`SELECT pid FROM pg_stat_activity WHERE query LIKE ${'SELECT pg_sleep%'}`
        return running.length > 0
      })
      let begun = 0
      const waiting = driver.transaction(async (sql) => {
        begun++
        await sql`INSERT INTO kill_row VALUES ('late', 1)`
      })
      await expect(waiting).rejects.toBeInstanceOf(StoreUnavailable)
      await long
      await driver.transaction((sql) => sql`SELECT id FROM kill_row`)
      expect(begun).toBe(0)
      expect(await driver.sql`SELECT id FROM kill_row`).toEqual([])
    } finally {
      await driver.close()
    }
  }, 20_000)

  test('a server that has no time for a look whether it is there is there: nothing that is under way is thrown away', async () => {
    const driver = postgresDriver({ url: server.url, pool: 2, limits: { connect: 400 } })
    await driver.open()
    try {
      // one connection for statements, three at a time: the look has to wait
      const all = Array.from({ length: 5 }, () => driver.sql`SELECT pg_sleep(0.3), CAST(${'a'} AS TEXT) AS a`)
      await driver.open()
      expect(await Promise.all(all)).toHaveLength(5)
    } finally {
      await driver.close()
    }
  })

  test('of several hosts, the next one is tried when the first takes connections and says nothing', async () => {
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    const driver = postgresDriver({ url: server.url.replace('@', `@127.0.0.1:${silent.port},`), limits: { connect: 300 } })
    try {
      await expect(driver.open()).rejects.toBeInstanceOf(StoreUnavailable)
      const opens = () =>
        driver
          .open()
          .then(() => true)
          .catch(() => false)
      await until(3000, 'the second host', opens)
      expect(await driver.sql`SELECT CAST(${'a'} AS TEXT) AS a`).toEqual([{ a: 'a' }])
    } finally {
      await driver.close()
      silent.stop(true)
    }
  })

  test('a database that does not exist is no crash, and is named without the password', async () => {
    const { store, records } = opened({}, server.url.replace('headgate@', 'headgate:geheim@').replace('/postgres', '/nowhere'))
    await expect(records.sql`SELECT 1 AS one`).rejects.toThrow('nowhere')
    expect(store.problem).not.toContain('geheim')
  })

  test('kill -9 of a process that appends loses no acknowledged row', async () => {
    await empty()
    const folder = place()
    const fixture = join(import.meta.dir, '../../src/store/appender.fixture.ts')
    const child = Bun.spawn([process.execPath, fixture, server.url, folder, 'k'], { stdout: 'pipe', stderr: 'inherit' })
    let text = ''
    for await (const bytes of child.stdout) {
      text += Buffer.from(bytes).toString()
      if (text.length > 8000) child.kill('SIGKILL')
    }
    const wanted = text.slice(0, text.lastIndexOf('\n')).split('\n')
    const ids = new Set((await opened().records.sql<{ id: string }>`SELECT id FROM kill_row`).map((r) => r.id))
    expect(wanted.filter((n) => !ids.has(`k${n}`))).toEqual([])
    expect(wanted.length).toBeGreaterThan(1000)
  })
}
