import { afterEach, describe, expect, test } from 'bun:test'
import { definePlugin, Principal, PromptCache, Session, type StreamEvent, Trim, type Usage, unknownUsage } from 'headgate/plugin'
import { type PluginKit, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import costHeaders from './index.ts'

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) await kit.close()
})

const price = { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 }
const modelsWith = (price: unknown) => ({
  'test-model': {
    targets: [
      { upstream: 'openai', model: 'test-model' },
      { upstream: 'anthropic', model: 'test-model' },
    ],
    ...(price !== undefined && { price }),
  },
})
const everything = {
  headers: {
    cost_usd: 'X-Cost',
    cost_cents: 'X-Cost-Cents',
    cost_unknown: 'X-Cost-Unknown',
    cache_savings_usd: 'X-Saved',
    cache_savings_gross_usd: 'X-Saved-Gross',
    request_id: 'X-Id',
    session: 'X-Session',
    tier: 'X-Tier',
    upstream: 'X-Upstream',
    model: 'X-Model',
  },
}

/** 100 fresh + 2000 read + 40 written in, 30 + 20 reasoning out. */
const used: Usage = {
  ...unknownUsage,
  source: 'reported',
  inputUncached: 100,
  cacheRead: 2000,
  cacheWriteOther: 40,
  outputVisible: 30,
  reasoning: 20,
}
// (100 * 3 + 2000 * 0.3 + 40 * 3.75 + 50 * 15) / 1e6
const cost = '0.0018'
const events = (usage: Usage = used): StreamEvent[] => [
  { type: 'start', id: 'r1', model: 'upstream-model' },
  { type: 'text', text: 'Hi', choice: 0 },
  { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
  { type: 'usage', usage },
  { type: 'end' },
]

async function kitOf(config: object, options: TestPluginOptions = {}): Promise<PluginKit> {
  const kit = await testPlugin(costHeaders, {
    with: config,
    models: modelsWith(price),
    upstream: { events: events() },
    ...options,
  } as TestPluginOptions)
  kits.push(kit)
  return kit
}

describe('a whole reply', () => {
  test('carries every figure in the headers that were named, exactly', async () => {
    const kit = await kitOf(everything, {
      slots: [
        [Principal, { ...Principal.example, tier: 'paid' }],
        [Session, { id: 'ses_7', turn: 2 }],
      ],
    })
    const { headers, id } = await kit.chat()
    expect({
      cost: headers.get('x-cost'),
      cents: headers.get('x-cost-cents'),
      unknown: headers.get('x-cost-unknown'),
      saved: headers.get('x-saved'),
      gross: headers.get('x-saved-gross'),
      id: headers.get('x-id') === id,
      session: headers.get('x-session'),
      tier: headers.get('x-tier'),
      upstream: headers.get('x-upstream'),
      model: headers.get('x-model'),
    }).toEqual({
      cost,
      cents: '0.18',
      unknown: null,
      saved: '0.00537', // 2000 * 2.7 - 40 * 0.75, per million
      gross: '0.0054',
      id: true,
      session: 'ses_7',
      tier: 'paid',
      upstream: 'openai',
      model: 'upstream-model',
    })
  })

  test.each(['chat', 'messages'] as const)('%s: the cost stands in the body as a number with just these digits', async (call) => {
    const kit = await kitOf({ body: { cost_usd: 'usage.cost', cache_savings_gross_usd: 'usage.saved' } })
    const { body, json } = await kit[call]()
    expect((json as { usage: { cost: number } }).usage.cost).toBe(0.0018)
    expect(body).toContain(`"cost":${cost},"saved":0.0054`)
  })

  test('markup is added to every amount, and rounded once; decimals round further', async () => {
    const kit = await kitOf({ ...everything, markup: 12.5, decimals: 4 })
    const { headers } = await kit.chat()
    // 0.0018 * 1.125 = 0.002025
    expect([headers.get('x-cost'), headers.get('x-cost-cents'), headers.get('x-saved-gross')]).toEqual(['0.0020', '0.2025', '0.0061'])
  })

  test('of a free model costs 0', async () => {
    const kit = await kitOf({ ...everything, body: { cost_usd: 'usage.cost' } }, { models: modelsWith({ input: 0, output: 0 }) })
    const { headers, body } = await kit.chat()
    expect([headers.get('x-cost'), headers.get('x-cost-unknown'), headers.get('x-saved')]).toEqual(['0', null, '0'])
    expect(body).toContain('"cost":0')
  })

  test('of a free model costs 0 also when nobody tells its usage', async () => {
    const silent = events().filter(({ type }) => type !== 'usage')
    const kit = await kitOf(everything, { models: modelsWith({ input: 0, output: 0 }), upstream: { events: silent } })
    const { headers } = await kit.chat()
    expect([headers.get('x-cost'), headers.get('x-cost-unknown')]).toEqual(['0', null])
    await kit.chat({ stream: true })
    expect(kit.metrics()).not.toContain('cost_unknown{')
  })

  test.each([
    ['no price', undefined, 'price'],
    ['no price for cache writes', { input: 3, output: 15 }, 'cache_write'],
  ])('with %s has a cost that is unknown, never 0', async (_, given, missing) => {
    const kit = await kitOf(
      { ...everything, body: { cost_usd: 'usage.cost', cost_unknown: 'usage.cost_unknown' } },
      { models: modelsWith(given) },
    )
    const { headers, json } = await kit.chat()
    expect([headers.get('x-cost'), headers.get('x-cost-cents'), headers.get('x-cost-unknown')]).toEqual([null, null, 'true'])
    const { usage } = json as { usage: Record<string, unknown> }
    expect(usage.cost_unknown).toBe(true)
    expect(usage).not.toHaveProperty('cost')
    expect(kit.metrics()).toContain(`cost_unknown{missing="${missing}",upstream="openai"} 1`)
  })

  test('that a plugin gave costs nothing', async () => {
    const cached = definePlugin({
      api: 1,
      name: 'cached',
      summary: 'Answers',
      failure: 'closed',
      setup: () => ({ request: (x) => x.reply(events()) }),
    })
    const kit = await kitOf({ ...everything, body: { cost_usd: 'usage.cost' } }, { below: [cached], models: modelsWith(undefined) })
    const { headers, json } = await kit.chat()
    expect([headers.get('x-cost'), headers.get('x-cost-unknown'), headers.get('x-upstream')]).toEqual(['0', null, null])
    expect((json as { usage: { cost: number } }).usage.cost).toBe(0)
  })
})

describe('a stream', () => {
  test.each([
    ['chat', true],
    ['chat', false],
    ['messages', false],
  ] as const)('%s, asked for usage %p: headers say nothing of money, the last usage event says all', async (call, asked) => {
    const kit = await kitOf({ ...everything, body: { cost_usd: 'usage.cost' } })
    const { headers, body } = await kit[call]({ stream: true, ...(asked && { stream_options: { include_usage: true } }) })
    for (const name of ['x-cost', 'x-cost-cents', 'x-cost-unknown', 'x-saved', 'x-saved-gross']) expect(headers.get(name)).toBeNull()
    expect(headers.get('x-id')).not.toBeNull()
    expect(headers.get('x-upstream')).toBe(call === 'chat' ? 'openai' : 'anthropic')
    expect(body.split(`"cost":${cost}`)).toHaveLength(2)
  })

  test('stream_usage: asked leaves a client that did not ask without it', async () => {
    const kit = await kitOf({ body: { cost_usd: 'usage.cost' }, stream_usage: 'asked' })
    expect((await kit.chat({ stream: true })).body).not.toContain('usage":{')
    expect((await kit.chat({ stream: true, stream_options: { include_usage: true } })).body).toContain(`"cost":${cost}`)
    expect((await kit.messages({ stream: true })).body).toContain(`"cost":${cost}`)
  })

  test('without a place in the body, the bytes are those of the upstream', async () => {
    const kit = await kitOf({ headers: { cost_usd: 'x-cost' } })
    const { body, outcome } = await kit.chat({ stream: true })
    expect(body).not.toContain('usage":{')
    expect(outcome.usage).toMatchObject({ source: 'reported', inputUncached: 100 })
  })

  test('that nobody has a price for says so in its headers', async () => {
    const kit = await kitOf({ ...everything, body: { cost_unknown: 'usage.unknown' } }, { models: modelsWith(undefined) })
    const { headers, body } = await kit.chat({ stream: true })
    expect(headers.get('x-cost-unknown')).toBe('true')
    expect(body).toContain('"unknown":true')
  })

  test('whose usage is restated has the cost of the last figures only (E03)', async () => {
    const frames = [
      {
        type: 'message_start',
        message: { id: 'm', type: 'message', model: 'm', content: [], usage: { input_tokens: 5, output_tokens: 1 } },
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'x' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { input_tokens: 1000, output_tokens: 10 } },
      { type: 'message_stop' },
    ].map((data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`)
    const kit = await kitOf({ body: { cost_usd: 'usage.cost' } }, { upstream: { body: frames } })
    const { body } = await kit.messages({ stream: true })
    expect(body.match(/"cost":[0-9.]+/g)).toEqual(['"cost":0.00315'])
  })
})

describe('a reply that is translated', () => {
  const elsewhere = (upstream: string) =>
    definePlugin({
      api: 1,
      name: 'elsewhere',
      summary: 'Chooses an upstream of another dialect',
      failure: 'closed',
      setup: () => ({ request: (x) => x.setTarget({ upstream, model: 'test-model' }) }),
    })
  test.each([
    ['chat', 'anthropic', false],
    ['chat', 'anthropic', true],
    ['messages', 'openai', false],
    ['messages', 'openai', true],
  ] as const)('%s served by %s, stream %p, says what it cost', async (call, upstream, stream) => {
    const kit = await kitOf({ body: { cost_usd: 'usage.cost' } }, { below: [elsewhere(upstream)] })
    const { body, status } = await kit[call]({ stream })
    expect(status).toBe(200)
    expect(body.split(`"cost":${cost}`)).toHaveLength(2)
  })
})

test('a refusal carries who and what, and no money', async () => {
  const kit = await kitOf(everything, { upstream: { status: 400 }, slots: [[Principal, { ...Principal.example, tier: 'paid' }]] })
  const { headers, status } = await kit.chat()
  expect(status).toBe(400)
  expect([
    headers.get('x-id') !== null,
    headers.get('x-tier'),
    headers.get('x-cost'),
    headers.get('x-cost-unknown'),
    headers.get('x-saved'),
  ]).toEqual([true, 'paid', null, null, null])
})

test('the reply costs what its own call cost: what a failed one used stands in the record', async () => {
  const twice = definePlugin({
    api: 1,
    name: 'twice',
    summary: 'Calls twice',
    failure: 'closed',
    setup: () => ({
      async around(_, next) {
        await next()
        return next()
      },
    }),
  })
  const kit = await kitOf(everything, { below: [twice] })
  const { headers, outcome } = await kit.chat()
  expect(outcome.attempts).toHaveLength(2)
  expect(headers.get('x-cost')).toBe(cost)
})

test.each([[{}], [{ headers: {} }], [{ headers: { cost_usd: 'a b' } }], [{ body: { cost_usd: 'cost' } }], [{ headers: { price: 'x' } }]])(
  'config %j stops the start',
  async (config) => {
    await expect(testPlugin(costHeaders, { with: config })).rejects.toThrow('does not start')
  },
)

test.each([
  [{ headers: { cost_usd: 'X-Cost', cost_cents: 'x-cost' } }, 'two figures are to stand in x-cost'],
  [{ body: { cost_usd: 'usage.cost', cost_cents: 'usage.cost' } }, 'two figures are to stand in usage.cost'],
  [{ headers: { cost_usd: 'x-cost' }, markup: 1e-7 }, "1e-7 can't be counted exactly"],
  [{ headers: { cost_usd: 'x-cost' }, markup: 12.1234567890123 }, "12.1234567890123 can't be counted exactly"],
])('config %j is told at the start, not by replies without figures', async (config, why) => {
  await expect(testPlugin(costHeaders, { with: config })).rejects.toThrow(why)
})

describe('what a trimmer took out', () => {
  const names = {
    headers: { trim_savings_usd: 'X-Trim', trimmed_tokens: 'X-Tokens' },
    body: { trim_savings_usd: 'usage.trim', trimmed_tokens: 'usage.tokens' },
  }
  const trimmed = (tokens: number, pico: bigint | undefined) => ({
    slots: [[Trim, { tokens, newTokens: 0, classes: {}, savings: () => pico }]] as never,
  })
  const told = (headers: Headers) => [headers.get('X-Trim'), headers.get('X-Tokens')]

  test('SYNR-6: in the headers and usage of a whole reply', async () => {
    const kit = await kitOf(names, trimmed(120.4, 360_000_000n))
    const answer = await kit.chat()
    expect(told(answer.headers)).toEqual(['0.00036', '120'])
    expect((answer.json as { usage: object }).usage).toMatchObject({ trim: 0.00036, tokens: 120 })
  })
  test('SYNR-7: of a stream the tokens in its headers, the savings in its last usage event', async () => {
    const answer = await (await kitOf(names, trimmed(120.4, 360_000_000n))).chat({ stream: true })
    expect(told(answer.headers)).toEqual([null, '120'])
    expect(answer.body).toContain('"trim":0.00036,"tokens":120')
  })
  test('nothing taken out saved nothing; what can not be measured, and no trimmer at all, is left out', async () => {
    for (const stream of [false, true]) {
      expect(told((await (await kitOf(names, trimmed(0, undefined))).chat({ stream })).headers)).toEqual(['0', '0'])
      expect(told((await (await kitOf(names, trimmed(7, undefined))).chat({ stream })).headers)).toEqual([null, '7'])
      expect(told((await (await kitOf(names)).chat({ stream })).headers)).toEqual([null, null])
    }
  })
})

describe('what became of the prompt in the provider cache', () => {
  const names = {
    headers: { cache_status: 'X-Status', cache_attribution: 'X-Thanks' },
    body: { cache_status: 'usage.status', cache_attribution: 'usage.thanks' },
  }
  const kitFor = (cache: object | undefined) => kitOf(names, cache ? { slots: [[PromptCache, cache]] as never } : {})
  const told = (headers: Headers) => [headers.get('X-Status'), headers.get('X-Thanks')]

  test.each([
    [{ attribution: 'gateway', expected: 2000 }, 'hit'],
    [{ attribution: 'client', expected: 3500 }, 'partial'],
    [{ attribution: 'provider', expected: 9000 }, 'miss'],
  ] as const)('%j: %s, in headers and usage', async (cache, status) => {
    const answer = await (await kitFor(cache)).chat()
    expect(told(answer.headers)).toEqual([status, cache.attribution])
    expect((answer.json as { usage: object }).usage).toMatchObject({ status, thanks: cache.attribution })
  })
  test('SYNR-7: of a stream the status stands in its last usage event', async () => {
    const answer = await (await kitFor({ attribution: 'gateway', expected: 2000 })).chat({ stream: true })
    expect(told(answer.headers)).toEqual([null, 'gateway'])
    expect(answer.body).toContain('"status":"hit","thanks":"gateway"')
  })
  test('without a plugin that knows, the bill alone says it', async () => {
    expect(told((await (await kitFor(undefined)).chat()).headers)).toEqual(['hit', null])
  })
})
