/**
 * The watchdog over real HTTP: who broke the cache, at which byte, told as metric, log line and in the record of the exchange.
 */

import { afterEach, describe, expect, test } from 'bun:test'
import { definePlugin, type Plugin, promptCacheStatus } from '../../src/plugin/index.ts'
import { type CacheStand, type StandOptions, startCacheStand, startProvider } from '../support/cache-stand.ts'
import { redisMissing, startRedis } from '../support/redis-server.ts'
import { until } from '../support/within.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
async function stand(options: StandOptions = {}): Promise<CacheStand> {
  const made = await startCacheStand(options)
  ends.push(() => made.stop())
  return made
}

const long = (name: string) => `${name} `.repeat(2500)
const turns = (n: number) =>
  Array.from({ length: n }, (_, i) => [
    { role: 'user', content: `question ${i}` },
    { role: 'assistant', content: long(`answer ${i}`) },
  ]).flat()
const body = (n: number, more: object = {}) => ({
  model: 'claude',
  max_tokens: 10,
  system: long('rule'),
  messages: [...turns(n), { role: 'user', content: `question ${n}` }],
  ...more,
})
const inSession = { 'x-session': 'ses' }
const warmed = () => ({ plain: 10, read: 0, written: 9000 })
const lost = () => ({ plain: 10, read: 100, written: 9000 })

interface Line {
  readonly message: string
  readonly cause?: string
  readonly plugin?: string
  readonly what?: string
  readonly first_byte?: number
  readonly near_token?: number
  readonly since_last?: number
}
const lines = (s: CacheStand): Line[] =>
  s
    .log()
    .split('\n')
    .filter((line) => line.includes('"session-cache"'))
    .map((line) => JSON.parse(line) as Line)
const remarks = (told: { readonly outcome: { readonly verdicts: readonly { did: string; plugin: string; detail?: string }[] } }) =>
  told.outcome.verdicts.filter(({ did, plugin }) => did === 'noted' && plugin === 'session-cache').map(({ detail }) => detail!)
const misses = (s: CacheStand) =>
  s
    .metrics()
    .split('\n')
    .filter((line) => line.startsWith('headgate_session_cache_warm_misses_total{'))

/** Asks once, so that the cache is warm, and again with another body, which is not read. */
async function missed(s: CacheStand, first: object, second: object, path = '/v1/messages') {
  s.bill = warmed
  await s.ask(path, first, inSession)
  s.now += 60_000
  s.bill = lost
  return s.ask(path, second, inSession)
}

const editing = (name: string, edit: (x: { request: import('../../src/plugin/index.ts').RequestView }, call: number) => void): Plugin => {
  let calls = 0
  return definePlugin({
    api: 1,
    name,
    summary: 'Edits',
    failure: 'closed',
    setup: () => ({
      request(x) {
        edit(x, calls++)
      },
    }),
  })
}

