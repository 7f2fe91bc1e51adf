/** Spans as a collector gets them, and trace context in and out. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { Principal, Session } from 'headgate/plugin'
import { type PluginKit, testPlugin } from 'headgate/testkit'
import { contextOf, traceparent } from './context.ts'
import traces from './index.ts'
import type { Span } from './spans.ts'

let posts: { headers: Headers; body: string }[]
let status = 200
let collector: Bun.Server<undefined>
let kit: PluginKit
beforeEach(() => {
  posts = []
  status = 200
  collector = Bun.serve({
    port: 0,
    async fetch(request) {
      posts.push({ headers: request.headers, body: await request.text() })
      return new Response('{}', { status })
    },
  })
})
afterEach(async () => {
  await kit.close()
  await collector.stop(true)
})

const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const start = async (more: object = {}) => {
  kit = await testPlugin(traces, {
    with: { endpoint: `http://127.0.0.1:${collector.port}/v1/traces`, headers: { 'x-api-key': 'collector-secret' }, ...more },
    slots: [
      [Principal, Principal.example],
      [Session, { id: 'ses_1', turn: 1 }],
    ],
  })
}
const spans = async (count: number): Promise<Span[]> => {
  for (let i = 0; i < 300; i++) {
    const all = posts.flatMap(
      (p) => (JSON.parse(p.body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }).resourceSpans[0]!.scopeSpans[0]!.spans,
    )
    if (all.length >= count) return all
    await kit.clock.advance(1000)
    await Bun.sleep(2)
  }
  throw new Error(`there are not ${count} spans`)
}
const told = (span: Span) => Object.fromEntries(span.attributes.map(({ key, value }) => [key, Object.values(value)[0] as unknown]))

test('a span of the exchange, below that of the client, and one of the call, which the upstream was told', async () => {
  await start()
  const r = await kit.chat({ stream: true }, { headers: { traceparent: parent, tracestate: 'a=b' } })
  const [root, call] = await spans(2)
  expect(root).toMatchObject({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    parentSpanId: 'b7ad6b7169203331',
    name: 'chat test-model',
    kind: 2,
    status: {},
  })
  expect(call).toMatchObject({ traceId: root!.traceId, parentSpanId: root!.spanId, kind: 3 })
  expect(r.sent[0]!.headers.get('traceparent')).toBe(`00-${root!.traceId}-${call!.spanId}-01`)
  expect(r.sent[0]!.headers.get('tracestate')).toBe('a=b')
  expect(told(root!)).toMatchObject({
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'test-model',
    'gen_ai.usage.input_tokens': '7',
    'gen_ai.usage.output_tokens': '5',
    'gen_ai.conversation.id': 'ses_1',
    'http.response.status_code': '200',
    'headgate.request.id': r.id,
    'headgate.key': 'key_example',
  })
  expect(told(call!)).toMatchObject({ 'gen_ai.provider.name': 'openai', 'server.address': 'upstream.test', 'server.port': '80' })
  expect(BigInt(root!.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root!.startTimeUnixNano))
  expect(root!.startTimeUnixNano).toMatch(/^\d{19}$/)
  expect(posts[0]!.headers.get('x-api-key')).toBe('collector-secret')
})

test('a failed call is an error, with its kind; sentences of upstreams stay out', async () => {
  await start()
  kit.upstream({ status: 500, message: 'secret words' })
  await kit.chat()
  const [root, call] = await spans(2)
  expect(root!.status.code).toBe(2)
  expect(told(root!)['error.type']).toBe('upstream_error')
  expect(told(call!)['error.type']).toBe('500')
  expect(posts[0]!.body).not.toContain('secret words')
})

test('a trace that is not sampled leaves no span, and its context goes on', async () => {
  await start({ sample: 0 })
  const own = await kit.chat()
  expect(own.sent[0]!.headers.get('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  await kit.chat({}, { headers: { traceparent: parent.replace(/01$/, '00') } })
  await kit.chat({}, { headers: { traceparent: parent } })
  expect((await spans(2)).map((s) => s.traceId)).toEqual(Array(2).fill('0af7651916cd43dd8448eb211c80319c'))
})

test('a collector that fails gets them later', async () => {
  await start()
  status = 503
  await kit.chat()
  await spans(2)
  posts = []
  status = 200
  expect(await spans(2)).toHaveLength(2)
  posts = []
  await kit.clock.advance(10_000)
  expect(posts).toEqual([])
})

test.each([
  '',
  'x',
  parent.replace('00-', 'ff-'),
  `${parent}-x`,
  parent.replace(/0af[0-9a-f]+/, '0'.repeat(32)),
  parent.replace('b7ad6b7169203331', '0'.repeat(16)),
])('the broken header %p counts as none', async (header) => {
  await start()
  const context = contextOf(header, 1)
  expect(context.parent).toBeUndefined()
  expect(traceparent(context, context.span)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
})
