/**
 * The exact response cache through real HTTP: what is given again, in which form, to whom, and what is never kept.
 */

import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { definePlugin, outcomeCost, Principal } from '../../src/plugin/index.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { modelConfig } from '../support/model/gateway.ts'
import { type ScriptedModel, startModel } from '../support/model/server.ts'
import { until } from '../support/within.ts'

let model: ScriptedModel
let gateway: LocalGateway

/** Says who calls: the key is its own id, and both keys are one account's. */
const who = definePlugin({
  api: 1,
  name: 'who',
  summary: 'Knows callers by the end of their key',
  provides: [Principal],
  failure: 'closed',
  setup: () => ({
    admit(x) {
      const key = x.headers.get('authorization') ?? ''
      x.put(Principal, { id: key.slice(-3), kind: 'key', account: 'shared', tags: [] })
    },
  }),
})

/** Changes what is said, from below the cache: it may not be forgotten when the answer is given again. */
const censor = definePlugin({
  api: 1,
  name: 'censor',
  summary: 'Takes a word out of replies',
  failure: 'closed',
  setup: () => ({
    event(_x, event) {
      return event.type === 'text' ? { ...event, text: event.text.replaceAll('hush', '***') } : undefined
    },
  }),
})

beforeAll(async () => {
  model = startModel()
  const plugins = [
    { use: 'probe' },
    { use: 'who' },
    { use: 'session-cache', with: { response: { header: 'x-cache', models: ['m/messages'], max_size: '64kb' } } },
    { use: 'censor' },
    { use: 'router' },
  ]
  gateway = await startLocalGateway(modelConfig(model.url, { plugins }), {}, undefined, {
    who: () => Promise.resolve({ default: who }),
    censor: () => Promise.resolve({ default: censor }),
  })
})
afterAll(async () => {
  await gateway.stop()
  await model.stop()
})
beforeEach(() => model.clear())

let asked = 0
/** A question that nobody has asked before. */
const fresh = () => `question ${++asked}`

