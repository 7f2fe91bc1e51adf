import { describe, expect, test } from 'bun:test'
import { definePlugin, type Exchange, type Host, type PrincipalValue, type ReplyHead, Session, StoreUnavailable } from 'headgate/plugin'
import type { PluginKit, SendOptions } from 'headgate/testkit'
import rateLimit from './index.ts'
import { alice, bob, by, figures, guest, kitOf, refusing, route, statuses } from './limited.fixture.ts'

describe('counting', () => {
  test('lets exactly so many in, and again in the next window', async () => {
    const kit = await kitOf({ requests: 2 })
    expect(await statuses(kit, by(alice), by(alice), by(alice))).toEqual([200, 200, 429])
    await kit.clock.advance(59_999)
    expect(await statuses(kit, by(alice))).toEqual([429])
    await kit.clock.advance(1)
    expect(await statuses(kit, by(alice), by(alice), by(alice))).toEqual([200, 200, 429])
  })

  test('is exact when 200 come at once', async () => {
    const kit = await kitOf({ limits: [{ requests: 60 }, { requests: 61, by: 'all' }] })
    const all = await Promise.all(Array.from({ length: 200 }, () => kit.send(by(alice))))
    expect(all.filter((r) => r.status === 200)).toHaveLength(60)
    // the other limit was taken from by nobody who was refused
    expect(await statuses(kit, by(bob), by(bob))).toEqual([200, 429])
  })

  test('SYNC-6: a stream that is refused is a plain response, and no upstream was called', async () => {
    const kit = await kitOf({ requests: 1 })
    await kit.chat({ stream: true })
    for (const r of [await kit.chat({ stream: true }), await kit.messages({ stream: true })]) {
      expect(r).toMatchObject({ status: 429, sent: [], frames: [] })
      expect(r.headers.get('content-type')).toContain('application/json')
    }
  })

  test.each<[string, object, SendOptions[], number[]]>([
    [
      'key, and the address of who has none',
      { by: 'key' },
      [by(alice), by(bob), by(undefined), by(guest), by(guest, { ip: '192.0.2.2' }), by(alice, { ip: '192.0.2.3' })],
      [200, 200, 200, 429, 200, 429],
    ],
    ['account', { by: 'account' }, [by(alice), by(bob)], [200, 429]],
    ['tier', { by: 'tier' }, [by(alice), by(bob), by(guest), by({ ...guest, id: 'other' })], [200, 429, 200, 429]],
    ['address', { by: 'ip' }, [by(alice), by(bob), by(alice, { ip: '192.0.2.9' })], [200, 429, 200]],
    ['all', { by: 'all' }, [by(alice), by(guest)], [200, 429]],
    [
      'model',
      { by: 'model' },
      [by(alice), by(bob), by(alice, { body: { model: 'invented-1' } }), by(alice, { body: { model: 'invented-2' } })],
      [200, 429, 404, 429],
    ],
    [
      'user',
      { by: 'user' },
      [by(alice, { body: { user: 'u' } }), by(bob, { body: { user: 'u' } }), by(alice, { body: { user: 'v' } })],
      [200, 429, 200],
    ],
    [
      'key and user',
      { by: ['key', 'user'] },
      [by(alice, { body: { user: 'u' } }), by(bob, { body: { user: 'u' } }), by(alice, { body: { user: 'u' } })],
      [200, 200, 429],
    ],
    [
      'session',
      { by: 'session' },
      [
        { slots: [[Session, { id: 's1', turn: 1 }]] },
        { slots: [[Session, { id: 's2', turn: 1 }]] },
        { slots: [[Session, { id: 's1', turn: 2 }]] },
      ],
      [200, 200, 429],
    ],
  ])('by %s', async (_name, config, calls, expected) => {
    const kit = await kitOf({ requests: 1, ...config }, { below: [noSuchModel] })
    expect(await statuses(kit, ...calls)).toEqual(expected)
  })

  test('a bucket: so many at once, then evenly', async () => {
    const kit = await kitOf({ limits: [{ requests: 60, window: '1m', burst: 3 }] })
    expect(await statuses(kit, by(alice), by(alice), by(alice), by(alice))).toEqual([200, 200, 200, 429])
    await kit.clock.advance(999)
    expect(await statuses(kit, by(alice))).toEqual([429])
    await kit.clock.advance(1)
    expect(await statuses(kit, by(alice), by(alice))).toEqual([200, 429])
    await kit.clock.advance(3_600_000)
    expect(await statuses(kit, by(alice), by(alice), by(alice), by(alice))).toEqual([200, 200, 200, 429])
  })

  test('a smaller burst than the limit spreads it', async () => {
    const kit = await kitOf({ limits: [{ requests: 600, burst: 1 }] })
    expect(await statuses(kit, by(alice), by(alice))).toEqual([200, 429])
    await kit.clock.advance(100)
    expect(await statuses(kit, by(alice), by(alice))).toEqual([200, 429])
  })

  test('several limits are taken from all at once, or from none', async () => {
    const kit = await kitOf({
      limits: [
        { requests: 2, by: 'key' },
        { requests: 3, by: 'account' },
        { requests: 4, window: '1h', by: 'ip' },
      ],
    })
    expect(await statuses(kit, by(alice), by(alice), by(alice), by(alice))).toEqual([200, 200, 429, 429])
    // Alice's refusals cost her account nothing
    expect(await statuses(kit, by(bob), by(bob))).toEqual([200, 429])
    await kit.clock.advance(60_000)
    expect(await statuses(kit, by(alice), by(alice))).toEqual([200, 429])
    expect((await kit.send(by(alice))).json).toMatchObject({
      error: { message: expect.stringContaining('4 requests per 1h for this address') },
    })
  })

  test('SYNC-3: tiers with limits of their own, and messages a day for guests', async () => {
    const kit = await kitOf({
      limits: [
        { requests: 60, when: { tier: ['paid', 'self-*'] } },
        { requests: 5, by: 'ip', when: { tier: ['anonymous'] } },
        { requests: 8, window: '1d', by: 'user', when: { tier: ['anonymous'], operation: ['chat', 'messages'] } },
      ],
    })
    const count = async (principal: PrincipalValue, most: number, body = {}) => {
      for (let n = 0; ; n++) if (n === most || (await kit.send(by(principal, { body }))).status !== 200) return n
    }
    expect(await count(alice, 99)).toBe(60)
    expect(await count({ ...bob, tier: 'self-host' }, 99)).toBe(60)
    expect(await count(guest, 99, { user: 'u' })).toBe(5)
    await kit.clock.advance(60_000)
    expect(await count(guest, 99, { user: 'u' })).toBe(3)
    expect((await kit.send(by(guest, { body: { user: 'u' } }))).outcome.verdicts).toContainEqual(
      expect.objectContaining({ did: 'noted', detail: 'limit requests/1d/user tier=anonymous operation=chat|messages' }),
    )
    expect(await count(guest, 99, { user: 'v' })).toBe(2)
    expect(await count({ ...bob, tier: 'unheard-of' }, 99)).toBe(99)
  })

  test('when: by tag and by model', async () => {
    const models = (kit: PluginKit, principal: PrincipalValue) => statuses(kit, by(principal), by(principal))
    const tagged = await kitOf({ limits: [{ requests: 1, when: { tag: ['e*'] } }] })
    expect([await models(tagged, alice), await models(tagged, { ...bob, tags: ['us'] })]).toEqual([
      [200, 429],
      [200, 200],
    ])
    const other = await kitOf({ limits: [{ requests: 1, when: { model: ['other-*'] } }] })
    expect(await models(other, alice)).toEqual([200, 200])
    const this_ = await kitOf({ limits: [{ requests: 1, when: { model: ['test-*'] } }] })
    expect(await models(this_, alice)).toEqual([200, 429])
  })

  test('what is refused below was asked for, and counts', async () => {
    const kit = await kitOf({ requests: 1 }, { below: [refusing('request')] })
    expect(await statuses(kit, by(alice), by(alice))).toEqual([409, 429])
  })

  test('a limit that is raised keeps its count; one in another window has its own', async () => {
    const kit = await kitOf({ requests: 2 })
    expect(await statuses(kit, by(alice), by(alice), by(alice))).toEqual([200, 200, 429])
    expect(await kit.reload({ with: { requests: 3 } })).toEqual([])
    expect(await statuses(kit, by(alice), by(alice))).toEqual([200, 429])
    expect(await kit.reload({ with: { requests: 1, window: '1h' } })).toEqual([])
    expect(await statuses(kit, by(alice), by(alice))).toEqual([200, 429])
  })

  test('routes count where no body is needed', async () => {
    const kit = await kitOf(
      {
        limits: [
          { requests: 1, by: 'ip' },
          { requests: 1, by: 'model' },
          { tokens: 5, by: 'all' },
        ],
      },
      { below: [route] },
    )
    expect([(await kit.fetch('/hello')).status, (await kit.fetch('/hello')).status]).toEqual([200, 429])
  })
})

