/** People who look for answers that cost nothing, for more than their balance, and for amounts that no computer holds. */

import { afterEach, describe, expect, test } from 'bun:test'
import { definePlugin, formatUsd, Principal, type Target } from 'headgate/plugin'
import { type PluginKit, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import budget from './index.ts'

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) await kit.close()
})

const targets = (model: string) => ['openai', 'anthropic'].map((upstream) => ({ upstream, model }))
const price = { input: 10, output: 50 }
const models = { 'test-model': { targets: targets('test-model'), price, max_output: 1000 } }

async function kitOf(config: object = {}, options: TestPluginOptions = {}): Promise<PluginKit> {
  const slots = [[Principal, { id: 'key_1', kind: 'key', account: 'acme', tier: 'paid', tags: [] }]]
  const kit = await testPlugin(budget, { with: config, models, slots, ...options } as TestPluginOptions)
  kits.push(kit)
  return kit
}
const topUp = async (kit: PluginKit, usd: string) => {
  const r = await kit.admin('/budget/accounts/acme/entries', { method: 'POST', body: JSON.stringify({ usd }) })
  expect(r.status).toBe(200)
}
const rowOf = async (kit: PluginKit) => {
  const { sql } = kit.stores.records
  const [row] = await sql<{ balance: bigint; held: bigint }>`SELECT balance, held FROM budget_account WHERE id = 'acme'`
  const [sum] = await sql<{ sum: bigint }>`SELECT coalesce(sum(amount), 0) AS sum FROM budget_ledger WHERE account = 'acme'`
  expect(row?.balance ?? 0n).toBe(sum!.sum)
  return { balance: formatUsd(row?.balance ?? 0n), held: row?.held ?? 0n }
}

describe('a plugin below that goes on with a model that the request did not name', () => {
  const dear = {
    free: { targets: targets('free'), price: { input: 0, output: 0 } },
    cheap: { targets: targets('cheap'), price: { input: 0.01, output: 0.05 }, max_output: 1000 },
    dear: { targets: targets('dear'), price, max_output: 1000 },
    unpriced: { targets: targets('unpriced') },
    'any/*': { targets: targets('*'), price: { input: 0.01, output: 0.05 }, max_output: 100_000 },
  }
  const fallback = (model: string) =>
    definePlugin({
      api: 1,
      name: 'fallback',
      summary: 'Goes on with another model',
      failure: 'closed',
      setup: () => ({
        async around(x, next) {
          const first = await next()
          if (first.ok) return first
          x.setTarget({ upstream: 'openai', model } as Target)
          x.request.setModel(model)
          return next()
        },
      }),
    })
  const upstream = [{ status: 500 }, {}]

  test.each(['free', 'cheap', 'any/x'])('after %s: is reserved for, or refused', async (model) => {
    const kit = await kitOf({}, { models: dear, below: [fallback('dear')], upstream } as TestPluginOptions)
    await topUp(kit, '0.05')
    const r = await kit.chat({ model })
    expect(r.sent).toHaveLength(1)
    expect(r.status).toBe(402)
    expect(await rowOf(kit)).toEqual({ balance: '0.05', held: 0n })
    await topUp(kit, '0.05')
    const paid = await kitOf({}, { models: dear, below: [fallback('dear')], upstream } as TestPluginOptions)
    await topUp(paid, '0.1')
    expect(await paid.chat({ model })).toMatchObject({ status: 200 })
    expect(await rowOf(paid)).toEqual({ balance: '0.09968', held: 0n })
  })
  test('whose price is not known: is refused', async () => {
    const { cheap, unpriced } = dear
    const kit = await kitOf({}, { models: { cheap, unpriced }, below: [fallback('unpriced')], upstream } as TestPluginOptions)
    await topUp(kit, '1')
    const r = await kit.chat({ model: 'cheap' })
    expect(r.sent).toHaveLength(1)
    expect(r.status).toBe(403)
    expect(await rowOf(kit)).toEqual({ balance: '1', held: 0n })
  })
  test('with a cap in messages: counts as one', async () => {
    const plans = { paid: { caps: [{ of: 'key', per: 'day', messages: 1 }] } }
    const kit = await kitOf({ plans }, { models: dear, below: [fallback('dear')], upstream: [...upstream, {}] } as TestPluginOptions)
    await topUp(kit, '1')
    expect((await kit.chat({ model: 'cheap' })).status).toBe(200)
    expect((await kit.chat({ model: 'cheap' })).status).toBe(402)
    const [row] = await kit.stores.records.sql<{ used: bigint; held: bigint }>`SELECT used, held FROM budget_counter`
    expect(row).toEqual({ used: 1n, held: 0n })
  })
})

