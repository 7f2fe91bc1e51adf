/** The published API of a router that is a superset of OpenAI's, row by row, on its preset as shipped. */

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { startGateway } from '../../support/gateway.ts'
import { type Answer, root, type Stand, startStand } from '../stand.ts'
import { beginningOfMinute, eventually } from '../support.ts'

setDefaultTimeout(40_000)
let stand: Stand
const generous = { limits: [{ window: '1m', requests: 100_000 }] }
beforeAll(async () => {
  stand = await startStand('anyrouter', { usd: '100', fields: generous })
})
afterAll(() => stand?.stop())
beforeEach(() => stand.model.clear())

const base = '/api/v1'
const chat = `${base}/chat/completions`
const hello = { model: 'openai/gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] }
const message = { model: 'anthropic/claude-sonnet-4.6', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] }
const words = (answer: Answer) => [answer.status, answer.json?.error?.code]

describe('ANYR-1', () => {
  test('ANYR-1: chat, messages, completions and embeddings', async () => {
    expect((await stand.ask(chat, { body: hello })).json).toMatchObject({ object: 'chat.completion', model: 'openai/gpt-4o-mini' })
    for (const model of [message.model, hello.model])
      expect((await stand.ask(`${base}/messages`, { body: { ...message, model } })).json).toMatchObject({
        type: 'message',
        role: 'assistant',
        model,
      })
    expect((await stand.ask(`${base}/completions`, { body: { model: 'openai/gpt-3.5-turbo-instruct', prompt: 'a' } })).json.object).toBe(
      'text_completion',
    )
    expect((await stand.ask(`${base}/embeddings`, { body: { model: 'openai/text-embedding-3-small', input: 'a' } })).json).toMatchObject({
      object: 'list',
      model: 'openai/text-embedding-3-small',
      data: [{ object: 'embedding', index: 0 }],
    })
  })
  test('ANYR-1: the SDKs, with the base URL overridden', async () => {
    const openai = new OpenAI({ apiKey: stand.key, baseURL: stand.url + base })
    expect(
      (await openai.chat.completions.create({ model: hello.model, messages: [{ role: 'user', content: 'Hello' }] })).choices[0]!.message
        .content,
    ).toContain('Hello')
    const anthropic = new Anthropic({ apiKey: stand.key, baseURL: `${stand.url}/api` })
    const said = await anthropic.messages.create({ model: message.model, max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] })
    expect(said.content[0]).toMatchObject({ type: 'text' })
  })
})

test('ANYR-2: models, one of them by its id with a slash, and their count', async () => {
  const { json } = await stand.ask(`${base}/models`)
  const ids = (json.data as { id: string }[]).map(({ id }) => id)
  expect(ids).toContain('anthropic/claude-sonnet-4.6')
  for (const id of ['openai/gpt-4o-mini', 'openai%2Fgpt-4o-mini']) {
    const one = await stand.ask(`${base}/models/${id}`)
    expect([one.status, one.json.id]).toEqual([200, 'openai/gpt-4o-mini'])
  }
  const count = (await stand.ask(`${base}/models/count`)).json
  expect([count.count, count.data.count]).toEqual([ids.length, ids.length])
  expect(words(await stand.ask(`${base}/models/openai/none`))).toEqual([404, 'model_not_found'])
})

