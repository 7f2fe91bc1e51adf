import { Database } from 'bun:sqlite'
import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreUnavailable } from '../../plugin/host.ts'
import { openRecords } from '../open-records.ts'
import { quiet } from '../records.suite.ts'
import type { RecordsStore } from '../records.ts'
import { sqliteDriver } from './driver.ts'

const folders: string[] = []
const stores: RecordsStore[] = []
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})
function opened(where = 'sqlite:./data/x.db') {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-sqlite-'))
  folders.push(folder)
  const store = openRecords(where, { folder, spoolLimit: 1_000_000, log: quiet })
  stores.push(store)
  store.start()
  return { folder, file: join(folder, 'data', 'x.db'), store, records: store.scoped('p') }
}
const table = [{ id: '1', statements: ['CREATE TABLE p_t (id TEXT PRIMARY KEY, n INTEGER)'] }]

describe('the file', () => {
  test('is made at the first use, for its owner alone, and is whole after closing', async () => {
    const { folder, file, store, records } = opened()
    expect(existsSync(join(folder, 'data'))).toBe(false)
    await records.migrate(table)
    await records.append('p_t', [{ id: 'a', n: 1 }])
    expect(statSync(file).mode & 0o077).toBe(0)
    await store.close()
    expect(existsSync(`${file}-wal`)).toBe(false)
    expect(new Database(file, { readonly: true }).query('SELECT * FROM p_t').all()).toEqual([{ id: 'a', n: 1 }])
  })
  test('locked by another process for long: statements are unavailable within seconds, rows are spooled and come in', async () => {
    const { file, store, records } = opened()
    await records.migrate(table)
    const other = new Database(file)
    other.run('BEGIN IMMEDIATE')
    const start = performance.now()
    const crowd = Array.from({ length: 20 }, () => records.sql`DELETE FROM p_t`.catch(() => {}))
    const [statement, append] = await Promise.allSettled([
      records.sql`INSERT INTO p_t VALUES ('s', 1)`,
      records.append('p_t', [{ id: 'a', n: 1 }]),
    ])
    await Promise.all(crowd)
    expect(performance.now() - start).toBeLessThan(5000)
    expect(statement).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) })
    expect(append.status).toBe('fulfilled')
    expect(records.available).toBe(false)
    other.run('ROLLBACK')
    other.close()
    expect(await store.recover()).toBe(true)
    expect(await records.sql`SELECT id FROM p_t`).toEqual([{ id: 'a' }])
  })
  test('locked for a moment: nobody notices, and the process goes on meanwhile', async () => {
    const { file, records } = opened()
    await records.migrate(table)
    const other = new Database(file)
    other.run('BEGIN IMMEDIATE')
    let ticks = 0
    const ticker = setInterval(() => ticks++, 5)
    setTimeout(() => other.run('COMMIT'), 300)
    await records.sql`INSERT INTO p_t VALUES ('s', 1)`
    clearInterval(ticker)
    other.close()
    expect(ticks).toBeGreaterThan(4)
  })
  test.each([
    ['a folder stands in its place', (file: string) => mkdirSync(file, { recursive: true })],
    ['it is no database', (file: string) => writeFileSync(file, 'x'.repeat(5000))],
  ])('%s: unavailable, with its path', async (_what, spoil) => {
    const { folder, file, store, records } = opened()
    mkdirSync(join(folder, 'data'))
    spoil(file)
    await expect(records.sql`SELECT 1 AS one`).rejects.toBeInstanceOf(StoreUnavailable)
    expect(store.problem).toContain(file)
  })
})

describe('the connection', () => {
  test('keeps a bounded number of prepared statements', async () => {
    const driver = sqliteDriver({ path: ':memory:' })
    await driver.open()
    for (let i = 0; i < 1000; i++) {
      const text = [`SELECT ${i} AS n, `, ' AS v']
      expect(await driver.sql(Object.assign(text, { raw: text }), i)).toEqual([{ n: BigInt(i), v: BigInt(i) }])
    }
    await driver.close()
  })
  test('an INTEGER that PostgreSQL would refuse is an error when it is read', async () => {
    const { records } = opened('memory')
    await records.migrate(table)
    await records.append('p_t', [{ id: 'a', n: 2 ** 31 }])
    await expect(records.sql`SELECT n FROM p_t`).rejects.toThrow('BIGINT')
  })
  test('a statement of a transaction that is over does nothing', async () => {
    const { records } = opened('memory')
    await records.migrate(table)
    let late: (() => Promise<unknown>) | undefined
    await records.transaction(async (sql) => {
      late = () => sql`INSERT INTO p_t VALUES ('late', 1)`
    })
    await expect(late!()).rejects.toThrow('over')
    expect(await records.sql`SELECT * FROM p_t`).toEqual([])
  })
})
