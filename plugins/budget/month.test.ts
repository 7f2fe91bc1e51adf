import { afterEach, expect, test } from 'bun:test'
import { enterIntoBalance } from './ledger.ts'
import { beginMonth } from './month.ts'
import type { Plan } from './plan.ts'
import { reserve } from './reserve.ts'
import { settle } from './settle.ts'
import { type Stand, stand } from './stand.fixture.ts'

let at: Stand | undefined
afterEach(async () => {
  await at?.kit.close()
  at = undefined
})

const plan: Plan = { name: 'team', billed: true, included: 100n, overage: 50n, caps: [] }
const begin = (s: Stand, month: string, of = plan) => s.records.transaction((sql) => beginMonth(sql, 'acme', of, month, s.now))
const ledger = (s: Stand) => s.records.sql<{ kind: string; amount: bigint }>`SELECT kind, amount FROM budget_ledger ORDER BY kind, amount`
const hold = (id: string, amount: bigint, month: string) => {
  const base = { account: 'acme', plan, takes: [], now: 0, expiresAt: 1, instance: 'i', requestId: id, model: 'm' }
  return reserve(at!.records, { ...base, id, amount, month })
}

test('credit that was not used expires, and is granted anew', async () => {
  at = await stand()
  expect(await begin(at, '2026-01')).toMatchObject({ balance: 100n, included: 100n })
  await begin(at, '2026-01')
  await at.records.transaction((sql) => enterIntoBalance(sql, { id: 't', account: 'acme', at: 0, kind: 'topup', amount: 7n }))
  expect(await begin(at, '2026-02')).toMatchObject({ balance: 107n, included: 100n })
  expect((await ledger(at)).map((e) => [e.kind, e.amount])).toEqual([
    ['expiry', -100n],
    ['grant', 100n],
    ['grant', 100n],
    ['topup', 7n],
  ])
})

test('credit under an open reservation stays until it is settled: nothing is overdrawn', async () => {
  at = await stand()
  expect(await hold('h', 130n, '2026-01')).toBeUndefined()
  expect(await hold('more', 30n, '2026-01')).toEqual({ of: 'balance', left: 20n })
  const none: Plan = { ...plan, included: 0n, overage: 0n }
  expect(await begin(at, '2026-02', none)).toMatchObject({ balance: 100n, held: 130n })
  await settle(at.records, { id: 'h', account: 'acme', takes: [], charge: { spent: 90n, entry: { at: 0, kind: 'charge', amount: -90n } } })
  expect(await begin(at, '2026-03', none)).toMatchObject({ balance: 0n, held: 0n, included: 0n })
})

test('overage of a month is invoiced at its end, and its cap begins anew', async () => {
  at = await stand()
  expect(await hold('h', 150n, '2026-01')).toBeUndefined()
  await settle(at.records, {
    id: 'h',
    account: 'acme',
    takes: [],
    charge: { spent: 140n, entry: { at: 0, kind: 'charge', amount: -140n } },
  })
  expect(await hold('over', 20n, '2026-01')).toEqual({ of: 'balance', left: 10n })
  expect(await hold('next', 150n, '2026-02')).toBeUndefined()
  expect((await ledger(at)).map((e) => [e.kind, e.amount])).toContainEqual(['invoice', 40n])
})

test('two hundred at once on a balance for nine: nine', async () => {
  at = await stand()
  const prepaid: Plan = { ...plan, included: 0n, overage: 0n }
  await at.records.transaction((sql) => enterIntoBalance(sql, { id: 't', account: 'acme', at: 0, kind: 'topup', amount: 450n }))
  const results = await Promise.all(
    Array.from({ length: 200 }, (_, i) => {
      const base = { account: 'acme', plan: prepaid, takes: [], now: 0, expiresAt: 1, instance: 'i', requestId: 'r', model: 'm' }
      return reserve(at!.records, { ...base, id: `h${i}`, amount: 50n, month: '2026-01' })
    }),
  )
  expect(results.filter((short) => short === undefined)).toHaveLength(9)
})

test('gateways whose clocks differ at the end of a month: its credit expires once, and none of the new is lost', async () => {
  at = await stand()
  for (const month of ['2026-12', '2027-01', '2026-12', '2027-01']) await begin(at, month)
  expect(await begin(at, '2026-12')).toMatchObject({ balance: 100n, included: 100n, term: '2027-01' })
  expect(await hold('behind', 120n, '2026-12')).toBeUndefined()
  expect((await ledger(at)).map((e) => [e.kind, e.amount])).toEqual([
    ['expiry', -100n],
    ['grant', 100n],
    ['grant', 100n],
  ])
})