describe('ANYR-3', () => {
  const requests = (n: number) =>
    Array.from({ length: n }, (_, i) => ({ custom_id: `r${i}`, body: { ...hello, messages: [{ role: 'user', content: `Number ${i}` }] } }))
  const done = (of: Stand, id: string) =>
    eventually(
      async () => (await of.ask(`${base}/batch/${id}`)).json,
      (job) => /complete|ended/.test(job.status),
    )
  const results = async (of: Stand, id: string) =>
    (await of.ask(`${base}/batch/${id}/results?format=jsonl`)).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { custom_id: string })

  test('ANYR-3: many requests in one submission, results retrievable', async () => {
    const made = await stand.ask(`${base}/batch`, { body: { requests: requests(5) } })
    expect(made.status).toBe(200)
    await done(stand, made.json.id)
    const lines = await results(stand, made.json.id)
    expect(lines.map(({ custom_id }) => custom_id).sort()).toEqual(['r0', 'r1', 'r2', 'r3', 'r4'])
    expect(JSON.stringify(lines)).toContain('Number 3')
    const other = await stand.newKey()
    expect(words(await stand.ask(`${base}/batch/${made.json.id}`, { key: other.key }))[0]).toBe(404)
  })
  test('ANYR-3: more requests than the limit of the key lets through in a minute', async () => {
    const { key } = await stand.newKey({}, '5')
    const made = await stand.ask(`${base}/batch`, { body: { requests: requests(100) }, key })
    await eventually(
      async () => (await stand.ask(`${base}/batch/${made.json.id}`, { key })).json,
      (job) => /complete|ended/.test(job.status),
    )
    expect((await stand.ask(`${base}/batch/${made.json.id}/results?format=jsonl`, { key })).text.trim().split('\n')).toHaveLength(100)
  })
  test('ANYR-3: in the shapes of OpenAI and Anthropic too, by their SDKs', async () => {
    const openai = new OpenAI({ apiKey: stand.key, baseURL: stand.url + base })
    const line = (custom_id: string) => JSON.stringify({ custom_id, method: 'POST', url: '/v1/chat/completions', body: hello })
    const file = await openai.files.create({ purpose: 'batch', file: new File([`${line('a')}\n${line('b')}\n`], 'input.jsonl') })
    const made = await openai.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' })
    const ended = await eventually(
      () => openai.batches.retrieve(made.id),
      ({ status }) => status === 'completed',
    )
    expect(ended.request_counts).toMatchObject({ total: 2, completed: 2, failed: 0 })
    const lines = (await (await openai.files.content(ended.output_file_id!)).text()).trim().split('\n')
    expect(lines.map((text) => JSON.parse(text).custom_id).sort()).toEqual(['a', 'b'])
    expect(JSON.parse(lines[0]!).response.body).toMatchObject({ object: 'chat.completion', model: hello.model })

    const anthropic = new Anthropic({ apiKey: stand.key, baseURL: `${stand.url}/api` })
    const params = { model: message.model, max_tokens: 100, messages: [{ role: 'user' as const, content: 'Hello' }] }
    const batch = await anthropic.messages.batches.create({ requests: [{ custom_id: 'c', params }] })
    await eventually(
      () => anthropic.messages.batches.retrieve(batch.id),
      ({ processing_status }) => processing_status === 'ended',
    )
    for await (const { custom_id, result } of await anthropic.messages.batches.results(batch.id))
      expect([custom_id, result.type]).toEqual(['c', 'succeeded'])
  })
  test('ANYR-3: survives a restart half-way, each item settled exactly once', async () => {
    const own = await startStand('anyrouter', { usd: '100', fields: generous })
    let calls = 0
    own.model.instead = () => {
      calls++
      return undefined
    }
    own.model.between = undefined
    const made = await own.ask(`${base}/batch`, { body: { requests: requests(200) } })
    await eventually(
      () => Promise.resolve(calls),
      (n) => n >= 10,
    )
    await own.restart()
    for (let i = 0; i < 20; i++) {
      const job = (await own.ask(`${base}/batch/${made.json.id}`)).json
      if (/complete|ended/.test(job.status)) break
      await Bun.sleep(1000)
    }
    const lines = await results(own, made.json.id)
    expect(new Set(lines.map(({ custom_id }) => custom_id)).size).toBe(200)
    expect(lines).toHaveLength(200)
    const charges: string[] = []
    let after = ''
    for (;;) {
      const page = (await own.admin(`/budget/accounts/stand/ledger?limit=100${after}`)).json as {
        entries: { id: string; kind: string }[]
        next?: string
      }
      charges.push(...page.entries.filter(({ kind }) => kind === 'charge').map(({ id }) => id))
      if (page.next === undefined) break
      after = `&after=${encodeURIComponent(page.next)}`
    }
    expect(charges).toHaveLength(200)
    expect(new Set(charges).size).toBe(200)
    await own.stop()
  })
})

test('ANYR-4: tokens, cost, latency and provider of a request, for the key that made it', async () => {
  const answer = await stand.ask(chat, { body: hello })
  for (const id of [answer.headers.get('x-request-id')!, answer.json.id as string]) {
    const found = await eventually(
      () => stand.ask(`${base}/generation/${id}`),
      ({ status }) => status === 200,
    )
    expect(found.json.data).toMatchObject({ tokens_input: 120, tokens_output: 30, provider: 'openai', model: 'openai/gpt-4o-mini' })
    expect(JSON.stringify(found.json.data)).toContain('0.0000345')
    expect(found.json.data.latency_ms ?? found.json.data.latency).toBeNumber()
    const other = await stand.newKey()
    expect(words(await stand.ask(`${base}/generation/${id}`, { key: other.key }))[0]).toBe(404)
  }
})

