/** One try after another: what is tried again and what is not, in which budget, and what the client learns when nothing helped. */

import { describe, expect, test } from 'bun:test'
import { definePlugin, Principal } from 'headgate/plugin'
import { type SentRequest, textEvents, type UpstreamAnswer } from 'headgate/testkit'
import { backoffOf } from './attempts.ts'
import { byModel, kitOf } from './fallback.fixture.ts'

const modelsOf = (sent: readonly SentRequest[]) => sent.map((s) => (s.json as { model: string }).model)

describe('goes on to the next target', () => {
  const faults: readonly (readonly [string, UpstreamAnswer, object])[] = [
    ['unreachable', { unreachable: true }, { failure: 'connect' }],
    ['408', { status: 408 }, { failure: 'status', status: 408 }],
    ['409', { status: 409 }, { failure: 'status', status: 409 }],
    ['429', { status: 429, headers: { 'retry-after': '30' } }, { failure: 'status', retryAfter: 30 }],
    ['500', { status: 500 }, { failure: 'status' }],
    ['529', { status: 529 }, { failure: 'status' }],
    ["401: the gateway's key is refused", { status: 401 }, { failure: 'status', status: 401 }],
    ['403', { status: 403 }, { failure: 'status', status: 403 }],
    ['404', { status: 404 }, { failure: 'status', status: 404 }],
    [
      '400 for what it can not do',
      { status: 400, message: "Unsupported parameter: 'tools' is not supported with this model." },
      { failure: 'status' },
    ],
    [
      'an error in a 200 (B07)',
      { body: '{"error":{"message":"Overloaded","type":"server_error","code":"overloaded"}}' },
      { failure: 'error_in_reply' },
    ],
    ['nothing in a 200 (B12)', { body: '' }, { failure: 'empty' }],
    ['HTML in a 200', { body: '<html>hello</html>' }, { failure: expect.stringMatching(/bad_reply|empty/) }],
  ]
  for (const [name, fault, attempt] of faults) {
    test(`after ${name}, streamed or whole`, async () => {
      for (const stream of [false, true]) {
        const kit = await kitOf({ upstream: byModel({ one: fault }) })
        const r = await kit.chat({ model: 'mixed', stream })
        expect(r).toMatchObject({ status: 200, text: 'two', outcome: { end: 'finished', upstream: 'anthropic' } })
        expect(r.outcome.attempts).toMatchObject([
          { model: 'one', ...attempt },
          { model: 'two', status: 200 },
        ])
        expect(r.headers.get('x-should-retry')).toBeNull()
        expect(await kit.close()).toBe(true)
      }
    })
  }

  test('B10: after a stream that dies before its first content, with one beginning only', async () => {
    const kit = await kitOf({ upstream: byModel({ one: { breakAfter: 1 } }) })
    for (const dialect of ['openai-chat', 'anthropic-messages']) {
      const r = await kit.send({ dialect, body: { model: dialect === 'openai-chat' ? 'm' : 'mixed', stream: true } })
      expect(r.text).toBe(dialect === 'openai-chat' ? 'two' : 'two')
    }
    const messages = await kit.messages({ model: 'm', stream: true })
    expect(messages.text).toBe('two')
    expect(messages.body.match(/"type":"message_start"/g)).toHaveLength(1)
    expect(messages.outcome.attempts).toMatchObject([{ failure: 'reset' }, { status: 200 }])
    await kit.close()
  })

  test('in another dialect: each try is made of what the client sent (B13)', async () => {
    const kit = await kitOf({ upstream: byModel({ one: { status: 500 } }) })
    const r = await kit.chat({ model: 'mixed', stream: true, custom: { of: 'openai' } })
    expect(r).toMatchObject({ status: 200, text: 'two' })
    expect(r.sent.map((s) => s.dialect)).toEqual(['openai-chat', 'anthropic-messages'])
    expect(r.sent[0]!.json).toMatchObject({ custom: { of: 'openai' } })
    const back = await kit.messages({ model: 'mixed' })
    expect(back.sent.map((s) => s.dialect)).toEqual(['anthropic-messages'])
    await kit.close()
  })

  test('at another upstream first, where nobody was there', async () => {
    const kit = await kitOf({ with: { prefer_native: false }, upstream: byModel({ one: { unreachable: true } }) })
    expect((await kit.chat({ model: 'near' })).outcome.attempts.map((a) => a.model)).toEqual(['one', 'three'])
    kit.upstream(byModel({ one: { status: 500 } }))
    expect((await kit.chat({ model: 'near' })).outcome.attempts.map((a) => a.model)).toEqual(['one', 'two'])
    await kit.close()
  })

  test('and back into the dialect of the client: what the first try dropped is not said of the second', async () => {
    const kit = await kitOf({ with: { prefer_native: false }, upstream: byModel({ one: { status: 500 } }) })
    const r = await kit.messages({ model: 'mixed', top_k: 3 })
    expect(r).toMatchObject({ status: 200, text: 'two' })
    expect(r.sent.map((s) => s.dialect)).toEqual(['openai-chat', 'anthropic-messages'])
    expect(r.sent[1]!.json).toMatchObject({ top_k: 3, model: 'two' })
    expect(r.headers.get('x-gateway-dropped')).toBeNull()
    expect(r.outcome.dropped).toBeUndefined()
    await kit.close()
  })
})

