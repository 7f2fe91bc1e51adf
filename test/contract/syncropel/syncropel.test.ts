/** The published API of a gateway for subscribers, row by row, on its preset as shipped. */

import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import OpenAI from 'openai'
import type { Answer, Stand } from '../stand.ts'
import { startStand } from '../stand.ts'
import { askFrom, beginningOfMinute, eventually, expiredKey } from '../support.ts'

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
  for (const key of ['sk-nobody', 'whatever', await token('hosted', 'https://unknown.example'), await expiredKey(stand)]) {
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
  // addresses are throttled too, so the hundred come from as many: Linux has all of 127.0.0.0/8
  const fresh = await startStand('syncropel')
  const ask = (i: number, user: string) => askFrom(`127.0.1.${1 + i}`, fresh.url + chat, { ...curl, model: 'gemini-flash-1.5', user })
  const answers = await Promise.all(Array.from({ length: 110 }, (_, i) => ask(i, 'eve')))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(100)
  for (const { status, text } of answers.filter(({ status }) => status !== 200))
    expect([status, JSON.parse(text).error.code]).toEqual([402, 'quota_exceeded'])
  expect((await ask(200, 'bob')).status).toBe(200)
  await fresh.stop()
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

async function limitOf(key: string, limit: number): Promise<void> {
  await beginningOfMinute()
  const answers = await Promise.all(Array.from({ length: limit + 10 }, () => stand.ask('/v1/models', { key })))
  const limited = answers.filter(({ status }) => status === 429)
  expect(limited.length).toBeGreaterThanOrEqual(10)
  expect(limited.length).toBeLessThanOrEqual(15) // calls of this minute before
  expect(limited[0]!.headers.get('X-RateLimit-Limit')).toBe(String(limit))
}
