/**
 * What records must do on every database: one suite, run on SQLite by `records-sqlite.test.ts` and on a real PostgreSQL by
 * `test/servers/postgres.ts`.
 */

import { beforeEach, describe, expect, test } from 'bun:test'
import type { Migration, Records } from '../plugin/host.ts'
import { createRecordsStore, type RecordsStore } from './records.ts'
import type { RecordsDriver } from './records-driver.ts'
import { memorySpool } from './spool.ts'

export const quiet = { debug() {}, info() {}, warn() {}, error() {} }

/** A store over a driver, with a spool in memory. */
export function storeOver(driver: RecordsDriver): RecordsStore {
  const store = createRecordsStore({ driver: async () => driver, spool: async () => memorySpool(), log: quiet })
  store.start()
  return store
}

const tables: readonly Migration[] = [
  {
    id: 'tables',
    statements: [
      `CREATE TABLE suite_kinds (id TEXT PRIMARY KEY, t TEXT, i INTEGER, b BIGINT, d DOUBLE PRECISION, f BOOLEAN, x BLOB)`,
      `CREATE TABLE suite_money (id TEXT PRIMARY KEY, balance BIGINT NOT NULL CHECK (balance >= 0), note TEXT)`,
      `CREATE TABLE suite_rows (id TEXT PRIMARY KEY, n INTEGER NOT NULL, amount BIGINT NOT NULL DEFAULT 0)`,
      `CREATE INDEX suite_rows_n ON suite_rows (n)`,
    ],
  },
]

