/** What clients of OpenRouter rely on, on the preset as shipped. The rows are ours; the shapes are those of its published reference. */

import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import OpenAI from 'openai'
import { type Stand, startStand } from '../stand.ts'
import { eventually, framesOf } from '../support.ts'

setDefaultTimeout(30_000)
let stand: Stand
beforeAll(async () => {
  stand = await startStand('openrouter-like', { usd: '50' })
})
afterAll(() => stand?.stop())
beforeEach(() => stand.model.clear())

const base = '/api/v1'
const chat = `${base}/chat/completions`
const hello = { model: 'openai/gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] }
/** 100 × 0.15 + 20 × 0.075 + 30 × 0.60 per million. */
const cost = 0.0000345

test('ORLK-1: paths, keys and the headers that its clients send', async () => {
  expect(stand.key).toStartWith('sk-or-v1-')
  const headers = { 'HTTP-Referer': 'https://app.example', 'X-Title': 'App', 'X-OpenRouter-Title': 'App' }
  const answer = await stand.ask(chat, { body: { ...hello, usage: { include: true }, transforms: [] }, headers })
  expect([answer.status, answer.json.model]).toEqual([200, hello.model])
  expect(stand.model.requests[0]!.body).not.toContainAnyKeys(['usage', 'transforms'])
  const message = { model: 'anthropic/claude-sonnet-4.6', max_tokens: 50, messages: hello.messages }
  expect((await stand.ask(`${base}/messages`, { body: message })).json).toMatchObject({ type: 'message', model: message.model })
  expect((await stand.ask(`${base}/responses`, { body: { model: hello.model, input: 'Hello' } })).json.object).toBe('response')
  const client = new OpenAI({ apiKey: stand.key, baseURL: stand.url + base, defaultHeaders: headers })
  expect(
    (await client.chat.completions.create({ model: hello.model, messages: [{ role: 'user', content: 'Hello' }] })).choices[0]!.message
      .content,
  ).toContain('Hello')
})

test('ORLK-2: usage.cost in whole replies and in the last chunk of streams', async () => {
  expect((await stand.ask(chat, { body: hello })).json.usage).toMatchObject({
    prompt_tokens: 120,
    completion_tokens: 30,
    cost,
    prompt_tokens_details: { cached_tokens: 20 },
  })
  const last = JSON.parse(framesOf((await stand.ask(chat, { body: { ...hello, stream: true } })).text).at(-2)!)
  expect(last.usage).toMatchObject({ cost, total_tokens: 150 })
})

test('ORLK-3: models, without a key too, with prices per token as texts; one of them; its endpoints; their count', async () => {
  const { json } = await stand.ask(`${base}/models`, { key: null })
  const mini = (json.data as { id: string }[]).find(({ id }) => id === hello.model)!
  expect(structuredClone(mini)).toMatchObject({
    id: hello.model,
    canonical_slug: expect.any(String),
    name: 'OpenAI: GPT-4o-mini',
    context_length: 128000,
    architecture: { input_modalities: ['text', 'image', 'file'], output_modalities: ['text'], tokenizer: expect.anything() },
    pricing: { prompt: '0.00000015', completion: '0.0000006' },
    top_provider: { context_length: 128000, max_completion_tokens: 16384 },
    supported_parameters: expect.arrayContaining([
      'max_tokens',
      'temperature',
      'tools',
      'tool_choice',
      'response_format',
      'structured_outputs',
    ]),
  })
  expect((await stand.ask(`${base}/models/count`, { key: null })).json.data.count).toBe(3)
  const { data } = (await stand.ask(`${base}/models/${hello.model}/endpoints`)).json
  expect(data).toMatchObject({
    id: hello.model,
    endpoints: [{ provider_name: 'openai', supported_parameters: expect.arrayContaining(['tools']) }],
  })
  expect((await stand.ask(`${base}/providers`, { key: null })).json.data).toHaveLength(3)
})

test('ORLK-4: generation, key and credits', async () => {
  const own = await stand.newKey({ name: 'laptop', caps: [{ per: 'month', usd: '5' }], limits: [{ window: '10s', requests: 200 }] }, '20')
  const answer = await stand.ask(chat, { body: hello, key: own.key })
  const id = answer.json.id as string
  const { json } = await eventually(
    () => stand.ask(`${base}/generation?id=${id}`, { key: own.key }),
    ({ status }) => status === 200,
  )
  expect(json.data).toMatchObject({
    model: hello.model,
    streamed: false,
    cancelled: false,
    total_cost: cost,
    usage: cost,
    provider_name: 'openai',
    tokens_prompt: 120,
    tokens_completion: 30,
    native_tokens_prompt: 120,
    native_tokens_cached: 20,
    is_byok: false,
  })
  for (const name of ['latency', 'generation_time']) expect(json.data[name]).toBeNumber()
  for (const path of ['key', 'auth/key']) {
    const told = await eventually(
      () => stand.ask(`${base}/${path}`, { key: own.key }),
      ({ json }) => json.data.usage > 0,
    )
    expect(told.text).not.toContain(own.key)
    expect(told.json.data).toMatchObject({
      label: 'laptop',
      usage: cost,
      usage_daily: cost,
      usage_monthly: cost,
      limit: 5,
      limit_remaining: 5 - cost,
      limit_reset: 'monthly',
      is_free_tier: false,
      rate_limit: { requests: 200, interval: '10s' },
    })
  }
  const credits = await eventually(
    () => stand.ask(`${base}/credits`, { key: own.key }),
    ({ json }) => json.data.total_usage > 0,
  )
  expect(credits.json.data).toEqual({ total_credits: 20, total_usage: cost })
})

test('ORLK-5: provider preferences and chains of models', async () => {
  const ask = (more: object) => stand.ask(chat, { body: { ...hello, ...more } })
  expect((await ask({ provider: { order: ['openai'], allow_fallbacks: false } })).status).toBe(200)
  expect((await ask({ provider: { sort: 'price' } })).status).toBe(200)
  expect((await ask({ provider: { only: ['anthropic'] } })).status).toBeGreaterThanOrEqual(400)
  for (const { body } of stand.model.requests) expect(body).not.toContainAnyKeys(['provider', 'models', 'route'])
  stand.model.instead = (_, body) =>
    body.model === 'gpt-4o-mini' ? Response.json({ error: { message: 'boom' } }, { status: 500 }) : undefined
  expect((await ask({ models: ['anthropic/claude-sonnet-4.6'], route: 'fallback' })).json.model).toBe('anthropic/claude-sonnet-4.6')
})

test('ORLK-6: errors carry their status as code', async () => {
  const poor = await stand.newKey()
  const cases: readonly (readonly [number, Parameters<Stand['ask']>[1], (() => Response)?])[] = [
    [401, { body: hello, key: 'sk-or-v1-nobody' }],
    [402, { body: hello, key: poor.key }],
    [400, { body: { ...hello, model: 'openai/none' } }],
    [400, { body: '{' }],
    [429, { body: hello }, () => Response.json({ error: { message: 'later' } }, { status: 429 })],
    [502, { body: hello }, () => Response.json({ error: { message: 'boom' } }, { status: 500 })],
    [503, { body: hello }, () => Response.json({ error: { message: 'busy' } }, { status: 503 })],
    [408, { body: hello }, () => Response.json({ error: { message: 'slow' } }, { status: 504 })],
  ]
  for (const [status, ask, instead] of cases) {
    stand.model.instead = instead
    const answer = await stand.ask(chat, ask)
    expect([answer.status, answer.json.error.code]).toEqual([status, status])
    expect(answer.json.error.message).toMatch(/\w/)
    expect(answer.json.error.metadata).toBeObject()
  }
  stand.model.instead = undefined
  const anthropic = await stand.ask(`${base}/messages`, {
    body: { ...hello, max_tokens: 5 },
    key: 'sk-or-v1-nobody',
    headers: { 'anthropic-version': '2023-06-01' },
  })
  expect(anthropic.json).toMatchObject({ type: 'error', error: { type: 'authentication_error' } })
})

test('ORLK-7: streams; an error in the middle of one is a chunk', async () => {
  const frames = framesOf((await stand.ask(chat, { body: { ...hello, stream: true } })).text)
  expect(frames.at(-1)).toBe('[DONE]')
  for (const frame of frames.slice(0, -1)) expect(JSON.parse(frame)).toMatchObject({ object: 'chat.completion.chunk', model: hello.model })
  stand.model.instead = () =>
    new Response('data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n', {
      headers: { 'content-type': 'text/event-stream' },
    })
  const broken = framesOf((await stand.ask(chat, { body: { ...hello, stream: true } })).text)
  expect(JSON.parse(broken.at(-1)!).error).toMatchObject({ code: 502, message: expect.stringMatching(/\w/) })
})
