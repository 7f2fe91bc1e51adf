/** The published API of a gateway that keeps sessions and tells what it saved, row by row, on its preset as shipped. */

import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type Stand, startStand } from '../stand.ts'
import { eventually, framesOf } from '../support.ts'

setDefaultTimeout(30_000)
let stand: Stand
beforeAll(async () => {
  stand = await startStand('synrouter', { usd: '100' })
})
afterAll(() => stand?.stop())
beforeEach(() => stand.model.clear())

/** The curls of the page. */
const greeting = { model: 'deepseek/deepseek-v4-flash', messages: [{ role: 'user', content: 'Return a JSON object with one greeting.' }] }
const explain = {
  model: 'anthropic/claude-sonnet-4.6',
  max_tokens: 256,
  messages: [{ role: 'user', content: 'Explain session-aware caching.' }],
}
const chat = '/api/v1/chat/completions'
const messages = '/api/anthropic/v1/messages'
const names = ['x-synrouter-cache-savings-usd', 'x-synrouter-trim-savings-usd', 'x-synrouter-trimmed-tokens'] as const
const decimal = /^-?\d+(\.\d+)?$/
/** A conversation with a long result of a tool, as data APIs print it. */
const weather = (turns = 1) => ({
  ...greeting,
  messages: [
    { role: 'user', content: 'Which of the stations is the warmest?' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'mcp__weather__list_stations', arguments: '{"country":"DE"}' } }],
    },
    {
      role: 'tool',
      tool_call_id: 'call_1',
      content: JSON.stringify(
        {
          stations: Array.from({ length: 60 }, (_, i) => ({
            id: i,
            name: `Station ${i}`,
            temperature_c: 10 + (i % 7),
            condition: 'Cloudy',
            active: true,
          })),
        },
        null,
        4,
      ),
    },
    ...Array.from({ length: turns - 1 }, (_, i) => ({ role: i % 2 === 0 ? 'assistant' : 'user', content: `Turn ${i}` })),
  ],
  tools: [
    {
      type: 'function',
      function: { name: 'mcp__weather__list_stations', parameters: { type: 'object', properties: { country: { type: 'string' } } } },
    },
  ],
})

test('SYNR-1: both APIs at all their paths', async () => {
  for (const path of [chat, '/v1/chat/completions'])
    expect((await stand.ask(path, { body: greeting })).json).toMatchObject({ object: 'chat.completion', model: greeting.model })
  for (const path of [messages, '/anthropic/v1/messages'])
    expect((await stand.ask(path, { body: explain })).json).toMatchObject({ type: 'message', role: 'assistant', model: explain.model })
  for (const path of ['/api/v1/models', '/v1/models'])
    expect((await stand.ask(path)).json).toMatchObject({
      object: 'list',
      data: expect.arrayContaining([expect.objectContaining({ id: greeting.model, object: 'model' })]),
    })
})

test('SYNR-1: the SDKs', async () => {
  for (const base of ['/api/v1', '/v1']) {
    const client = new OpenAI({ apiKey: stand.key, baseURL: stand.url + base })
    expect(
      (await client.chat.completions.create({ model: greeting.model, messages: [{ role: 'user', content: 'Hello' }] })).choices[0]!.message
        .content,
    ).toContain('Hello')
  }
  for (const base of ['/api/anthropic', '/anthropic']) {
    const client = new Anthropic({ apiKey: stand.key, baseURL: stand.url + base })
    const said = await client.messages.create({ model: explain.model, max_tokens: 256, messages: [{ role: 'user', content: 'Hello' }] })
    expect(said.content[0]).toMatchObject({ type: 'text', text: expect.stringContaining('Hello') })
  }
})