describe('who changed the prompt', () => {
  test('the client, at the very byte', async () => {
    const s = await stand()
    const told = await missed(s, body(2), body(2, { system: long('rule').replace(/rule $/, 'RULE ') }))
    const sent = s.sent.map(({ text }) => text.replace(/\[\{"type":"text","text":("rule[^"]*"),"cache_control":\{[^}]*\}\}\]/, '$1'))
    const byte = [...sent[0]!].findIndex((c, i) => c !== sent[1]![i])
    expect(remarks(told)).toEqual([`prompt cache: 100 of 9000 tokens were read; cause: client, changed system at byte ${byte}`])
    expect(misses(s)).toEqual(['headgate_session_cache_warm_misses_total{cause="client",plugin="",upstream="anthropic"} 1'])
    expect(lines(s)).toMatchObject([{ cause: 'client', what: 'system', first_byte: byte, expected: 9000, read: 100 }])
    expect(promptCacheStatus(told.cache, told.outcome.usage)).toBe('miss')
  })

  test.each([
    [
      'a message of the past',
      body(3),
      body(3, { messages: body(3).messages.with(2, { role: 'user', content: 'QUESTION 1' }) }),
      'message 2',
    ],
    ['a history that was cut short', body(3), body(1), 'the end of the prompt'],
    [
      'tools in another order',
      body(1, { tools: [{ name: 'a' }, { name: 'b' }] }),
      body(1, { tools: [{ name: 'b' }, { name: 'a' }] }),
      'tools',
    ],
    ['tool_choice', body(1, { tool_choice: { type: 'auto' } }), body(1, { tool_choice: { type: 'any' } }), '/tool_choice'],
  ])('the client: %s', async (_, first, second, what) => {
    const s = await stand()
    await missed(s, first, second)
    expect(lines(s)).toMatchObject([{ cause: 'client', what }])
  })

  test.each([
    [
      'by its span',
      (x: { request: import('../../src/plugin/index.ts').RequestView }, call: number) => {
        const unit = x.request.units.find(({ message }) => message === 1)!
        const span = x.request.spanAt(unit.start, '/content')!
        x.request.replaceSpan(span.start, span.end, JSON.stringify(long(`trimmed ${call}`)))
      },
    ],
    [
      'by its pointer',
      (x: { request: import('../../src/plugin/index.ts').RequestView }, call: number) =>
        x.request.set('/messages/1/content', long(`trimmed ${call}`)),
    ],
  ] as const)('a plugin that edits a message %s', async (_, edit) => {
    const s = await stand({ plugins: [editing('meddler', edit)], below: [{ use: 'meddler' }] })
    const told = await missed(s, body(2), body(2))
    expect(lines(s)).toMatchObject([{ cause: 'plugin', plugin: 'meddler', what: 'message 1' }])
    expect(remarks(told)[0]).toContain('cause: the plugin meddler, changed message 1')
    expect(misses(s)).toEqual(['headgate_session_cache_warm_misses_total{cause="plugin",plugin="meddler",upstream="anthropic"} 1'])
  })

  test('a plugin that no longer does what it did (policy change on restart)', async () => {
    const once = editing('trimmer', (x, call) => {
      if (call === 0) x.request.set('/messages/1/content', long('trimmed'))
    })
    const s = await stand({ plugins: [once], below: [{ use: 'trimmer' }] })
    await missed(s, body(2), body(2))
    expect(lines(s)).toMatchObject([{ cause: 'plugin', plugin: 'trimmer', what: 'message 1' }])
  })

  test('a plugin that edits what comes before the change of the client', async () => {
    const s = await stand({
      plugins: [editing('meddler', (x, call) => x.request.set('/system', long(`rule of ${call}`)))],
      below: [{ use: 'meddler' }],
    })
    await missed(s, body(3), body(3, { messages: body(3).messages.with(2, { role: 'user', content: 'QUESTION 1' }) }))
    expect(lines(s)).toMatchObject([{ cause: 'plugin', plugin: 'meddler', what: 'system' }])
  })

  test('a plugin that writes the whole body anew (reserialised bodies)', async () => {
    const again = editing('parser', (x, call) => {
      if (call > 0) x.request.set('/messages', JSON.parse(JSON.stringify(x.request.json.messages).replace('question 0', 'question  0')))
    })
    const s = await stand({ plugins: [again], below: [{ use: 'parser' }] })
    await missed(s, body(2), body(2))
    expect(lines(s)).toMatchObject([{ cause: 'plugin', plugin: 'parser', what: 'message 0' }])
  })

  test('a plugin that changes calls behind this one', async () => {
    let calls = 0
    const late = definePlugin({
      api: 1,
      name: 'late',
      summary: 'Changes calls',
      failure: 'closed',
      setup: () => ({
        attempt(_, call) {
          call.body = Buffer.from(Buffer.from(call.body).toString().replace('rule', `rule ${calls++}`))
        },
      }),
    })
    const s = await stand({ plugins: [late], below: [{ use: 'late' }] })
    await missed(s, body(2), body(2))
    expect(lines(s)).toMatchObject([{ cause: 'plugin', plugin: 'late' }])
  })

  test('the route: another upstream or model', async () => {
    const target = (model: string) => ({ targets: [{ upstream: 'anthropic', model }] })
    const s = await stand({ config: { models: { claude: target('claude-sonnet-4-5') } }, below: [{ use: 'mover' }], plugins: [mover()] })
    await missed(s, body(2), body(2))
    expect(lines(s)).toMatchObject([{ cause: 'route', what: 'anthropic/claude-sonnet-4-5 to anthropic/claude-other' }])
  })

  test('nobody: the provider lost it', async () => {
    const s = await stand()
    const told = await missed(s, body(2), body(3))
    expect(remarks(told)).toEqual(['prompt cache: 100 of 9000 tokens were read; cause: provider'])
    expect(promptCacheStatus(told.cache, told.outcome.usage)).toBe('miss')
  })

  test.each([
    ['the client changed it', (n: number) => chat(n, n === 3 ? 'QUESTION 1' : 'question 1'), 'client'],
    ['nobody did', (n: number) => chat(n), 'provider'],
  ])('translated: %s', async (_, of, cause) => {
    const s = await stand()
    await missed(s, of(2), of(3), '/v1/chat/completions')
    expect(lines(s)).toMatchObject([{ cause }])
  })

  test('translated: a plugin did', async () => {
    const s = await stand({
      plugins: [editing('meddler', (x, call) => x.request.set('/messages/1/content', `q ${call}`))],
      below: [{ use: 'meddler' }],
    })
    await missed(s, chat(2), chat(3), '/v1/chat/completions')
    expect(lines(s)).toMatchObject([{ cause: 'plugin', plugin: 'meddler' }])
  })
})

const chat = (n: number, second = 'question 1') => ({
  model: 'claude',
  messages: [
    { role: 'system', content: long('rule') },
    ...turns(n).with(2, { role: 'user', content: second }),
    { role: 'user', content: `question ${n}` },
  ],
})

function mover(): Plugin {
  let calls = 0
  return definePlugin({
    api: 1,
    name: 'mover',
    summary: 'Sends each call elsewhere',
    failure: 'closed',
    setup: () => ({
      request(x) {
        const model = calls++ === 0 ? 'claude-sonnet-4-5' : 'claude-other'
        x.request.setModel(model)
        x.setTarget({ upstream: 'anthropic', model })
      },
    }),
  })
}

describe('what is no miss', () => {
  test('a prompt that came too late, one that was read, one that only goes on with its last message', async () => {
    const s = await stand()
    s.bill = warmed
    await s.ask('/v1/messages', body(1))
    s.now += 301_000
    s.bill = lost
    await s.ask('/v1/messages', body(2))
    s.bill = () => ({ plain: 10, read: 9100, written: 10 })
    await s.ask('/v1/messages', body(2))
    expect([lines(s), misses(s)]).toEqual([[], []])
  })

  test('a first prompt, and one of a client that caches nothing', async () => {
    const s = await stand({ with: { prompt: { marks: false } } })
    s.bill = () => ({ plain: 9000, read: 0, written: 0 })
    for (let i = 0; i < 3; i++) await s.ask('/v1/messages', body(i))
    expect(misses(s)).toEqual([])
  })

  test("a client's own marks are watched just the same", async () => {
    const s = await stand()
    const mine = (n: number, system: string) => body(n, { system: [{ type: 'text', text: system, cache_control: { type: 'ephemeral' } }] })
    const told = await missed(s, mine(1, long('rule')), mine(1, long('RULE')))
    expect(told.cache?.attribution).toBe('client')
    expect(lines(s)).toMatchObject([{ cause: 'client', what: 'system' }])
  })
})

describe('an invalidator', () => {
  const minute = (i: number) =>
    body(1, { system: `${long('rule')} It is 10:0${i}.`, tools: [{ name: 'read', description: long('reads'), input_schema: {} }] })
  const places = (s: CacheStand) => {
    const { tools, system, messages } = s.sent.at(-1)!.json
    return [tools, system, messages].map((part) => JSON.stringify(part).includes('cache_control'))
  }
  test('is reported at the second miss in the same place, and nothing behind it is written until it stays', async () => {
    const s = await stand()
    s.bill = warmed
    await s.ask('/v1/messages', minute(0), inSession)
    s.bill = lost
    for (let i = 1; i < 3; i++) await s.ask('/v1/messages', minute(i), inSession)
    expect(lines(s).at(-1)).toMatchObject({ message: 'an invalidator in each prompt: marks behind it are left out', what: 'system' })
    // before it stand the tools and nearly all of the system
    expect(lines(s).at(-1)!.near_token).toBeGreaterThan(1000)
    await s.ask('/v1/messages', minute(3), inSession)
    expect(places(s)).toEqual([true, false, false])
    // what stands before it is read again and again, and that changes nothing
    s.bill = () => ({ plain: 9000, read: 3000, written: 0 })
    for (let i = 4; i < 8; i++) await s.ask('/v1/messages', minute(i), inSession)
    expect(places(s)).toEqual([true, false, false])
    await s.ask('/v1/messages', minute(3), inSession)
    // it stays: a hit is to be expected
    await s.ask('/v1/messages', minute(3), inSession)
    expect(places(s)).toEqual([false, true, true])
  })
})

test('misses in two places, by turns, are no invalidator of either', async () => {
  const s = await stand()
  s.bill = warmed
  const turn = (tools: string, system: string) =>
    body(1, { system: `${long('rule')} ${system}`, tools: [{ name: 'read', description: `${long('reads')} ${tools}`, input_schema: {} }] })
  await s.ask('/v1/messages', turn('a', 'a'), inSession)
  for (const [tools, system] of [
    ['a', 'b'],
    ['b', 'b'],
    ['b', 'c'],
    ['c', 'c'],
  ] as const) {
    s.bill = () => ({ ...warmed(), read: 0 })
    await s.ask('/v1/messages', turn(tools, system), inSession)
    const { system: told, messages } = s.sent.at(-1)!.json
    expect([told, messages].map((part) => JSON.stringify(part).includes('cache_control'))).toEqual([true, true])
  }
  expect(s.metrics()).toContain('session_cache_warm_misses_total{cause="client",plugin="",upstream="anthropic"} 4')
})

test('what goes on from a response that the provider keeps is left alone', async () => {
  const s = await stand({ facts: { '*': { caching: 'auto', marks: 'none', key: true } } })
  s.bill = warmed
  const input = (text: string, more: object) => JSON.stringify({ model: 'responses', input: [{ role: 'user', content: text }], ...more })
  await s.ask('/v1/responses', input('go on', { previous_response_id: null }))
  expect(s.sent.at(-1)!.json.prompt_cache_key).toBeString()
  s.bill = lost
  const told = await s.ask('/v1/responses', input('go on', { conversation: 'conv_1' }))
  expect([s.sent.at(-1)!.json.prompt_cache_key, told.cache]).toEqual([undefined, undefined])
  expect(lines(s)).toEqual([])
})

describe('bounds', () => {
  test('log lines are held back by cause, and counted', async () => {
    const s = await stand()
    s.bill = warmed
    await s.ask('/v1/messages', body(1))
    s.bill = lost
    for (let i = 0; i < 5; i++) await s.ask('/v1/messages', body(i + 2))
    expect(lines(s)).toHaveLength(1)
    s.now += 60_000
    await s.ask('/v1/messages', body(8))
    expect(lines(s)).toMatchObject([{}, { since_last: 4 }])
  })

  test('bytes are let go beyond `memory`; hashes still tell the message', async () => {
    const s = await stand({ with: { watchdog: { memory: '1kb' } } })
    const told = await missed(s, body(3), body(3, { messages: body(3).messages.with(2, { role: 'user', content: 'QUESTION 1' }) }))
    expect(remarks(told)[0]).toMatch(/cause: client, changed message 2 from byte \d+$/)
    expect(s.metrics()).toContain('headgate_session_cache_kept_bytes 0')
  })

  test('lanes are forgotten beyond `lanes`', async () => {
    const s = await stand({ with: { prompt: { lanes: 3 } } })
    for (let i = 0; i < 10; i++) await s.ask('/v1/messages', body(1, { messages: [{ role: 'user', content: `lane ${i}` }] }))
    expect(s.metrics()).toContain('headgate_session_cache_lanes 3')
  })
})

describe('two instances', () => {
  test.skipIf(redisMissing !== undefined)(
    'on one Redis decide alike and know who broke it (skipped without redis-server: apt install redis-server)',
    async () => {
      const redis = await startRedis()
      ends.push(() => redis.stop())
      const provider = startProvider()
      ends.push(() => provider.stop())
      let at = 0
      const session = () => ({ turn: 2, source: 'prefix' as const, last: { at } })
      const make = () => stand({ provider, config: { state: redis.url }, session, with: { watchdog: { log_every: '0' } } })
      const [a, b] = [await make(), await make()]
      const now = (value: number) => {
        a.now = value
        b.now = value
      }
      /** What is shared is written behind the exchange's back. */
      const shared = (moment: number) =>
        until(5000, `the lane as of ${moment} in Redis`, async () => {
          const keys = (await redis.cli('keys', '*lane:*')).split('\n').filter((key) => key !== '')
          const values = await Promise.all(keys.map((key) => redis.cli('get', key)))
          return values.some((value) => value.includes(String(moment)))
        })
      provider.bill = warmed
      await a.ask('/v1/messages', body(1), inSession)
      at = a.now
      await shared(at)
      now(a.now + 301_000)
      await b.ask('/v1/messages', body(2), inSession)
      expect(b.sent.at(-1)!.text).toContain('"ttl":"1h"')
      at = b.now
      await shared(at)
      provider.bill = lost
      now(b.now + 10_000)
      await a.ask('/v1/messages', body(2, { messages: body(2).messages.with(2, { role: 'user', content: 'QUESTION 1' }) }), inSession)
      expect(a.sent.at(-1)!.text).toContain('"ttl":"1h"')
      expect(lines(a)).toMatchObject([{ cause: 'client', what: 'message 2' }])
    },
  )
})