/** Refuses invented models, as a router does. */
const noSuchModel = definePlugin({
  api: 1,
  name: 'no-such-model',
  summary: 'Refuses unknown models',
  failure: 'closed',
  setup: (host) => ({ request: (x) => (host.catalog.find(x.request.model) ? undefined : x.refuse('model_not_found')) }),
})

describe("a caller's own limits", () => {
  const own = (limits: PrincipalValue['limits'] & {}) => by({ ...alice, limits })

  test('SYNT-5: win over the limit per key, at once, up and down', async () => {
    const kit = await kitOf({ requests: 2, by: 'key' })
    const more = own([{ window: 60_000, requests: 3 }])
    expect(await statuses(kit, more, more, more, more)).toEqual([200, 200, 200, 429])
    expect(await statuses(kit, own([{ window: 60_000, requests: 4 }]), own([{ window: 60_000, requests: 4 }]))).toEqual([200, 429])
    expect(await statuses(kit, own([{ window: 60_000, requests: 1 }]))).toEqual([429])
    expect(await statuses(kit, own([{ window: 60_000, requests: 0 }]))).toEqual([429])
  })

  test('an empty list is no list', async () => {
    const kit = await kitOf({ requests: 1 })
    expect(await statuses(kit, own([]), own([]))).toEqual([200, 429])
  })

  test('leave limits by anything else in force, and those by key of the other kind', async () => {
    const kit = await kitOf({
      limits: [
        { requests: 1, by: 'key' },
        { requests: 2, by: 'account' },
        { tokens: 500, by: 'key' },
      ],
    })
    const five = { ...own([{ window: 60_000, requests: 5 }]), body: { max_tokens: 50 } }
    expect(await statuses(kit, five, five, five)).toEqual([200, 200, 429])
    await kit.clock.advance(60_000)
    expect(
      await statuses(
        kit,
        own([{ window: 60_000, requests: 5 }]),
        by(alice, { body: { messages: [{ role: 'user', content: 'x'.repeat(3000) }] } }),
      ),
    ).toEqual([200, 413])
  })

  test('hold where the operator limits nothing by key; of two for one window the lower', async () => {
    const kit = await kitOf({ requests: 9, by: 'ip' })
    const two = own([
      { window: 60_000, requests: 3 },
      { window: 60_000, requests: 2 },
      { window: 60_000, requests: 4 },
      { window: 3_600_000, requests: 3 },
    ])
    expect(await statuses(kit, two, two, two)).toEqual([200, 200, 429])
    await kit.clock.advance(60_000)
    expect(await statuses(kit, two, two)).toEqual([200, 429])
  })

  test('of tokens need no limit of tokens in the config', async () => {
    const kit = await kitOf({ requests: 9 })
    const small = (max_tokens: number) => by({ ...alice, limits: [{ window: 60_000, tokens: 100 }] }, { body: { max_tokens } })
    const held = kit.start(small(1000))
    expect((await held.result()).status).toBe(200)
    expect(figures(await kit.send(small(10)))).toMatchObject({ 'x-ratelimit-limit': '100' })
  })
})