test('SYNR-2: keys, as a bearer and as x-api-key', async () => {
  expect(stand.key).toStartWith('sk-sr-')
  for (const [path, body] of [
    [chat, greeting],
    [messages, explain],
  ] as const) {
    expect((await stand.ask(path, { body })).status).toBe(200)
    expect((await stand.ask(path, { body, key: null, headers: { 'x-api-key': stand.key } })).status).toBe(200)
    expect((await stand.ask(path, { body, key: 'sk-sr-nobody' })).status).toBe(401)
    expect((await stand.ask(path, { body, key: null })).status).toBe(401)
  }
})

test('SYNR-3: pricing needs no key: USD per million tokens for every model', async () => {
  const { status, json } = await stand.ask('/api/sr/pricing', { key: null })
  expect(status).toBe(200)
  const prices = Object.fromEntries(
    (json.data as { id: string }[]).map(({ id, ...price }) => [id, (price as { pricing?: object }).pricing ?? price]),
  ) as Record<string, object>
  expect(Object.keys(prices).sort()).toEqual(['anthropic/claude-sonnet-4.6', 'deepseek/deepseek-v4-flash', 'openai/gpt-4o-mini'])
  expect(prices['anthropic/claude-sonnet-4.6']).toMatchObject({ input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 })
  expect(prices['deepseek/deepseek-v4-flash']).toMatchObject({ input: 0.14, output: 0.28, cache_read: 0.028 })
})

test('SYNR-4: the same conversation has the same id, another one or another key never', async () => {
  const other = await stand.newKey({}, '10')
  const idOf = async (path: string, body: object, key?: string) => {
    const { status, headers } = await stand.ask(path, { body, ...(key && { key }) })
    expect(status).toBe(200)
    return headers.get('x-synrouter-session-id')!
  }
  for (const [path, body] of [
    [chat, greeting],
    [messages, explain],
  ] as const) {
    const topic = `About ${crypto.randomUUID()}`
    const first = { ...body, messages: [{ role: 'user', content: topic }] }
    const reply = await stand.ask(path, { body: first })
    const said = path === chat ? reply.json.choices[0].message.content : reply.json.content[0].text
    const id = reply.headers.get('x-synrouter-session-id')
    expect(id).toBeString()
    const next = { ...body, messages: [...first.messages, { role: 'assistant', content: said }, { role: 'user', content: 'Go on.' }] }
    expect(await idOf(path, next)).toBe(id!)
    expect(await idOf(path, { ...next, stream: true })).toBe(id!)
    expect(await idOf(path, next, other.key)).not.toBe(id!)
    expect(await idOf(path, { ...body, messages: [{ role: 'user', content: `Not ${topic}` }] })).not.toBe(id!)
  }
})

test('SYNR-4: every inference response has one, also where there is no conversation to go on with', async () => {
  const other = await stand.newKey({}, '10')
  const idOf = async (path: string, body: object, headers: Record<string, string> = {}, key = stand.key) => {
    const answer = await stand.ask(path, { body, headers, key })
    expect(answer.status).toBe(200)
    return answer.headers.get('x-synrouter-session-id')
  }
  for (const [path, body] of [
    ['/api/v1/completions', { model: 'openai/gpt-4o-mini', prompt: 'Once upon a time' }],
    ['/api/v1/completions', { model: 'openai/gpt-4o-mini', prompt: 'Once upon a time', stream: true }],
    ['/api/v1/embeddings', { model: 'openai/gpt-4o-mini', input: 'Once upon a time' }],
    ['/api/v1/responses', { model: 'openai/gpt-4o-mini', input: 'Once upon a time' }],
    ['/api/anthropic/v1/messages/count_tokens', explain],
  ] as const) {
    const ids = [await idOf(path, body), await idOf(path, body, {}, other.key)]
    expect([path, ...ids]).toEqual([path, expect.stringMatching(/^s_/), expect.stringMatching(/^s_/)])
    expect(ids[0]).not.toBe(ids[1])
    // a client that names its session is in that one, whatever it asks for
    const named = { 'x-session-id': 'mine' }
    expect(await idOf(path, body, named)).toBe(await idOf(chat, greeting, named))
    expect(await idOf(path, body, named)).not.toBe(await idOf(path, body, named, other.key))
  }
})

