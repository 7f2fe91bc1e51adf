/** The published API of an OpenAI-compatible gateway with prepaid balances, row by row, on its preset as shipped. */

import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import OpenAI from 'openai'
import { type Stand, startStand } from '../stand.ts'
import { beginningOfMinute, eventually, expiredKey, framesOf } from '../support.ts'

setDefaultTimeout(30_000)
let stand: Stand
beforeAll(async () => {
  stand = await startStand('syntopen', { usd: '50' })
})
afterAll(() => stand?.stop())
beforeEach(() => stand.model.clear())

/** The page's curl. */
const curl = {
  model: 'openai/gpt-4o-mini',
  messages: [
    { role: 'system', content: 'You are concise.' },
    { role: 'user', content: 'What is the capital of France?' },
  ],
  stream: false,
}
const chat = '/api/v1/chat/completions'
const usage = { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 }
const codeOf = ({ status, json }: { status: number; json: { error?: { code?: string } } }) => [status, json?.error?.code]

test('SYNT-1: the curl of the page, and the list of models', async () => {
  const { status, json } = await stand.ask(chat, { body: curl })
  expect(status).toBe(200)
  expect(json).toMatchObject({
    object: 'chat.completion',
    model: 'openai/gpt-4o-mini',
    choices: [{ index: 0, message: { role: 'assistant', content: expect.stringContaining('capital of France') }, finish_reason: 'stop' }],
  })
  expect(stand.model.requests[0]!.body).toMatchObject({ model: 'gpt-4o-mini', messages: curl.messages })
  expect(stand.model.requests[0]!.headers.get('authorization')).toBe('Bearer provider-key-of-openai')
  const models = await stand.ask('/api/v1/models')
  expect(models.json).toMatchObject({
    object: 'list',
    data: expect.arrayContaining([expect.objectContaining({ id: 'openai/gpt-4o-mini' })]),
  })
})

test('SYNT-1: the SDK of the page', async () => {
  const client = new OpenAI({ apiKey: stand.key, baseURL: `${stand.url}/api/v1` })
  const r = await client.chat.completions.create({
    model: 'anthropic/claude-3-5-sonnet',
    messages: [{ role: 'user', content: 'Hello' }],
  })
  expect(r.choices[0]?.message.content).toContain('Hello')
  expect(r.model).toBe('anthropic/claude-3-5-sonnet')
  expect((await client.models.list()).data.map((model) => model.id)).toContain('google/gemini-1.5-pro')
})

test('SYNT-2: a key is shown once; only a hash of it is stored', async () => {
  const made = await stand.admin('/keys', { name: 'dashboard' })
  const { key, id } = made.json as { key: string; id: string }
  expect(key).toStartWith('sk-syn-')
  expect((await stand.ask('/api/v1/models', { key })).status).toBe(200)
  await stand.ask(chat, { body: curl, key })
  const secret = key.slice('sk-syn-'.length + 8)
  for (const shown of [await stand.admin('/keys'), await stand.admin(`/keys/${id}`)]) {
    expect(shown.status).toBe(200)
    expect(shown.text).toContain(id)
    expect(shown.text).not.toContain(secret)
  }
  const { out, err } = { out: stand.gateway.out(), err: stand.gateway.err() }
  expect(out + err).not.toContain(secret)
  const database = new Database(join(stand.data, 'headgate.db'), { readonly: true })
  database.run('PRAGMA busy_timeout = 2000')
  let rows = 0
  for (const { name } of database.query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table'").all()) {
    for (const row of database.query<Record<string, unknown>, []>(`SELECT * FROM "${name}"`).all()) {
      rows++
      expect(
        Object.values(row)
          .map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value)))
          .join(' '),
      ).not.toContain(secret)
    }
  }
  database.close()
  expect(rows).toBeGreaterThan(0)
  for (const file of ['headgate.db', 'headgate.db-wal']) {
    const bytes = Buffer.from(
      await Bun.file(join(stand.data, file))
        .arrayBuffer()
        .catch(() => new ArrayBuffer(0)),
    )
    expect(bytes.includes(secret)).toBe(false)
  }
})

test('SYNT-3: a stream of chunks, ended by [DONE]', async () => {
  for (const model of ['openai/gpt-4o-mini', 'anthropic/claude-3-5-haiku', 'google/gemini-1.5-flash']) {
    const answer = await stand.ask(chat, { body: { ...curl, model, stream: true } })
    expect(answer.headers.get('content-type')).toStartWith('text/event-stream')
    const frames = framesOf(answer.text)
    expect(frames.at(-1)).toBe('[DONE]')
    for (const frame of frames.slice(0, -1)) expect(JSON.parse(frame)).toMatchObject({ object: 'chat.completion.chunk', model })
    const said = frames.slice(0, -1).map((frame) => JSON.parse(frame).choices[0]?.delta?.content ?? '')
    expect(said.join('')).toContain('What is the capital of France?')
  }
})

