/**
 * Audit records divided by month on a real PostgreSQL: tables of an earlier version keep all they have, records come in once whatever month they lie
 * in and how often they are brought, and a month leaves while a gateway goes on answering. A month of SQLite's too.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { genesis, hashOf, newChain, newInstanceId } from '../../plugins/audit/chain.ts'
import { dayLength } from '../../plugins/audit/daily.ts'
import { boundOf, boundsFrom, monthStart } from '../../plugins/audit/months.ts'
import { exchanges } from '../../plugins/audit/query.ts'
import { deleteOld } from '../../plugins/audit/retention.ts'
import type { ChainedRow, RowBody } from '../../plugins/audit/row.ts'
import { migrations } from '../../plugins/audit/tables.ts'
import { usageBy } from '../../plugins/audit/usage.ts'
import { verifyChains } from '../../plugins/audit/verify.ts'
import { openRecordsBeside } from '../../src/store/open-records.ts'
import { postgresDriver } from '../../src/store/postgres/driver.ts'
import { divide, type PartitionSession } from '../../src/store/postgres/partitions.ts'
import type { RecordsStore } from '../../src/store/records.ts'
import type { RecordsDriver } from '../../src/store/records-driver.ts'
import { ask, auditConfig, headgate, startQuickUpstream } from '../support/audit-load.ts'
import { fillAudit, openFilled } from '../support/audit-rows.ts'
import { startGateway } from '../support/gateway.ts'
import { type PostgresServer, postgresMissing, startPostgres } from '../support/postgres-server.ts'

setDefaultTimeout(120_000)
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

function rowAt(at: number, more: Partial<RowBody> = {}): RowBody {
  const none = Object.fromEntries(
    ['trace_id', 'reply_id', 'end_user', 'turn', 'answered_by', 'code', 'cost_least', 'saved', 'first_ms', 'thread', 'saved_gross'].map(
      (name) => [name, null],
    ),
  )
  const gone = { trim_saved: null, trimmed: null, cache_status: null, cache_attribution: null, response_saved: null }
  return {
    ...none,
    ...gone,
    request_id: `req_${at}`,
    at: BigInt(at),
    ended_at: BigInt(at + 5),
    caller: 'key_a',
    account: 'acct_1',
    tier: 'paid',
    session: at % 2 === 0 ? 'ses_even' : 'ses_odd',
    operation: 'chat',
    dialect: 'openai-chat',
    model_asked: 'm',
    model_served: 'm',
    upstream: 'up',
    status: 200n,
    ending: 'finished',
    stream: false,
    stream_state: 'completed',
    usage_source: 'reported',
    input: 10n,
    cache_read: 0n,
    cache_write: 0n,
    output: 2n,
    reasoning: 0n,
    cost: 1_000_000n,
    attempts: 1n,
    total_ms: 5n,
    detail: '{}',
    ...more,
  } as RowBody
}

/** Rows as a version of the plugin wrote them that knew 40 columns. */
function earlierRows(instance: string, times: readonly number[]): Record<string, never>[] {
  let hash = genesis(instance, undefined)
  const chain = newChain(instance, undefined)
  return times.map((at) => {
    const {
      hash: _,
      saved_gross: _g,
      trim_saved: _t,
      trimmed: _n,
      cache_status: _s,
      cache_attribution: _a,
      response_saved: _r,
      ...row
    } = chain.add(rowAt(at))
    const earlier = { ...row, v: 1 }
    hash = hashOf(earlier as never, hash, undefined)
    return { ...earlier, hash } as never
  })
}

