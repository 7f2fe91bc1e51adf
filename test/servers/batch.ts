/** Several gateways that run the same batches from one PostgreSQL, as real processes: each request is one's to run, and whoever dies, each is billed once. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Records } from '../../src/plugin/host.ts'
import { openRecordsBeside } from '../../src/store/open-records.ts'
import { quiet } from '../../src/store/records.suite.ts'
import {
  type BatchProvider,
  booksOf,
  perReply,
  startBatchGateway,
  startBatchProvider,
  submitBatch,
  timesOf,
  topUp,
  whenOver,
} from '../support/batch-gateways.ts'
import type { GatewayProcess } from '../support/gateway.ts'
import { type PostgresServer, postgresMissing, startPostgres } from '../support/postgres-server.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(180_000)

const total = 300

describe.skipIf(postgresMissing !== undefined)(postgresMissing ?? 'batches on one PostgreSQL', () => {
  let postgres: PostgresServer
  let provider: BatchProvider
  let store: ReturnType<typeof openRecordsBeside>
  let records: Records
  let gateways: GatewayProcess[] = []

  beforeAll(async () => {
    postgres = await startPostgres()
    provider = startBatchProvider()
    store = openRecordsBeside(postgres.url, { folder: '/nonexistent', log: quiet })
    records = store.scoped('budget')
    gateways = [await startBatchGateway(provider, postgres.url), await startBatchGateway(provider, postgres.url)]
    gateways.push(await startBatchGateway(provider, postgres.url))
    await topUp(gateways[0]!, '10')
  })
  afterAll(async () => {
    for (const gateway of gateways) await gateway.stop()
    await store?.close()
    await provider?.stop()
    await postgres?.stop()
  })
  const expectWhole = ({ batch, results }: Awaited<ReturnType<typeof whenOver>>) => {
    expect(batch).toMatchObject({ status: 'completed', request_counts: { total, completed: total, failed: 0 } })
    expect(results.map(({ custom_id }) => custom_id)).toEqual(Array.from({ length: total }, (_, i) => `c${i}`))
    for (const [i, { response }] of results.entries()) expect(response!.body.choices[0]!.message.content).toBe(`re: r${i}`)
  }

  test('three gateways share a batch: each request is called once, and all three work', async () => {
    provider.before = () => Bun.sleep(10)
    const started = performance.now()
    const id = await submitBatch(gateways[1]!, total)
    const over = await whenOver(gateways[2]!, id)
    const took = performance.now() - started
    expectWhole(over)
    expect([timesOf(provider.calls).size, provider.calls.length]).toEqual([total, total])
    const running = await Promise.all(
      gateways.map(async ({ adminUrl }) => {
        const text = await (await fetch(`${adminUrl}/metrics`)).text()
        return Number(/headgate_batch_requests(?:_total)?\{outcome="succeeded"\} (\d+)/.exec(text)?.[1] ?? 0)
      }),
    )
    expect(running.reduce((sum, n) => sum + n, 0)).toBe(total)
    for (const n of running) expect(n).toBeGreaterThan(0)
    for (const gateway of gateways) expect(gateway.err()).not.toMatch(/could not be|failed/)
    console.log(`${total} requests over three gateways (${running.join(', ')}) in ${took.toFixed(0)} ms`)
    const books = await booksOf(records)
    expect(books.charges).toHaveLength(total)
    expect(books.sum).toBe(books.balance)
  })

  test('one of them is killed in the middle, and PostgreSQL too: one result each, billed once', async () => {
    provider.calls.length = 0
    provider.before = () => Bun.sleep(20)
    const id = await submitBatch(gateways[0]!, total)
    await until(30_000, 'a third is called', () => provider.calls.length > total / 3)
    gateways[0]!.signal('SIGKILL')
    await gateways[0]!.exited
    await until(30_000, 'half is called', () => provider.calls.length > total / 2)
    await postgres.kill()
    await Bun.sleep(1000) // an outage of some length
    await postgres.start()
    const over = await whenOver(gateways[1]!, id, 90_000)
    expectWhole(over)
    expect(timesOf(provider.calls).size).toBe(total)
    const chargesOf = ({ charges }: Awaited<ReturnType<typeof booksOf>>) => charges.filter((charge) => charge.id.includes(id))
    // what was settled while the database was away is entered when it is back
    await until(30_000, 'all is entered', async () => {
      const now = await booksOf(records)
      return now.held === 0n && chargesOf(now).length >= total
    })
    const books = await booksOf(records)
    const own = chargesOf(books)
    expect(new Set(own.map((charge) => charge.id)).size).toBe(total)
    expect(own.length).toBe(total)
    expect(own.every(({ amount }) => amount === -perReply)).toBe(true)
    expect(books.sum).toBe(books.balance)
    console.log(`${total} requests, a gateway and PostgreSQL killed: ${provider.calls.length} calls, ${own.length} charges`)
  })
})