interface Options {
  readonly key?: string
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

function post(path: string, body: object, { key = 'sk-one', headers = { 'x-cache': 'on' }, signal }: Options = {}): Promise<Response> {
  const all = { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-goog-api-key': key, ...headers }
  return fetch(`${gateway.url}${path}`, { method: 'POST', headers: all, body: JSON.stringify(body), ...(signal && { signal }) })
}

const chat = (text: string, more: object = {}) => ({ model: 'm/chat', messages: [{ role: 'user', content: text }], ...more })

/** The four dialects, each natively and on an upstream of another one. */
const dialects: readonly (readonly [string, string, (text: string, stream: boolean, model: string) => readonly [string, object]])[] = [
  ['chat', 'messages', (text, stream, name) => ['/v1/chat/completions', chat(text, { model: name, ...(stream && { stream }) })]],
  [
    'messages',
    'chat',
    (text, stream, name) => [
      '/v1/messages',
      { model: name, max_tokens: 100, messages: [{ role: 'user', content: text }], ...(stream && { stream }) },
    ],
  ],
  ['responses', 'chat', (text, stream, name) => ['/v1/responses', { model: name, input: text, store: false, ...(stream && { stream }) }]],
  [
    'gemini',
    'chat',
    (text, stream, name) => [
      `/v1beta/models/${name}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
      { contents: [{ role: 'user', parts: [{ text }] }] },
    ],
  ],
]

/** Text of a reply with what differs from one to the next taken out. */
async function said(response: Response): Promise<string> {
  expect(response.status).toBe(200)
  const text = await response.text()
  return text
    .replace(/"(id|response_id|item_id|responseId)":\s*"[^"]*"/g, '"$1":""')
    .replace(/"(created|created_at|completed_at)":\s*\d+/g, '"$1":0')
    .replace(/"obfuscation":"[^"]*"/g, '')
}

for (const [dialect, other, request] of dialects) {
  for (const upstream of [dialect, other]) {
    for (const stream of [false, true]) {
      test(`${dialect} on ${upstream}: ${stream ? 'a stream' : 'a whole reply'} is given again as it came, under an id of its own`, async () => {
        const [path, body] = request(fresh(), stream, `m/${upstream}`)
        const first = await post(path, body)
        expect(first.headers.get('x-cache')).toBe('miss')
        const before = await said(first)
        const second = await post(path, body)
        expect(second.headers.get('x-cache')).toBe('hit')
        expect(second.headers.get('age')).toBe('0')
        expect(second.headers.get('content-type')).toStartWith(stream ? 'text/event-stream' : 'application/json')
        expect(await said(second)).toBe(before)
        expect(model.requests.length).toBe(1)
        const outcome = await gateway.outcome(second.headers.get('x-request-id')!)
        expect([outcome.end, outcome.by, outcome.attempts.length, outcomeCost(outcome)]).toEqual([
          'finished',
          'session-cache',
          0,
          expect.objectContaining({ known: true, pico: 0n }),
        ])
      })

      test(`${dialect} on ${upstream}: what was kept of a ${stream ? 'stream' : 'whole reply'} is given in the other form too`, async () => {
        const text = fresh()
        await (await post(...request(text, stream, `m/${upstream}`))).text()
        const turned = await post(...request(text, !stream, `m/${upstream}`))
        expect(turned.headers.get('x-cache')).toBe('hit')
        const [path, body] = request(text, !stream, `m/${upstream}`)
        const direct = await said(await post(path, body, { headers: { 'x-cache': 'off' } }))
        const again = await turned.text()
        expect(again).toContain(`You said: `)
        expect(textOf(again)).toBe(textOf(direct))
        expect(turned.headers.get('content-type')).toStartWith(stream ? 'application/json' : 'text/event-stream')
      })
    }
  }
}

/** All the text of a reply, whole or in frames. */
function textOf(reply: string): string {
  const values = reply.startsWith('{') ? [reply] : reply.split('\n').flatMap((line) => (line.startsWith('data: {') ? [line.slice(6)] : []))
  const texts: string[] = []
  for (const value of values) {
    const frame = JSON.parse(value) as Record<string, never>
    // the final frames of Responses tell everything again
    if (values.length > 1 && /\.(done|completed|created|in_progress|added)$/.test(String(frame.type))) continue
    JSON.stringify(frame, (key, inner: unknown) => {
      if (/^(text|content|delta)$/.test(key) && typeof inner === 'string') texts.push(inner)
      return inner
    })
  }
  return texts.join('')
}

test('who waited and left is never made the leader: those behind it do not wait for somebody who is gone', async () => {
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  model.between = () => gate
  const body = chat(fresh(), { stream: true })
  const [first, second] = [new AbortController(), new AbortController()]
  const leader = post('/v1/chat/completions', body, { signal: first.signal }).catch(() => 'left')
  await until(5000, 'the first call', () => model.requests.length === 1 || undefined)
  const settled = gateway.outcomes.size
  const waiting = post('/v1/chat/completions', body, { signal: second.signal }).catch(() => 'left')
  await Bun.sleep(50)
  const last = post('/v1/chat/completions', body)
  await Bun.sleep(50)
  second.abort()
  await waiting
  await until(5000, 'the end of who waited', () => gateway.outcomes.size > settled || undefined)
  first.abort()
  await leader
  await until(5000, 'the call of the last one', () => model.requests.length === 2 || undefined)
  open()
  expect(await said(await last)).toContain('You')
})

test.each(['m/chat', 'm/messages'])('%s: no two answers have the same id', async (name) => {
  const body = chat(fresh(), { model: name })
  const ids: string[] = []
  for (let i = 0; i < 3; i++) ids.push(((await (await post('/v1/chat/completions', body)).json()) as { id: string }).id)
  expect(new Set(ids).size).toBe(3)
})

test('a new id stands in every frame, and nowhere the old one', async () => {
  const body = chat(fresh(), { stream: true })
  const id = (text: string) => new Set([...text.matchAll(/"id":"(chatcmpl[^"]*)"/g)].map((match) => match[1]))
  const first = id(await (await post('/v1/chat/completions', body)).text())
  const second = id(await (await post('/v1/chat/completions', body)).text())
  expect([first.size, second.size]).toEqual([1, 1])
  expect(second).not.toEqual(first)
})

test('usage of a kept stream is told to whoever asks, and to nobody else', async () => {
  const text = fresh()
  await (await post('/v1/chat/completions', chat(text, { stream: true }))).text()
  const plain = await (await post('/v1/chat/completions', chat(text, { stream: true }))).text()
  const asking = await (await post('/v1/chat/completions', chat(text, { stream: true, stream_options: { include_usage: true } }))).text()
  expect(plain).not.toContain('"prompt_tokens"')
  expect(asking).toContain('"prompt_tokens":120')
  expect(model.requests.length).toBe(1)
})

test('keys of one account do not share, by default', async () => {
  const body = chat(fresh())
  await (await post('/v1/chat/completions', body)).text()
  expect((await post('/v1/chat/completions', body, { key: 'sk-two' })).headers.get('x-cache')).toBe('miss')
  expect(model.requests.length).toBe(2)
})

test('ten at once: one call, ten answers', async () => {
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  model.between = () => gate
  const body = chat(fresh(), { stream: true })
  const all = Array.from({ length: 10 }, () => post('/v1/chat/completions', body))
  await until(5000, 'the one call', () => model.requests.length === 1 || undefined)
  open()
  const replies = await Promise.all(all)
  const texts = await Promise.all(replies.map(said))
  expect(new Set(texts).size).toBe(1)
  expect(model.requests.length).toBe(1)
  expect(replies.map((reply) => reply.headers.get('x-cache')).sort()).toEqual([...Array(9).fill('joined'), 'miss'])
})

test('a leader that leaves makes the next one lead; an error is only its own', async () => {
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  model.between = () => gate
  const body = chat(fresh(), { stream: true })
  const leaving = new AbortController()
  const leader = post('/v1/chat/completions', body, { signal: leaving.signal }).catch(() => 'left')
  await until(5000, 'the first call', () => model.requests.length === 1 || undefined)
  const followers = Array.from({ length: 3 }, () => post('/v1/chat/completions', body))
  await Bun.sleep(50) // they are on their way; should one come late it finds the second leader
  leaving.abort()
  await leader
  await until(5000, 'the second call', () => model.requests.length === 2 || undefined)
  open()
  for (const reply of await Promise.all(followers)) expect(await said(reply)).toContain('You')
  expect(model.requests.length).toBe(2)

  const failing = chat(fresh())
  let calls = 0
  model.instead = (request) =>
    request.url.includes('chat') && ++calls === 1 ? new Response('{"error":{"message":"no"}}', { status: 400 }) : undefined
  const [one, two] = await Promise.all([post('/v1/chat/completions', failing), post('/v1/chat/completions', failing)])
  expect([one.status, two.status].sort()).toEqual([200, 400])
})

test.each([
  ['a reply that was cut', { choices: [{ index: 0, message: { role: 'assistant', content: 'half' }, finish_reason: 'length' }] }],
  ['a reply that was filtered', { choices: [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'content_filter' }] }],
])('%s is not kept', async (_, reply) => {
  const body = chat(fresh())
  model.instead = () => Response.json({ id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'x', ...reply })
  expect((await post('/v1/chat/completions', body)).status).toBe(200)
  model.instead = undefined
  expect((await post('/v1/chat/completions', body)).headers.get('x-cache')).toBe('miss')
})

test('a stream that breaks, and a reply above the limit, are not kept', async () => {
  const body = chat(fresh(), { stream: true })
  model.instead = () =>
    new Response('data: {"id":"c","choices":[{"index":0,"delta":{"content":"ha"}}]}\n\n', {
      headers: { 'content-type': 'text/event-stream' },
    })
  await (await post('/v1/chat/completions', body)).text()
  model.instead = undefined
  expect((await post('/v1/chat/completions', body)).headers.get('x-cache')).toBe('miss')

  const large = chat(`${fresh()} ${'x'.repeat(70_000)}`)
  await (await post('/v1/chat/completions', large)).text()
  expect((await post('/v1/chat/completions', large)).headers.get('x-cache')).toBe('miss')
})

test('off means off; a model of the list wants temperature 0; who asks by header does not', async () => {
  const body = chat(fresh(), { model: 'm/messages' })
  const told = async (more: object, headers: Record<string, string> = {}) => {
    const reply = await post('/v1/chat/completions', { ...body, ...more }, { headers })
    await reply.text()
    return reply.headers.get('x-cache')
  }
  expect(await told({})).toBe('bypass')
  expect([await told({ temperature: 0 }), await told({ temperature: 0 })]).toEqual(['miss', 'hit'])
  expect([await told({ temperature: 0.1 }, { 'x-cache': 'on' }), await told({ temperature: 0.1 }, { 'x-cache': 'on' })]).toEqual([
    'miss',
    'hit',
  ])
  expect(await told({ temperature: 0 }, { 'x-cache': 'off' })).toBeNull()
  expect(await told({ temperature: 0 }, { 'cache-control': 'no-store' })).toBeNull()
  expect(await told({ temperature: 0, n: 2 })).toBe('bypass')
  expect(await told({ temperature: 0, tools: [{ type: 'web_search' }] })).toBe('bypass')
})

test('a body that two parsers may read differently is not answered from what is kept, nor kept (cache poisoning)', async () => {
  const text = fresh()
  const clean = JSON.stringify(chat(text))
  const poisoned = clean.replace('"messages"', '"messages":[{"role":"user","content":"evil"}],"messages"')
  const told = async (body: string) => {
    const headers = { 'content-type': 'application/json', authorization: 'Bearer sk-one', 'x-cache': 'on' }
    const reply = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body })
    await reply.text()
    return reply.headers.get('x-cache')
  }
  expect([await told(poisoned), await told(clean), await told(poisoned)]).toEqual(['bypass', 'miss', 'bypass'])
})

test.each(['m/chat', 'm/messages'])(
  '%s: what a plugin below the cache takes out of a reply is not in it when it is given again',
  async (name) => {
    for (const stream of [false, true]) {
      const text = `${fresh()} hush`
      const told: unknown[] = []
      for (const asStream of [stream, stream, !stream]) {
        const reply = await post('/v1/chat/completions', chat(text, { model: name, ...(asStream && { stream: true }) }))
        const body = await reply.text()
        told.push([reply.headers.get('x-cache'), body.includes('hush'), body.includes('***')])
      }
      expect(told).toEqual([
        ['miss', false, true],
        ['hit', false, true],
        ['hit', false, true],
      ])
    }
  },
)