describe('does not go on', () => {
  const final: readonly (readonly [string, UpstreamAnswer])[] = [
    ['400', { status: 400, message: 'messages: at least one is required' }],
    ['413', { status: 413 }],
    ['422', { status: 422, message: 'temperature must be a number' }],
    [
      'a filter',
      { status: 400, body: '{"error":{"message":"filtered","type":"invalid_request_error","code":"content_filter","param":null}}' },
    ],
    ['an overflow of the context of a model', { status: 400, message: "This model's maximum context length is 1000 tokens" }],
  ]
  test.each(final)('after %s', async (_name, answer) => {
    const kit = await kitOf({ upstream: byModel({ one: answer }) })
    const r = await kit.chat({ model: 'm' })
    expect(r.status).toBe(answer.status!)
    expect(modelsOf(r.sent)).toEqual(['one'])
    expect(r.headers.get('x-should-retry')).toBeNull()
    await kit.close()
  })

  test('for ever: no further try begins 10 minutes after the first', async () => {
    const kit = await kitOf({
      upstream: async () => {
        await kit.clock.advance(400_000)
        return { status: 500 }
      },
    })
    expect(modelsOf((await kit.chat({ model: 'm' })).sent)).toEqual(['one', 'two'])
    await kit.close()
  })

  test('B09: after content, though the stream breaks', async () => {
    const kit = await kitOf({ upstream: byModel({ one: { breakAfter: 3 } }) })
    const r = await kit.chat({ model: 'm', stream: true })
    expect(modelsOf(r.sent)).toEqual(['one'])
    expect(r.outcome).toMatchObject({ end: 'failed', streamState: 'upstream_error' })
    await kit.close()
  })

  test('G09: when the client has gone, and that is no fault of the target', async () => {
    const kit = await kitOf({
      upstream: byModel({
        one: () => ({
          body: (async function* () {
            await new Promise(() => {})
          })(),
        }),
      }),
    })
    for (let i = 0; i < 7; i++) {
      const call = kit.start({ body: { model: 'm', stream: true } })
      await Bun.sleep(5)
      call.abort()
      const outcome = await call.outcome()
      expect([outcome.end, outcome.attempts.length]).toEqual(['abandoned', 1])
    }
    const status = (await (await kit.admin('/providers')).json()) as { data: { targets: object[] }[] }
    expect(status.data[0]!.targets).toMatchObject([{ model: 'one', circuit: 'closed', failures: 0, inflight: 0, calls: 7 }])
    await kit.close()
  })

  test('with `fallback: false`, or past max_attempts', async () => {
    const upstream = () => ({ status: 500 })
    const off = await kitOf({ with: { fallback: false }, upstream })
    expect((await off.chat({ model: 'm' })).sent).toHaveLength(1)
    const two = await kitOf({ with: { max_attempts: 2, retries: 5 }, upstream })
    expect(modelsOf((await two.chat({ model: 'm' })).sent)).toEqual(['one', 'two'])
    await off.close()
    await two.close()
  })

  test('when a plugin above has set the target, or a plugin below has refused', async () => {
    const upstream = () => ({ status: 500 })
    const above = definePlugin({
      api: 1,
      name: 'above',
      summary: 'Sets the target',
      failure: 'closed',
      setup: () => ({ request: (x) => x.setTarget({ upstream: 'openai', model: x.request.model }) }),
    })
    const below = definePlugin({
      api: 1,
      name: 'below',
      summary: 'Refuses',
      failure: 'closed',
      setup: () => ({ around: async (x) => x.refuse('quota_exceeded') }),
    })
    const set = await kitOf({ above: [above], upstream })
    expect((await set.chat({ model: 'm' })).sent).toHaveLength(1)
    const refused = await kitOf({ below: [below], upstream })
    expect(await refused.chat({ model: 'm' })).toMatchObject({ status: 402, sent: [], outcome: { by: 'below', attempts: [] } })
    await set.close()
    await refused.close()
  })
})

