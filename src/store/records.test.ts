import { describe, expect, test } from 'bun:test'
import { type Records, StoreUnavailable } from '../plugin/host.ts'
import { createRecordsStore, type RecordsStore } from './records.ts'
import type { RecordsDriver } from './records-driver.ts'
import { memorySpool } from './spool.ts'
import { sqliteDriver } from './sqlite/driver.ts'

/** A store over SQLite in memory that fails as a test wants it to. */
function shaky(options: { readonly spoolLimit?: number; readonly late?: boolean } = {}) {
  const driver = sqliteDriver({ path: ':memory:' })
  const spool = memorySpool(options.spoolLimit)
  const fault: { before?: Error | undefined; after?: Error | undefined; statement?: Error } = {}
  const logged: string[] = []
  const commits: number[] = []
  const add = (message: string) => void logged.push(message)
  const through = async <T>(work: () => Promise<T>): Promise<T> => {
    if (fault.before) throw fault.before
    const result = await work()
    if (fault.after) throw fault.after
    return result
  }
  const between: RecordsDriver = {
    kind: 'shaky',
    open: () => through(() => driver.open()),
    sql: (text, ...values) => (fault.statement ? Promise.reject(fault.statement) : through(() => driver.sql(text, ...values))),
    transaction: (run) => through(() => driver.transaction(run)),
    insert: (batch) => {
      commits.push(batch.reduce((n, t) => n + t.rows.length, 0))
      return through(() => driver.insert(batch))
    },
    migrate: (plugin, migrations) => through(() => driver.migrate(plugin, migrations)),
    divide: (table, bounds) => through(() => driver.divide(table, bounds)),
    dropParts: (table, before, also) => through(() => driver.dropParts(table, before, also)),
    close: () => driver.close(),
  }
  const store: RecordsStore = createRecordsStore({
    driver: async () => between,
    spool: async () => spool,
    log: { debug: add, info: add, warn: add, error: add },
  })
  if (!options.late) store.start()
  return { store, records: store.scoped('p'), fault, spool, logged, commits, driver }
}
const gone = new StoreUnavailable('gone')
const table = [{ id: '1', statements: ['CREATE TABLE p_t (id TEXT PRIMARY KEY, n INTEGER NOT NULL)'] }]
const ids = async (records: Records) => (await records.sql<{ id: string }>`SELECT id FROM p_t ORDER BY rowid`).map((r) => r.id)
const append = (records: Records, ...all: string[]) =>
  records.append(
    'p_t',
    all.map((id) => ({ id, n: 1 })),
  )