describe('a store that is away', () => {
  test('is asked once for each request: who waits for a silent one does not wait twice', async () => {
    let asked = 0
    const away = () => {
      asked++
      return Promise.reject(new StoreUnavailable('away'))
    }
    const host = { now: () => 0, counter: () => ({ add() {} }), catalog: {}, state: { take: away, takeAll: away } } as unknown as Host
    const names = { limit: 'x-limit', remaining: 'x-left', reset: 'x-reset' }
    const hooks = await rateLimit.setup(host, {
      requests: 1,
      window: 60_000,
      by: 'ip',
      limits: [],
      headers: true,
      header_names: names,
      body: {},
    })
    const x = { operation: 'chat', ip: '192.0.2.1', state: rateLimit.state!(), peek: () => undefined } as unknown as Exchange
    await expect(hooks.admit!(x)).rejects.toThrow('away')
    await hooks.reply!(x, { headers: new Headers() } as ReplyHead)
    expect(asked).toBe(1)
  })

  test('a closed instance refuses what may be tried again, an open one lets pass; neither says figures', async () => {
    for (const limits of [[{ requests: 2 }], [{ requests: 2 }, { requests: 2, by: 'all' }], [{ requests: 2, by: 'model' }]]) {
      const kit = await kitOf({ limits })
      kit.stores.down()
      const r = await kit.chat()
      expect(r).toMatchObject({ status: 503, sent: [], json: { error: { code: 'store_unavailable' } } })
      expect(figures(r)).toEqual({ 'retry-after': '1' })
      await kit.reload({ on_error: 'skip' })
      const open = await kit.chat()
      expect([open.status, figures(open)]).toEqual([200, {}])
      kit.stores.up()
      expect(figures(await kit.chat())).toMatchObject({ 'x-ratelimit-remaining': '1' })
    }
  })

  test('a start without it works, also of buckets', async () => {
    const kit = await kitOf({ limits: [{ requests: 2, burst: 1 }] }, { state: 'down' })
    kit.stores.up()
    expect(await statuses(kit, by(alice), by(alice))).toEqual([200, 429])
  })
})

