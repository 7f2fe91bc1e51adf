/** The published API of a gateway for subscribers, row by row, on its preset as shipped. */

import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import OpenAI from 'openai'
import type { Answer, Stand } from '../stand.ts'
import { startStand } from '../stand.ts'
import { beginningOfMinute, eventually, framesOf } from '../support.ts'

setDefaultTimeout(30_000)
let stand: Stand
let issuer: ReturnType<typeof Bun.serve>
const signing = { hosted: await generateKeyPair('ES256'), own: await generateKeyPair('ES256'), nobody: await generateKeyPair('ES256') }
const issuers = { hosted: 'https://hosted.example', own: 'https://own.example' }

beforeAll(async () => {
  issuer = Bun.serve({
    port: 0,
    async fetch(request) {
      const name = new URL(request.url).pathname.slice(1) as 'hosted' | 'own'
      return Response.json({ keys: [{ ...(await exportJWK(signing[name].publicKey)), kid: name, alg: 'ES256', use: 'sig' }] })
    },
  })
  stand = await startStand('syncropel', {
    env: {
      JWT_ISSUER: issuers.hosted,
      JWT_JWKS_URL: `http://127.0.0.1:${issuer.port}/hosted`,
      JWT_SELF_HOST_ISSUER: issuers.own,
      JWT_SELF_HOST_JWKS_URL: `http://127.0.0.1:${issuer.port}/own`,
    },
  })
  await subscribe('stand')
})
afterAll(async () => {
  await stand?.stop()
  issuer?.stop(true)
})
beforeEach(() => stand.model.clear())

/** The page's curl. */
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
function token(by: keyof typeof signing, iss: string, account = 'stand') {
  return new SignJWT({ account })
    .setProtectedHeader({ alg: 'ES256', kid: by === 'nobody' ? 'hosted' : by })
    .setIssuer(iss)
    .setSubject('instance-7')
    .setExpirationTime('5m')
    .sign(signing[by].privateKey)
}
const told = ({ status, json }: Answer) => [status, json?.error?.code]
/** What the model used is what it always reports: 120 in, of which 20 cached, and 30 out. */
const cents = ((100 * 1 + 20 * 0.1 + 30 * 5) * 1.3) / 1e4

test('SYNC-1: per-instance, user-issued and self-host bearers', async () => {
  for (const [kind, tier] of [
    ['instance', 'paid'],
    ['key', 'paid'],
    ['self_host', 'self-host'],
  ] as const) {
    const { key } = await subscriber(kind === 'key' ? {} : { kind })
    const answer = await stand.ask(chat, { body: curl, key })
    expect([answer.status, answer.headers.get('X-Syncropic-Tier')]).toEqual([200, tier])
  }
})

test('SYNC-1: a user-issued key is shown once, and revocable at once', async () => {
  const { key, id } = await subscriber()
  expect(key).toStartWith('sk-')
  expect((await stand.admin(`/keys/${id}`)).text).not.toContain(key)
  expect((await stand.ask(chat, { body: curl, key })).status).toBe(200)
  expect((await stand.admin(`/keys/${id}`, undefined, 'DELETE')).status).toBe(200)
  expect(told(await stand.ask(chat, { body: curl, key }))).toEqual([401, 'invalid_bearer'])
})

test('SYNC-1: a JWT is verified', async () => {
  for (const [by, tier] of [
    ['hosted', 'paid'],
    ['own', 'self-host'],
  ] as const) {
    const answer = await stand.ask(chat, { body: curl, key: await token(by, issuers[by]) })
    expect([answer.status, answer.headers.get('X-Syncropic-Tier')]).toEqual([200, tier])
  }
  const forged = await stand.ask(chat, { body: curl, key: await token('nobody', issuers.hosted) })
  expect(told(forged)).toEqual([401, 'invalid_jwt_signature'])
  const good = await token('hosted', issuers.hosted)
  expect(told(await stand.ask(chat, { body: curl, key: `${good.slice(0, -4)}AAAA` }))).toEqual([401, 'invalid_jwt_signature'])
})

test('SYNC-1: an unknown bearer', async () => {
  for (const key of ['sk-nobody', 'whatever', await token('hosted', 'https://unknown.example')]) {
    expect(told(await stand.ask(chat, { body: curl, key }))).toEqual([401, 'invalid_bearer'])
  }
})

test('SYNC-1: any OpenAI SDK', async () => {
  const client = new OpenAI({ apiKey: stand.key, baseURL: `${stand.url}/v1` })
  const response = await client.chat.completions.create({ model: 'claude-haiku-4-5', messages: [{ role: 'user', content: 'Hello' }] })
  expect(response.choices[0]!.message.content).toContain('Hello')
  expect(response).toMatchObject({ object: 'chat.completion', model: 'claude-haiku-4-5', choices: [{ index: 0, finish_reason: 'stop' }] })
  let said = ''
  for await (const chunk of await client.chat.completions.create({
    model: 'gpt-4o',
    stream: true,
    messages: [{ role: 'user', content: 'Hello' }],
  })) {
    said += chunk.choices[0]?.delta.content ?? ''
  }
  expect(said).toContain('Hello')
})

