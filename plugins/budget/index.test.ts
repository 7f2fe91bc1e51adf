import { afterEach, describe, expect, test } from 'bun:test'
import { formatUsd, Principal, type PrincipalValue, parseUsd, Session, type StreamEvent, type Usage, unknownUsage } from 'headgate/plugin'
import { type PluginKit, type SlotValues, type TestPluginOptions, testPlugin, textEvents } from 'headgate/testkit'
import budget from './index.ts'

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) await kit.close()
})

const targets = (model: string) => [
  { upstream: 'openai', model },
  { upstream: 'anthropic', model },
]
/** 10 and 50 USD per million: 7 tokens in and 5 out cost 0.00032. */
const price = { input: 10, output: 50 }
const models = {
  'test-model': { targets: targets('test-model'), price, max_output: 1000 },
  free: { targets: targets('free'), price: { input: 0, output: 0 } },
  unpriced: { targets: targets('unpriced') },
}
const caller = (more: Partial<PrincipalValue> = {}): SlotValues => [
  [Principal, { id: 'key_1', kind: 'key', account: 'acme', tier: 'paid', tags: [], ...more }],
]

async function kitOf(config: object = {}, options: TestPluginOptions = {}): Promise<PluginKit> {
  const kit = await testPlugin(budget, { with: config, models, slots: caller(), ...options } as TestPluginOptions)
  kits.push(kit)
  return kit
}
const topUp = async (kit: PluginKit, usd: string, account = 'acme') => {
  const r = await kit.admin(`/budget/accounts/${account}/entries`, { method: 'POST', body: JSON.stringify({ usd }) })
  expect(r.status).toBe(200)
  await kit.clock.advance(1) // entries of one moment have no order
}
const set = async (kit: PluginKit, changes: object, account = 'acme') => {
  const r = await kit.admin(`/budget/accounts/${account}`, { method: 'PATCH', body: JSON.stringify(changes) })
  expect(await r.json()).toMatchObject({ account })
}
interface Row {
  readonly balance: bigint
  readonly held: bigint
  readonly included: bigint
}
const rowOf = async (kit: PluginKit, account = 'acme') => {
  const [row] = await kit.stores.records.sql<Row>`SELECT balance, held, included FROM budget_account WHERE id = ${account}`
  const [sum] = await kit.stores.records.sql<{
    sum: bigint
  }>`SELECT coalesce(sum(amount), 0) AS sum FROM budget_ledger WHERE account = ${account}`
  expect(row?.balance ?? 0n).toBe(sum!.sum)
  return { balance: formatUsd(row?.balance ?? 0n), held: row?.held ?? 0n, included: formatUsd(row?.included ?? 0n) }
}
const entries = async (kit: PluginKit, account = 'acme') => {
  const r = await kit.admin(`/budget/accounts/${account}/ledger`)
  return ((await r.json()) as { entries: Record<string, unknown>[] }).entries
}
const code = (r: { json: unknown }) => (r.json as { error: { code: string } }).error.code

describe('a prepaid account', () => {
  test.each(['chat', 'messages'] as const)('%s: pays what a reply used, exactly', async (call) => {
    const kit = await kitOf()
    await topUp(kit, '1')
    expect((await kit[call]()).status).toBe(200)
    expect(await rowOf(kit)).toMatchObject({ balance: '0.99968', held: 0n })
    expect((await kit[call]({ stream: true })).status).toBe(200)
    expect(await rowOf(kit)).toMatchObject({ balance: '0.99936', held: 0n })
    expect((await entries(kit))[0]).toMatchObject({
      kind: 'charge',
      amount: -0.00032,
      cost: 0.00032,
      input_tokens: 7,
      output_tokens: 5,
      source: 'reported',
      price: { input: '10', output: '50' },
      caller: 'key_1',
    })
  })

  test('that does not cover the worst case is refused with 402 before the upstream is called, streams too', async () => {
    const kit = await kitOf()
    for (const stream of [false, true]) {
      const r = await kit.chat({ stream })
      expect(r).toMatchObject({ status: 402, sent: [] })
      expect(code(r)).toBe('insufficient_quota')
      expect(r.headers.get('content-type')).toBe('application/json')
    }
    await topUp(kit, '0.07') // 1000 tokens out are 0.05, and some 2100 in are 0.021
    const r = await kit.messages({ max_tokens: 1000 })
    expect(r).toMatchObject({ status: 402, json: { type: 'error', error: { type: 'billing_error' } } })
    expect(r.json).toMatchObject({ error: { message: expect.stringMatching(/may cost up to \$0\.07\d+, and \$0\.07 are left/) } })
    expect((await kit.messages({ max_tokens: 900 })).status).toBe(200)
    expect(kit.metrics()).toContain('budget_refused{code="insufficient_balance"} 3')
  })

  test('reserves for the largest output of the model when the request does not say, and for every choice', async () => {
    const kit = await kitOf()
    await topUp(kit, '0.12')
    expect((await kit.chat()).status).toBe(200)
    expect((await kit.chat({ n: 2, max_tokens: 1000 })).status).toBe(402)
  })

  test('markup is paid on top', async () => {
    const kit = await kitOf({ markup: 25 })
    await topUp(kit, '1')
    await kit.chat()
    expect(await rowOf(kit)).toMatchObject({ balance: '0.9996' })
    expect((await entries(kit))[0]).toMatchObject({ amount: -0.0004, cost: 0.00032, markup: '25' })
  })

  test('what fails costs nothing; what answers without a call neither', async () => {
    const kit = await kitOf({}, { upstream: { status: 500 } })
    await topUp(kit, '1')
    expect((await kit.chat()).status).toBeGreaterThanOrEqual(500)
    expect(await rowOf(kit)).toEqual({ balance: '1', held: 0n, included: '0' })
    expect(kit.metrics()).toContain('budget_released{why="undelivered"} 1')
  })

  test('a free model needs no balance and no transaction', async () => {
    const kit = await kitOf()
    expect((await kit.chat({ model: 'free' })).status).toBe(200)
    expect(await kit.stores.records.sql`SELECT id FROM budget_account`).toEqual([])
  })

  test('counting tokens is free', async () => {
    const kit = await kitOf()
    const r = await kit.send({ dialect: 'anthropic-count-tokens' }).catch(() => undefined)
    if (r) expect(r.status).not.toBe(402)
  })
})