describe('records while the store goes and comes', () => {
  test('a store that can be reached and does nothing that it is asked for is tried again a few times a second, no more', async () => {
    const { store, records, fault, logged } = shaky()
    await records.migrate(table)
    fault.statement = gone
    for (const end = performance.now() + 1500; performance.now() < end; await Bun.sleep(1))
      await records.sql`UPDATE p_t SET n = 1`.catch(() => {})
    expect(logged.length).toBeWithin(4, 30)
    await store.close()
  })

  test('appends made together share commits of a bounded size', async () => {
    const { store, records, commits } = shaky()
    await records.migrate(table)
    await Promise.all(Array.from({ length: 1000 }, (_, i) => append(records, `r${i}`)))
    expect(commits.reduce((a, b) => a + b)).toBe(1000)
    expect(Math.max(...commits)).toBeLessThanOrEqual(200)
    expect(commits.length).toBeLessThanOrEqual(6)
    expect(await ids(records)).toEqual(Array.from({ length: 1000 }, (_, i) => `r${i}`))
    await store.close()
  })
  test('down: statements fail at once, rows wait; back: they are in, in order, once', async () => {
    const { store, records, fault, spool, logged } = shaky()
    await records.migrate(table)
    await append(records, 'a')
    fault.before = gone
    await append(records, 'b')
    expect(records.available).toBe(false)
    expect(store.problem).toBe('gone')
    await expect(records.sql`SELECT 1 AS one`).rejects.toThrow(StoreUnavailable)
    await expect(records.transaction(async () => {})).rejects.toThrow(StoreUnavailable)
    await Promise.all([append(records, 'c'), append(records, 'd', 'a')])
    expect(await store.recover()).toBe(false)
    expect(spool.empty).toBe(false)
    fault.before = undefined
    const [back] = await Promise.all([store.recover(), append(records, 'e')])
    expect(back).toBe(true)
    expect(records.available).toBe(true)
    await append(records, 'f')
    expect(await ids(records)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(spool.empty).toBe(true)
    expect(logged).toEqual(['the records store is down; it is tried again in the background', 'the records store is back'])
    await store.close()
  })
  test('it comes back while rows are appended without a pause, and catches up', async () => {
    const { store, records, fault, spool } = shaky({ spoolLimit: 1e7 })
    await records.migrate(table)
    fault.before = gone
    let going = true
    let n = 0
    const work = Array.from({ length: 8 }, async () => {
      while (going) await append(records, `r${n++}`)
    })
    while (n < 500) await Bun.sleep(1)
    fault.before = undefined
    expect(await store.recover()).toBe(true)
    expect(records.available).toBe(true)
    const then = n
    while (n < then + 100) await Bun.sleep(1)
    expect(spool.empty).toBe(true)
    going = false
    await Promise.all(work)
    expect(await records.sql`SELECT count(*) AS n FROM p_t`).toEqual([{ n: BigInt(n) }])
    await store.close()
  })
  test('it comes back by itself', async () => {
    const { store, records, fault } = shaky()
    await records.migrate(table)
    fault.before = gone
    await append(records, 'a')
    fault.before = undefined
    const deadline = Date.now() + 5000
    while (!records.available && Date.now() < deadline) await Bun.sleep(10)
    expect(await ids(records)).toEqual(['a'])
    await store.close()
  })
  test('a commit whose answer was lost is not made twice', async () => {
    const { store, records, fault } = shaky()
    await records.migrate(table)
    fault.after = gone
    await append(records, 'a', 'b')
    fault.after = undefined
    expect(await store.recover()).toBe(true)
    expect(await ids(records)).toEqual(['a', 'b'])
    await store.close()
  })
  test('a full spool refuses, with StoreUnavailable', async () => {
    const { store, records, fault } = shaky({ spoolLimit: 1 })
    await records.migrate(table)
    fault.before = gone
    await append(records, 'a')
    await expect(append(records, 'b')).rejects.toThrow('full')
    await expect(append(records, 'b')).rejects.toBeInstanceOf(StoreUnavailable)
    fault.before = undefined
    await store.recover()
    expect(await ids(records)).toEqual(['a'])
    await store.close()
  })
  test('a spooled row that no table takes is set aside and holds up nobody', async () => {
    const { store, records, fault, spool, logged } = shaky()
    await records.migrate(table)
    fault.before = gone
    await Promise.all([append(records, 'a'), records.append('p_nowhere', [{ id: 'bad' }]), append(records, 'b')])
    fault.before = undefined
    expect(await store.recover()).toBe(true)
    expect(await ids(records)).toEqual(['a', 'b'])
    expect(spool.rejected).toEqual([{ table: 'p_nowhere', rows: [{ id: 'bad' }] }])
    expect(logged).toContain('a spooled row was set aside: the database does not take it')
    await store.close()
  })
  test('says while tables are made, and no longer, also when that fails', async () => {
    const { store, records } = shaky()
    const made = records.migrate(table)
    expect(store.migrating).toBe(true)
    await made
    expect(store.migrating).toBe(false)
    await expect(records.migrate([{ id: '2', statements: ['nonsense'] }])).rejects.toThrow('nonsense')
    expect(store.migrating).toBe(false)
    await store.close()
  })
  test('down at the start: migrate does not fail, and is done before anything else when the store is there', async () => {
    const { store, records, fault } = shaky()
    fault.before = gone
    await records.migrate(table)
    await append(records, 'a')
    await expect(records.sql`SELECT * FROM p_t`).rejects.toThrow(StoreUnavailable)
    fault.before = undefined
    await store.recover()
    expect(await ids(records)).toEqual(['a'])
    await store.close()
  })
  test('down at the start, and the migration is wrong: that plugin is told, others go on', async () => {
    const { store, records, fault, logged } = shaky()
    fault.before = gone
    await records.migrate([{ id: '1', statements: ['CREATE TABLE p_t (id TEXT PRIMARY KEY', 'nonsense'] }])
    await store.scoped('q').migrate([{ id: '1', statements: ['CREATE TABLE q_t (id TEXT PRIMARY KEY)'] }])
    await expect(records.migrate([{ id: '1', statements: ['CREATE TABLE p_t (v SERIAL)'] }])).rejects.toThrow('both databases')
    fault.before = undefined
    expect(await store.recover()).toBe(true)
    await expect(records.sql`SELECT 1 AS one`).rejects.toThrow('migration "1" of p')
    expect(await store.scoped('q').sql`SELECT * FROM q_t`).toEqual([])
    expect(logged).toContain('the tables of a plugin could not be made')
    await store.close()
  })
  test('rows of an earlier run wait until the plugins have named their tables', async () => {
    const { store, records, spool } = shaky({ late: true })
    await spool.write([{ table: 'p_t', rows: [{ id: 'old', n: 1 }] }])
    expect(await store.recover()).toBe(true)
    await records.migrate(table)
    await append(records, 'new')
    expect(await ids(records)).toEqual([])
    store.start()
    expect(await store.recover()).toBe(true)
    expect(await ids(records)).toEqual(['old', 'new'])
    expect(spool.rejected).toEqual([])
    await store.close()
  })
  test('closing waits for appends, and what comes later is refused', async () => {
    const { store, records, driver } = shaky()
    await records.migrate(table)
    const last = Array.from({ length: 500 }, (_, i) => append(records, `r${i}`))
    let seen: unknown
    const close = driver.close
    driver.close = async () => {
      seen = await driver.sql`SELECT count(*) AS n FROM p_t`
      await close()
    }
    await store.close()
    await Promise.all(last)
    expect(seen).toEqual([{ n: 500n }])
    await expect(append(records, 'late')).rejects.toThrow('closed')
    await store.close()
  })
})