describe('amounts that 64 bits do not hold', () => {
  test('a balance stays within what can be counted, and the ledger with it', async () => {
    const kit = await kitOf()
    await topUp(kit, '4000000')
    for (const entry of [{ usd: '600000' }, { usd: '9000000' }, { usd: '-9000000', kind: 'adjust' }]) {
      const r = await kit.admin('/budget/accounts/acme/entries', { method: 'POST', body: JSON.stringify(entry) })
      expect(r.status).toBe(400)
      expect(await r.text()).toContain('balances are 4500000 USD at most')
      expect((await rowOf(kit)).balance).toBe('4000000')
    }
  })

  test('overage and caps as large as can be set do not overflow', async () => {
    const caps = [{ of: 'account', per: 'day', usd: 9_000_000 }]
    const dear = { ...models['test-model'], price: { input: 10, output: 1_000_000 }, max_output: 100_000_000 }
    const plans = { paid: { overage: 9_000_000, caps } }
    const kit = await kitOf({ plans }, { models: { 'test-model': dear } })
    await topUp(kit, '4000000')
    for (let i = 0; i < 2; i++) expect((await kit.chat({ max_tokens: 8_000_000 })).status).toBe(200)
    expect(await kit.chat({ max_tokens: 9_100_000 })).toMatchObject({ status: 402, sent: [] })
    expect(await rowOf(kit)).toMatchObject({ balance: '3999989.99986', held: 0n })
  })

  test.each([{ max_tokens: 1e15 }, { max_tokens: 1e300, n: 1e300 }])('%j is refused as what nobody can pay', async (body) => {
    const kit = await kitOf({}, { models: { 'test-model': { targets: targets('test-model'), price } } })
    await topUp(kit, '4000000')
    expect(await kit.chat(body)).toMatchObject({ status: 402, sent: [] })
  })

  test('a markup that is not exact is told at the start', async () => {
    expect(kitOf({ markup: 100 / 3 })).rejects.toThrow("can't be counted exactly")
  })
})

test('a response in the background would be read for nothing: refused to accounts that pay', async () => {
  const plans = { guest: { billed: false, caps: [{ of: 'account', per: 'day', messages: 5 }] } }
  const kit = await kitOf({ plans })
  await topUp(kit, '5')
  for (const spelling of ['background', 'b\\u0061ckground']) {
    const r = await kit.send({ dialect: 'openai-responses', body: `{"model":"test-model","input":"hi","${spelling}":true}` })
    expect(r).toMatchObject({ status: 400, sent: [], json: { error: { param: 'background', code: 'unsupported_parameter' } } })
  }
  expect((await kit.send({ dialect: 'openai-responses', body: { input: 'hi', background: false } })).status).toBe(200)
})

test.each([{ usd: '5', Id: 'payment-1' }, { usd: ['5'] }, { usd: null }, { kind: 'topup' }])(
  'an entry that is not clear is none: %j',
  async (entry) => {
    const kit = await kitOf()
    const r = await kit.admin('/budget/accounts/acme/entries', { method: 'POST', body: JSON.stringify(entry) })
    expect(r.status).toBe(400)
    expect((await rowOf(kit)).balance).toBe('0')
  },
)

test('a payment is entered once; another one under its id is refused, not swallowed', async () => {
  const kit = await kitOf()
  const enter = async (account: string, usd: string) => {
    const r = await kit.admin(`/budget/accounts/${account}/entries`, { method: 'POST', body: JSON.stringify({ usd, id: 'invoice-1' }) })
    return [r.status, ((await r.json()) as { entered?: boolean }).entered]
  }
  expect(await enter('acme', '5')).toEqual([200, true])
  expect(await enter('acme', '5')).toEqual([200, false])
  expect(await enter('acme', '50')).toEqual([400, undefined])
  expect(await enter('other', '5')).toEqual([400, undefined])
  expect((await rowOf(kit)).balance).toBe('5')
})