describe('an unknown price', () => {
  test('is refused to accounts that pay, and never 0', async () => {
    const kit = await kitOf({ plans: { guest: { billed: false } } })
    await topUp(kit, '100')
    const r = await kit.chat({ model: 'unpriced' })
    expect(r).toMatchObject({ status: 403, sent: [] })
    expect((await kit.chat({ model: 'unpriced' }, { slots: caller({ tier: 'guest', account: 'g' }) })).status).toBe(200)
  })
  test('is the configured bound, and flagged', async () => {
    const kit = await kitOf({ unknown_price: { input: 100, output: 200 } })
    await topUp(kit, '100')
    expect((await kit.chat({ model: 'unpriced' })).status).toBe(200)
    expect(await rowOf(kit)).toMatchObject({ balance: '99.9983' })
    expect((await entries(kit))[0]).toMatchObject({ unknown: ['price'] })
    expect(kit.metrics()).toContain('budget_unknown_price 1')
  })
  test('of a class: the dearest rate of its side', async () => {
    const usage: Usage = { ...unknownUsage, source: 'reported', inputUncached: 10, cacheWriteOther: 100, outputVisible: 1 }
    const events = textEvents('a').map((e): StreamEvent => (e.type === 'usage' ? { type: 'usage', usage } : e))
    const kit = await kitOf({}, { upstream: { events } })
    await topUp(kit, '1')
    await kit.messages()
    expect(await rowOf(kit)).toMatchObject({ balance: formatUsd(parseUsd('1') - 110n * 10_000_000n - 50_000_000n) })
    expect((await entries(kit))[0]).toMatchObject({ unknown: ['cache_write'] })
  })
})

describe('a subscription', () => {
  const plans = { paid: { included: 0.1, overage: 0.2 }, strict: { included: 0.1 } }
  test('credit goes first, then the balance, then overage up to its cap', async () => {
    const kit = await kitOf({ plans })
    const big: StreamEvent[] = textEvents('a').map((e) =>
      e.type === 'usage' ? { ...e, usage: { ...unknownUsage, source: 'reported', inputUncached: 1, outputVisible: 1000 } } : e,
    )
    kit.upstream({ events: big }) // 0.05001
    await topUp(kit, '0.03')
    await kit.chat()
    expect(await rowOf(kit)).toMatchObject({ balance: '0.07999', included: '0.04999' })
    await kit.chat()
    expect(await rowOf(kit)).toMatchObject({ balance: '0.02998', included: '0' })
    for (let i = 0; i < 3; i++) expect((await kit.chat()).status).toBe(200)
    expect(await rowOf(kit)).toMatchObject({ balance: '-0.12005' })
    await kit.chat()
    const r = await kit.chat()
    expect(r.status).toBe(402)
    expect(code(r)).toBe('quota_exceeded')
    expect(r.json).toMatchObject({ error: { resets_at: '2026-02-01T00:00:00.000Z' } })
  })

  test('is required where the operator says so; one that ended is none', async () => {
    const kit = await kitOf({ plans, no_plan: 'subscription_required' }, { slots: caller({ tier: 'other' }) })
    await topUp(kit, '5')
    const r = await kit.chat()
    expect(r.status).toBe(402)
    expect(code(r)).toBe('subscription_required')
    await set(kit, { plan: 'strict', plan_until: '2026-01-02T00:00:00Z' })
    expect((await kit.chat()).status).toBe(200)
    await kit.clock.advance(2 * 86_400_000)
    expect(code(await kit.chat())).toBe('subscription_required')
  })

  test('a larger plan in mid-month adds the difference, and going back and forth mints nothing', async () => {
    const kit = await kitOf({ plans: { small: { included: 1 }, large: { included: 5 } } })
    for (const [plan, included] of [
      ['small', '1'],
      ['large', '5'],
      ['small', '5'],
      ['large', '5'],
    ]) {
      await set(kit, { plan })
      await kit.admin('/budget/accounts/acme')
      expect((await rowOf(kit)).included).toBe(included!)
    }
  })
})

