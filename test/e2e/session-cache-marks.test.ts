/**
 * Where `session-cache` puts marks and keys, seen by a provider through real HTTP: clients of every dialect, native and translated.
 */

import { afterEach, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type CacheStand, type Sent, type StandOptions, startCacheStand, startProvider } from '../support/cache-stand.ts'

const stands: CacheStand[] = []
afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop()
})
async function stand(options: StandOptions = {}): Promise<CacheStand> {
  const made = await startCacheStand(options)
  stands.push(made)
  return made
}

const long = (name: string) => `${name} `.repeat(1500)
const tool = (name: string) => ({ name, description: long(name), input_schema: { type: 'object', properties: {} } })
const mark = { cache_control: { type: 'ephemeral' } }
const marks = ({ text }: Sent) => text.split('"cache_control"').length - 1 + text.split('"cachePoint"').length - 1
const last = (stand: CacheStand) => stand.sent.at(-1)!
/** What the bytes would be without the marks: what the provider matches. */
const unmarked = (text: string) => text.replace(/,?"cache_control":\{[^}]*\}/g, '').replace(/,\{"cachePoint":\{[^}]*\}\}/g, '')

const messages = (more: object = {}) => ({
  model: 'claude',
  max_tokens: 10,
  system: [{ type: 'text', text: long('rule') }],
  tools: [tool('read'), tool('write')],
  messages: [{ role: 'user', content: [{ type: 'text', text: 'question' }] }],
  ...more,
})

describe('a client of Messages that sets no mark', () => {
  test('gets two: at the end of system and of the last message; every other byte is its own', async () => {
    const s = await stand()
    const body = JSON.stringify(messages())
    const { cache } = await s.ask('/v1/messages', body)
    const { json, text } = last(s)
    expect(json.system).toEqual([{ type: 'text', text: long('rule'), ...mark }])
    expect(json.messages).toEqual([{ role: 'user', content: [{ type: 'text', text: 'question', ...mark }] }])
    expect(marks(last(s))).toBe(2)
    expect(unmarked(text)).toBe(body.replace('"claude"', '"claude-sonnet-4-5"'))
    expect(cache).toEqual({ attribution: 'gateway', expected: 0 })
  })

  test('has its history read from the second turn on, and the prefix stays byte for byte', async () => {
    const s = await stand()
    const turn1 = messages()
    await s.ask('/v1/messages', turn1)
    const turn2 = messages({
      messages: [
        ...turn1.messages,
        { role: 'assistant', content: [{ type: 'text', text: long('answer') }] },
        { role: 'user', content: 'and?' },
      ],
    })
    const { outcome, cache } = await s.ask('/v1/messages', turn2)
    expect(outcome.usage.cacheRead).toBeGreaterThan(1000)
    expect(cache).toEqual({ attribution: 'gateway', expected: outcome.usage.cacheRead })
    const [one, two] = s.sent.map(({ text }) => unmarked(text)) as [string, string]
    const prompt = one.slice(0, one.indexOf('question') + 10)
    expect(two.startsWith(prompt)).toBe(true)
  })

  test('plain strings become one block of the same text', async () => {
    const s = await stand()
    await s.ask('/v1/messages', messages({ system: long('rule "quoted" \\ é\n'), messages: [{ role: 'user', content: 'q' }] }))
    expect(last(s).json.system).toEqual([{ type: 'text', text: long('rule "quoted" \\ é\n'), ...mark }])
    expect(last(s).json.messages).toEqual([{ role: 'user', content: [{ type: 'text', text: 'q', ...mark }] }])
  })

  test('without system the last tool bears it, and not one whose loading is deferred', async () => {
    const s = await stand()
    const tools = [tool('read'), { ...tool('later'), defer_loading: true }]
    await s.ask('/v1/messages', messages({ system: undefined, tools }))
    expect(last(s).json.tools).toEqual([{ ...tools[0], ...mark }, tools[1]])
  })

  test('a mark never stands on a thought, an empty text or an unknown block', async () => {
    const s = await stand()
    const content = [
      { type: 'tool_result', tool_use_id: 't', content: long('found') },
      { type: 'text', text: '  \n' },
      { type: 'brand_new', x: 1 },
    ]
    const history = [
      { role: 'user', content: 'q' },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 's' },
          { type: 'tool_use', id: 't', name: 'read', input: {} },
        ],
      },
      { role: 'user', content },
    ]
    await s.ask('/v1/messages', messages({ messages: history }))
    expect((last(s).json.messages as { content: unknown[] }[]).at(-1)!.content).toEqual([
      { ...content[0], ...mark },
      content[1],
      content[2],
    ])
  })

  test('B3: a turn that added many blocks gets one where the last request ended, and finds its entry', async () => {
    const s = await stand()
    const turn1 = messages()
    await s.ask('/v1/messages', turn1)
    const calls = Array.from({ length: 25 }, (_, i) => ({ type: 'tool_use', id: `t${i}`, name: 'read', input: { i } }))
    const results = calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'r' }))
    const turn2 = messages({ messages: [...turn1.messages, { role: 'assistant', content: calls }, { role: 'user', content: results }] })
    const { outcome } = await s.ask('/v1/messages', turn2)
    expect(marks(last(s))).toBe(3)
    expect((last(s).json.messages as { content: unknown[] }[])[0]!.content).toEqual([{ type: 'text', text: 'question', ...mark }])
    // without it only what ends with the system would be found
    expect(outcome.usage.cacheRead).toBe(tokensOf(s.sent[0]!))
  })

  test('B4: a message that was changed far back gets one before it', async () => {
    const s = await stand()
    const turn = (i: number, text = `call ${i}`) => [
      { role: 'assistant', content: [{ type: 'text', text }] },
      { role: 'user', content: [{ type: 'text', text: long(`result ${i}`) }] },
    ]
    const history = (n: number, changed = -1) => [
      ...messages().messages,
      ...Array.from({ length: n }, (_, i) => turn(i, i === changed ? 'rewritten' : undefined)).flat(),
    ]
    for (let n = 0; n < 30; n++) await s.ask('/v1/messages', messages({ messages: history(n) }))
    const { outcome } = await s.ask('/v1/messages', messages({ messages: history(30, 15) }))
    expect(marks(last(s))).toBe(3)
    expect(outcome.usage.cacheRead).toBeGreaterThan(15 * 3000)
  })

  test('an exchange that is tried again elsewhere is marked once each time (content injected twice)', async () => {
    const s = await stand({
      config: {
        models: {
          claude: {
            targets: [
              { upstream: 'anthropic', model: 'claude-sonnet-4-5' },
              { upstream: 'bedrock', model: 'anthropic.claude-sonnet-4-5-20250929-v1:0' },
            ],
          },
        },
      },
    })
    s.answer = ({ path }) =>
      path.endsWith('/messages')
        ? new Response('{"type":"error","error":{"type":"overloaded_error","message":"x"}}', { status: 529 })
        : undefined
    const { status } = await s.ask('/v1/messages', messages())
    expect(status).toBe(200)
    expect(s.sent.map(marks)).toEqual([2, 2])
  })
})

