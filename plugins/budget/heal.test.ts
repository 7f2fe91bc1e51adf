/** Which reservations stay alive: those that a request of this process waits for, and no others. */

import { afterEach, expect, test } from 'bun:test'
import { Principal } from 'headgate/plugin'
import { type PluginKit, testPlugin, textEvents } from 'headgate/testkit'
import { times } from './heal.ts'
import budget from './index.ts'

let kit: PluginKit
afterEach(async () => await kit.close())

const minute = 60_000
const holds = async () => await kit.stores.records.sql<{ id: string }>`SELECT id FROM budget_hold ORDER BY created_at, id`
const released = async () =>
  await kit.stores.records.sql<{ request_id: string; note: string }>`SELECT request_id, note FROM budget_ledger WHERE kind = 'released'`
const held = async () => {
  const [row] = await kit.stores.records.sql<{ held: bigint }>`SELECT held FROM budget_account WHERE id = 'acme'`
  const counters = await kit.stores.records.sql<{ held: bigint }>`SELECT held FROM budget_counter WHERE held <> 0`
  return { account: row!.held, counters: counters.map((one) => one.held) }
}

test('a reservation that the store made after its request was given up is given back; that of a request under way stays for hours', async () => {
  const go = Promise.withResolvers<void>()
  kit = await testPlugin(budget, {
    with: {},
    slots: [[Principal, { id: 'key_1', kind: 'key', account: 'acme', tags: [], caps: [{ per: 'total', messages: 10, usd: '5' }] }]],
    models: { 'test-model': { targets: [{ upstream: 'openai' }], price: { input: 10, output: 50 }, max_output: 1000 } },
    upstream: async (sent) => {
      await go.promise
      return { body: sent.encode(textEvents('late')) }
    },
  })
  await kit.admin('/budget/accounts/acme/entries', { method: 'POST', body: '{"usd":"1"}' })
  const waiting = kit.chat({ max_tokens: 100 })
  while ((await holds()).length === 0) await Bun.sleep(1)
  const alone = await held()
  const [mine] = await holds()
  // the commit of a reservation whose answer never came: same process, but nobody waits for it
  const { records } = kit.stores
  await records.sql`INSERT INTO budget_hold (id, account, amount, takes, instance, expires_at, created_at, request_id, model)
    SELECT 'hold_late', account, amount, takes, instance, expires_at, created_at, 'given-up', model FROM budget_hold`
  await records.sql`UPDATE budget_account SET held = held * 2`
  await records.sql`UPDATE budget_counter SET held = held * 2`

  await kit.clock.advance(times.lease / 2)
  expect((await holds()).map(({ id }) => id).toSorted()).toEqual([mine!.id, 'hold_late'].toSorted())
  await kit.clock.advance(1.5 * minute)
  expect((await holds()).map(({ id }) => id)).toEqual([mine!.id])
  expect(await held()).toEqual(alone)
  expect(await released()).toEqual([{ request_id: 'given-up', note: 'its request was over' }])
  expect(kit.metrics()).toContain('budget_released{why="over"} 1')

  await kit.clock.advance(180 * minute)
  expect((await holds()).map(({ id }) => id)).toEqual([mine!.id])
  go.resolve()
  expect((await waiting).status).toBe(200)
  expect(await holds()).toEqual([])
  expect(await held()).toEqual({ account: 0n, counters: [] })
})