describe('ANYR-5', () => {
  test('ANYR-5: providers', async () => {
    const { json } = await stand.ask(`${base}/providers`)
    expect(JSON.stringify(json)).not.toContain('provider-key')
    expect((json.data as { id?: string; name: string }[]).map(({ id, name }) => id ?? name)).toEqual(['openai', 'anthropic', 'gemini'])
  })
  test('ANYR-5: credits: the remaining balance', async () => {
    const { key } = await stand.newKey({}, '12.50')
    expect((await stand.ask(`${base}/credits`, { key })).json).toMatchObject({ balance: 12.5, currency: 'USD' })
  })
  test('ANYR-5: the info of this key: name, limits, usage; never the key itself', async () => {
    const { key } = await stand.newKey({ name: 'my key', limits: [{ window: '1m', requests: 70 }] }, '5')
    await stand.ask(chat, { body: hello, key })
    const { status, text, json } = await eventually(
      () => stand.ask(`${base}/auth/key`, { key }),
      (answer) => answer.json.data.usage > 0,
    )
    expect(status).toBe(200)
    expect(json.data).toMatchObject({ name: 'my key', limits: [{ window_seconds: 60, requests: 70 }], usage: 0.0000345 })
    expect(text).not.toContain(key)
  })
  test('ANYR-5: health of the gateway and each provider', async () => {
    await stand.ask(chat, { body: hello })
    const { status, json } = await stand.ask(`${base}/health`)
    expect([status, json.status]).toEqual([200, 'operational'])
    expect((json.data as { name: string }[]).map(({ name }) => name)).toEqual(['openai', 'anthropic', 'gemini'])
    expect(json.data[0].status).toBe('operational')
  })
})

test('ANYR-6: a header forces an upstream; unknown or not serving the model is refused, and no other is tried', async () => {
  const to = (provider: string, model = hello.model) =>
    stand.ask(chat, { body: { ...hello, model }, headers: { 'X-AnyRouter-Provider': provider } })
  expect((await to('openai')).status).toBe(200)
  for (const provider of ['nobody', 'anthropic']) {
    const answer = await to(provider)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(Object.keys(answer.json.error).sort()).toEqual(['code', 'message', 'param', 'type'])
  }
  expect(stand.model.requests).toHaveLength(1)
  expect(stand.model.requests[0]!.headers.get('x-anyrouter-provider')).toBeNull()
  stand.model.instead = () => Response.json({ error: { message: 'boom', type: 'server_error' } }, { status: 500 })
  expect((await to('openai')).status).toBe(500)
})

test('ANYR-7: the trace id of a client stands in the record and can be searched for', async () => {
  const trace = `trace-${crypto.randomUUID()}`
  const answer = await stand.ask(chat, { body: hello, headers: { 'X-AnyRouter-Trace-Id': trace } })
  const { out, code } = await stand.headgate('audit', 'query', '--trace', trace, '-o', 'json')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ trace_id: trace, request_id: answer.headers.get('x-request-id') })
})

/** Every kind of error that can be had from outside. */
async function allErrors(): Promise<readonly Answer[]> {
  stand.model.instead = (_, body) =>
    body.model === 'gpt-4-turbo' ? Response.json({ error: { message: 'boom' } }, { status: 500 }) : undefined
  const limited = await stand.newKey({ limits: [{ window: '1m', requests: 1 }] })
  await beginningOfMinute()
  await stand.ask(`${base}/models`, { key: limited.key })
  return [
    await stand.ask(chat, { body: hello, key: null }),
    await stand.ask(chat, { body: hello, key: 'sk-ar-nobody' }),
    await stand.ask(`${base}/messages`, { body: message, key: 'sk-ar-nobody', headers: { 'anthropic-version': '2023-06-01' } }),
    await stand.ask(`${base}/messages`, { body: { ...message, model: 'none' }, headers: { 'anthropic-version': '2023-06-01' } }),
    await stand.ask(chat, { body: '{"model":' }),
    await stand.ask(chat, { body: { ...hello, model: 'openai/none' } }),
    await stand.ask(chat, { body: { ...hello, model: 'openai/gpt-4-turbo' } }),
    await stand.ask(chat, { body: hello, key: limited.key }),
    await stand.ask(`${base}/messages`, { body: message, key: limited.key, headers: { 'anthropic-version': '2023-06-01' } }),
    await stand.ask(chat, { body: hello, key: (await stand.newKey()).key }),
    await stand.ask(chat),
    await stand.ask(`${base}/models/openai/none`),
    await stand.ask(`${base}/generation/none`),
    await stand.ask(`${base}/batch/none`),
    await stand.ask(`${base}/batch`, { body: {} }),
    await stand.ask(`${base}/batch`, { body: '{' }),
    await stand.ask(`${base}/none`),
    await stand.ask('/none', { key: null }),
    await stand.ask('/health', { key: null }),
    await stand.ask('/ready', { key: null }),
    await stand.ask(`${base}/models`, { method: 'POST', body: {} }),
  ]
}