test('SYNR-5: savings by cache reads, a decimal; 0 when none', async () => {
  // 20 tokens were read: 0.14 − 0.028 and 3 − 0.30 per million less each
  for (const [path, body, saved] of [
    [chat, greeting, '0.00000224'],
    [messages, explain, '0.000054'],
  ] as const) {
    expect((await stand.ask(path, { body })).headers.get('x-synrouter-cache-savings-usd')).toBe(saved)
  }
  stand.model.instead = () =>
    Response.json({
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 },
    })
  expect((await stand.ask(chat, { body: greeting })).headers.get('x-synrouter-cache-savings-usd')).toBe('0')
})

test('SYNR-6: what the reduction of tool results removed before routing', async () => {
  const body = weather()
  const { status, headers } = await stand.ask(chat, { body })
  expect(status).toBe(200)
  const sent = JSON.stringify(stand.model.requests[0]!.body)
  expect(sent.length).toBeLessThan(JSON.stringify(body).length - 1000)
  expect(sent).toContain('Station 59')
  expect(Number(headers.get('x-synrouter-trimmed-tokens'))).toBeGreaterThan(100)
  expect(headers.get('x-synrouter-trimmed-tokens')).toMatch(/^\d+$/)
  expect(headers.get('x-synrouter-trim-savings-usd')).toMatch(decimal)
  expect(Number(headers.get('x-synrouter-trim-savings-usd'))).toBeGreaterThan(0)
  const none = await stand.ask(chat, { body: greeting })
  expect([none.headers.get('x-synrouter-trimmed-tokens'), none.headers.get('x-synrouter-trim-savings-usd')]).toEqual(['0', '0'])
})

test('SYNR-7: what is not known when the headers of a stream leave comes in its last usage event', async () => {
  const streamed = await stand.ask(chat, { body: { ...weather(), stream: true } })
  const [cache, trim, tokens] = names.map((name) => streamed.headers.get(name))
  expect([cache, trim]).toEqual([null, null])
  expect(Number(tokens)).toBeGreaterThan(100)
  const frames = framesOf(streamed.text)
  const { usage } = JSON.parse(frames.at(-2)!)
  expect(frames.at(-1)).toBe('[DONE]')
  expect(usage.cache_savings_usd).toBeCloseTo(0.00000224, 12)
  expect(usage.trim_savings_usd).toBeGreaterThan(0)
  const anthropic = framesOf((await stand.ask(messages, { body: { ...explain, stream: true } })).text).map((frame) => JSON.parse(frame))
  expect(anthropic.findLast((event) => event.usage !== undefined)!.usage.cache_savings_usd).toBeCloseTo(0.000054, 12)
})

test('SYNR-8: the bill is what was really used, also after a fallback', async () => {
  const { key } = await stand.newKey({ account: 'billed' }, '10')
  const spent = async () => 10 - (await stand.admin('/budget/accounts/billed')).json.balance
  await stand.ask(chat, { body: greeting, key })
  // 100 × 0.14 + 20 × 0.028 + 30 × 0.28 per million
  const first = 0.00002296
  await eventually(spent, (now) => Math.abs(now - first) < 1e-9)
  stand.model.instead = (_, body) =>
    body.model === 'deepseek-v4-flash' ? Response.json({ error: { message: 'boom' } }, { status: 500 }) : undefined
  const fallen = await stand.ask(chat, { body: { ...greeting, models: ['openai/gpt-4o-mini'] }, key })
  expect(fallen.json.model).toBe('openai/gpt-4o-mini')
  // 100 × 0.15 + 20 × 0.075 + 30 × 0.60 per million
  await eventually(spent, (now) => Math.abs(now - first - 0.0000345) < 1e-9)
})
