import { afterEach, describe, expect, test } from 'bun:test'
import {
  definePlugin,
  Principal,
  PromptCache,
  type PromptCacheValue,
  Session,
  type StreamEvent,
  type Usage,
  unknownUsage,
} from 'headgate/plugin'
import { type PluginKit, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import sessionCache from './index.ts'

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) await kit.close()
})

let seen: PromptCacheValue | undefined
const onlooker = definePlugin({
  api: 1,
  name: 'onlooker',
  summary: 'Looks at the slot',
  wants: [PromptCache],
  failure: 'closed',
  setup: () => ({
    settle(x) {
      seen = x.peek(PromptCache)
    },
  }),
})

async function kitOf(options: TestPluginOptions = {}): Promise<PluginKit> {
  const kit = await testPlugin(sessionCache, { above: [onlooker], ...options })
  kits.push(kit)
  return kit
}

const billed = (usage: Partial<Usage>): StreamEvent[] => [
  { type: 'start', id: 'r', model: 'm' },
  { type: 'text', text: 'Hi', choice: 0 },
  { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
  { type: 'usage', usage: { ...unknownUsage, source: 'reported', ...usage } },
  { type: 'end' },
]
const long = 'rule '.repeat(2000)
const body = (messages: object[] = [{ role: 'user', content: 'q' }], system: string = long) => ({
  system,
  tools: [{ name: 'read', description: 'r', input_schema: { type: 'object' } }],
  messages,
})
const history = [
  { role: 'user', content: 'q' },
  { role: 'assistant', content: 'a' },
  { role: 'user', content: 'and?' },
]
const sentText = (result: { readonly sent: readonly { readonly text: string }[] }) => result.sent[0]!.text

describe('prompt.enabled: false', () => {
  test('leaves requests as they are and says nothing', async () => {
    const kit = await kitOf({ with: { prompt: { enabled: false } } })
    expect(sentText(await kit.messages(body()))).not.toContain('cache_control')
    expect(seen).toBeUndefined()
  })
})

describe('marks', () => {
  test('marks: false keeps them out, and the rest goes on', async () => {
    const kit = await kitOf({ with: { prompt: { marks: false } } })
    expect(sentText(await kit.messages(body()))).not.toContain('cache_control')
    expect(seen).toEqual({ attribution: 'none', expected: 0 })
  })

  test('who put them there stands in the record', async () => {
    const kit = await kitOf()
    const result = await kit.send({ dialect: 'anthropic-messages', body: body() })
    expect(sentText(result)).toContain('cache_control')
    expect(result.verdicts.filter(({ did }) => did === 'edited')).toEqual([
      { plugin: 'session-cache', hook: 'attempt', did: 'edited', detail: 'body' },
    ])
  })

  test('a prompt below the minimum of its model gets none', async () => {
    const kit = await kitOf()
    expect(sentText(await kit.messages(body(undefined, 'short')))).not.toContain('cache_control')
  })

  test('state and records that are away change nothing for the client', async () => {
    const kit = await kitOf({ state: 'down', records: 'down', slots: [[Session, { id: 's', turn: 3, source: 'prefix' }]] })
    const result = await kit.messages(body(history))
    expect([result.status, sentText(result).split('cache_control').length]).toEqual([200, 3])
  })
})

describe('the longer lifetime', () => {
  const ttl = (text: string) => text.split('"ttl":"1h"').length - 1
  test('is asked for from the first wait on that outlasts the short one, and from then on', async () => {
    const kit = await kitOf({ upstream: { events: billed({ cacheWrite5m: 5000 }) } })
    expect(ttl(sentText(await kit.messages(body())))).toBe(0)
    await kit.clock.advance(299_000)
    expect(ttl(sentText(await kit.messages(body(history))))).toBe(0)
    await kit.clock.advance(301_000)
    const late = sentText(await kit.messages(body([...history, { role: 'assistant', content: 'b' }, { role: 'user', content: 'c' }])))
    // all of them: an hour may not come behind five minutes
    expect([ttl(late), late.split('cache_control').length - 1]).toEqual([2, 2])
    expect(ttl(sentText(await kit.messages(body(history))))).toBe(2)
  })

  test('stays chosen when the process forgets (policy change on restart)', async () => {
    const kit = await kitOf({ upstream: { events: billed({ cacheWrite5m: 5000 }) } })
    await kit.messages(body())
    await kit.clock.advance(301_000)
    const before = sentText(await kit.messages(body(history)))
    kit.stores.down() // what was shared is gone too
    let after = ''
    // the choice is written behind the exchange's back
    for (let i = 0; i < 100 && after !== before; i++) {
      expect(await kit.reload({ fresh: true })).toEqual([])
      after = sentText(await kit.messages(body(history)))
    }
    expect(after).toBe(before)
    kit.stores.up()
  })

  test.each([
    ['never', 0],
    ['always', 2],
  ])('long_lifetime: %s', async (long_lifetime, count) => {
    const kit = await kitOf({ with: { prompt: { long_lifetime } } })
    await kit.messages(body())
    await kit.clock.advance(3_000_000)
    expect(ttl(sentText(await kit.messages(body(history))))).toBe(count)
  })

  test('lanes of one session have their own (sub-agents sharing a lane)', async () => {
    const kit = await kitOf({
      slots: [[Session, { id: 's', turn: 2, source: 'client' }]],
      upstream: { events: billed({ cacheWrite5m: 5000 }) },
    })
    const agent = (name: string) => body([{ role: 'user', content: name }])
    await kit.messages(agent('main'))
    await kit.clock.advance(200_000)
    await kit.messages(agent('helper'))
    await kit.clock.advance(200_000)
    expect(ttl(sentText(await kit.messages(agent('helper'))))).toBe(0)
    expect(ttl(sentText(await kit.messages(agent('main'))))).toBe(2)
  })

  test('reminders of the system in mid-conversation start no new lane', async () => {
    const kit = await kitOf({ upstream: { events: billed({ cacheWrite5m: 5000 }) } })
    const reminded = [history[0]!, { role: 'system', content: 'reminder 1' }, ...history.slice(1)]
    await kit.messages(body())
    await kit.clock.advance(301_000)
    expect(ttl(sentText(await kit.messages(body(reminded))))).toBe(2)
  })
})

describe('when not to write', () => {
  const single = { system: long, messages: [{ role: 'user', content: 'q' }] }
  const other = { system: long, messages: [{ role: 'user', content: 'another' }] }
  const count = (text: string) => text.split('cache_control').length - 1

  test('a single question is marked from the second sighting of its beginning on, and only there', async () => {
    const kit = await kitOf()
    expect(count(sentText(await kit.messages(single)))).toBe(0)
    const second = await kit.messages(other)
    expect(count(sentText(second))).toBe(1)
    expect((second.sent[0]!.json as { system: object[] }).system[0]).toHaveProperty('cache_control')
  })

  test('sightings that come too late are none', async () => {
    const kit = await kitOf()
    for (let i = 0; i < 4; i++) {
      expect(count(sentText(await kit.messages(other)))).toBe(0)
      await kit.clock.advance(301_000)
    }
  })

  test('beginnings are those of one caller', async () => {
    const kit = await kitOf({ slots: [[Principal, Principal.example]] })
    const as = (account: string) => ({ slots: [[Principal, { ...Principal.example, account }]] as const })
    await kit.messages(single, as('a'))
    expect(count(sentText(await kit.messages(single, as('b'))))).toBe(0)
    expect(count(sentText(await kit.messages(single, as('a'))))).toBe(1)
  })

  test.each([
    ['tools', { ...single, tools: body().tools }, undefined],
    ['a turn of the model', { ...single, messages: history }, undefined],
    ['a session that the client names', single, { id: 's', turn: 1, source: 'client' } as const],
  ])('%s make it a conversation: marked from the start', async (_, request, session) => {
    const kit = await kitOf({ ...(session && { slots: [[Session, session]] }) })
    expect(count(sentText(await kit.messages(request)))).toBe(2)
  })

  test('where beginnings turn out to go on, all of the first request is marked', async () => {
    const kit = await kitOf({ upstream: { events: billed({ cacheWrite5m: 5000 }) } })
    const counts: number[] = []
    for (let i = 0; i < 4; i++) {
      const question = { role: 'user', content: `question ${i}` }
      counts.push(count(sentText(await kit.messages({ system: long, messages: [question] }))))
      await kit.messages({ system: long, messages: [question, { role: 'assistant', content: 'a' }, { role: 'user', content: 'b' }] })
      await kit.clock.advance(1000)
    }
    expect([counts[0], counts.at(-1)]).toEqual([0, 2])
  })
})