/** Registers the suite. `driver` makes a new driver for the same database each time. */
export function recordsSuite(name: string, driver: () => RecordsDriver): void {
  describe(`records on ${name}`, () => {
    let records: Records
    const stores: RecordsStore[] = []
    const another = async (): Promise<Records> => {
      const store = storeOver(driver())
      stores.push(store)
      const own = store.scoped('suite')
      await own.migrate(tables)
      return own
    }
    const finish = async () => {
      for (const store of stores.splice(0)) await store.close()
    }
    beforeEach(async () => {
      await finish()
      records = await another()
      for (const empty of [records.sql`DELETE FROM suite_kinds`, records.sql`DELETE FROM suite_money`, records.sql`DELETE FROM suite_rows`])
        await empty
    })

    test('every kind of value comes back as it went in, by the kind of its column', async () => {
      const all = [
        {
          id: 'a',
          t: 'héllo 𝕏 "quoted" \'single\' \\ ?1 $1',
          i: -2147483648,
          b: 9223372036854775807n,
          d: 0.1,
          f: true,
          x: new Uint8Array([0, 255, 39]),
        },
        { id: 'b', t: '', i: 0, b: -9223372036854775808n, d: -1e300, f: false, x: new Uint8Array() },
        { id: 'c', t: null, i: null, b: null, d: null, f: null, x: null },
        { id: 'd', t: '1', i: 7, b: 9007199254740993n, d: 3, f: true, x: new Uint8Array([1]) },
      ]
      for (const v of all) await records.sql`INSERT INTO suite_kinds VALUES (${v.id}, ${v.t}, ${v.i}, ${v.b}, ${v.d}, ${v.f}, ${v.x})`
      expect(await records.sql`SELECT * FROM suite_kinds ORDER BY id`).toEqual(all)
      await records.sql`DELETE FROM suite_kinds`
      await records.append('suite_kinds', all)
      expect(await records.sql`SELECT id, t, i, b, d, f, x FROM suite_kinds ORDER BY id`).toEqual(all)
      expect(await records.sql`SELECT z.b AS q, z.i AS r FROM (SELECT i, b FROM suite_kinds WHERE id = 'd') z`).toEqual([
        { q: 9007199254740993n, r: 7 },
      ])
      expect(await records.sql`UPDATE suite_kinds SET b = b - ${2}, i = ${8} WHERE id = ${'d'} RETURNING b, i, f`).toEqual([
        { b: 9007199254740991n, i: 8, f: true },
      ])
      expect(await records.sql`SELECT id FROM suite_kinds WHERE f = ${false} OR x = ${new Uint8Array([1])} ORDER BY id`).toEqual([
        { id: 'b' },
        { id: 'd' },
      ])
    })
    test('a whole number that is no column is bigint; a mean is a number', async () => {
      await records.append(
        'suite_kinds',
        [1, 2].map((i) => ({ id: `k${i}`, i, b: 9007199254740993n })),
      )
      expect(
        await records.sql`SELECT count(*) AS n, sum(i) AS s, sum(b) AS big, max(i) + 1 AS next, coalesce(sum(b), 0) AS c, avg(i) AS mean FROM suite_kinds`,
      ).toEqual([{ n: 2n, s: 3n, big: 18014398509481986n, next: 3n, c: 18014398509481986n, mean: 1.5 }])
      expect(await records.sql`SELECT sum(b) AS none, count(*) AS n FROM suite_kinds WHERE id = 'nobody'`).toEqual([{ none: null, n: 0n }])
    })
    test('what SQL cannot hold is refused, and a NUL character has a stand-in', async () => {
      const put = (value: unknown) => records.sql`INSERT INTO suite_kinds (id, t) VALUES ('v', ${value as string})`
      await expect(put(undefined)).rejects.toThrow('undefined')
      await expect(put(Number.NaN)).rejects.toThrow('finite')
      await expect(put(2 ** 53)).rejects.toThrow('bigint')
      await expect(put(2n ** 63n)).rejects.toThrow('64 bits')
      await expect(put({})).rejects.toThrow('string, number')
      await expect(records.append('suite_rows; DROP TABLE x', [{ id: 'a' }])).rejects.toThrow('no name')
      await expect(records.append('suite_rows', [{ id: 'a', 'n"': 1 }])).rejects.toThrow('no name')
      await expect(records.append('suite_rows', [{ id: '' }])).rejects.toThrow('id')
      await put('a\0b')
      expect(await records.sql`SELECT t FROM suite_kinds`).toEqual([{ t: 'a\ufffdb' }])
    })
    test('texts are ordered by their bytes and LIKE knows capitals', async () => {
      await records.append(
        'suite_kinds',
        ['b', 'B', 'a', 'ä', 'Z', '_'].map((id) => ({ id })),
      )
      expect((await records.sql<{ id: string }>`SELECT id FROM suite_kinds ORDER BY id`).map((r) => r.id)).toEqual([
        'B',
        'Z',
        '_',
        'a',
        'b',
        'ä',
      ])
      expect(await records.sql`SELECT id FROM suite_kinds WHERE id LIKE 'B%'`).toEqual([{ id: 'B' }])
    })
    test('a mistake in a statement is its own, and nothing gets around the rules', async () => {
      await expect(records.sql`SELECT nope FROM suite_rows`).rejects.toThrow('nope')
      await expect(records.sql`SELECT 1 AS a; SELECT 2 AS b`).rejects.toThrow('one statement')
      await expect(records.sql`BEGIN`).rejects.toThrow('transaction')
      await expect(records.sql`INSERT INTO suite_rows (id) VALUES ('x')`).rejects.toThrow(/null/i)
      const evil = `x'); DROP TABLE suite_rows; --`
      await records.sql`INSERT INTO suite_rows (id, n) VALUES (${evil}, ${1})`
      expect(await records.sql`SELECT id FROM suite_rows`).toEqual([{ id: evil }])
      expect(records.available).toBe(true)
    })
    test('a transaction is all or nothing', async () => {
      await records.append('suite_money', [
        { id: 'a', balance: 10n },
        { id: 'b', balance: 0n },
      ])
      const move = (amount: number) =>
        records.transaction(async (sql) => {
          await sql`UPDATE suite_money SET balance = balance + ${amount} WHERE id = 'b'`
          await sql`UPDATE suite_money SET balance = balance - ${amount} WHERE id = 'a'`
          return 'moved'
        })
      expect(await move(4)).toBe('moved')
      await expect(move(7)).rejects.toThrow(/check/i)
      await expect(
        records.transaction(async (sql) => {
          await sql`UPDATE suite_money SET balance = 99 WHERE id = 'b'`
          await sql`SELECT nope FROM suite_money`.catch(() => {})
        }),
      ).rejects.toThrow('nope')
      await expect(
        records.transaction((sql) => sql`UPDATE suite_money SET balance = 98`.then(() => Promise.reject(new Error('changed my mind')))),
      ).rejects.toThrow('my mind')
      expect(await records.sql`SELECT id, balance FROM suite_money ORDER BY id`).toEqual([
        { id: 'a', balance: 6n },
        { id: 'b', balance: 4n },
      ])
    })
    test('200 conditional decrements at once from two instances never go below 0', async () => {
      await records.append('suite_money', [{ id: 'a', balance: 120n }])
      const others = [records, await another()]
      const taken = await Promise.all(
        Array.from(
          { length: 200 },
          (_, i) => others[i % 2]!.sql`UPDATE suite_money SET balance = balance - 1 WHERE id = 'a' AND balance >= 1 RETURNING balance`,
        ),
      )
      expect(taken.filter((rows) => rows.length === 1).length).toBe(120)
      expect(await records.sql`SELECT balance FROM suite_money`).toEqual([{ balance: 0n }])
    })
    test('transactions that meet are run again: no update is lost between two instances', async () => {
      await records.append('suite_money', [{ id: 'a', balance: 0n }])
      const others = [records, await another()]
      let runs = 0
      await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          others[i % 2]!.transaction(async (sql) => {
            runs++
            const [row] = await sql<{ balance: bigint }>`SELECT balance FROM suite_money WHERE id = 'a'`
            await sql`UPDATE suite_money SET balance = ${row!.balance + 1n} WHERE id = 'a'`
          }),
        ),
      )
      expect(await records.sql`SELECT balance FROM suite_money`).toEqual([{ balance: 40n }])
      expect(runs).toBeGreaterThanOrEqual(40)
    })
    test("isolation: 'rows': writes that say their condition wait for each other, and none is run again", async () => {
      await records.append('suite_money', [{ id: 'a', balance: 25n }])
      const others = [records, await another()]
      let runs = 0
      const take = (i: number) =>
        others[i % 2]!.transaction(
          async (sql) => {
            runs++
            const taken = await sql`UPDATE suite_money SET balance = balance - 1 WHERE id = 'a' AND balance >= 1 RETURNING id`
            if (taken.length > 0) await sql`INSERT INTO suite_rows (id, n) VALUES (${`taken ${i}`}, ${i})`
            return taken.length
          },
          { isolation: 'rows' },
        )
      const taken = await Promise.all(Array.from({ length: 60 }, (_, i) => take(i)))
      expect(taken.reduce((sum, one) => sum + one, 0)).toBe(25)
      expect(runs).toBe(60)
      expect(await records.sql`SELECT balance FROM suite_money WHERE id = 'a'`).toEqual([{ balance: 0n }])
      expect(await records.sql`SELECT count(*) AS n FROM suite_rows`).toEqual([{ n: 25n }])
    })

    test('a transaction sees nothing of others, and others nothing of it', async () => {
      await records.append('suite_money', [{ id: 'a', balance: 1n }])
      const inside = Promise.withResolvers<void>()
      const work = records.transaction(async (sql) => {
        await sql`UPDATE suite_money SET balance = 2`
        inside.resolve()
        await sql`SELECT 1 AS one`
        await Bun.sleep(30)
        return await sql`SELECT balance FROM suite_money`
      })
      await inside.promise
      const seen = records.sql<{ balance: bigint }>`SELECT balance FROM suite_money`
      expect(await work).toEqual([{ balance: 2n }])
      expect([1n, 2n]).toContain((await seen)[0]!.balance) // before or after, and no mixture
    })
    test('a transaction that waits for something else is ended, and holds up nobody for good', async () => {
      await records.append('suite_money', [{ id: 'a', balance: 1n }])
      const stuck = records.transaction(async (sql) => {
        await sql`UPDATE suite_money SET balance = 2`
        await new Promise(() => {})
      })
      await expect(stuck).rejects.toThrow('own sql')
      await stuck.catch(() => {})
      await records.sql`UPDATE suite_money SET note = 'free'`
      expect(await records.sql`SELECT balance, note FROM suite_money`).toEqual([{ balance: 1n, note: 'free' }])
    })
    test('append: an id that is there is left alone; one bad append harms no other; order is kept', async () => {
      await records.append('suite_rows', [{ id: 'a', n: 1 }])
      const outcomes = await Promise.allSettled([
        records.append('suite_rows', [
          { id: 'a', n: 2 },
          { id: 'b', n: 2, amount: 5n },
        ]),
        records.append('suite_rows', [{ id: 'bad', n: null as never }]),
        records.append('suite_nowhere', [{ id: 'x' }]),
        records.append('suite_rows', [{ id: 'c', n: 3 }]),
      ])
      expect(outcomes.map((o) => o.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
      expect(await records.sql`SELECT id, n, amount FROM suite_rows ORDER BY id`).toEqual([
        { id: 'a', n: 1, amount: 0n },
        { id: 'b', n: 2, amount: 5n },
        { id: 'c', n: 3, amount: 0n },
      ])
    })
    test('many small appends share commits, and a large one is whole', async () => {
      await Promise.all(Array.from({ length: 1000 }, (_, i) => records.append('suite_rows', [{ id: `r${i}`, n: i }])))
      await records.append(
        'suite_rows',
        Array.from({ length: 25_000 / 5 }, (_, i) => ({ id: `s${i}`, n: i, amount: BigInt(i) })),
      )
      expect(await records.sql`SELECT count(*) AS n FROM suite_rows`).toEqual([{ n: 6000n }])
    })
    test('each migration runs once, and a changed one is an error', async () => {
      await records.migrate(tables)
      const more: Migration = { id: 'more', statements: [`ALTER TABLE suite_rows ADD COLUMN extra TEXT DEFAULT 'it''s TEXT and BLOB'`] }
      const dropped = `ALTER TABLE suite_rows DROP COLUMN extra`
      await records.migrate([...tables, more])
      await records.migrate([...tables, more])
      await records.append('suite_rows', [{ id: 'a', n: 1 }])
      expect(await records.sql`SELECT extra FROM suite_rows`).toEqual([{ extra: "it's TEXT and BLOB" }])
      await expect(records.migrate([...tables, { id: 'more', statements: [dropped] }])).rejects.toThrow(
        '"more" of suite has run in this database with other',
      )
      // all or nothing, and it says where
      const half = [`CREATE TABLE suite_half (id TEXT PRIMARY KEY)`, `CREATE TABLE suite_half (id TEXT PRIMARY KEY)`]
      await expect(records.migrate([{ id: 'half', statements: half }])).rejects.toThrow('"half" of suite')
      await expect(records.sql`SELECT * FROM suite_half`).rejects.toThrow()
      await records.sql`DELETE FROM headgate_migrations WHERE id = 'more'`
      await records.sql`ALTER TABLE suite_rows DROP COLUMN extra`
    })
    test('several instances may migrate at once', async () => {
      const migrations = [
        { id: '1', statements: [`CREATE TABLE suite_race (id TEXT PRIMARY KEY, n INTEGER)`] },
        { id: '2', statements: [`INSERT INTO suite_race VALUES ('once', 1)`] },
      ]
      const others = await Promise.all(Array.from({ length: 4 }, another))
      await Promise.all(others.map((r) => r.migrate(migrations)))
      expect(await records.sql`SELECT * FROM suite_race`).toEqual([{ id: 'once', n: 1 }])
      await records.sql`DROP TABLE suite_race`
      await records.sql`DELETE FROM headgate_migrations WHERE id IN ('1', '2')`
    })
    test('tables that would not work on both are refused, with what to write', async () => {
      const wrong = (statement: string) =>
        expect(records.migrate([{ id: 'w', statements: [statement] }])).rejects.toThrow('does not work on both')
      for (const type of [
        'TIMESTAMP',
        'JSONB',
        'VARCHAR(20)',
        'SERIAL',
        'NUMERIC(10, 2)',
        'REAL',
        'BYTEA',
        'INTEGER PRIMARY KEY AUTOINCREMENT',
      ])
        await wrong(`CREATE TABLE suite_w (id TEXT PRIMARY KEY, v ${type})`)
      await records.migrate([])
    })
    test('closed records are unavailable', async () => {
      await finish()
      await expect(records.sql`SELECT 1 AS a`).rejects.toThrow('closed')
      await expect(records.append('suite_rows', [{ id: 'a', n: 1 }])).rejects.toThrow('closed')
      expect(records.available).toBe(false)
    })
  })
}