describe('caps', () => {
  test('messages of a user a day; refused ones are not counted; a new day begins at 00:00 UTC', async () => {
    const anonymous = { billed: false, caps: [{ of: 'user', per: 'day', messages: 2 }] }
    const kit = await kitOf({ plans: { anonymous } }, { slots: caller({ tier: 'anonymous', account: 'anon', id: 'anon' }) })
    for (let i = 0; i < 2; i++) expect((await kit.chat({ user: 'u1' })).status).toBe(200)
    const r = await kit.chat({ user: 'u1' })
    expect(r.status).toBe(402)
    expect(r.json).toMatchObject({ error: { code: 'quota_exceeded', resets_at: '2026-01-02T00:00:00.000Z' } })
    expect((await kit.messages({ metadata: { user_id: 'u2' } })).status).toBe(200)
    expect((await kit.chat({ model: 'free', user: 'u1' })).status).toBe(402) // free models count too
    kit.upstream({ status: 500 })
    await kit.chat({ user: 'u2' })
    kit.upstream({})
    expect((await kit.chat({ user: 'u2' })).status).toBe(200)
    expect((await kit.chat({ user: 'u2' })).status).toBe(402)
    await kit.clock.advance(86_400_000)
    expect((await kit.chat({ user: 'u1' })).status).toBe(200)
  })

  test('money of a key, an account and a session, from all or from none', async () => {
    const plans = { paid: { caps: [{ of: 'session', per: 'total', usd: 0.08 }, { usd: 0.2 }] } }
    const kit = await kitOf({ plans }, { slots: [...caller(), [Session, undefined]] })
    await topUp(kit, '10')
    const used: Usage = { ...unknownUsage, source: 'reported', inputUncached: 100, outputVisible: 980 } // 0.05
    kit.upstream({ events: textEvents('a').map((e): StreamEvent => (e.type === 'usage' ? { type: 'usage', usage: used } : e)) })
    const inSession = (id: string) => ({ slots: [...caller(), [Session, { id, turn: 1 }] as const] })
    expect((await kit.chat({}, inSession('a'))).status).toBe(200)
    const r = await kit.chat({}, inSession('a'))
    expect(r.status).toBe(402)
    expect(r.json).toMatchObject({ error: { message: expect.stringContaining('for this session'), cap: 'session_usd_per_total' } })
    expect(await rowOf(kit)).toMatchObject({ held: 0n })
    expect((await kit.chat({}, inSession('b'))).status).toBe(200)
    expect((await kit.chat()).status).toBe(200)
    expect((await kit.chat()).json).toMatchObject({ error: { cap: 'account_usd_per_month' } })
    const own = caller({ caps: [{ per: 'total', usd: '0.01' }] })
    expect((await kit.chat({}, { slots: own })).json).toMatchObject({ error: { cap: expect.stringMatching(/^(account|key)_usd/) } })
  })

  test('of an account, set at run time, act at once', async () => {
    const kit = await kitOf()
    await topUp(kit, '10')
    expect((await kit.chat()).status).toBe(200)
    await set(kit, { caps: [{ per: 'day', messages: 1 }] })
    expect((await kit.chat()).status).toBe(200) // the first that is counted
    expect(code(await kit.chat())).toBe('quota_exceeded')
    await set(kit, { caps: null })
    expect((await kit.chat()).status).toBe(200)
  })

  test('none configured: nothing is ever refused', async () => {
    const kit = await kitOf({ no_plan: 'unlimited' })
    for (const model of ['test-model', 'unpriced', 'free']) expect((await kit.chat({ model })).status).toBe(200)
  })
})