test('SYNC-2: cost with markup, tier and request id in headers', async () => {
  const { status, headers, json } = await stand.ask(chat, { body: curl })
  expect(status).toBe(200)
  expect(json.usage).toMatchObject({ prompt_tokens: 120, completion_tokens: 30, total_tokens: 150 })
  expect(Number(headers.get('X-Syncropic-Cost-Cents'))).toBeCloseTo(cents, 12)
  expect(headers.get('X-Syncropic-Tier')).toBe('paid')
  expect(headers.get('X-Syncropic-Request-ID')).toBe(headers.get('x-request-id'))
})

test('SYNC-2: every error body carries the request id of its header', async () => {
  stand.model.instead = () => Response.json({ error: { message: 'broken', type: 'server_error' } }, { status: 500 })
  const errors = [
    await stand.ask(chat, { body: curl }),
    await stand.ask(chat, { body: { ...curl, model: 'gpt-4o' } }),
    await stand.ask(chat, { body: curl, key: 'sk-nobody' }),
    await stand.ask(chat, { body: { ...curl, model: 'nothing' } }),
    await stand.ask(chat, { body: '{' }),
    await stand.ask(chat, { body: { ...curl, temperature: 'hot' } }),
    await stand.ask(chat),
    await stand.ask('/v1/models/nothing'),
    await stand.ask('/v1/nothing'),
    await stand.ask('/nothing', { key: null }),
    await stand.ask('/v1/responses/resp_none'),
  ]
  for (const { status, json, headers } of errors) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(json.error.request_id).toMatch(/^req_/)
    expect(json.error.request_id).toBe(headers.get('X-Syncropic-Request-ID'))
  }
})

test('SYNC-3: paid: all models, 60 requests a minute per key', async () => {
  const { key } = await subscriber()
  for (const model of ['claude-haiku-4-5', 'claude-sonnet-4-6', 'gpt-4o', 'gemini-flash-1.5', 'gemini-pro'])
    expect((await stand.ask(chat, { body: { ...curl, model }, key })).status).toBe(200)
  await limitOf(key, 60)
})

test('SYNC-3: self-host: all models, 60 requests a minute', async () => {
  const { key } = await subscriber({ kind: 'self_host' })
  for (const model of ['claude-haiku-4-5', 'claude-sonnet-4-6', 'gpt-4o', 'gemini-flash-1.5', 'gemini-pro'])
    expect((await stand.ask(chat, { body: { ...curl, model }, key })).status).toBe(200)
  await limitOf(key, 60)
})