describe('again', () => {
  test('the same target after the others, with a wait; as often as it may', async () => {
    const kit = await kitOf({
      with: { retries: 1, max_attempts: 10 },
      upstream: byModel({ one: [{ status: 500 }, {}], two: { status: 503 }, three: { unreachable: true } }),
    })
    const r = await kit.chat({ model: 'm' })
    expect(r.status).toBe(200)
    expect(modelsOf(r.sent).filter((model) => model !== 'three')).toEqual(['one', 'two', 'one'])
    expect(r.outcome.attempts.map((a) => a.model)).toEqual(['one', 'two', 'three', 'one'])
    await kit.close()
  })

  test('a sole target: twice, and then what it said last is told once, with the word that nothing more helps (G12)', async () => {
    const kit = await kitOf({ with: { retries: 2 }, upstream: () => ({ status: 500, message: 'boom' }) })
    const r = await kit.chat({ model: 'single' })
    expect(r).toMatchObject({ status: 500, outcome: { attempts: [{}, {}, {}] } })
    expect(r.headers.get('x-should-retry')).toBe('false')
    await kit.close()
  })

  test('without `retries` a sole target gets one try, and the client may try again', async () => {
    const kit = await kitOf({ upstream: () => ({ status: 500 }) })
    const r = await kit.chat({ model: 'single' })
    expect([r.status, r.sent.length, r.headers.get('x-should-retry')]).toEqual([500, 1, null])
    await kit.close()
  })

  test('G01: as Retry-After says where that is short; else not', async () => {
    const limited = (seconds: string): UpstreamAnswer => ({ status: 429, headers: { 'retry-after': seconds } })
    const kit = await kitOf({ with: { retries: 1 }, upstream: byModel({ one: [limited('0.05'), {}] }) })
    const began = performance.now()
    expect((await kit.chat({ model: 'single' })).status).toBe(200)
    expect(performance.now() - began).toBeGreaterThan(40)
    kit.upstream(byModel({ one: limited('30') }))
    const r = await kit.chat({ model: 'single' })
    expect([r.status, r.sent.length, r.headers.get('retry-after')]).toEqual([429, 1, '30'])
    await kit.close()
  })

  test('G01: a date in Retry-After is understood, and told in seconds', async () => {
    const at = (ms: number): UpstreamAnswer => ({ status: 429, headers: { 'retry-after': new Date(Date.now() + ms).toUTCString() } })
    const kit = await kitOf({ with: { retries: 1 }, upstream: byModel({ one: at(30_000) }) })
    const r = await kit.chat({ model: 'single' })
    expect([r.status, r.sent.length]).toEqual([429, 1])
    const wait = Number(r.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(25)
    expect(wait).toBeLessThanOrEqual(30)
    expect(r.outcome.attempts[0]!.retryAfter).toBe(wait)
    // it rests as long as it asks: another one goes first
    expect((await kit.chat({ model: 'mixed' })).text).toBe('two')
    const past = await kitOf({ with: { retries: 1 }, upstream: byModel({ one: [at(-60_000), {}] }) })
    const again = await past.chat({ model: 'single' })
    expect([again.status, again.outcome.attempts.map(({ retryAfter }) => retryAfter)]).toEqual([200, [0, undefined]])
    await kit.close()
    await past.close()
  })

  test('waiting is not the time of the plugin, and a client that leaves in it is served no more', async () => {
    const kit = await kitOf({ with: { retries: 1, backoff: '200ms' }, timeout: 20, upstream: byModel({ one: [{ status: 500 }, {}] }) })
    expect((await kit.chat({ model: 'single' })).status).toBe(200)
    kit.upstream(byModel({ one: [{ status: 500 }, {}] }))
    const call = kit.start({ body: { model: 'single' } })
    await Bun.sleep(30)
    call.abort()
    expect((await call.outcome()).attempts).toHaveLength(1)
    await kit.close()
  })

  test('max_time ends it all, with what is known by then', async () => {
    const hangs = () => ({
      body: (async function* () {
        await new Promise(() => {})
      })(),
    })
    const kit = await kitOf({ with: { max_time: '60ms' }, upstream: byModel({ one: { status: 503 }, two: hangs }) })
    const began = performance.now()
    const r = await kit.chat({ model: 'm' })
    expect(performance.now() - began).toBeLessThan(2000)
    expect(r.outcome.attempts).toMatchObject([{ status: 503 }, { failure: 'aborted' }])
    expect(r.status).toBe(503)
    await kit.close()
  })
})

test('the wait before a retry is doubled each time, less up to a half by chance', () => {
  const at = (chance: number) => [0, 1, 2, 10, 30].map((n) => backoffOf(n, { backoff: 100, random: () => chance }))
  expect(at(0)).toEqual([100, 200, 400, 102_400, 102_400])
  expect(at(1)).toEqual([50, 100, 200, 51_200, 51_200])
})

test('max_time bounds a sole target, too, and its wait for a place', async () => {
  const hangs = () => ({
    body: (async function* () {
      await new Promise(() => {})
    })(),
  })
  const alone = await kitOf({ with: { max_time: '60ms' }, upstream: byModel({ one: hangs }) })
  expect((await alone.chat({ model: 'single' })).status).toBe(504)
  await alone.close()
  const kit = await kitOf({ with: { max_time: '60ms', concurrency: { limit: 1 } }, upstream: byModel({ one: hangs }) })
  const began = performance.now()
  const [r, queued] = await Promise.all([kit.chat({ model: 'single' }), kit.chat({ model: 'single' })])
  expect(performance.now() - began).toBeLessThan(2000)
  expect([r.status, r.outcome.attempts.map(({ failure }) => failure)]).toEqual([504, ['aborted']])
  // its place may have become free just before
  expect([queued.status, queued.outcome.attempts.every(({ failure }) => failure === 'aborted')]).toEqual([504, true])
  await kit.close()
})

test('a request that goes on from no response is bound to none: `previous_response_id: null`', async () => {
  const kit = await kitOf({ upstream: byModel({ one: { status: 500 } }) })
  const r = await kit.send({ dialect: 'openai-responses', body: { model: 'm', input: 'x', previous_response_id: null } })
  expect([r.status, r.sent.length]).toEqual([200, 2])
  await kit.close()
})

describe('the most useful failure is told', () => {
  const overflow: UpstreamAnswer = { status: 400, message: "This model's maximum context length is 1000 tokens" }

  test('G06: an overflow, though a larger model then failed', async () => {
    const kit = await kitOf({
      with: { fallback_models: { small: ['m', 'large'] } },
      upstream: byModel({ one: overflow, two: { status: 502 } }),
    })
    const r = await kit.chat({ model: 'small' })
    expect(modelsOf(r.sent)).toEqual(['one', 'two'])
    expect(r).toMatchObject({ status: 400, outcome: { code: 'context_length_exceeded' } })
    kit.upstream(byModel({ one: overflow }))
    expect((await kit.chat({ model: 'small' })).text).toBe('two')
    await kit.close()
  })

  const cases: readonly (readonly [string, UpstreamAnswer, UpstreamAnswer, UpstreamAnswer, number])[] = [
    ['the first of equals', { status: 500 }, { status: 502 }, { status: 500 }, 500],
    ['a limit more than a fault', { status: 500 }, { status: 429, headers: { 'retry-after': '9' } }, { unreachable: true }, 429],
    ['a fault more than what is not there', { status: 404 }, { status: 500 }, { status: 404 }, 500],
    ['a reason to change the request more than all', { status: 500 }, { status: 400, message: 'bad messages' }, {}, 400],
  ]
  test.each(cases)('%s', async (_name, one, two, three, status) => {
    const kit = await kitOf({ upstream: byModel({ one, two, three }) })
    const r = await kit.chat({ model: 'm' })
    expect(r.status).toBe(status)
    expect(r.headers.get('x-should-retry')).toBe('false')
    await kit.close()
  })

  test('of several limits the shortest wait', async () => {
    const limited = (seconds: string): UpstreamAnswer => ({ status: 429, headers: { 'retry-after': seconds } })
    const kit = await kitOf({ upstream: byModel({ one: limited('50'), two: limited('7'), three: limited('90') }) })
    expect((await kit.chat({ model: 'm' })).headers.get('retry-after')).toBe('7')
    await kit.close()
  })
})

test('models to fall back to are kept from callers who may not use them', async () => {
  const kit = await kitOf({
    slots: [[Principal, Principal.example]],
    with: { fallback_models: { 's*': ['large'] } },
    upstream: byModel({ one: { status: 500 } }),
  })
  const slots = (list: string[]) => ({ slots: [[Principal, { ...Principal.example, models: list }]] as const })
  expect((await kit.chat({ model: 'single' }, slots(['single', 'lar*']))).text).toBe('two')
  expect((await kit.chat({ model: 'single' }, slots(['single']))).status).toBe(500)
  await kit.close()
})

test('G08: a key that is refused rests with all its models, and the last one is called all the same', async () => {
  const kit = await kitOf({ upstream: byModel({ one: { status: 401 }, three: { status: 401 } }) })
  expect(await kit.chat({ model: 'mixed' })).toMatchObject({ status: 200, sent: [{}, {}] })
  expect(await kit.chat({ model: 'mixed' })).toMatchObject({ status: 200, text: 'two', sent: [{}] })
  const r = await kit.chat({ model: 'single' })
  expect([r.status, r.sent.length, r.headers.get('x-should-retry')]).toEqual([502, 1, 'false'])
  await kit.clock.advance(121_000)
  kit.upstream(byModel({}))
  expect(await kit.chat({ model: 'mixed' })).toMatchObject({ text: 'one' })
  await kit.close()
})

test('the reply names the model that served', async () => {
  const kit = await kitOf({
    upstream: byModel({
      one: { status: 500 },
      two: { events: textEvents('x').map((e) => (e.type === 'start' ? { ...e, model: 'two-2026' } : e)) },
    }),
  })
  const r = await kit.chat({ model: 'm' })
  expect(JSON.parse(r.body)).toMatchObject({ model: 'two-2026' })
  expect(r.outcome).toMatchObject({ modelAsked: 'm', modelServed: 'two-2026' })
  await kit.close()
})
