/** The published API of a gateway for subscribers: what is billed, recorded and said when something is away. */

import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { type Answer, type Stand, startStand } from '../stand.ts'
import { eventually, framesOf } from '../support.ts'

setDefaultTimeout(30_000)
let stand: Stand
beforeAll(async () => {
  stand = await startStand('syncropel')
  await subscribe('stand')
})
afterAll(() => stand?.stop())
beforeEach(() => stand.model.clear())

/** The curls of the page. */
const curl = { model: 'claude-haiku-4-5', messages: [{ role: 'user', content: 'Say hello in one sentence.' }], max_tokens: 1500 }
const haiku = { model: 'claude-haiku-4-5', stream: true, messages: [{ role: 'user', content: 'Write a one-line haiku about clean code.' }] }
const chat = '/v1/chat/completions'

function subscribe(account: string, until = '2099-01-01T00:00:00Z') {
  return stand.admin(`/budget/accounts/${account}`, { plan: 'subscription', plan_until: until }, 'PATCH')
}
/** A key whose account has a subscription. */
async function subscriber(fields: Readonly<Record<string, unknown>> = {}) {
  const account = `subscriber-${crypto.randomUUID().slice(0, 8)}`
  await subscribe(account)
  return { account, ...(await stand.newKey({ account, ...fields })) }
}
const told = ({ status, json }: Answer) => [status, json?.error?.code]
/** What the model used is what it always reports: 120 in, of which 20 cached, and 30 out. */
const cents = ((100 * 1 + 20 * 0.1 + 30 * 5) * 1.3) / 1e4

test('SYNC-7: a client that leaves is charged for what it was sent, and its upstream call is cancelled', async () => {
  const { key, account } = await subscriber()
  let sent = 0
  stand.model.between = () => (sent++ > 4 ? Bun.sleep(50) : Promise.resolve())
  const controller = new AbortController()
  const response = await fetch(stand.url + chat, {
    method: 'POST',
    signal: controller.signal,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...haiku, messages: [{ role: 'user', content: 'word '.repeat(300) }] }),
  })
  const id = response.headers.get('x-request-id')!
  const reader = response.body!.getReader()
  await reader.read()
  controller.abort()
  await eventually(
    () => Promise.resolve(stand.model.left),
    (left) => left === 1,
  )
  const record = await recordOf(id)
  expect(record.stream_state).toBe('client_disconnect')
  // a few words had been sent of three hundred
  expect(record.tokens_output).toBeGreaterThan(0)
  expect(record.tokens_output).toBeLessThan(20)
  const [charge] = await eventually(
    async () =>
      (
        (await stand.admin(`/budget/accounts/${account}/ledger`)).json.entries as {
          kind: string
          amount: number
          output_tokens: number
          source: string
        }[]
      ).filter((entry) => entry.kind === 'charge'),
    (entries) => entries.length > 0,
  )
  expect(charge).toMatchObject({ output_tokens: record.tokens_output, source: 'estimated' })
  expect(-charge!.amount).toBeCloseTo(Number(record.cost_usd), 12)
  const whole = await stand.ask(chat, { body: haiku, key })
  expect(framesOf(whole.text).at(-1)).toBe('[DONE]')
  expect((await recordOf(whole.headers.get('x-request-id')!)).stream_state).toBe('completed')
})

test('SYNC-8: capabilities: live models with tier and price, markup included', async () => {
  const { status, json } = await stand.ask('/v1/capabilities')
  expect(status).toBe(200)
  const models = Object.fromEntries((json.models ?? json.data).map((model: { id: string }) => [model.id, model])) as Record<
    string,
    { tiers: string[]; price: { input: number; output: number } }
  >
  // the page rounds to cents
  const page = {
    'claude-haiku-4-5': [1.3, 6.5],
    'claude-sonnet-4-6': [3.9, 19.5],
    'gpt-4o': [3.25, 13],
    'gemini-flash-1.5': [0.1, 0.39],
    'gemini-pro': [1.63, 6.5],
  }
  expect(Object.keys(models).sort()).toEqual(Object.keys(page).sort())
  for (const [id, [input, output]] of Object.entries(page)) {
    expect([id, Math.round(Number(models[id]!.price.input) * 100) / 100, Math.round(Number(models[id]!.price.output) * 100) / 100]).toEqual(
      [id, input!, output!],
    )
    expect(models[id]!.tiers).toContain('paid')
  }
  expect(models['gemini-flash-1.5']!.tiers).toContain('anonymous')
  expect(models['claude-haiku-4-5']!.tiers).not.toContain('anonymous')
})