test('SYNC-3: anonymous: one model, 5 requests a minute per address', async () => {
  const fresh = await startStand('syncropel')
  await beginningOfMinute()
  const ask = (model: string, user: string) => fresh.ask(chat, { body: { ...curl, model, user }, key: null })
  const first = await ask('gemini-flash-1.5', 'one')
  expect([first.status, first.headers.get('X-Syncropic-Tier')]).toEqual([200, 'anonymous'])
  expect((await ask('claude-haiku-4-5', 'one')).status).toBeGreaterThanOrEqual(400)
  const rest = await Promise.all(Array.from({ length: 10 }, (_, i) => ask('gemini-flash-1.5', `user-${i}`)))
  const served = 1 + rest.filter(({ status }) => status === 200).length
  expect(served).toBeLessThanOrEqual(5)
  expect(served).toBeGreaterThanOrEqual(4)
  expect(rest.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(6)
  await fresh.stop()
})

test('SYNC-3: anonymous: 100 messages a day per user', async () => {
  // addresses are throttled too, so the hundred come from many: the gateway stands behind a proxy here
  const behind = await startStand('syncropel', { env: { HEADGATE_TRUSTED_PROXY: '127.0.0.1/32' } })
  const ask = (i: number, user: string) =>
    behind.ask(chat, {
      body: { ...curl, model: 'gemini-flash-1.5', user },
      key: null,
      headers: { 'x-forwarded-for': `192.0.2.${i % 250}` },
    })
  const answers = await Promise.all(Array.from({ length: 110 }, (_, i) => ask(i, 'eve')))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(100)
  const refused = answers.filter(({ status }) => status !== 200)
  for (const answer of refused) expect(told(answer)).toEqual([402, 'quota_exceeded'])
  expect((await ask(200, 'bob')).status).toBe(200)
  await behind.stop()
})

test('SYNC-4: no active subscription', async () => {
  const { key } = await stand.newKey()
  expect(told(await stand.ask(chat, { body: curl, key }))).toEqual([402, 'subscription_required'])
  const ended = await subscriber()
  expect((await stand.ask(chat, { body: curl, key: ended.key })).status).toBe(200)
  await subscribe(ended.account, '2020-01-01T00:00:00Z')
  expect(told(await stand.ask(chat, { body: curl, key: ended.key }))).toEqual([402, 'subscription_required'])
})

test('SYNC-4: the monthly cap', async () => {
  const { key, account } = await subscriber()
  await stand.admin(`/budget/accounts/${account}`, { caps: [{ of: 'account', per: 'month', usd: 0.0001 }] }, 'PATCH')
  expect(told(await stand.ask(chat, { body: curl, key }))).toEqual([402, 'quota_exceeded'])
})

test('SYNC-4: included credit first, then metered overage', async () => {
  const { key, account } = await subscriber()
  const view = async () => (await stand.admin(`/budget/accounts/${account}`)).json
  expect((await stand.ask(chat, { body: curl, key })).status).toBe(200)
  const spent = cents / 100
  const after = await eventually(view, (now) => now.included < 20)
  expect(after.included).toBeCloseTo(20 - spent, 9)
  // the credit is gone: what follows is overage
  await stand.admin(`/budget/accounts/${account}/entries`, { kind: 'adjust', usd: '-20' })
  expect((await stand.ask(chat, { body: curl, key })).status).toBe(200)
  await eventually(view, (now) => now.balance < -0.0003)
  const credits = await stand.ask('/v1/credits', { key })
  expect(credits.status).toBe(200)
})

test('SYNC-5: 429 with Retry-After and the body of the page', async () => {
  const { key } = await subscriber({ limits: [{ window: '1m', requests: 1 }] })
  await beginningOfMinute()
  await stand.ask('/v1/models', { key })
  const { status, headers, json } = await stand.ask(chat, { body: curl, key })
  const seconds = Number(headers.get('Retry-After'))
  expect([status, seconds > 0 && seconds <= 60]).toEqual([429, true])
  expect(json).toEqual({
    error: {
      code: 'rate_limited',
      kind: 'usage',
      message: expect.stringMatching(/\w/),
      retry_after_seconds: seconds,
      request_id: headers.get('X-Syncropic-Request-ID'),
    },
  })
})

test("SYNC-6: a stream's 402 and 429 are plain HTTP responses, before any upstream call", async () => {
  const poor = await stand.newKey()
  const unpaid = await stand.ask(chat, { body: haiku, key: poor.key })
  const { key } = await subscriber({ limits: [{ window: '1m', requests: 1 }] })
  await beginningOfMinute()
  await stand.ask('/v1/models', { key })
  const limited = await stand.ask(chat, { body: haiku, key })
  expect([unpaid.status, limited.status]).toEqual([402, 429])
  for (const answer of [unpaid, limited]) {
    expect(answer.headers.get('content-type')).toStartWith('application/json')
    expect(answer.json.error.request_id).toBeString()
  }
  expect(stand.model.requests).toHaveLength(0)
})

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
  const [charge] = await eventually(
    async () =>
      ((await stand.admin(`/budget/accounts/${account}/ledger`)).json.entries as { kind: string; amount: number }[]).filter(
        (entry) => entry.kind === 'charge',
      ),
    (entries) => entries.length > 0,
  )
  expect(charge!.amount).toBeLessThan(0)
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
  await stand.ask(chat, { body: curl, key: 'sk-nobody' })
  const { out, code } = await stand.headgate('audit', 'query', '--thread', 'th_audit_api_usage', '--account', account, '-o', 'json')
  expect(code).toBe(0)
  const records = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(records).toHaveLength(2)
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

test('SYNC-10: 503 internal_error when the gateway is at fault', async () => {
  const broken = await startStand('syncropel')
  await broken.breakTables('budget')
  const answer = await broken.ask(chat, { body: curl })
  expect(told(answer)).toEqual([503, 'internal_error'])
  expect(answer.json.error.request_id).toBe(answer.headers.get('X-Syncropic-Request-ID'))
  await broken.stop()
})

async function limitOf(key: string, limit: number): Promise<void> {
  await beginningOfMinute()
  const answers = await Promise.all(Array.from({ length: limit + 10 }, () => stand.ask('/v1/models', { key })))
  const limited = answers.filter(({ status }) => status === 429)
  expect(limited.length).toBeGreaterThanOrEqual(10)
  expect(limited.length).toBeLessThanOrEqual(15) // calls of this minute before
  expect(limited[0]!.headers.get('X-RateLimit-Limit')).toBe(String(limit))
}

function recordOf(id: string): Promise<Record<string, unknown>> {
  return eventually(
    async () => {
      const { out } = await stand.headgate('audit', 'show', id, '-o', 'json')
      return out.trim() === '' ? {} : (JSON.parse(out) as Record<string, unknown>)
    },
    (record) => record.stream_state !== undefined,
  )
}
