/**
 * What `session-cache` does for each provider's own way of caching, for clients of every dialect, native and translated, over real HTTP.
 */

import { afterEach, describe, expect, test } from 'bun:test'
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

const long = (name: string) => `${name} `.repeat(2500)
const schema = { type: 'object', properties: { path: { type: 'string' } } }
const last = (stand: CacheStand) => stand.sent.at(-1)!

/** The same conversation in each dialect: system, a tool, a call and its result. */
const clients: Readonly<Record<string, (model: string) => readonly [path: string, body: object]>> = {
  messages: (model) => [
    '/v1/messages',
    {
      model,
      max_tokens: 10,
      system: long('rule'),
      tools: [{ name: 'read', description: 'reads', input_schema: schema }],
      messages: [
        { role: 'user', content: 'q' },
        { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'read', input: { path: 'a' } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: 'found' }] },
      ],
    },
  ],
  chat: (model) => [
    '/v1/chat/completions',
    {
      model,
      max_completion_tokens: 10,
      tools: [{ type: 'function', function: { name: 'read', description: 'reads', parameters: schema } }],
      messages: [
        { role: 'system', content: long('rule') },
        { role: 'user', content: 'q' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 't1', type: 'function', function: { name: 'read', arguments: '{"path":"a"}' } }],
        },
        { role: 'tool', tool_call_id: 't1', content: 'found' },
      ],
    },
  ],
  responses: (model) => [
    '/v1/responses',
    {
      model,
      store: false,
      instructions: long('rule'),
      tools: [{ type: 'function', name: 'read', description: 'reads', parameters: schema }],
      input: [
        { role: 'user', content: 'q' },
        { type: 'function_call', call_id: 't1', name: 'read', arguments: '{"path":"a"}' },
        { type: 'function_call_output', call_id: 't1', output: 'found' },
      ],
    },
  ],
  gemini: (model) => [
    `/v1beta/models/${model}:generateContent`,
    {
      systemInstruction: { parts: [{ text: long('rule') }] },
      tools: [{ functionDeclarations: [{ name: 'read', description: 'reads', parametersJsonSchema: schema }] }],
      contents: [
        { role: 'user', parts: [{ text: 'q' }] },
        { role: 'model', parts: [{ functionCall: { name: 'read', args: { path: 'a' } } }] },
        { role: 'user', parts: [{ functionResponse: { name: 'read', response: { output: 'found' } } }] },
      ],
    },
  ],
}

/** Places of marks: `system`, `tools`, or the index of a message. */
function marked({ json }: Sent): unknown[] {
  const has = (value: unknown) => /"(cache_control|cachePoint|prompt_cache_breakpoint)":/.test(JSON.stringify(value) ?? '')
  const { system, tools, messages, input, toolConfig } = json as Record<string, unknown>
  return [
    ...(has(tools) || has(toolConfig) ? ['tools'] : []),
    ...(has(system) ? ['system'] : []),
    ...((messages ?? input ?? []) as unknown[]).flatMap((message, i) => (has(message) ? [i] : [])),
  ]
}

describe.each(Object.keys(clients))('a client of %s', (client) => {
  test.each([
    ['claude', '/v1/messages'],
    ['converse', '/converse'],
    ['nova', '/converse'],
  ])('at %s has marks at the end of system and of the request, and is read the second time', async (model, path) => {
    const s = await stand()
    s.bill = () => ({ plain: 10, read: 0, written: 5000 })
    const [url, body] = clients[client]!(model)
    const first = await s.ask(url, body)
    // what others may have sent of it before is not known
    expect([first.status, first.cache]).toEqual([200, { attribution: 'gateway' }])
    expect(last(s).path).toEndWith(path)
    expect(marked(last(s))).toEqual(['system', 2])
    const before = last(s).text
    s.bill = () => ({ plain: 10, read: 5000, written: 0 })
    const second = await s.ask(url, body)
    expect(second.cache).toEqual({ attribution: 'gateway', expected: 5000 })
    expect(last(s).text).toBe(before)
  })
})

test.each(['converse', 'claude'])('%s: the longer lifetime is written as it is called there, on all marks', async (model) => {
  const s = await stand()
  const [url, body] = clients.chat!(model)
  await s.ask(url, body)
  s.now += 301_000
  await s.ask(url, body)
  expect(last(s).text.split('"ttl":"1h"').length - 1).toBe(2)
})

test('a model without the longer lifetime is not asked for it', async () => {
  const s = await stand()
  const [url, body] = clients.chat!('nova')
  await s.ask(url, body)
  s.now += 301_000
  await s.ask(url, body)
  expect(last(s).text).not.toContain('ttl')
})