/** All tokens of a request, as the provider counts them. */
function tokensOf({ json }: Sent): number {
  const { system, tools, messages } = json as { system: object[]; tools: object[]; messages: { content: object[] }[] }
  const blocks = [...tools, ...system, ...messages.flatMap(({ content }) => content)]
  return blocks.reduce((sum, block) => sum + Math.ceil(JSON.stringify({ ...block, cache_control: undefined }).length / 4), 0)
}

describe('a client that sets a mark anywhere', () => {
  const marked = { cache_control: { type: 'ephemeral', ttl: '1h' } }
  test.each([
    ['on a tool', messages({ tools: [{ ...tool('read'), ...marked }, tool('write')] })],
    ['on system', messages({ system: [{ type: 'text', text: long('rule'), ...marked }] })],
    ['on a message', messages({ messages: [{ role: 'user', content: [{ type: 'text', text: 'q', ...marked }] }] })],
    [
      'inside a result',
      messages({
        messages: [
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: 'r', ...marked }] }] },
        ],
      }),
    ],
    ['for the whole request', messages({ ...marked })],
    [
      'behind a long history',
      messages({
        messages: [
          ...Array.from({ length: 40 }, () => ({ role: 'user', content: 'x' })),
          { role: 'user', content: [{ type: 'text', text: 'q', ...marked }] },
        ],
      }),
    ],
  ])('%s: nothing is added', async (_, body) => {
    const s = await stand()
    const text = JSON.stringify(body)
    const { cache } = await s.ask('/v1/messages', text)
    expect(last(s).text).toBe(text.replace('"claude"', '"claude-sonnet-4-5"'))
    expect(cache?.attribution).toBe('client')
  })

  test('wherever it is, the body is byte-identical; without one there are at most four (property)', async () => {
    const s = await stand()
    const text = fc.oneof(fc.constant(long('t')), fc.string({ maxLength: 40 }), fc.constant(' \n'))
    const block = fc.oneof(
      text.map((t) => ({ type: 'text', text: t })),
      text.map((t) => ({ type: 'tool_result', tool_use_id: 'i', content: t })),
      fc.constant({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }),
      fc.constant({ type: 'thinking', thinking: 't', signature: 's' }),
    )
    const content = fc.oneof(text, fc.array(block, { minLength: 1, maxLength: 30 }))
    const message = fc.record({ role: fc.constantFrom('user', 'assistant'), content })
    const bodies = fc.record(
      {
        model: fc.constant('claude'),
        max_tokens: fc.constant(10),
        tools: fc.array(fc.constantFrom(tool('a'), tool('b')), { maxLength: 4 }),
        system: fc.oneof(
          text,
          fc.array(
            text.map((t) => ({ type: 'text', text: t })),
            { minLength: 1, maxLength: 3 },
          ),
        ),
        messages: fc.array(message, { minLength: 1, maxLength: 12 }),
      },
      { requiredKeys: ['model', 'max_tokens', 'messages'] },
    )
    const check = async (value: object, where: number | undefined, indent: number) => {
      const body = JSON.parse(JSON.stringify(value)) as Record<string, unknown>
      if (where !== undefined) {
        const places = bearers(body)
        Object.assign(places[where % places.length]!, mark)
      }
      const sentByClient = JSON.stringify(body, null, indent)
      const { status } = await s.ask('/v1/messages', sentByClient)
      expect(status).toBe(200)
      const sent = last(s)
      const renamed = sentByClient.replace('"claude"', '"claude-sonnet-4-5"')
      if (where !== undefined) return expect(sent.text).toBe(renamed)
      expect(marks(sent)).toBeLessThanOrEqual(4)
      expect(strings(JSON.parse(unmarked(sent.text)))).toEqual(strings(JSON.parse(renamed)))
    }
    await fc.assert(fc.asyncProperty(bodies, fc.option(fc.nat(), { nil: undefined }), fc.constantFrom(0, 2), check), { numRuns: 150 })
  })

  test('also in what it has sent before, in each turn, translated or not', async () => {
    const s = await stand()
    const system = [{ type: 'text', text: long('rule'), ...mark }]
    const history: object[] = [{ role: 'user', content: 'q' }]
    for (const name of ['claude', 'converse']) {
      for (let turn = 0; turn < 3; turn++) {
        const { cache } = await s.ask('/v1/messages', messages({ model: name, system, messages: history }), { 'x-session': name })
        expect(cache?.attribution).toBe('client')
        expect(marks(last(s))).toBe(1)
        history.push({ role: 'assistant', content: long(`a${turn}`) }, { role: 'user', content: 'and?' })
      }
      // one turn without, and the mark is back in what was looked at then
      await s.ask('/v1/messages', messages({ model: name, system: long('rule'), messages: history }), { 'x-session': name })
      const { cache } = await s.ask('/v1/messages', messages({ model: name, system, messages: history }), { 'x-session': name })
      expect([cache?.attribution, marks(last(s))]).toEqual(['client', 1])
    }
  })

  test('however its name is spelled', async () => {
    const s = await stand()
    for (const name of ['cache\\u005fcontrol', 'cache\\u005Fcontrol', '\\u0063ache_control', 'cache_contro\\u006c']) {
      const text = JSON.stringify(messages({ messages: [{ role: 'user', content: [{ type: 'text', text: name, ...mark }] }] }))
      const hidden = text.replace('"cache_control"', `"${name}"`)
      const { cache } = await s.ask('/v1/messages', hidden)
      expect(last(s).text).toBe(hidden.replace('"claude"', '"claude-sonnet-4-5"'))
      expect(cache?.attribution).toBe('client')
      const translated = await s.ask('/v1/messages', hidden.replace('"claude"', '"converse"'))
      expect(translated.cache?.attribution).toBe('client')
    }
    // a text that speaks of such escapes, or holds one, hides nothing
    const { cache } = await s.ask('/v1/messages', JSON.stringify(messages()).replace('question', 'a\\u0062c \\\\u0063 \\u001b[0m'))
    expect(cache?.attribution).toBe('gateway')
    expect(marks(last(s))).toBe(2)
  })

  test('arguments and schemas that have a member of that name are no mark', async () => {
    const s = await stand()
    const input = { cache_control: { type: 'ephemeral' }, text: '"cache_control":{}' }
    const tools = [
      { name: 'edit', description: long('edit'), input_schema: { type: 'object', properties: { cache_control: { type: 'object' } } } },
    ]
    const history = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'edit', input }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'done' }] },
    ]
    const { cache } = await s.ask('/v1/messages', messages({ tools, messages: history }))
    expect(cache?.attribution).toBe('gateway')
    expect((last(s).json.messages as { content: unknown[] }[]).at(-1)!.content).toEqual([
      { ...(history[2]!.content as object[])[0], ...mark },
    ])
  })

  test('marks of `prompt_cache: auto` stay, and none are added', async () => {
    const provider = startProvider()
    const s = await stand({
      provider,
      config: {
        upstreams: { anthropic: { dialect: 'anthropic', base_url: provider.url, key: 'k', prompt_cache: 'auto' } },
        models: { claude: { targets: [{ upstream: 'anthropic', model: 'claude-sonnet-4-5' }] } },
      },
    })
    const rule = { role: 'system', content: long('rule') }
    const { cache } = await s.ask('/v1/chat/completions', { model: 'claude', messages: [rule, { role: 'user', content: 'q' }] })
    expect(marks(last(s))).toBe(2)
    expect(cache?.attribution).toBe('gateway')
    await provider.stop()
  })
})

/** All objects of a body that a client may mark. */
function bearers(body: Record<string, unknown>): object[] {
  const {
    tools = [],
    system = [],
    messages = [],
  } = body as { tools?: object[]; system?: object[] | string; messages?: { content: object[] | string }[] }
  const blocks = [
    ...(typeof system === 'string' ? [] : system),
    ...messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content)),
  ]
  return [body, ...tools, ...blocks]
}

/** What a body says, its plain strings and one block of text the same, as a provider reads it. */
function strings(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strings)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      (key === 'content' || key === 'system') && typeof inner === 'string' ? [{ type: 'text', text: inner }] : strings(inner),
    ]),
  )
}