describe('mistakes of the config end the start', () => {
  test.each<[object, string]>([
    [{}, 'set `requests`, `tokens` or `limits`'],
    [{ requests: 1, window: '0' }, 'window must be longer than 0'],
    [{ limits: [{ window: '1m' }] }, 'limit 1: set `requests` or `tokens`'],
    [{ limits: [{ requests: 1 }, { requests: 5, kind: 'fixed', burst: 2 }] }, 'limit 2: `burst` is for `kind: bucket`'],
    [{ limits: [{ requests: 1, tokens: 5, burst: 2 }] }, 'limit 1: give `requests` and `tokens` a limit each'],
    [{ requests: 1, limits: [{ requests: 5 }] }, 'limit 2: requests per 1m by key are limited already'],
    [
      {
        limits: [
          { requests: 1, when: { tier: ['a', 'b'] } },
          { requests: 2, when: { tier: ['b', 'a'] } },
        ],
      },
      'are limited already',
    ],
    [{ requests: 1, header_names: { limit: 'x-{what}' } }, 'put `{what}` into all of the names, or into none'],
    [{ requests: 1, header_names: { limit: 'x y' } }, 'header_names.limit'],
    [{ requests: 1, by: 'planet' }, 'by'],
    [{ limits: [{ requests: 1, when: { operation: ['chatt'] } }] }, 'limits[0].when.operation[0]: "chatt" does not have the right form'],
    [{ limits: [{ tokens: 7, window: '365d', burst: 9_000_000_000_000_000 }] }, 'too large to be counted exactly'],
  ])('%j', async (config, message) => {
    await expect(kitOf(config)).rejects.toThrow(message)
  })
})