test('ANYR-8: every error has the envelope of the page', async () => {
  for (const { status, json, text } of await allErrors()) {
    expect([text, status >= 400]).toEqual([text, true])
    expect([text, Object.keys(json)]).toEqual([text, ['error']])
    expect([text, Object.keys(json.error)]).toEqual([text, expect.arrayContaining(['message', 'type', 'param', 'code'])])
    expect(typeof json.error.message).toBe('string')
    expect(typeof json.error.type).toBe('string')
  }
})

test('ANYR-8: an empty balance is insufficient_credits', async () => {
  const { key } = await stand.newKey()
  expect(words(await stand.ask(chat, { body: hello, key }))).toEqual([402, 'insufficient_credits'])
})

test('ANYR-8: 429 is rate_limit_error, rate_limited', async () => {
  const limited = (await allErrors()).filter(({ status }) => status === 429)
  expect(limited).toHaveLength(2)
  for (const { json } of limited) expect(json.error).toMatchObject({ type: 'rate_limit_error', code: 'rate_limited', param: null })
})

test('ANYR-9: every response says where the limit stands', async () => {
  const { key } = await stand.newKey({}, '5')
  await beginningOfMinute()
  const good = [
    await stand.ask(chat, { body: hello, key }),
    await stand.ask(chat, { body: { ...hello, stream: true }, key }),
    await stand.ask(`${base}/messages`, { body: message, key }),
    await stand.ask(`${base}/models`, { key }),
    await stand.ask(`${base}/models/count`, { key }),
    await stand.ask(`${base}/providers`, { key }),
    await stand.ask(`${base}/credits`, { key }),
    await stand.ask(`${base}/auth/key`, { key }),
    await stand.ask(`${base}/health`, { key }),
  ]
  const window = Math.ceil(Date.now() / 60_000) * 60
  for (const [i, { status, headers }] of good.entries()) {
    expect(status).toBe(200)
    expect([headers.get('X-RateLimit-Limit'), headers.get('X-RateLimit-Remaining'), headers.get('X-RateLimit-Reset')]).toEqual([
      '60',
      String(59 - i),
      String(window),
    ])
  }
  for (const { headers, text } of await allErrors()) {
    for (const name of ['Limit', 'Remaining', 'Reset'])
      expect([text, name, headers.get(`X-RateLimit-${name}`)]).toEqual([text, name, expect.stringMatching(/^\d+$/)])
  }
})

test('ANYR-9: also pages for people, errors on their way, and the last words of a gateway that ends', async () => {
  const { restart, model } = stand
  const held = Promise.withResolvers<void>()
  const limits = ({ headers }: Answer) => ['Limit', 'Remaining', 'Reset'].map((name) => headers.get(`X-RateLimit-${name}`))
  const told = [expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+$/)]
  for (const path of ['/docs', '/docs/json']) {
    const page = await stand.ask(path, { key: null })
    expect([page.status, limits(page)]).toEqual([200, told])
  }
  const none = await stand.ask('/docs/none', { key: null })
  expect([words(none), limits(none)]).toEqual([[404, 'not_found'], told])
  model.between = () => held.promise
  const running = stand.ask(chat, { body: { ...hello, stream: true } })
  await eventually(
    async () => model.requests.length,
    (n) => n > 0,
  )
  stand.gateway.signal('SIGTERM')
  const last = await eventually(
    () => stand.ask(`${base}/models`),
    ({ status }) => status !== 200,
  )
  expect([last.status, last.json.error.type, limits(last)]).toEqual([503, 'server_error', told])
  held.resolve()
  expect((await running).status).toBe(200)
  await restart()
})

describe('ANYR-10', () => {
  test('ANYR-10: a route and a model that are marked answer with Deprecation and Sunset', async () => {
    const route = await stand.ask(`${base}/completions`, { body: { model: 'openai/gpt-3.5-turbo-instruct', prompt: 'a' } })
    const model = await stand.ask(chat, { body: { ...hello, model: 'openai/gpt-4-turbo' } })
    for (const { status, headers } of [route, model]) {
      expect(status).toBe(200)
      expect(headers.get('Deprecation')).toBe(`@${Date.UTC(2026, 5, 1) / 1000}`)
      expect(headers.get('Sunset')).toBe('Tue, 01 Jun 2027 00:00:00 GMT')
    }
    expect((await stand.ask(chat, { body: hello })).headers.get('Deprecation')).toBeNull()
  })
  test('ANYR-10: /v2 beside /v1', async () => {
    const config = readFileSync(join(root, 'config/presets/anyrouter.yaml'), 'utf8').replace('  # - { path: /api/v2', '  - { path: /api/v2')
    const both = await startGateway({ config, env: stand.env })
    for (const version of ['v1', 'v2']) {
      const response = await fetch(`${both.url}/api/${version}/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${stand.key}`, 'content-type': 'application/json' },
        body: JSON.stringify(hello),
      })
      expect(response.status).toBe(200)
    }
    await both.stop()
  })
})