describe.skipIf(postgresMissing !== undefined)(postgresMissing ?? 'audit records by month', () => {
  let server: PostgresServer
  let driver: RecordsDriver
  let store: RecordsStore
  beforeAll(async () => {
    server = await startPostgres()
    driver = postgresDriver({ url: server.url })
    await driver.open()
    store = openRecordsBeside(server.url, { folder: '/', log: quiet })
  }, 60_000)
  afterAll(async () => {
    await store.close()
    await driver.close()
    await server.stop()
  })
  beforeEach(async () => {
    for (const { t } of await driver.sql<{ t: string }>`SELECT tablename AS t FROM pg_tables WHERE schemaname = 'public'
      AND (tablename = 'headgate_migrations' OR tablename LIKE 'audit%')`)
      await driver.sql(Object.assign([`DROP TABLE IF EXISTS "${t}" CASCADE`], { raw: [] }) as never)
  })

  const parts = async () =>
    (
      await driver.sql<{
        name: string
        n: bigint
      }>`SELECT tableoid::regclass::text AS name, count(*) AS n FROM audit_exchange GROUP BY 1 ORDER BY 1`
    ).map(({ name, n }) => [name.replace('audit_exchange_', ''), Number(n)])
  const problems = async () => {
    const all: string[] = []
    for await (const report of verifyChains(driver.sql, undefined)) all.push(...report.problems.map((p) => p.message))
    return all
  }

  test('the table of an earlier version becomes the first part, with all its rows, chains and sums', async () => {
    const began = Date.UTC(2026, 8, 20)
    const instance = newInstanceId(began)
    const times = Array.from({ length: 500 }, (_, i) => began + i * 7_200_000)
    await driver.migrate('audit', migrations.slice(0, 2))
    const rows = earlierRows(instance, times)
    await driver.insert([{ table: 'audit_exchange', rows }])
    await driver.insert([
      { table: 'audit_instance', rows: [{ id: instance, plugin: 'audit', host: 'h', pid: 1n, started_at: BigInt(began) }] },
    ])
    await driver.sql`INSERT INTO audit_head (id, seq, hash, beat_at, closed_at, from_seq, from_hash, rolled, done)
      VALUES (${instance}, ${500n}, ${(rows.at(-1) as { hash?: string }).hash!}, ${BigInt(began)}, ${null}, ${0n}, ${'x'}, ${500n}, ${false})`
    await driver.migrate('audit', migrations)
    const now = Date.UTC(2026, 10, 21)
    await driver.divide('audit_exchange', boundsFrom(now))
    await driver.divide('audit_exchange', boundsFrom(now))
    expect(await parts()).toEqual([['first', 500]])
    expect(await problems()).toEqual([])
    // the earlier version's process still runs, and a new one has begun
    const late = earlierRows(newInstanceId(now), [now])
    await driver.insert([{ table: 'audit_exchange', rows: late }])
    const december = newChain(newInstanceId(Date.UTC(2026, 11, 2)), undefined).add(rowAt(Date.UTC(2026, 11, 2)))
    await driver.insert([{ table: 'audit_exchange', rows: [december as never] }])
    expect(await parts()).toEqual([
      [boundOf(Date.UTC(2026, 11, 1)), 1],
      ['first', 501],
    ])
    expect((await usageBy(driver.sql, ['session'], { to: now })).map((l) => [l.group[0], Number(l.sums.requests)])).toEqual([
      ['ses_even', 500],
    ])
    const found: string[] = []
    for await (const row of exchanges(driver.sql, { tier: 'paid', to: now })) found.push(row.request_id)
    expect(found).toHaveLength(500)
    // a chain of then may go on: its part stays
    expect(await store.scoped('audit').dropParts('audit_exchange', boundOf(began))).toBe(0)
    const kept = await deleteOld(
      store.scoped('audit'),
      { keep: dayLength, keepBodies: undefined },
      Date.UTC(2027, 3, 1),
      new AbortController().signal,
    )
    expect(kept.records).toBe(0)
    expect((await parts()).at(-1)).toEqual(['first', 501])
  })

  test('records come in once, also over the end of a month, whatever waited where and how often it is brought', async () => {
    const now = Date.UTC(2026, 9, 31, 23)
    await driver.migrate('audit', migrations)
    await driver.divide('audit_exchange', boundsFrom(monthStart(now, -1)))
    const make = (ms: number, count: number): ChainedRow[] => {
      const chain = newChain(newInstanceId(ms), undefined)
      return Array.from({ length: count }, (_, i) => chain.add(rowAt(ms + i)))
    }
    const before = make(now, 30)
    const after = make(now + 7_200_000, 40)
    // for this one there is no part yet: it lies apart until there is
    const far = make(Date.UTC(2027, 5, 1), 50)
    for (let i = 0; i < 3; i++) {
      await driver.insert([{ table: 'audit_exchange', rows: [...before, ...after, ...far] as never }])
      await driver.divide('audit_exchange', boundsFrom(monthStart(Date.UTC(2027, 5, 1), i - 1)))
      await driver.insert([{ table: 'audit_exchange', rows: [...far, ...before] as never }])
    }
    expect(await parts()).toEqual([
      [boundOf(Date.UTC(2026, 9, 1)), 30],
      [boundOf(Date.UTC(2026, 10, 1)), 40],
      [boundOf(Date.UTC(2027, 5, 1)), 50],
    ])
  })

  test('several at once divide the same table, while rows come in', async () => {
    await driver.migrate('audit', migrations)
    const now = Date.UTC(2026, 10, 5)
    const chain = newChain(newInstanceId(now), undefined)
    let on = true
    let written = 0
    const writing = (async () => {
      while (on) {
        await driver.insert([{ table: 'audit_exchange', rows: [chain.add(rowAt(now + written)) as never] }])
        written++
      }
    })()
    const others = [postgresDriver({ url: server.url }), postgresDriver({ url: server.url })]
    await Promise.all(others.map((one) => one.open()))
    await Promise.all(others.map((one) => one.divide('audit_exchange', boundsFrom(now))))
    on = false
    await writing
    await Promise.all(others.map((one) => one.close()))
    const [count] = await driver.sql<{ n: bigint }>`SELECT count(*) AS n FROM audit_exchange`
    expect(Number(count!.n)).toBe(written)
    expect((await parts()).length).toBeGreaterThan(0)
  })

  test.each([1, 2, 3, 4])('one that another overtakes before step %d finds all done, and leaves nothing behind', async (step) => {
    await driver.migrate('audit', migrations)
    const now = Date.UTC(2026, 10, 5)
    const write = (at: number) =>
      driver.insert([{ table: 'audit_exchange', rows: [newChain(newInstanceId(at), undefined).add(rowAt(at)) as never] }])
    await write(now)
    const sql = postgres(server.url, { max: 1, onnotice() {} })
    let steps = 0
    const exclusively: PartitionSession['exclusively'] = async (patience, work) => {
      if (++steps === step) await driver.divide('audit_exchange', boundsFrom(now))
      return (await sql.begin(async (tx) => {
        await tx.unsafe(`SET LOCAL lock_timeout = ${patience}`)
        return await work(async (text, values = []) => [...(await tx.unsafe(text, [...values]))])
      })) as never
    }
    try {
      await divide({ exclusively } as PartitionSession, 'audit_exchange', boundsFrom(now))
      expect(steps).toBeGreaterThanOrEqual(step)
    } finally {
      await sql.end()
    }
    // the months to come have parts, and take rows
    for (let month = 0; month < 3; month++) await write(monthStart(now, month) + dayLength * 20)
    expect((await parts()).map(([, rows]) => rows).sort()).toEqual([1, 1, 2])
  })

  test('a constraint that an earlier version left on a divided table is taken away', async () => {
    await driver.migrate('audit', migrations)
    const now = Date.UTC(2026, 10, 5)
    await driver.divide('audit_exchange', boundsFrom(now))
    const sql = postgres(server.url, { max: 1, onnotice() {} })
    await sql.unsafe(`ALTER TABLE audit_exchange ADD CONSTRAINT audit_exchange_first_part CHECK (id < '${boundOf(monthStart(now, 1))}')`)
    await sql.end()
    await driver.divide('audit_exchange', boundsFrom(now))
    const later = monthStart(now, 1) + dayLength
    await driver.insert([{ table: 'audit_exchange', rows: [newChain(newInstanceId(later), undefined).add(rowAt(later)) as never] }])
  })

  test('several at once drop the same months: each is dropped, and told of, once', async () => {
    const now = Date.UTC(2026, 10, 5)
    const others = [postgresDriver({ url: server.url }), postgresDriver({ url: server.url }), postgresDriver({ url: server.url })]
    await Promise.all(others.map((one) => one.open()))
    await driver.migrate('audit', migrations)
    for (let round = 0; round < 5; round++) {
      for (let month = -3; month <= 0; month++) await driver.divide('audit_exchange', boundsFrom(monthStart(now, month)))
      const told: string[] = []
      const also = async (_: unknown, until: string) => void told.push(until)
      const gone = await Promise.all(others.map((one) => one.dropParts('audit_exchange', boundOf(monthStart(now)), also)))
      expect(gone.reduce((sum, n) => sum! + n!, 0)).toBe(3)
      expect((await parts()).every(([from]) => from! >= boundOf(monthStart(now)))).toBe(true)
      // one whose transaction was begun anew tells it anew; what it did in the first one is undone
      expect(new Set(told)).toEqual(new Set([boundOf(monthStart(now))]))
    }
    await Promise.all(others.map((one) => one.close()))
  })

  test('a month leaves at once, and a gateway that writes meanwhile does not stall', async () => {
    await driver.migrate('audit', migrations)
    const now = Date.now()
    for (let month = -4; month <= 0; month++)
      for (const table of ['audit_exchange', 'audit_body']) await driver.divide(table, boundsFrom(monthStart(now, month)))
    const filled = await fillAudit(driver, 90_000, now)
    const upstream = startQuickUpstream()
    const gateway = await startGateway({ config: auditConfig(upstream, {}, { records: server.url }) })
    try {
      const times: number[] = []
      let on = true
      let failed = 0
      const client = async () => {
        while (on) {
          const began = performance.now()
          const answer = await ask(gateway.url, false)
          if (!answer?.whole) failed++
          times.push(performance.now() - began)
        }
      }
      const clients = Array.from({ length: 6 }, client)
      await Bun.sleep(1500)
      const calm = times.splice(0)
      const began = performance.now()
      const gone = await deleteOld(
        store.scoped('audit'),
        { keep: 30 * dayLength, keepBodies: undefined },
        now,
        new AbortController().signal,
      )
      const took = performance.now() - began
      await Bun.sleep(500)
      on = false
      await Promise.all(clients)
      const p = (list: number[], share: number) => list.sort((a, b) => a - b)[Math.floor(list.length * share)]!
      const left = (await usageBy(driver.sql, [], { from: monthStart(now - 30 * dayLength) }))[0]!.sums.requests
      const [count] = await driver.sql<{ n: bigint }>`SELECT count(*) AS n FROM audit_exchange`
      console.log(
        `${filled.rows - Number(count!.n) + times.length + calm.length} records in ${gone.months} parts gone after ${took.toFixed(0)} ms; a request took ` +
          `${p(calm, 0.99).toFixed(0)} ms (p99) before, ${p(times, 0.99).toFixed(0)} ms meanwhile, ${times.at(-1)!.toFixed(0)} ms at most`,
      )
      expect(failed).toBe(0)
      expect(gone.months).toBeGreaterThanOrEqual(2)
      expect(times.at(-1)!).toBeLessThan(1500)
      expect(left).toBe(count!.n)
      const verify = await headgate(gateway.dir, 'audit', 'query', '-o', 'json', '--from', '1m')
      expect(verify.code).toBe(0)
    } finally {
      await gateway.stop()
      await upstream.stop(true)
    }
  })
})