test('SYNT-4: 400 invalid_request names the field', async () => {
  for (const [param, more] of [
    ['temperature', { temperature: 'hot' }],
    ['messages', { messages: 'hello' }],
    ['messages.0.role', { messages: [{ content: 'x' }] }],
  ] as const) {
    const answer = await stand.ask(chat, { body: { ...curl, ...more } })
    expect(codeOf(answer)).toEqual([400, 'invalid_request'])
    expect(answer.json.error.param).toBe(param)
    expect(answer.json.error.message).toContain(param)
  }
  expect(codeOf(await stand.ask(chat, { body: '{"model":' }))).toEqual([400, 'invalid_request'])
  expect(stand.model.requests).toHaveLength(0)
})

test('SYNT-4: 400 invalid_request is what an upstream says of a request too, in its sentence', async () => {
  stand.model.instead = () =>
    Response.json({ error: { message: 'No such tool.', type: 'invalid_request_error', param: 'tools', code: null } }, { status: 400 })
  const answer = await stand.ask(chat, { body: curl })
  expect(codeOf(answer)).toEqual([400, 'invalid_request'])
  expect(answer.json.error).toMatchObject({ message: 'No such tool.', param: 'tools' })
})

test('SYNT-4: 400 invalid_request also for what is no JSON, and not said to be', async () => {
  expect(codeOf(await stand.ask(chat, { body: '{' }))).toEqual([400, 'invalid_request'])
  const form = await stand.ask(chat, { body: 'model=a', headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  expect(codeOf(form)).toEqual([400, 'invalid_request'])
})

test('SYNT-4: 401 invalid_api_key', async () => {
  for (const key of [null, 'sk-syn-nobody', `${stand.key}x`, await expiredKey(stand)]) {
    expect(codeOf(await stand.ask(chat, { body: curl, key }))).toEqual([401, 'invalid_api_key'])
    expect(codeOf(await stand.ask('/api/v1/models', { key }))).toEqual([401, 'invalid_api_key'])
  }
})

test('SYNT-4: 402 insufficient_balance', async () => {
  const { key } = await stand.newKey()
  expect(codeOf(await stand.ask(chat, { body: curl, key }))).toEqual([402, 'insufficient_balance'])
})

// each in the words of a provider that says so
test.each([
  [402, { message: 'Insufficient Balance', type: 'unknown_error', code: 'invalid_request_error' }],
  [429, { message: 'You exceeded your current quota.', type: 'insufficient_quota', code: 'insufficient_quota' }],
  [400, { message: 'Your credit balance is too low to access the API.', type: 'invalid_request_error', code: null }],
])("SYNT-4: an account of ours that is empty at its provider is not the client's balance (%d)", async (status, error) => {
  stand.model.instead = () => Response.json({ error }, { status })
  const { status: told, json } = await stand.ask(chat, { body: curl })
  expect(told).toBe(502)
  expect(json.error).toMatchObject({ type: 'server_error', code: 'upstream_auth', message: expect.stringContaining(error.message) })
})

test('SYNT-4: 404 model_not_found', async () => {
  expect(codeOf(await stand.ask(chat, { body: { ...curl, model: 'openai/gpt-9' } }))).toEqual([404, 'model_not_found'])
  expect(codeOf(await stand.ask('/api/v1/models/openai%2Fgpt-9'))).toEqual([404, 'model_not_found'])
})

test('SYNT-4: 429 rate_limit_exceeded', async () => {
  const { key } = await stand.newKey({ limits: [{ window: '1m', requests: 1 }] }, '1')
  expect((await stand.ask(chat, { body: curl, key })).status).toBe(200)
  expect(codeOf(await stand.ask(chat, { body: curl, key }))).toEqual([429, 'rate_limit_exceeded'])
})

test('SYNT-4: 500 internal_error', async () => {
  // a fault of the gateway's own, seen from outside: its tables are gone
  const broken = await startStand('syntopen', { usd: '1' })
  broken.breakTables('budget')
  expect(codeOf(await broken.ask(chat, { body: curl }))).toEqual([500, 'internal_error'])
  await broken.stop()
})

test('SYNT-5: 60 requests a minute per key, with headers when limited', async () => {
  const { key } = await stand.newKey({}, '10')
  await beginningOfMinute()
  const answers = await Promise.all(Array.from({ length: 62 }, () => stand.ask('/api/v1/models', { key })))
  const limited = answers.filter(({ status }) => status === 429)
  expect(limited).toHaveLength(2)
  for (const { headers, json } of limited) {
    expect(headers.get('X-RateLimit-Limit')).toBe('60')
    expect(headers.get('X-RateLimit-Remaining')).toBe('0')
    expect(Number(headers.get('X-RateLimit-Reset'))).toBeGreaterThan(Date.now() / 1000 - 1)
    expect(json.error.code).toBe('rate_limit_exceeded')
  }
  expect(answers.find(({ status }) => status === 200)!.headers.get('X-RateLimit-Limit')).toBeNull()
})

test('SYNT-5: the limit of a key is changed at once, without a restart', async () => {
  const { key, id } = await stand.newKey()
  const models = () => stand.ask('/api/v1/models', { key })
  await beginningOfMinute()
  expect((await models()).status).toBe(200)
  expect((await stand.admin(`/keys/${id}`, { limits: [{ window: '1m', requests: 1 }] }, 'PATCH')).status).toBe(200)
  expect((await models()).status).toBe(429)
  expect((await models()).headers.get('X-RateLimit-Limit')).toBe('1')
  expect((await stand.admin(`/keys/${id}`, { limits: [{ window: '1m', requests: 100 }] }, 'PATCH')).status).toBe(200)
  expect((await models()).status).toBe(200)
})

test('SYNT-6: the ten models with their context windows and prices', async () => {
  const page: Readonly<Record<string, readonly [context: number, input: number, output: number]>> = {
    'anthropic/claude-3-5-haiku': [200_000, 0.8, 4],
    'anthropic/claude-3-5-sonnet': [200_000, 3, 15],
    'anthropic/claude-3-opus': [200_000, 15, 75],
    'google/gemini-1.5-flash': [1_000_000, 0.07, 0.3],
    'google/gemini-1.5-pro': [2_000_000, 1.25, 5],
    'google/gemini-2.0-flash-exp': [1_000_000, 0, 0],
    'openai/gpt-4o': [128_000, 2.5, 10],
    'openai/gpt-4o-mini': [128_000, 0.15, 0.6],
    'openai/o1': [200_000, 15, 60],
    'openai/o1-mini': [128_000, 3, 12],
  }
  const { json } = await stand.ask('/api/v1/models')
  const told = Object.fromEntries(
    (json.data as { id: string; context_length: number; pricing: { prompt: string; completion: string } }[]).map((model) => [
      model.id,
      [model.context_length, Number(model.pricing.prompt), Number(model.pricing.completion)],
    ]),
  )
  expect(told).toEqual(page as never)
})

test('SYNT-6: they are what is charged; a free model costs 0', async () => {
  stand.model.instead = () =>
    Response.json({
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'gpt-4o-mini',
      choices: [{ index: 0, message: { role: 'assistant', content: 'Paris' }, finish_reason: 'stop' }],
      usage,
    })
  const { key } = await stand.newKey({}, '1')
  const balance = async () => (await stand.ask('/api/v1/credits', { key })).json
  expect((await stand.ask(chat, { body: curl, key })).status).toBe(200)
  // 12 × 0.15 + 7 × 0.60 per million
  await eventually(balance, (now) => JSON.stringify(now).includes('0.999994'))
  stand.model.instead = undefined
  const poor = await stand.newKey()
  const free = await stand.ask(chat, { body: { ...curl, model: 'google/gemini-2.0-flash-exp' }, key: poor.key })
  expect(free.status).toBe(200)
})

test('SYNT-7: a call that the balance cannot cover is refused before the upstream is called', async () => {
  const { key } = await stand.newKey({}, '0.001')
  for (const stream of [false, true]) {
    const answer = await stand.ask(chat, { body: { ...curl, model: 'openai/o1', max_completion_tokens: 1000, stream }, key })
    expect(codeOf(answer)).toEqual([402, 'insufficient_balance'])
    expect(answer.headers.get('content-type')).toStartWith('application/json')
  }
  expect(stand.model.requests).toHaveLength(0)
})

test('SYNT-7: concurrent calls never overdraw it', async () => {
  // at most 0.0154 each: 1000 × 15 and what the bytes of the request may be
  const { key } = await stand.newKey({ account: 'crowd', limits: [{ window: '1m', requests: 1000 }] }, '0.5')
  const body = { ...curl, model: 'anthropic/claude-3-5-sonnet', max_tokens: 1000 }
  const answers = await Promise.all(Array.from({ length: 60 }, () => stand.ask(chat, { body, key })))
  const statuses = answers.map(({ status }) => status)
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(0)
  expect(statuses.filter((status) => status === 402).length).toBeGreaterThan(0)
  expect(statuses.every((status) => status === 200 || status === 402)).toBe(true)
  const account = await stand.admin('/budget/accounts/crowd')
  expect(Number(account.json.balance_usd ?? account.json.balance)).toBeGreaterThanOrEqual(0)
})
