/**
 * Savings out of records that were made by hand, on any database: each figure against the same figure reckoned from the rows one by one. Half of the rows are
 * in the kept sums, half are not.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { armsOf } from '../../plugins/audit/arms.ts'
import { newChain } from '../../plugins/audit/chain.ts'
import { dayLength, dayOf, rollUp } from '../../plugins/audit/daily.ts'
import type { RowBody } from '../../plugins/audit/row.ts'
import { classesOf, savedByClass } from '../../plugins/audit/saved-classes.ts'
import { migrations } from '../../plugins/audit/tables.ts'
import { usageBy } from '../../plugins/audit/usage.ts'
import type { SqlQuery } from '../../src/plugin/host.ts'
import type { RecordsDriver } from '../../src/store/records-driver.ts'

const start = Date.parse('2026-02-26T00:00:00Z')
const rowCount = 4000
const sessionCount = 500

/** Columns that are null unless said otherwise. */
const empty = Object.fromEntries(
  [
    'thread',
    'trace_id',
    'reply_id',
    'end_user',
    'turn',
    'code',
    'answered_by',
    'cost_least',
    'first_ms',
    'response_saved',
    'trim_saved',
    'trimmed',
  ].map((name) => [name, null]),
)
const plain = {
  ...empty,
  account: 'acct',
  tier: 'paid',
  operation: 'messages',
  dialect: 'anthropic',
  status: 200n,
  ending: 'finished',
  stream: false,
  stream_state: 'completed',
  usage_source: 'reported',
  cache_write: 0n,
  reasoning: 0n,
  attempts: 1n,
  total_ms: 5n,
  upstream: 'claude',
}

/** An exchange; all that varies follows from its number. */
export function rowOf(n: number): RowBody {
  const random = (salt: number) => Number((Bun.hash.wyhash(`${n} ${salt}`) as bigint) % 10_000n)
  const session = random(1) % sessionCount
  const control = session % 4 === 0
  const at = BigInt(start + Math.floor((n / rowCount) * 5 * dayLength))
  const tokens = control || random(2) % 3 === 0 ? 0 : random(3)
  const classes = tokens === 0 ? undefined : { byte: Math.floor(tokens / 3), ref: tokens - Math.floor(tokens / 3) }
  const unknown = random(4) % 400 === 0
  const untold = random(5) % 100 === 0
  return {
    ...plain,
    request_id: `req_${n}`,
    at,
    ended_at: at + 5n,
    caller: `key_${session % 7}`,
    session: `ses_${session}`,
    model_asked: `model-${session % 3}`,
    model_served: `model-${session % 3}`,
    input: BigInt(random(6)),
    cache_read: BigInt(random(7) * 10),
    output: BigInt(random(8)),
    cost: unknown ? null : BigInt(random(9)) * 1_000_000n,
    cost_least: unknown ? 5n : null,
    saved: untold ? null : BigInt(random(10)) * 1000n - 2_000_000n,
    saved_gross: untold ? null : BigInt(random(10)) * 1000n,
    trimmed: BigInt(tokens),
    trim_saved: tokens === 0 ? 0n : untold ? null : BigInt(random(11)) - 500n,
    cache_status: 'read',
    cache_attribution: ['client', 'provider', 'gateway'][session % 3]!,
    detail: JSON.stringify({
      trim: { arm: control ? 'control' : 'trimmed', new_tokens: classes && 1, classes },
      path: '"trim":{"arm":"control"',
    }),
  } as unknown as RowBody
}

const rows = Array.from({ length: rowCount }, (_, n) => rowOf(n))
const bigint = (value: unknown): bigint => (value as bigint | null) ?? 0n
const within = (row: RowBody, from: number, to: number) => bigint(row.at) >= BigInt(from) && bigint(row.at) < BigInt(to)

