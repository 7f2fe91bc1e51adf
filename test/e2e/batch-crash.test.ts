/**
 * A gateway that is killed in the middle of a batch (kill -9) and started again: each request has one result and is billed once, by the ledger.
 *
 * A request whose call was under way is made again, under the same name; what of it was charged before is not charged again.
 */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Records } from '../../src/plugin/host.ts'
import { openRecordsBeside } from '../../src/store/open-records.ts'
import { quiet } from '../../src/store/records.suite.ts'
import {
  type BatchProvider,
  booksOf,
  headers,
  perReply,
  startBatchGateway,
  startBatchProvider,
  submitBatch,
  timesOf,
  topUp,
  whenOver,
} from '../support/batch-gateways.ts'
import type { GatewayProcess } from '../support/gateway.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(60_000)

const total = 60
let folder: string
let provider: BatchProvider
let gateway: GatewayProcess | undefined

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-batch-'))
  provider = startBatchProvider()
})
afterAll(async () => {
  await gateway?.stop()
  await provider.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Reads what the gateway has left, when it is stopped. */
async function reading<T>(place: string, read: (records: Records) => Promise<T>): Promise<T> {
  const store = openRecordsBeside(`sqlite:${place}`, { folder: '/', log: quiet })
  try {
    return await read(store.scoped('budget'))
  } finally {
    await store.close()
  }
}

const expectWhole = ({ batch, results }: Awaited<ReturnType<typeof whenOver>>) => {
  expect(batch).toMatchObject({ status: 'completed', request_counts: { total, completed: total, failed: 0, processing: 0 } })
  expect(results.map(({ custom_id }) => custom_id)).toEqual(Array.from({ length: total }, (_, i) => `c${i}`))
  expect(results.map(({ response }) => response!.body.choices[0]!.message.content)).toEqual(
    Array.from({ length: total }, (_, i) => `re: r${i}`),
  )
}
const expectBilledOnce = (books: Awaited<ReturnType<typeof booksOf>>) => {
  expect(new Set(books.charges.map(({ id }) => id)).size).toBe(total)
  expect(books.charges.every(({ amount }) => amount === -perReply)).toBe(true)
  expect(books).toMatchObject({ balance: 1_000_000_000_000n - BigInt(total) * perReply, held: 0n })
  expect(books.sum).toBe(books.balance)
}

test('killed while calls are under way', async () => {
  const place = join(folder, 'one.db')
  gateway = await startBatchGateway(provider, `sqlite:${place}`)
  await topUp(gateway, '1')
  const hang = Promise.withResolvers<undefined>()
  provider.before = () => (provider.calls.length > total / 2 ? hang.promise : Bun.sleep(5))
  const id = await submitBatch(gateway, total)
  await until(20_000, 'half is called, and eight hang', () => provider.calls.length >= total / 2 + 8)
  gateway.signal('SIGKILL')
  await gateway.exited
  hang.resolve(undefined)
  provider.before = () => Bun.sleep(5)
  const before = provider.calls.length
  gateway = await startBatchGateway(provider, `sqlite:${place}`)
  expectWhole(await whenOver(gateway, id))
  const times = timesOf(provider.calls)
  expect(times.size).toBe(total)
  // those eight, and no other, were called a second time
  expect([...times.values()].filter((n) => n > 1).length).toBe(8)
  expect(provider.calls.length).toBe(total + 8)
  console.log(`killed after ${before} calls: ${total} results, ${provider.calls.length} calls`)
  await until(10_000, 'what the dead one held is given back', async () => (await reading(place, booksOf)).held === 0n)
  await gateway.stop()
  expectBilledOnce(await reading(place, booksOf))
})

test('killed between the charge of a request and its result', async () => {
  const place = join(folder, 'two.db')
  provider.calls.length = 0
  provider.before = async () => undefined
  gateway = await startBatchGateway(provider, `sqlite:${place}`, { crashAt: 25, batch: { concurrency: 1 } })
  await topUp(gateway, '1')
  const id = await submitBatch(gateway, total)
  await gateway.exited
  expect(provider.calls).toHaveLength(25)
  expect((await reading(place, booksOf)).charges).toHaveLength(25)
  gateway = await startBatchGateway(provider, `sqlite:${place}`)
  expectWhole(await whenOver(gateway, id))
  const times = timesOf(provider.calls)
  expect([...times].filter(([, n]) => n > 1)).toEqual([['r24', 2]])
  await gateway.stop()
  expectBilledOnce(await reading(place, booksOf))
})

test('killed before the charge of a request whose reply was there: the result waits for the charge', async () => {
  const place = join(folder, 'six.db')
  provider.calls.length = 0
  provider.before = async () => undefined
  gateway = await startBatchGateway(provider, `sqlite:${place}`, { crashEarlyAt: 25, batch: { concurrency: 1 } })
  await topUp(gateway, '1')
  const id = await submitBatch(gateway, total)
  await gateway.exited
  expect(provider.calls).toHaveLength(25)
  const done = await reading(place, (records) => records.sql<{ n: bigint }>`SELECT count(*) AS n FROM batch_item WHERE state = 'done'`)
  expect([(await reading(place, booksOf)).charges.length, done[0]!.n]).toEqual([24, 24n])
  gateway = await startBatchGateway(provider, `sqlite:${place}`)
  expectWhole(await whenOver(gateway, id))
  expect([...timesOf(provider.calls)].filter(([, n]) => n > 1)).toEqual([['r24', 2]])
  await until(10_000, 'what the dead one held is given back', async () => (await reading(place, booksOf)).held === 0n)
  await gateway.stop()
  expectBilledOnce(await reading(place, booksOf))
})

test('stopped in good order: what runs comes to its end, and the rest is done after the next start', async () => {
  const place = join(folder, 'three.db')
  provider.calls.length = 0
  provider.before = () => Bun.sleep(50)
  gateway = await startBatchGateway(provider, `sqlite:${place}`)
  await topUp(gateway, '1')
  const id = await submitBatch(gateway, total)
  await until(20_000, 'some are called', () => provider.calls.length >= 16)
  expect(await gateway.stop()).toBe(0)
  provider.before = async () => undefined
  gateway = await startBatchGateway(provider, `sqlite:${place}`)
  expectWhole(await whenOver(gateway, id))
  expect(provider.calls).toHaveLength(total)
  const records = gateway.audit() as unknown as { operation: string; trace_id?: string; principal?: string }[]
  const own = records.filter(({ operation }) => operation === 'chat')
  expect(own.length).toBeGreaterThan(0)
  for (const record of own) expect(record).toMatchObject({ trace_id: id, principal: 'e2e' })
  await gateway.stop()
  expectBilledOnce(await reading(place, booksOf))
})

test('stopped while calls hang: they are cut, and made again after the next start, at once', async () => {
  const place = join(folder, 'four.db')
  provider.calls.length = 0
  const hang = Promise.withResolvers<undefined>()
  provider.before = () => hang.promise
  gateway = await startBatchGateway(provider, `sqlite:${place}`, { drain: '300ms' })
  await topUp(gateway, '1')
  const id = await submitBatch(gateway, total)
  await until(20_000, 'eight hang', () => provider.calls.length === 8)
  const begun = performance.now()
  gateway.signal('SIGTERM')
  await gateway.exited
  expect(performance.now() - begun).toBeLessThan(5000)
  hang.resolve(undefined)
  provider.before = async () => undefined
  const [free] = await reading(
    place,
    (records) => records.sql<{ n: bigint }>`SELECT count(*) AS n FROM batch_item WHERE state = 'waiting' AND tries = 0`,
  )
  expect(free!.n).toBe(BigInt(total))
  gateway = await startBatchGateway(provider, `sqlite:${place}`)
  expectWhole(await whenOver(gateway, id))
  expect(provider.calls).toHaveLength(total + 8)
  await until(10_000, 'nothing is held', async () => (await reading(place, booksOf)).held === 0n)
  await gateway.stop()
  expectBilledOnce(await reading(place, booksOf))
})

test('killed while a batch is being validated: after the next start all of its requests are there, once', async () => {
  const place = join(folder, 'five.db')
  const many = 3000
  const hang = Promise.withResolvers<undefined>()
  provider.calls.length = 0
  provider.before = () => hang.promise
  gateway = await startBatchGateway(provider, `sqlite:${place}`)
  await topUp(gateway, '1')
  const id = await submitBatch(gateway, many)
  const count = () =>
    reading(place, async (records) => (await records.sql<{ n: bigint }>`SELECT count(*) AS n FROM batch_item WHERE batch = ${id}`)[0]!.n)
  await until(20_000, 'some are written', async () => (await count()) > 0n)
  gateway.signal('SIGKILL')
  await gateway.exited
  const before = await count()
  gateway = await startBatchGateway(provider, `sqlite:${place}`)
  await until(20_000, 'eight hang', () => provider.calls.length >= 8)
  expect(await count()).toBe(BigInt(many))
  console.log(`killed when ${before} of ${many} requests were written`)
  const { url } = gateway
  const cancelled = await fetch(`${url}/v1/batch/${id}/cancel`, { method: 'POST', headers })
  expect(await cancelled.json()).toMatchObject({ status: 'cancelling', request_counts: { total: many } })
  hang.resolve(undefined)
  const { batch, results } = await whenOver(gateway, id)
  expect(batch.request_counts).toMatchObject({ total: many, failed: 0, processing: 0, completed: 8, cancelled: many - 8 })
  expect(new Set(results.map(({ custom_id }) => custom_id)).size).toBe(many)
  await gateway.stop()
})
