/** Billed is what was delivered: clients that leave, replies that outgrow their reservation, calls that fail, answers without a call. */

import { afterEach, describe, expect, test } from 'bun:test'
import { definePlugin, formatUsd, Principal, type StreamEvent, unknownUsage } from 'headgate/plugin'
import { type PluginKit, type SentRequest, type TestPluginOptions, testPlugin, textEvents } from 'headgate/testkit'
import budget from './index.ts'

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) await kit.close()
})

const model = { targets: ['openai', 'anthropic'].map((upstream) => ({ upstream, model: 'test-model' })), price: { input: 10, output: 50 } }
async function kitOf(config: object, options: TestPluginOptions = {}): Promise<PluginKit> {
  const kit = await testPlugin(budget, {
    with: config,
    models: { 'test-model': model },
    slots: [[Principal, { id: 'key_1', kind: 'key', account: 'acme', tags: [] }]],
    ...options,
  } as TestPluginOptions)
  kits.push(kit)
  await kit.admin('/budget/accounts/acme/entries', { method: 'POST', body: '{"usd":"2"}' })
  await kit.clock.advance(1)
  return kit
}
const charges = async (kit: PluginKit) => {
  const { entries } = (await (await kit.admin('/budget/accounts/acme/ledger')).json()) as { entries: Record<string, unknown>[] }
  return entries.filter((e) => e.kind === 'charge')
}
const account = async (kit: PluginKit) => {
  const [row] = await kit.stores.records.sql<{ balance: bigint; held: bigint }>`SELECT balance, held FROM budget_account WHERE id = 'acme'`
  const [sum] = await kit.stores.records.sql<{ sum: bigint }>`SELECT sum(amount) AS sum FROM budget_ledger WHERE account = 'acme'`
  expect(row!.balance).toBe(sum!.sum)
  return { balance: formatUsd(row!.balance), held: row!.held }
}
const words = (n: number) => Array.from({ length: n }, (_, i) => ` word${i % 10}`)
/** An upstream that says so many words and then neither goes on nor ends. */
const stuck = (n: number) => (sent: SentRequest) => ({
  body: (async function* () {
    const frames = sent.encode(textEvents(...words(n)))
    const last = frames.findLastIndex((f) => f.includes('word'))
    for (const frame of frames.slice(0, last + 1)) yield frame.replace('"input_tokens":0', '"input_tokens":5000')
    await new Promise(() => {})
  })(),
})

describe('a client that leaves in mid-stream (SYNC-7)', () => {
  test.each([
    ['chat', false],
    ['messages', true],
  ] as const)('%s: pays for what it was sent; input as reported: %p', async (call, reported) => {
    const kit = await kitOf({}, { upstream: stuck(200) })
    const dialect = call === 'chat' ? 'openai-chat' : 'anthropic-messages'
    const started = kit.start({
      dialect,
      body: { stream: true, max_tokens: 10_000, messages: [{ role: 'user', content: 'Tell me. '.repeat(100) }] },
    })
    let got = ''
    while (!got.includes('word9') || got.split('word').length < 200) got += (await started.read()) ?? ''
    started.abort()
    const outcome = await started.outcome()
    expect(outcome.streamState).toBe('client_disconnect')
    const [charge] = await charges(kit)
    expect(charge).toMatchObject({ source: 'estimated' })
    const { input_tokens: input, output_tokens: output } = charge as { input_tokens: number; output_tokens: number }
    if (reported) expect(input).toBe(5000)
    else expect(input).toBeWithin(200, 420) // 300 words and points
    expect(output).toBeWithin(350, 650) // 200 of a word and a digit each
    const { balance, held } = await account(kit)
    expect(held).toBe(0n)
    expect(Number(balance)).toBeWithin(1.9, 1.999)
  })

  test('before anything came: pays nothing', async () => {
    const kit = await kitOf({}, { upstream: () => new Promise(() => {}) })
    const started = kit.start({ body: { stream: true, max_tokens: 100 } })
    await Bun.sleep(30)
    started.abort()
    await started.outcome()
    expect(await account(kit)).toEqual({ balance: '2', held: 0n })
  })
})

test.each([false, true])('usage that is all zeros is no usage (E10): what passed is paid for; streamed: %p', async (stream) => {
  const zeros: StreamEvent = { type: 'usage', usage: { ...unknownUsage, source: 'reported' } }
  const kit = await kitOf({}, { upstream: { events: textEvents(...words(20)).map((event) => (event.type === 'usage' ? zeros : event)) } })
  await kit.chat({ stream, max_tokens: 100 })
  const [charge] = await charges(kit)
  expect(charge).toMatchObject({ source: 'estimated' })
  const { input_tokens: input, output_tokens: output } = charge as { input_tokens: number; output_tokens: number }
  expect(input).toBeGreaterThan(0)
  expect(output).toBeWithin(20, 70)
})