test('SQLite: a month leaves a few rows at a time, and neither the process nor a record that is written meanwhile waits long', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-months-'))
  const where = `sqlite:${join(folder, 'audit.db')}`
  const now = Date.now()
  const filling = await openFilled(where, now)
  await fillAudit(filling, 90_000, now)
  await filling.close()
  const sqlite = openRecordsBeside(where, { folder: '/', log: quiet })
  const records = sqlite.scoped('audit')
  try {
    const ending = new AbortController()
    let deleted = 0
    const deleting = deleteOld(records, { keep: 30 * dayLength, keepBodies: undefined }, now, ending.signal).then((gone) => {
      deleted = gone.records
    })
    const chain = newChain(newInstanceId(now), undefined)
    const writes: number[] = []
    let blocked = 0
    const until = performance.now() + 6000
    for (let last = performance.now(); last < until; ) {
      const began = performance.now()
      await records.append('audit_exchange', [chain.add(rowAt(now + writes.length)) as never])
      writes.push(performance.now() - began)
      const asleep = performance.now()
      await Bun.sleep(2)
      last = performance.now()
      blocked = Math.max(blocked, last - asleep)
    }
    ending.abort()
    await deleting
    writes.sort((a, b) => a - b)
    const p99 = writes[Math.floor(writes.length * 0.99)]!
    console.log(
      `${deleted} records deleted in 6 s; a write took ${p99.toFixed(0)} ms (p99), ${writes.at(-1)!.toFixed(0)} at most; blocked for ${blocked.toFixed(0)} ms at most`,
    )
    expect(deleted).toBeGreaterThan(500)
    expect(p99).toBeLessThan(250)
    expect(blocked).toBeLessThan(1000)
    const problems: string[] = []
    for await (const report of verifyChains(records.sql, undefined, chain.instance)) problems.push(...report.problems.map((p) => p.kind))
    expect(problems.filter((kind) => kind !== 'unregistered')).toEqual([])
  } finally {
    await sqlite.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
