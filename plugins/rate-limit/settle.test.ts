import { describe, expect, test } from 'bun:test'
import {
  definePlugin,
  type Exchange,
  type Give,
  type Host,
  type Outcome,
  type PrincipalValue,
  type StreamEvent,
  type TakeResult,
  unknownUsage,
} from 'headgate/plugin'
import type { PluginKit, SendOptions, TestPluginOptions } from 'headgate/testkit'
import rateLimit from './index.ts'
import { alice, by, figures, kitOf, refusing } from './limited.fixture.ts'

/** A reply that used so much; without figures it says nothing of it. */
const reply = (input?: number, output = 0): StreamEvent[] => [
  { type: 'start', id: 'r1', model: 'upstream-model' },
  { type: 'text', text: 'Hi', choice: 0 },
  { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
  ...(input === undefined
    ? []
    : [{ type: 'usage', usage: { ...unknownUsage, source: 'reported', inputUncached: input, outputVisible: output } } as const]),
  { type: 'end' },
]
const call = (more: object = {}, principal?: PrincipalValue): SendOptions => by(principal, { body: { max_tokens: 100, ...more } })
/** What the limits say is left, without taking anything: a route takes no tokens. */
async function left(kit: PluginKit): Promise<number> {
  return Number(figures(await kit.fetch('/look'))['x-ratelimit-remaining'])
}
const look = definePlugin({
  api: 1,
  name: 'look',
  summary: 'Looks',
  failure: 'closed',
  setup(host) {
    host.route({ method: 'GET', path: '/look', summary: 'Looks', handler: () => new Response() })
    return {}
  },
})
const perMinute = (config: object, options: TestPluginOptions = {}) =>
  kitOf({ by: 'ip', ...config }, { upstream: { events: reply(7, 5) }, ...options, below: [look, ...(options.below ?? [])] })

/** An upstream that waits in the middle of its stream. */
function waiting(input = 7, output = 5) {
  const go = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  return {
    go: go.resolve,
    reached: reached.promise,
    upstream: async (sent: { encode(events: readonly StreamEvent[]): string[] }) => {
      const frames = sent.encode(reply(input, output))
      async function* body() {
        yield frames.slice(0, 3).join('')
        reached.resolve()
        await go.promise
        yield frames.slice(3).join('')
      }
      return { body: body() }
    },
  }
}

describe('tokens', () => {
  test('are reserved before and corrected after, whole and streamed, in both APIs', async () => {
    const kit = await perMinute({ tokens: 1000 })
    expect(figures(await kit.send(call()))['x-ratelimit-remaining']).toMatch(/^8\d\d$/)
    expect(await left(kit)).toBe(988)
    await kit.send(call({ stream: true }))
    expect(await left(kit)).toBe(976)
    await kit.messages({ max_tokens: 900 })
    await kit.messages({ max_tokens: 900, stream: true })
    expect(await left(kit)).toBe(952)
  })

  test('of a stream hold while it runs, and others must do with the rest', async () => {
    const { upstream, reached, go } = waiting()
    const kit = await perMinute({ tokens: 1000 }, { upstream })
    const stream = kit.start(call({ max_tokens: 700, stream: true }))
    const result = stream.result()
    await reached
    expect(await left(kit)).toBeLessThan(300)
    const second = await kit.send(call({ max_tokens: 300 }))
    expect(second).toMatchObject({ status: 429, sent: [] })
    expect(second.json).toMatchObject({
      error: { message: expect.stringMatching(/1000 tokens per 1m for this address; this request may need 3\d\d\. Try again/) },
    })
    go()
    await result
    expect(await left(kit)).toBe(988)
  })

  test('of a stream that the client leaves: what it was sent stays used', async () => {
    const { upstream, reached } = waiting()
    const kit = await perMinute({ tokens: 1000 }, { upstream })
    const stream = kit.start(call({ max_tokens: 700, stream: true }))
    const result = stream.result()
    await reached
    stream.abort()
    expect((await result).outcome.end).toBe('abandoned')
    const rest = await left(kit)
    expect(rest).toBeGreaterThan(600)
    expect(rest).toBeLessThan(988)
  })

  test.each<[string, TestPluginOptions, SendOptions?]>([
    ['a refusal below', { below: [refusing('request')] }],
    ['an upstream that fails', { upstream: { status: 500, message: 'boom' } }],
    ['an upstream that is not there', { upstream: { unreachable: true } }],
    ['a provider that limits', { upstream: { status: 429, message: 'slow' } }],
  ])('are released in full after %s', async (_name, options) => {
    const kit = await perMinute({ tokens: 1000 }, options)
    for (let i = 0; i < 20; i++) expect((await kit.send(call({ max_tokens: 700, stream: i % 2 === 0 }))).status).toBeGreaterThanOrEqual(400)
    expect(await left(kit)).toBe(1000)
  })

  test('of an answer that a plugin gave are none', async () => {
    const cache = definePlugin({
      api: 1,
      name: 'cache',
      summary: 'Answers',
      failure: 'closed',
      setup: () => ({ request: (x) => x.reply(reply(7, 5)) }),
    })
    const kit = await perMinute({ tokens: 1000 }, { below: [cache] })
    expect((await kit.send(call())).status).toBe(200)
    expect(await left(kit)).toBe(1000)
  })

  test('of a reply that says its usage is nothing are estimated as well (E10)', async () => {
    for (const stream of [false, true]) {
      const kit = await perMinute({ tokens: 1000 }, { upstream: { events: reply(0, 0) } })
      await kit.send(call({ stream }))
      expect(await left(kit)).toBeWithin(850, 996)
    }
  })

  test('of a reply that says nothing of its usage are estimated, never more than was reserved', async () => {
    const kit = await perMinute({ tokens: 1000 }, { upstream: { events: reply() } })
    await kit.send(call())
    const rest = await left(kit)
    expect(rest).toBeLessThan(1000)
    expect(rest).toBeGreaterThan(850)
  })

  test('used beyond the reserve count too, and the window is overdrawn', async () => {
    const kit = await perMinute({ tokens: 1000 }, { upstream: { events: reply(900, 5000) } })
    expect((await kit.send(call())).status).toBe(200)
    expect(await left(kit)).toBe(0)
    expect((await kit.send(call({ max_tokens: 1 }))).status).toBe(429)
    await kit.clock.advance(60_000)
    expect(await left(kit)).toBe(1000)
  })

  test('corrected after the end of their window change nothing in the next', async () => {
    const { upstream, reached, go } = waiting()
    const kit = await perMinute({ tokens: 1000 }, { upstream })
    const result = kit.start(call({ max_tokens: 700, stream: true })).result()
    await reached
    await kit.clock.advance(60_000)
    expect(await left(kit)).toBe(1000)
    go()
    await result
    expect(await left(kit)).toBe(1000)
  })

  test('of a bucket are corrected whenever it is: used beyond the reserve, they are missing for as long as the refill takes', async () => {
    const kit = await perMinute({ limits: [{ tokens: 600, by: 'ip', burst: 1000 }] }, { upstream: { events: reply(1000, 1000) } })
    expect((await kit.send(call())).status).toBe(200)
    await kit.clock.advance(100_000) // back at 0: 10 per second
    expect(await left(kit)).toBe(0)
    await kit.clock.advance(1000)
    expect(await left(kit)).toBe(10)
  })

  test('of a bucket that was full again before the exchange was over', async () => {
    const { upstream, reached, go } = waiting(1000, 1000)
    const kit = await perMinute({ limits: [{ tokens: 600, by: 'ip', burst: 1000 }] }, { upstream })
    const result = kit.start(call({ stream: true })).result()
    await reached
    await kit.clock.advance(60_000)
    expect(await left(kit)).toBe(1000)
    go()
    await result
    await kit.clock.advance(90_000)
    expect(await left(kit)).toBeLessThan(100)
  })

  test('of several limits are each corrected by their own', async () => {
    const kit = await perMinute({
      limits: [
        { tokens: 1000, by: 'ip' },
        { tokens: 150, by: 'key' },
        { tokens: 5000, window: '1h', by: 'all' },
        { requests: 99, by: 'all' },
      ],
    })
    // the reserve of the small limit is all of it
    expect((await kit.send(call({ max_tokens: 700 }, alice))).status).toBe(200)
    const r = await kit.send(call({ max_tokens: 50 }, alice))
    expect(r.status).toBe(200)
    await kit.clock.advance(60_000)
    const names = { limit: 'x-ratelimit-{what}-limit', remaining: 'x-ratelimit-{what}-remaining', reset: 'x-ratelimit-{what}-reset' }
    await kit.reload({ with: { limits: [{ tokens: 5000, window: '1h', by: 'all' }], header_names: names } })
    expect(figures(await kit.fetch('/look'))['x-ratelimit-tokens-remaining']).toBe('4976')
  })

  test.each([[''], ['-{what}']])(
    'a refusal tells of the limit that refused, not of one that is nearer its end (names with %p)',
    async (what) => {
      const names = { limit: `x-limit${what}`, remaining: `x-left${what}`, reset: `x-reset${what}` }
      const limits = [
        { tokens: 1000, by: 'ip' },
        { tokens: 100_000, window: '1h', by: 'all' },
      ]
      const kit = await perMinute({ limits, header_names: names }, { upstream: [{ events: reply(95_000) }, { events: reply(800) }] })
      await kit.send(call())
      await kit.clock.advance(60_000)
      await kit.send(call())
      const { status, headers } = await kit.send(call({ max_tokens: 300 }))
      const at = (name: string) => headers.get(name + what.replace('{what}', 'tokens'))
      expect([status, at('x-limit'), at('x-left'), headers.get('retry-after')]).toEqual([429, '1000', '200', '60'])
    },
  )

  test('are not taken by a request that another limit refuses', async () => {
    const kit = await perMinute({
      limits: [
        { tokens: 1000, by: 'ip' },
        { requests: 1, by: 'key', when: { operation: ['chat'] } },
      ],
    })
    await kit.send(call({}, alice))
    expect((await kit.send(call({}, alice))).status).toBe(429)
    expect(figures(await kit.send(call({}, { ...alice, id: 'other' })))['x-ratelimit-limit']).toBe('1')
    expect(await left(kit)).toBe(976)
  })

  test('a request that is longer than all that is allowed is told so, not to wait', async () => {
    const kit = await perMinute({ tokens: 100 })
    const r = await kit.send(call({ messages: [{ role: 'user', content: 'x'.repeat(2000) }] }))
    expect(r).toMatchObject({ status: 413, sent: [], json: { error: { code: 'request_too_large' } } })
    expect(r.headers.get('retry-after')).toBeNull()
    expect((r.json as { error: { message: string } }).error.message).toMatch(
      /^The request is about 5\d\d tokens long, and 100 tokens per 1m are all/,
    )
  })

  test('are given back when the store answers only after the exchange is over', async () => {
    const answer = Promise.withResolvers<TakeResult[]>()
    const given: Give[] = []
    const host = {
      now: () => 0,
      counter: () => ({ add() {} }),
      catalog: { find: () => undefined },
      state: { takeAll: () => answer.promise, take: () => answer.promise, give: (gives: Give[]) => void given.push(...gives) },
    } as unknown as Host
    const hooks = await rateLimit.setup(host, {
      limits: [{ tokens: 1000, window: 60_000, by: 'ip' }],
      headers: false,
      header_names: {},
      body: {},
    })
    const request = { borrowed: Buffer.from('{"max_tokens":100}'), json: { max_tokens: 100 }, model: 'm', firstEdit: -1 }
    const x = { operation: 'chat', ip: '192.0.2.1', request, state: rateLimit.state!(), peek: () => undefined } as unknown as Exchange
    hooks.admit!(x)
    const late = hooks.request!(x)
    await hooks.settle!(x, { attempts: [], bytesOut: 0 } as unknown as Outcome)
    expect(given).toEqual([])
    answer.resolve([{ taken: true, remaining: 895, resetAt: 60_000 }])
    await late
    expect(given).toEqual([{ key: 'tokens/1m/ip ip:192.0.2.1', amount: 105, limit: 1000, window: 60_000, at: 60_000 }])
  })

  test('a store that goes away in the middle costs nobody the reply', async () => {
    const { upstream, reached, go } = waiting()
    const kit = await perMinute({ tokens: 1000 }, { upstream })
    const result = kit.start(call({ stream: true })).result()
    await reached
    kit.stores.down()
    go()
    expect((await result).outcome.end).toBe('finished')
    kit.stores.up()
    expect(await left(kit)).toBeLessThan(900) // strict: what could not be corrected stays taken until the window ends
    expect(kit.logs).toContainEqual(expect.objectContaining({ message: 'hook settle failed' }))
  })

  test('counting tokens and listing models use none', async () => {
    const kit = await perMinute({ tokens: 10 })
    expect((await kit.fetch('/look')).status).toBe(200)
    expect(await left(kit)).toBe(10)
  })

  test('usage is asked of Chat streams only where tokens are limited', async () => {
    const asked = async (config: object) => {
      const { sent } = await (await perMinute(config)).send(call({ stream: true }))
      return JSON.stringify(sent[0]!.json).includes('include_usage')
    }
    expect([await asked({ requests: 5 }), await asked({ tokens: 500 }), await asked({ limits: [{ tokens: 500 }] })]).toEqual([
      false,
      true,
      true,
    ])
  })
})