export function savingsSuite(name: string, open: () => Promise<RecordsDriver>): void {
  describe(`savings on ${name}`, () => {
    let driver: RecordsDriver
    let sql: SqlQuery
    beforeAll(async () => {
      driver = await open()
      await driver.open()
      await driver.migrate('audit', migrations)
      sql = driver.sql
      for (const [i, part] of [rows.slice(0, rowCount / 2), rows.slice(rowCount / 2)].entries()) {
        const instance = `inst${i}`
        const chain = newChain(instance, undefined)
        await driver.insert([
          { table: 'audit_instance', rows: [{ id: instance, plugin: 'audit', host: 'h', pid: 1n, started_at: BigInt(start) }] },
          { table: 'audit_exchange', rows: part.map((row) => chain.add(row)) },
        ])
        await sql`INSERT INTO audit_head (id, seq, hash, beat_at, closed_at, from_seq, from_hash, rolled, done)
          VALUES (${instance}, ${BigInt(part.length)}, ${'x'}, ${BigInt(start)}, ${null}, ${0n}, ${'x'}, ${0n}, ${false})`
      }
      const records = { sql, transaction: driver.transaction.bind(driver) } as never
      for (let rolled = 0n; ; ) {
        const count = await rollUp(records, 'inst0', rolled, start)
        if (count === 0) break
        rolled += BigInt(count)
      }
    }, 60_000)
    afterAll(() => driver.close())

    const ranges = {
      'all of it': [start, start + 6 * dayLength],
      'whole days': [start + dayLength, start + 4 * dayLength],
      'days that begin and end at noon': [start + dayLength / 2, start + 3.5 * dayLength],
      'hours of a day': [start + 1.2 * dayLength, start + 1.7 * dayLength],
    } as const

    test.each(Object.entries(ranges))('%s: sums with what is not measurable, by attribution and by class', async (_, [from, to]) => {
      const some = rows.filter((row) => within(row, from, to))
      const lines = await usageBy(sql, ['attribution'], { from, to })
      expect(lines.map((line) => line.group[0])).toEqual(['client', 'gateway', 'provider'])
      for (const { group, sums } of [...lines, ...(await usageBy(sql, [], { from, to }))]) {
        const own = group.length === 0 ? some : some.filter((row) => row.cache_attribution === group[0])
        const sum = (column: keyof RowBody) => own.reduce((all, row) => all + bigint(row[column]), 0n)
        expect(sums).toMatchObject({
          requests: BigInt(own.length),
          calls: BigInt(own.length),
          cost: sum('cost'),
          saved: sum('saved'),
          saved_gross: sum('saved_gross'),
          trim_saved: sum('trim_saved'),
          trimmed: sum('trimmed'),
          no_usage: 0n,
          no_price: BigInt(own.filter((row) => row.saved === null).length),
          control: BigInt(own.filter((row) => String(row.detail).startsWith('{"trim":{"arm":"control"')).length),
        })
      }
      const classes = await savedByClass(sql, ['model'], { from, to })
      expect(classes.map((line) => line.group.join(' '))).toEqual([0, 1, 2].flatMap((m) => [`model-${m} byte`, `model-${m} ref`]))
      for (const { group, sums } of classes) {
        const own = some.filter((row) => row.model_asked === group[0] && bigint(row.trimmed) > 0n)
        const tokens = own.map((row) => classesOf(String(row.detail))[group[1]!]!)
        expect(sums.trimmed).toBe(BigInt(tokens.reduce((a, b) => a + b, 0)))
        expect(sums.not_measurable).toBe(BigInt(own.filter((row) => row.trim_saved === null).length))
      }
      const shared = classes.reduce((sum, line) => sum + line.sums.trim_saved, 0n)
      expect(shared).toBe(some.reduce((sum, row) => sum + bigint(row.trim_saved), 0n))
    })

    test.each(Object.entries(ranges))('%s: the arms are those of the sessions', async (_, [from, to]) => {
      for (const filter of [{}, { model: 'model-1' }, { caller: 'key_3' }]) {
        const { model, caller } = { model: undefined, caller: undefined, ...filter } as Record<'model' | 'caller', string | undefined>
        const own = rows.filter(
          (row) => within(row, from, to) && (row.model_asked === model || !model) && (row.caller === caller || !caller),
        )
        const unknown = new Set(own.filter((row) => row.cost === null).map((row) => row.session))
        const found = await armsOf(sql, { from, to, ...filter })
        expect(found.leftOut).toEqual({ costUnknown: unknown.size, mixed: 0 })
        for (const arm of ['trimmed', 'control'] as const) {
          const known = own.filter(
            (row) => !unknown.has(row.session) && (Number(String(row.session).slice(4)) % 4 === 0) === (arm === 'control'),
          )
          const sent = known.reduce((sum, row) => sum + bigint(row.input) + bigint(row.cache_read) + bigint(row.trimmed), 0n)
          expect(found[arm]).toEqual({
            oneIn: 1,
            sessions: new Set(known.map((row) => row.session)).size,
            turns: known.length,
            cost: Number(known.reduce((sum, row) => sum + bigint(row.cost), 0n)),
            sent: Number(sent),
          })
        }
      }
    })

    test('more sessions than are held: a part of them, each with all that it came to', async () => {
      const from = start
      const to = start + 6 * dayLength
      const { trimmed } = await armsOf(sql, { from, to }, 50)
      expect(trimmed.oneIn).toBeGreaterThan(4)
      const own = rows.filter((row) => {
        const hash = Bun.hash.wyhash(String(row.session)) as bigint
        return Number(String(row.session).slice(4)) % 4 !== 0 && hash % BigInt(trimmed.oneIn) === 0n
      })
      const unknown = new Set(own.filter((row) => row.cost === null).map((row) => row.session))
      const known = own.filter((row) => !unknown.has(row.session))
      expect(trimmed.turns).toBe(known.length)
      expect(trimmed.cost).toBe(Number(known.reduce((sum, row) => sum + bigint(row.cost), 0n)))
      expect(trimmed.sessions).toBeLessThanOrEqual(50)
    })
  })

  test(`${name}: sums of an earlier version get what they lack, on every day of a calendar`, async () => {
    const driver = await open()
    await driver.open()
    const { sql } = driver
    for (const table of ['exchange', 'instance', 'head', 'daily', 'session', 'zone', 'body', 'outbox'])
      await sql(Object.assign([`DROP TABLE IF EXISTS audit_${table}`], { raw: [] }) as unknown as TemplateStringsArray)
    const days = ['1999-12-31', '2000-02-29', '2024-02-29', '2024-03-01', '2026-01-01', '2026-11-21', '2100-02-28', '2100-03-01']
    await driver.migrate('audit-old', migrations.slice(0, 3))
    const chain = newChain('inst0', undefined)
    const made = days.map((day, n) => {
      const { hash, response_saved: _, ...row } = chain.add({ ...rowOf(n), at: BigInt(Date.parse(`${day}T23:59:59Z`)) })
      return { ...row, saved: n === 3 ? null : 1n, v: 2, hash }
    })
    await driver.insert([{ table: 'audit_exchange', rows: made as never[] }])
    await sql`INSERT INTO audit_head (id, seq, hash, beat_at, closed_at, from_seq, from_hash, rolled, done)
      VALUES (${'inst0'}, ${8n}, ${'x'}, ${1n}, ${null}, ${0n}, ${'x'}, ${7n}, ${false})`
    await driver.migrate('audit-new', migrations.slice(3))
    const kept = await sql<{
      day: string
      calls: bigint
      no_price: bigint
    }>`SELECT day, calls, no_price FROM audit_daily WHERE cut = 'all' ORDER BY day`
    // the last one was not in the sums before either
    expect(kept).toEqual(days.slice(0, 7).map((day, n) => ({ day, calls: 1n, no_price: n === 3 ? 1n : 0n })))
    const months = await sql<{
      day: string
      calls: bigint
    }>`SELECT day, sum(calls) AS calls FROM audit_daily WHERE cut = 'month' GROUP BY day ORDER BY day`
    expect(months.map((line) => line.day)).toEqual(['1999-12', '2000-02', '2024-02', '2024-03', '2026-01', '2026-11', '2100-02'])
    expect(dayOf(Date.parse('2100-02-28T12:00:00Z'))).toBe('2100-02-28')
    await driver.close()
  })
}