test('SYNC-9: a record of each successful call in its thread, queryable as JSON', async () => {
  const { key, account } = await subscriber()
  const first = await stand.ask(chat, { body: curl, key })
  await stand.ask(chat, { body: haiku, key })
  // calls that failed stand there too, and are told apart by their status: nothing is charged for them
  expect((await stand.ask(chat, { body: { ...curl, model: 'nothing' }, key })).status).toBe(404)
  stand.model.instead = () => Response.json({ error: { message: 'boom', type: 'api_error' } }, { status: 500 })
  expect((await stand.ask(chat, { body: curl, key })).status).toBe(503)
  stand.model.clear()
  const { out, code } = await stand.headgate('audit', 'query', '--thread', 'th_audit_api_usage', '--account', account, '-o', 'json')
  expect(code).toBe(0)
  const all = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const records = all.filter(({ status }) => status < 400)
  expect(records).toHaveLength(2)
  expect(all.filter(({ status }) => status >= 400).map(({ cost_usd }) => Number(cost_usd))).toEqual([0, 0])
  for (const record of records) {
    expect(structuredClone(record)).toMatchObject({
      thread: 'th_audit_api_usage',
      cost_usd: expect.stringMatching(/^0\.\d+$/),
      tokens_input: 120,
      tokens_output: 30,
      model: 'claude-haiku-4-5',
      tier: 'paid',
      latency_ms: expect.any(Number),
      endpoint: expect.stringContaining('chat'),
      request_id: expect.stringMatching(/^req_/),
      stream_state: 'completed',
    })
  }
  const own = records.find((record) => record.request_id === first.headers.get('X-Syncropic-Request-ID'))
  expect(Number(own.cost_usd) * 100).toBeCloseTo(Number(first.headers.get('X-Syncropic-Cost-Cents')), 9)
})

test("SYNC-9: a month's cost is one query", async () => {
  const { key, account } = await subscriber()
  for (let i = 0; i < 3; i++) await stand.ask(chat, { body: curl, key })
  const month = new Date().toISOString().slice(0, 7)
  const { out, code } = await stand.headgate(
    'usage',
    '--month',
    month,
    '--account',
    account,
    '--thread',
    'th_audit_api_usage',
    '-o',
    'json',
  )
  expect(code).toBe(0)
  const [sum] = JSON.parse(out)
  expect(Number(sum.cost_usd)).toBeCloseTo((3 * cents) / 100, 9)
})

test('SYNC-10: 503 provider_error when the upstream is degraded', async () => {
  const cases: (() => Response)[] = [
    () => Response.json({ error: { message: 'overloaded', type: 'overloaded_error' } }, { status: 529 }),
    () => Response.json({ error: { message: 'boom', type: 'api_error' } }, { status: 500 }),
    () => new Response('<html>bad gateway</html>', { status: 502 }),
    () => Response.json({ error: { message: 'bad key', type: 'authentication_error' } }, { status: 401 }),
    () => Response.json({ error: { message: 'pay first', type: 'billing_error' } }, { status: 402 }),
    () => new Response('nonsense', { status: 200 }),
  ]
  for (const instead of cases) {
    stand.model.instead = instead
    for (const [model, stream] of [
      ['gpt-4o', false],
      ['claude-haiku-4-5', true],
    ] as const)
      expect(told(await stand.ask(chat, { body: { ...curl, model, stream } }))).toEqual([503, 'provider_error'])
  }
  const away = await startStand('syncropel', { env: { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' } })
  await away.admin('/budget/accounts/stand', { plan: 'subscription', plan_until: '2099-01-01T00:00:00Z' }, 'PATCH')
  expect(told(await away.ask(chat, { body: { ...curl, model: 'gpt-4o' } }))).toEqual([503, 'provider_error'])
  await away.stop()
})

test('SYNC-10: provider_error in a stream that has begun, with the request id, whoever wrote the error', async () => {
  const begun = 'data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
  const theirs = 'data: {"error":{"message":"Overloaded","type":"server_error","param":null,"code":"their_word"}}\n\n'
  for (const text of [begun + theirs, begun]) {
    stand.model.instead = () => new Response(text, { headers: { 'content-type': 'text/event-stream' } })
    const answer = await stand.ask(chat, { body: { ...curl, model: 'gpt-4o', stream: true } })
    expect(answer.status).toBe(200)
    expect(JSON.parse(framesOf(answer.text).at(-1)!).error).toMatchObject({
      code: 'provider_error',
      kind: 'provider',
      request_id: answer.headers.get('X-Syncropic-Request-ID')!,
    })
    expect(answer.text).not.toContain('their_word')
  }
})

test('SYNC-10: 503 internal_error when the gateway is at fault', async () => {
  const broken = await startStand('syncropel')
  await broken.breakTables('budget')
  const answer = await broken.ask(chat, { body: curl })
  expect(told(answer)).toEqual([503, 'internal_error'])
  expect(answer.json.error.request_id).toBe(answer.headers.get('X-Syncropic-Request-ID'))
  await broken.stop()
})

function recordOf(id: string): Promise<Record<string, unknown>> {
  return eventually(
    async () => {
      const { out } = await stand.headgate('audit', 'show', id, '-o', 'json')
      return out.trim() === '' ? {} : (JSON.parse(out) as Record<string, unknown>)
    },
    (record) => record.stream_state !== undefined,
  )
}