describe('a stream that eats its reservation', () => {
  const endless = (sent: SentRequest) => ({
    body: (async function* () {
      const frames = sent.encode(textEvents(...words(3000)))
      for (const frame of frames) yield frame
    })(),
  })
  test.each(['openai-chat', 'anthropic-messages'] as const)(
    '%s: ends with a well-formed final frame, and is not overdrawn',
    async (dialect) => {
      // where the request limits the output, the provider holds to it; this one does not
      const kit = await kitOf({ max_output: 500 }, { upstream: endless })
      const r = await kit.send({ dialect, body: { stream: true, ...(dialect !== 'openai-chat' && { max_tokens: 400 }) } })
      expect(r).toMatchObject({ status: 200, broken: false, outcome: { end: 'finished' } })
      expect(r.events.filter((e) => e.type === 'stop')).toMatchObject([{ reason: 'length' }])
      expect(r.events.at(-1)?.type).toBe('end')
      expect(r.text.length).toBeGreaterThan(500)
      expect(r.text.length).toBeLessThan(8000)
      expect(r.sent[0]!.signal.aborted).toBe(true)
      const [charge] = await charges(kit)
      expect(charge).toMatchObject({ source: 'estimated' })
      expect(Number((await account(kit)).balance)).toBeGreaterThan(1.94)
      expect(kit.metrics()).toContain('budget_cut 1')
      expect(r.outcome.verdicts).toContainEqual(expect.objectContaining({ detail: 'the reservation is used up: the reply was ended' }))
    },
  )
  test('a reply as long as it may be is not cut', async () => {
    const kit = await kitOf({}, { upstream: endless })
    const r = await kit.chat({ stream: true, max_tokens: 6000 })
    expect(r.text).toBe(words(3000).join(''))
  })
})

test('what failed before the reply and used nothing is not billed; what it reported is', async () => {
  const again = definePlugin({
    api: 1,
    name: 'again',
    summary: 'Tries twice',
    failure: 'closed',
    setup: () => ({
      async around(_, next) {
        const first = await next()
        return first.ok ? first : next()
      },
    }),
  })
  const kit = await kitOf({}, { below: [again], upstream: [{ status: 500 }, {}] })
  const r = await kit.chat({ max_tokens: 10 })
  expect(r.outcome.attempts).toHaveLength(2)
  expect(await charges(kit)).toMatchObject([{ amount: -0.00032 }])
})

test('an answer of another plugin costs 0', async () => {
  const events: StreamEvent[] = textEvents('cached')
  const cache = definePlugin({
    api: 1,
    name: 'cache',
    summary: 'Answers',
    failure: 'closed',
    setup: () => ({ request: (x) => x.reply(events) }),
  })
  const kit = await kitOf({}, { below: [cache] })
  expect((await kit.chat()).text).toBe('cached')
  expect(await account(kit)).toEqual({ balance: '2', held: 0n })
})

test('a refusal by a plugin below gives all back', async () => {
  const no = definePlugin({
    api: 1,
    name: 'no',
    summary: 'Refuses',
    failure: 'closed',
    setup: () => ({ request: (x) => x.refuse('rate_limited') }),
  })
  const kit = await kitOf({}, { below: [no] })
  expect((await kit.chat()).status).toBe(429)
  expect(await account(kit)).toEqual({ balance: '2', held: 0n })
})

describe('records that are away', () => {
  test('at the reservation: 503, and nothing is spent', async () => {
    const kit = await kitOf({})
    kit.stores.records.down()
    expect(await kit.chat()).toMatchObject({ status: 503, sent: [] })
    await kit.stores.records.up()
    await kit.clock.advance(10_000)
    expect(await account(kit)).toEqual({ balance: '2', held: 0n })
  })

  test('with on_error: skip the request is answered, and charged when they are back, once', async () => {
    const kit = await kitOf({}, { on_error: 'skip' })
    kit.stores.records.down()
    for (let i = 0; i < 3; i++) expect((await kit.chat()).status).toBe(200)
    await kit.stores.records.up()
    expect(await account(kit)).toEqual({ balance: '2', held: 0n }) // not entered yet: ledger and balance agree
    await kit.clock.advance(10_000)
    expect(await account(kit)).toEqual({ balance: '1.99904', held: 0n })
    await kit.clock.advance(60_000)
    expect(await charges(kit)).toHaveLength(3)
    expect(kit.metrics()).toContain('budget_waiting{what="entered"} 3')
  })

  test('what was not reserved is counted by caps all the same, and holds nothing', async () => {
    const plans = { paid: { caps: [{ per: 'day', messages: 4 }] } }
    const kit = await kitOf(
      { plans },
      { on_error: 'skip', slots: [[Principal, { id: 'k', kind: 'key', account: 'acme', tier: 'paid', tags: [] }]] },
    )
    expect((await kit.chat()).status).toBe(200)
    kit.stores.records.down()
    for (let i = 0; i < 3; i++) expect((await kit.chat()).status).toBe(200)
    await kit.stores.records.up()
    await kit.clock.advance(10_000)
    expect(await kit.stores.records.sql`SELECT used, held FROM budget_counter`).toEqual([{ used: 4n, held: 0n }])
    expect((await kit.chat()).status).toBe(402)
  })

  test('at settlement: the charge waits, the reservation stays until then', async () => {
    const go = Promise.withResolvers<void>()
    const kit = await kitOf(
      {},
      {
        upstream: (sent) => ({
          body: (async function* () {
            await go.promise
            yield* sent.encode(textEvents('late'))
          })(),
        }),
      },
    )
    const started = kit.start({ body: { max_tokens: 100 } })
    while ((await account(kit)).held === 0n) await Bun.sleep(1)
    kit.stores.records.down()
    go.resolve()
    expect((await started.result()).status).toBe(200)
    expect((await account(kit)).held).toBeGreaterThan(0n)
    await kit.stores.records.up()
    await kit.clock.advance(10_000)
    expect(await account(kit)).toEqual({ balance: '1.99968', held: 0n })
  })
})