/** As GPT-5.6 and later are: they cache by themselves, writing costs, and marks are understood. */
const gpt56 = {
  '*': {
    caching: 'auto',
    marks: 'prompt_cache_breakpoint',
    minimum: 1024,
    lifetime: '30m',
    write: 1.25,
    read: 0.1,
    key: true,
    look_back: 80,
  },
}
const gpt5 = { '*': { caching: 'auto', marks: 'none', minimum: 1024, lifetime: '5m', write: 1, read: 0.1, key: true } }

describe('a provider that caches by itself and knows marks', () => {
  test.each(['chat', 'messages', 'gemini'])('%s: one mark at the end of system, and a key', async (client) => {
    const s = await stand({ facts: gpt56 })
    const [url, body] = clients[client]!('chat')
    const { cache } = await s.ask(url, body)
    const { json } = last(s)
    expect(marked(last(s))).toEqual([0])
    expect((json.messages as { content: unknown }[])[0]!.content).toEqual([
      { type: 'text', text: long('rule'), prompt_cache_breakpoint: { mode: 'explicit' } },
    ])
    expect(json.prompt_cache_key).toBeString()
    expect(json.prompt_cache_options).toBeUndefined()
    expect(cache?.attribution).toBe('provider')
  })

  test('Responses: on the last leading message of the developer; `instructions` can bear none', async () => {
    const s = await stand({ facts: gpt56 })
    const [url, body] = clients.responses!('responses')
    await s.ask(url, body)
    expect(marked(last(s))).toEqual([])
    const input = [{ role: 'developer', content: long('rule') }, ...(body as { input: object[] }).input]
    await s.ask(url, { ...body, instructions: undefined, input })
    expect((last(s).json.input as unknown[])[0]).toEqual({
      role: 'developer',
      content: [{ type: 'input_text', text: long('rule'), prompt_cache_breakpoint: { mode: 'explicit' } }],
    })
  })

  test('a single question is told not to write', async () => {
    const s = await stand({ facts: gpt56 })
    const question = {
      model: 'chat',
      messages: [
        { role: 'system', content: long('rule') },
        { role: 'user', content: 'q' },
      ],
    }
    await s.ask('/v1/chat/completions', question)
    expect([marked(last(s)), last(s).json.prompt_cache_options]).toEqual([[], { mode: 'explicit' }])
    // seen again in time: the rule is worth it
    await s.ask('/v1/chat/completions', question)
    expect([marked(last(s)), last(s).json.prompt_cache_options]).toEqual([[0], { mode: 'explicit' }])
  })

  test.each([
    ['prompt_cache_options', { prompt_cache_options: { mode: 'implicit' } }],
    [
      'a mark',
      { messages: [{ role: 'user', content: [{ type: 'text', text: long('q'), prompt_cache_breakpoint: { mode: 'explicit' } }] }] },
    ],
  ])("the client's %s: nothing but the key is added", async (_, more) => {
    const s = await stand({ facts: gpt56 })
    const text = JSON.stringify({ ...clients.chat!('chat')[1], ...more })
    const { cache } = await s.ask('/v1/chat/completions', text)
    const sent = last(s).text
    expect(sent.replace(/,"prompt_cache_key":"[^"]*"/, '')).toBe(text.replace('"chat"', '"gpt-test"'))
    expect(cache?.attribution).toBe('client')
  })
})

test('Claude behind Chat: marks on the parts of system and of the last message that may bear one', async () => {
  const provider = startProvider()
  const s = await stand({
    provider,
    config: {
      upstreams: {
        via: {
          dialect: 'openai',
          base_url: `${provider.url}/v1`,
          key: 'k',
          capabilities: { cache_marks: true },
          prompt_cache_facts: { 'anthropic/*': { caching: 'marks', marks: 'cache_control', look_back: 20, write: 1.25, read: 0.1 } },
        },
      },
      models: { chat: { targets: [{ upstream: 'via', model: 'anthropic/claude-sonnet-4.5' }] } },
    },
  })
  const [url, body] = clients.chat!('chat')
  const { cache } = await s.ask(url, body)
  const sent = last(s).json.messages as { content: unknown }[]
  expect(marked(last(s))).toEqual([0, 3])
  expect(sent[3]!.content).toEqual([{ type: 'text', text: 'found', cache_control: { type: 'ephemeral' } }])
  expect(sent[2]!.content).toBeNull()
  expect(cache?.attribution).toBe('gateway')
  // the model's last turn has no text: what comes before it bears the mark
  const spoken = (body as { messages: object[] }).messages.slice(0, 3)
  await s.ask(url, { ...body, messages: spoken })
  expect(marked(last(s))).toEqual([0, 1])
  await provider.stop()
})

test("Claude at Bedrock in its own API: as at its maker's", async () => {
  const s = await stand()
  const [url, body] = clients.messages!('invoke')
  await s.ask(url, body)
  expect(last(s).path).toEndWith('/invoke')
  expect(last(s).json.anthropic_version).toBe('bedrock-2023-05-31')
  expect(marked(last(s))).toEqual(['system', 2])
})

describe('keys', () => {
  test('a session has one of its own, the same in each turn; nothing before it changes', async () => {
    const s = await stand({ facts: gpt5 })
    const [url, body] = clients.chat!('chat')
    const text = JSON.stringify(body)
    for (let i = 0; i < 2; i++) await s.ask(url, text)
    const keys = s.sent.map(({ json }) => json.prompt_cache_key)
    expect(keys[0]).toBe(keys[1])
    expect(last(s).text).toBe(`${text.replace('"chat"', '"gpt-test"').slice(0, -1)},"prompt_cache_key":"${keys[0]}"}`)
    await s.ask(url, { ...body, messages: [{ role: 'user', content: 'something else' }] })
    expect(last(s).json.prompt_cache_key).not.toBe(keys[0])
  })

  test("the client's own is never replaced", async () => {
    const s = await stand({ facts: gpt5 })
    const text = JSON.stringify({ ...clients.responses!('responses')[1], prompt_cache_key: 'mine' })
    await s.ask('/v1/responses', text)
    expect(last(s).text).toBe(text.replace('"responses"', '"gpt-test"'))
  })

  test('a provider that does not know it gets none', async () => {
    const s = await stand({ facts: { '*': { caching: 'auto', marks: 'none', key: false } } })
    const text = JSON.stringify(clients.chat!('chat')[1])
    await s.ask('/v1/chat/completions', text)
    expect(last(s).text).toBe(text.replace('"chat"', '"gpt-test"'))
  })

  test('where a header does it, that is set, unless the client did', async () => {
    const s = await stand({ facts: { '*': { caching: 'auto', marks: 'none', key: false, conversation_header: 'x-grok-conv-id' } } })
    const [url, body] = clients.chat!('chat')
    await s.ask(url, body)
    expect(last(s).headers.get('x-grok-conv-id')).toStartWith('hg_')
    await s.ask(url, body, { 'x-grok-conv-id': 'mine' })
    expect(last(s).headers.get('x-grok-conv-id')).toBe('mine')
  })

  test('many short sessions with one long beginning share as many keys as their rate needs', async () => {
    const s = await stand({ facts: gpt5 })
    const [url, body] = clients.chat!('chat') as [string, { messages: object[] }]
    const tools = (body as { tools?: object[] }).tools
    for (let i = 0; i < 40; i++) {
      const messages = [body.messages[0]!, { role: 'user', content: `question ${i}` }]
      await s.ask(url, { model: 'chat', tools, messages })
      s.now += 1000
    }
    const keys = s.sent.map(({ json }) => String(json.prompt_cache_key))
    const shared = keys.slice(10).filter((key) => key.startsWith('p_'))
    expect(shared.length).toBe(30)
    // 40 a minute, 12 for each key
    expect(new Set(shared).size).toBeGreaterThanOrEqual(2)
    expect(new Set(shared).size).toBeLessThanOrEqual(8)
    // who has one keeps it
    const messages = [
      body.messages[0]!,
      { role: 'user', content: 'question 39' },
      { role: 'assistant', content: 'a' },
      { role: 'user', content: 'b' },
    ]
    await s.ask(url, { model: 'chat', tools, messages })
    expect(last(s).json.prompt_cache_key).toBe(keys[39])
  })
})

test.each(['gemini', 'chat'])('Gemini gets nothing from a client of %s', async (client) => {
  const s = await stand()
  const [url, body] = clients[client]!('gemini')
  const text = JSON.stringify(body)
  const { cache } = await s.ask(url, text)
  expect(last(s).path).toContain('generateContent')
  if (client === 'gemini') expect(last(s).text).toBe(text)
  expect(last(s).text).not.toMatch(/cache/i)
  expect(cache?.attribution).toBe('provider')
})

test('batches write nothing that nobody reads', async () => {
  const { definePlugin } = await import('../../src/plugin/index.ts')
  const caller = definePlugin({
    api: 1,
    name: 'caller',
    summary: 'Makes a call of its own',
    failure: 'closed',
    setup: (host) => ({
      async request(x) {
        if (x.inner) return undefined
        const body = x.request.bytes as Uint8Array<ArrayBuffer>
        const headers = { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' }
        const request = new Request('http://gateway/v1/messages', { method: 'POST', headers, body })
        const response = await host.call(request, { once: `job-${x.id}` })
        if (response.status !== 200) throw new Error(await response.text())
        await response.text()
        return undefined
      },
    }),
  })
  const s = await stand({ plugins: [caller], above: [{ use: 'caller' }] })
  await s.ask(...clients.messages!('claude'))
  expect(s.sent.map((sent) => marked(sent).length)).toEqual([0, 2])
})
