/** Spans as a collector gets them, and trace context in and out. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { definePlugin, type Plugin, Principal, Session, unknownUsage } from 'headgate/plugin'
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

/** A host without a gateway. */
const quiet = {
  lost: 0,
  counter: () => ({ add: (n: number) => void (quiet.lost += n) }),
  task() {},
  fetch,
  log: { warn() {}, info() {} },
}
const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const start = async (more: object = {}, below: Plugin[] = []) => {
  kit = await testPlugin(traces, {
    with: { endpoint: `http://127.0.0.1:${collector.port}/v1/traces`, headers: { 'x-api-key': 'collector-secret' }, ...more },
    below,
    slots: [
      [Principal, Principal.example],
      [Session, { id: 'ses_1', turn: 1 }],
    ],
  })
}
/** The spans of exchanges and calls. */
const spans = async (count: number): Promise<Span[]> => (await all(count, (span) => span.kind !== 1)).filter((span) => span.kind !== 1)
const all = async (count: number, counted: (span: Span) => boolean): Promise<Span[]> => {
  for (let i = 0; i < 300; i++) {
    const found = posts.flatMap(
      (p) => (JSON.parse(p.body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }).resourceSpans[0]!.scopeSpans[0]!.spans,
    )
    if (found.filter(counted).length >= count) return found
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
  expect(told(call!)).toMatchObject({
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.stream': true,
    'server.address': 'upstream.test',
    'server.port': '80',
  })
  expect(BigInt(root!.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root!.startTimeUnixNano))
  expect(root!.startTimeUnixNano).toMatch(/^\d{19}$/)
  expect(posts[0]!.headers.get('x-api-key')).toBe('collector-secret')
})

test('the span of an exchange tells the usage of all calls that its reply came from, those of the calls each its own', async () => {
  const goesOn = definePlugin({
    api: 1,
    name: 'goes-on',
    summary: 'Goes on',
    failure: 'open',
    setup: () => ({ resume: (_x, _broken, next) => next() }),
  })
  const said = (content: string, input: number) =>
    `data: ${JSON.stringify({
      id: 'c',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: [{ index: 0, delta: { content }, finish_reason: null }],
      usage: { prompt_tokens: input, completion_tokens: 1, total_tokens: input + 1 },
    })}\n\n`
  await start({}, [goesOn])
  kit.upstream((_, call) => (call === 0 ? { body: [said('On', 90), said('e', 90)], breakAfter: 2 } : {}))
  await kit.chat({ stream: true })
  const tokens = (await spans(3)).filter((span) => span.kind !== 1).map((span) => told(span)['gen_ai.usage.input_tokens'])
  expect(tokens).toEqual(['97', '90', '7'])
})

test('one span for each plugin that ran, with its own time, what it did and its hooks; and one for each attempt', async () => {
  const slow = definePlugin({
    api: 1,
    name: 'slow',
    summary: 'Takes its time, and tries twice',
    failure: 'open',
    setup: () => ({
      async request(x) {
        x.note('secret words')
        await Bun.sleep(12)
      },
      async around(_, next) {
        const first = await next()
        return first.ok ? first : await next()
      },
    }),
  })
  const idle = definePlugin({ api: 1, name: 'idle', summary: 'Has no hook that runs', failure: 'open', setup: () => ({}) })
  await start({}, [slow, idle])
  kit.upstream({ status: 500 })
  await kit.chat()
  const found = await all(2, (span) => span.name === 'plugin slow' || span.kind === 2)
  const [root] = found
  const plugins = found.filter((span) => span.kind === 1)
  expect(found.filter((span) => span.kind === 3)).toHaveLength(2)
  expect(plugins.map((span) => span.name)).toContain('plugin slow')
  expect(plugins.map((span) => span.name)).not.toContain('plugin idle')
  const span = plugins.find((one) => one.name === 'plugin slow')!
  expect(span).toMatchObject({ traceId: root!.traceId, parentSpanId: root!.spanId, status: {} })
  expect(span.events!.map((event) => event.name)).toEqual(['headgate.hook.request', 'headgate.hook.around'])
  const own = Number(told(span)['headgate.plugin.own_ms'])
  expect(own).toBeGreaterThan(11)
  const length = Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6
  expect(length).toBeGreaterThanOrEqual(own - 0.01)
  expect(told(span)['headgate.plugin.did']).toBe('noted')
  // the calls lie within it
  for (const call of found.filter((one) => one.kind === 3)) {
    expect(BigInt(call.startTimeUnixNano) >= BigInt(span.startTimeUnixNano)).toBe(true)
    expect(BigInt(call.endTimeUnixNano) <= BigInt(span.endTimeUnixNano)).toBe(true)
  }
  expect(posts.map((p) => p.body).join()).not.toContain('secret words')
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

test('while a collector is away the newest wait, so many as may, and the rest is counted', async () => {
  await start()
  status = 503
  const plugin = await traces.setup(
    quiet as never,
    { endpoint: `http://127.0.0.1:${collector.port}/`, headers: {}, service: 's', every: 1000 } as never,
  )
  const outcome = { status: 200, end: 'finished', timings: { endAt: 1 }, attempts: [], usage: unknownUsage, verdicts: [], stream: false }
  for (let i = 0; i < 8200; i++) {
    const x = { id: `req_${i}`, operation: 'chat', method: 'POST', path: '/', receivedAt: 0, dialect: 'd', peek: () => undefined }
    await plugin.settle?.({ ...x, state: { context: contextOf('', 1), calls: [] } } as never, outcome as never)
  }
  expect(quiet.lost).toBe(8)
  await plugin.close?.()
  expect(quiet.lost).toBe(8200)
  status = 200
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