describe('cap_output', () => {
  test('a request with two limits keeps none that the balance does not pay for', async () => {
    const kit = await kitOf({ cap_output: true })
    await topUp(kit, '0.04')
    for (const first of [900, 20]) {
      const r = await kit.chat({ max_tokens: first, max_completion_tokens: 1000 })
      expect(r.status).toBe(200)
      const { max_tokens, max_completion_tokens } = r.sent[0]!.json as Record<string, number>
      expect(max_completion_tokens).toBeLessThan(400)
      expect(max_tokens).toBe(Math.min(first, max_completion_tokens!))
    }
  })
  test.each([
    ['chat', 'max_completion_tokens', {}],
    ['chat', 'max_tokens', { max_tokens: 800 }],
    ['messages', 'max_tokens', { max_tokens: 800 }],
  ] as const)('%s: %s is lowered to what the balance pays for', async (call, member, body) => {
    const kit = await kitOf({ cap_output: true, markup: 10 })
    await topUp(kit, '0.04')
    const r = await kit[call](body)
    expect(r.status).toBe(200)
    const sent = (r.sent[0]!.json as Record<string, number>)[member]!
    expect(sent).toBeGreaterThan(200)
    expect(sent).toBeLessThan(400)
    expect(r.outcome.verdicts).toContainEqual(expect.objectContaining({ detail: `output limited to ${sent} tokens` }))
    expect(await rowOf(kit)).toMatchObject({ held: 0n })
  })
  test('not below what is worth a request', async () => {
    const kit = await kitOf({ cap_output: true })
    await topUp(kit, '0.0212')
    expect((await kit.chat()).status).toBe(402)
  })
})

describe('endpoints', () => {
  test('GET /credits: the caller sees its own account', async () => {
    const kit = await kitOf({ plans: { paid: { included: 1, caps: [{ of: 'key', per: 'day', messages: 5 }] } } })
    await kit.chat()
    const r = await kit.fetch('/credits')
    expect(await r.json()).toMatchObject({
      account: 'acme',
      plan: 'paid',
      currency: 'USD',
      balance: 0.99968,
      available: 0.99968,
      reserved: 0,
      caps: [{ of: 'key', per: 'day', unit: 'messages', limit: 5, used: 1, resets_at: '2026-01-02T00:00:00.000Z' }],
    })
    expect(r.headers.get('cache-control')).toBe('no-store')
  })
  test('an entry with an id is entered once; mistakes are named', async () => {
    const kit = await kitOf()
    const post = async (body: string) => {
      const r = await kit.admin('/budget/accounts/acme/entries', { method: 'POST', body })
      return { status: r.status, json: (await r.json()) as Record<string, unknown> }
    }
    for (const entered of [true, false]) expect((await post('{"usd":"5","id":"pay_1"}')).json.entered).toBe(entered)
    expect(await rowOf(kit)).toMatchObject({ balance: '5' })
    for (const body of ['[]', '{"usd":"-1"}', '{"usd":"abc"}', '{"usd":"1","kind":"charge"}', '{"usd":"0"}', '{"usd":1e40}'])
      expect((await post(body)).status).toBe(400)
    for (const body of [
      '{"plan":"none"}',
      '{"plan_until":"x"}',
      '{"plan_until":"2027-02-31"}',
      '{"caps":[{"per":"week"}]}',
      '{"cap":1}',
      '{"caps":[{"per":"day","usd":"-1"}]}',
    ])
      expect((await kit.admin('/budget/accounts/acme', { method: 'PATCH', body })).status).toBe(400)
    const list = (await (await kit.admin('/budget/accounts?limit=1')).json()) as { accounts: unknown[]; next: string }
    expect(list).toMatchObject({ accounts: [{ account: 'acme', balance: 5 }], next: 'acme' })
    expect(await (await kit.admin('/budget/accounts?limit=1&after=acme')).json()).toEqual({ accounts: [] })
  })
  test('the ledger goes on, page by page', async () => {
    const kit = await kitOf()
    for (let i = 1; i <= 5; i++) await topUp(kit, String(i))
    const seen: unknown[] = []
    let after = ''
    do {
      const page = (await (await kit.admin(`/budget/accounts/acme/ledger?limit=2${after}`)).json()) as {
        entries: { amount: number }[]
        next?: string
      }
      seen.push(...page.entries.map((e) => e.amount))
      after = page.next === undefined ? '' : `&after=${encodeURIComponent(page.next)}`
    } while (after !== '')
    expect(seen.toSorted()).toEqual([1, 2, 3, 4, 5])
  })
})

test.each([
  { plans: { a: { caps: [{ per: 'day' }] } } },
  { plans: { a: { included: -1 } } },
  { markup: -200 },
  { path: 'credits' },
  { unknown_price: { input: 1 } },
])('%j is a mistake', async (config) => {
  expect(kitOf(config)).rejects.toThrow('does not start')
})
