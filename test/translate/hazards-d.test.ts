/** Hazards of reasoning and parameters (D), of usage (E) and of prompt caches (F) between dialects, over real HTTP. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  block,
  chatStream,
  chatWhole,
  geminiStream,
  geminiWhole,
  type Loose,
  messageEnd,
  messageStart,
  messagesStream,
  messagesWhole,
  type Name,
  othersThan,
  plainReply,
  responsesWhole,
  type Stage,
  speaker,
  startStage,
} from './stage.ts'
import { history, toolsOf } from './tools-of.ts'

setDefaultTimeout(60_000)

let stage: Stage
beforeAll(async () => {
  stage = await startStage()
})
afterAll(() => stage.stop())

const chat = speaker('chat')
const messages = speaker('messages')
const responses = speaker('responses')
const gemini = speaker('gemini')

/** A gateway whose upstream of one dialect understands other things. */
async function withCapabilities(upstream: Name, capabilities: object, run: (at: Stage) => Promise<void>): Promise<void> {
  const at = await startStage((config) => {
    config.upstreams[upstream].capabilities = capabilities
  })
  try {
    await run(at)
  } finally {
    await at.stop()
  }
}

describe('reasoning and parameters', () => {
  test('D02 a model that wants its own thoughts back with its calls gets them, and no other does', async () => {
    const tool_calls = [{ id: 'call_1', type: 'function', function: { name: 'look', arguments: '{}' } }]
    const reply = chatWhole({ reasoning_content: 'Own thoughts.', tool_calls }, 'tool_calls')
    await withCapabilities('chat', { reasoning_echo: true }, async (at) => {
      const first = await at.ask(messages, 'chat', reply, { add: toolsOf(messages, ['look']) })
      const { content } = JSON.parse(first.body)
      const turns = [
        { role: 'user', content: 'Look.' },
        { role: 'assistant', content },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: content.find((b: Loose) => b.type === 'tool_use').id, content: 'R' }],
        },
      ]
      const add = { ...toolsOf(messages, ['look']), messages: turns }
      const echoed = await at.ask(messages, 'chat', plainReply.chat.whole, { add })
      expect(echoed.sent[0].messages.find((m: Loose) => m.tool_calls).reasoning_content).toBe('Own thoughts.')
      const plain = await stage.ask(messages, 'chat', plainReply.chat.whole, { add })
      expect(JSON.stringify(plain.sent[0])).not.toContain('Own thoughts.')
    })
  })

  test('D04 I08 an effort becomes the nearest that there is, a budget one below the largest output', async () => {
    await withCapabilities('messages', { adaptive_thinking: false }, async (at) => {
      for (const effort of ['minimal', 'low', 'medium', 'high', 'xhigh']) {
        const { sent, status } = await at.ask(chat, 'messages', plainReply.messages.whole, { add: { reasoning_effort: effort } })
        expect(status).toBe(200)
        expect(sent[0].thinking.type).toBe('enabled')
        expect(sent[0].thinking.budget_tokens).toBeLessThan(sent[0].max_tokens)
        expect(sent[0].thinking.budget_tokens).toBeGreaterThanOrEqual(1024)
      }
      const off = await at.ask(chat, 'messages', plainReply.messages.whole, { add: { reasoning_effort: 'none' } })
      expect(off.sent[0].thinking?.type ?? 'disabled').toBe('disabled')
    })
    const ladder = { 1500: 'low', 4000: 'medium', 16000: 'high' }
    await withCapabilities('chat', { efforts: ['low', 'medium', 'high'] }, async (at) => {
      for (const [budget, effort] of Object.entries(ladder)) {
        const add = { max_tokens: 30_000, thinking: { type: 'enabled', budget_tokens: Number(budget) } }
        const { sent } = await at.ask(messages, 'chat', plainReply.chat.whole, { add })
        expect(`${budget} ${sent[0].reasoning_effort}`).toBe(`${budget} ${effort}`)
      }
    })
    await withCapabilities('chat', { efforts: ['low', 'high'] }, async (at) => {
      const { sent, headers } = await at.ask(responses, 'chat', plainReply.chat.whole, { add: { reasoning: { effort: 'xhigh' } } })
      expect(sent[0].reasoning_effort).toBe('high')
      expect(headers.get('x-gateway-dropped')).toContain('reasoning')
    })
  })

  test('D05 sampling that a model does not take is left out, and named', async () => {
    await withCapabilities('messages', { sampling: false }, async (at) => {
      const { sent, status, headers } = await at.ask(chat, 'messages', plainReply.messages.whole, { add: { temperature: 1.3, top_p: 0.5 } })
      expect(status).toBe(200)
      for (const member of ['temperature', 'top_p', 'top_k']) expect(sent[0]).not.toHaveProperty(member)
      expect(headers.get('x-gateway-dropped')).toBe('temperature,top_p')
    })
    const { sent } = await stage.ask(chat, 'messages', plainReply.messages.whole, { add: { temperature: 1.3 } })
    expect(sent[0].temperature).toBe(1)
  })

  test('D06 a last turn of the assistant goes as it is, the refusal of the upstream comes back, and none is made up', async () => {
    const said = 'Sure, here is'
    const error = {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'This model does not support assistant message prefill.' },
    }
    const add = {
      messages: [
        { role: 'user', content: 'Go.' },
        { role: 'assistant', content: said },
      ],
    }
    const { status, told, sent } = await stage.ask(chat, 'messages', error, { status: 400, add })
    expect(status).toBe(400)
    expect(told.error).toContain('does not support assistant message prefill')
    expect(sent[0].messages.map((m: Loose) => m.role)).toEqual(['user', 'assistant'])
    for (const client of othersThan('messages')) {
      const { sent: plain } = await stage.ask(client, 'messages', plainReply.messages.whole)
      expect(plain[0].messages.at(-1).role).toBe('user')
    }
  })

  test('D07 the cap on the output in the one spelling that the upstream knows', async () => {
    for (const add of [{ max_tokens: 77 }, { max_completion_tokens: 77 }, { max_tokens: 5, max_completion_tokens: 77 }]) {
      expect((await stage.ask(chat, 'messages', plainReply.messages.whole, { add })).sent[0].max_tokens).toBe(77)
      expect((await stage.ask(chat, 'responses', plainReply.responses.whole, { add })).sent[0].max_output_tokens).toBe(77)
      expect((await stage.ask(chat, 'gemini', plainReply.gemini.whole, { add })).sent[0].generationConfig.maxOutputTokens).toBe(77)
    }
    for (const known of [true, false]) {
      await withCapabilities('chat', { max_completion_tokens: known }, async (at) => {
        const { sent } = await at.ask(messages, 'chat', plainReply.chat.whole, { add: { max_tokens: 77 } })
        expect(sent[0].max_completion_tokens).toBe(known ? 77 : undefined)
        expect(sent[0].max_tokens).toBe(known ? undefined : 77)
      })
    }
  })

  test('D08 a schema of the output is held to where it can be, and by a forced tool where not', async () => {
    const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false }
    const add = { text: { format: { type: 'json_schema', name: 'thing', schema, strict: true } } }
    expect((await stage.ask(responses, 'chat', plainReply.chat.whole, { add })).sent[0].response_format.json_schema.schema).toEqual(schema)
    await withCapabilities('messages', { json_schema: true }, async (at) => {
      const { sent } = await at.ask(responses, 'messages', plainReply.messages.whole, { add })
      expect(sent[0].output_config.format.schema).toEqual(schema)
    })
    expect((await stage.ask(responses, 'gemini', plainReply.gemini.whole, { add })).sent[0].generationConfig.responseJsonSchema).toEqual(
      schema,
    )
    await withCapabilities('messages', { json_schema: false }, async (at) => {
      const forced = messagesWhole(
        [
          { type: 'text', text: 'Let me.' },
          { type: 'tool_use', id: 'toolu_1', name: 'json_output', input: { a: 1 } },
        ],
        'tool_use',
      )
      const { told, sent } = await at.ask(responses, 'messages', forced, { add })
      expect(sent[0].tool_choice).toMatchObject({ type: 'tool', name: 'json_output' })
      expect({ text: JSON.parse(told.text), calls: told.calls, stop: told.stop }).toEqual({ text: { a: 1 }, calls: [], stop: 'end' })
    })
  })

  test('D09 refusals and sources of a Responses upstream reach the others', async () => {
    const cited = 'Paris is big.'
    const annotations = [{ type: 'url_citation', url: 'https://paris.example', title: 'Paris', start_index: 0, end_index: 5 }]
    const item = (content: object[]) => responsesWhole([{ id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content }])
    for (const client of othersThan('responses')) {
      const refused = await stage.ask(client, 'responses', item([{ type: 'refusal', refusal: 'I will not.' }]))
      expect(refused.told.text).toBe('I will not.')
      const { body, told } = await stage.ask(client, 'responses', item([{ type: 'output_text', text: cited, annotations }]))
      expect(told.text).toBe(cited)
      // Claude's sources hold proofs of its own search, which nobody else can make
      if (client.name !== 'messages') expect(body).toContain('https://paris.example')
    }
  })
})

describe('usage', () => {
  /** What a client is told, and what the record says. */
  async function counted(client: typeof chat, upstream: Name, reply: string | object) {
    const answer = await stage.ask(client, upstream, reply)
    const { usage } = await stage.gateway.outcome(answer.headers.get('x-request-id')!)
    return { told: answer.told.usage, usage, body: answer.body }
  }

  test('E01 what Claude read and wrote in caches is input for the others', async () => {
    const usage = { input_tokens: 10, cache_read_input_tokens: 90, cache_creation_input_tokens: 7, output_tokens: 5 }
    for (const client of othersThan('messages')) {
      const whole = await counted(client, 'messages', messagesWhole([{ type: 'text', text: 'Hi' }], 'end_turn', usage))
      expect(whole.told).toEqual({ input: 107, output: 5, cacheRead: 90 })
      expect(whole.usage).toMatchObject({ inputUncached: 10, cacheRead: 90, source: 'reported' })
      if (client.name !== 'gemini') expect(whole.body).toMatch(/"total_tokens":112/)
    }
  })

  test('E02 and what OpenAI counts with the input is taken off for Claude’s clients, never below 0', async () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 8,
      total_tokens: 108,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
    }
    const { body, told } = await counted(messages, 'chat', chatWhole({ content: 'Hi' }, 'stop', usage))
    expect(JSON.parse(body).usage).toMatchObject({ input_tokens: 30, cache_read_input_tokens: 60, output_tokens: 8 })
    expect(told?.input).toBe(100)
    const odd = { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6, prompt_tokens_details: { cached_tokens: 9 } }
    expect(
      JSON.parse((await counted(messages, 'chat', chatWhole({ content: 'Hi' }, 'stop', odd))).body).usage.input_tokens,
    ).toBeGreaterThanOrEqual(0)
  })

  test('E03 the figures at the end of a stream of Claude win over those at its start', async () => {
    const stream = messagesStream([
      messageStart({ input_tokens: 2479, output_tokens: 1 }),
      ...block(0, { type: 'text', text: '' }, { type: 'text_delta', text: 'Hi' }),
      ...messageEnd('end_turn', { input_tokens: 404500, cache_read_input_tokens: 100, output_tokens: 9 }),
    ])
    for (const client of othersThan('messages')) {
      const { told, usage } = await counted(client, 'messages', stream)
      expect(told).toEqual({ input: 404600, output: 9, cacheRead: 100 })
      expect(usage.inputUncached).toBe(404500)
    }
  })

  test('E04 what other models did on the way is in the record, each with its model, and not in the figures of this one', async () => {
    const iterations = [
      { type: 'compaction', input_tokens: 60385, output_tokens: 400 },
      { type: 'advisor_message', model: 'claude-other', input_tokens: 50, output_tokens: 20 },
      { type: 'message', input_tokens: 612, output_tokens: 9 },
    ]
    const usage = { input_tokens: 612, output_tokens: 9, iterations }
    for (const client of othersThan('messages')) {
      const { told, usage: noted } = await counted(client, 'messages', messagesWhole([{ type: 'text', text: 'Hi' }], 'end_turn', usage))
      expect(told).toMatchObject({ input: 612, output: 9 })
      expect(noted.extra?.map(({ kind, model, usage: u }) => [kind, model, u.inputUncached])).toEqual([
        ['compaction', undefined, 60385],
        ['advisor_message', 'claude-other', 50],
      ])
    }
  })

  test('E06 E07 E08 E09 thoughts are counted once, where they are left out of a figure and where they are in it', async () => {
    const xai = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 35, completion_tokens_details: { reasoning_tokens: 20 } }
    const openai = { prompt_tokens: 10, completion_tokens: 25, total_tokens: 35, completion_tokens_details: { reasoning_tokens: 20 } }
    const google = { promptTokenCount: 10, candidatesTokenCount: 5, thoughtsTokenCount: 20, totalTokenCount: 35 }
    for (const usage of [xai, openai]) {
      for (const client of othersThan('chat')) {
        expect((await counted(client, 'chat', chatWhole({ content: 'Hi' }, 'stop', usage))).told).toMatchObject({ input: 10, output: 25 })
        expect((await counted(client, 'chat', chatStream([{ role: 'assistant', content: 'Hi' }], 'stop', { usage }))).told).toMatchObject({
          output: 25,
        })
      }
    }
    for (const client of othersThan('gemini')) {
      expect((await counted(client, 'gemini', geminiWhole([{ text: 'Hi' }], 'STOP', google))).told).toMatchObject({ input: 10, output: 25 })
      // E09: said anew in each chunk
      const { told, usage, body } = await counted(
        client,
        'gemini',
        geminiStream([[{ text: 'H' }], [{ text: 'i' }], [{ text: '' }]], 'STOP', google),
      )
      expect(told).toMatchObject({ input: 10, output: 25 })
      expect(usage).toMatchObject({ outputVisible: 5, reasoning: 20 })
      if (client.name === 'chat') expect(body.match(/"prompt_tokens"/g)).toHaveLength(1)
    }
  })
})

describe('prompt caches', () => {
  const billing = 'x-anthropic-billing-header: cc_version=2.1.330; cc_entrypoint=cli'

  test('F03 what changes with each request of Claude Code goes to Anthropic only', async () => {
    const add = {
      system: [
        { type: 'text', text: billing },
        { type: 'text', text: 'You are careful.', cache_control: { type: 'ephemeral' } },
      ],
    }
    for (const upstream of ['chat', 'responses', 'gemini'] as const) {
      const text = JSON.stringify((await stage.ask(messages, upstream, plainReply[upstream].whole, { add })).sent[0])
      expect(text).not.toContain('x-anthropic-billing-header')
      expect(text).toContain('You are careful.')
    }
    expect(JSON.stringify((await stage.ask(messages, 'messages', plainReply.messages.whole, { add })).sent[0])).toContain(billing)
  })

  test('F02 F04 F05 I05 marks of Chat clients stand on the same items for Claude, lifetime and all; system and tools come first', async () => {
    const mark = { type: 'ephemeral', ttl: '1h' }
    const add = {
      messages: [
        {
          role: 'system',
          content: [
            { type: 'text', text: 'S1' },
            { type: 'text', text: 'S2', cache_control: mark },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'U1', cache_control: { type: 'ephemeral' } },
            { type: 'text', text: 'U2' },
          ],
        },
      ],
      tools: [{ type: 'function', function: { name: 'look', parameters: { type: 'object' } }, cache_control: mark }],
    }
    const { sent } = await stage.ask(chat, 'messages', plainReply.messages.whole, { add })
    const [body] = sent
    expect(body.system.map((b: Loose) => b.cache_control)).toEqual([undefined, mark])
    expect(body.messages[0].content.map((b: Loose) => b.cache_control)).toEqual([{ type: 'ephemeral' }, undefined])
    expect(body.tools[0].cache_control).toEqual(mark)
    const keys = Object.keys(body)
    expect(Math.max(keys.indexOf('system'), keys.indexOf('tools'))).toBeLessThan(keys.indexOf('messages'))
    for (const upstream of ['responses', 'gemini'] as const) {
      expect(JSON.stringify((await stage.ask(chat, upstream, plainReply[upstream].whole, { add })).sent[0])).not.toContain('cache_control')
    }
  })

  test('F06 clients without marks get them where the operator wants it, and none beside their own', async () => {
    const auto = await startStage((config) => {
      for (const upstream of Object.values(config.upstreams) as { prompt_cache?: string }[]) upstream.prompt_cache = 'auto'
    })
    const mark = { type: 'ephemeral' }
    const turns = [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U1' },
      { role: 'assistant', content: 'A1' },
      { role: 'user', content: 'U2' },
    ]
    try {
      const add = { ...toolsOf(chat, ['look'], ['take']), messages: turns }
      const [body] = (await auto.ask(chat, 'messages', plainReply.messages.whole, { add })).sent
      expect(body.tools.map((tool: Loose) => tool.cache_control)).toEqual([undefined, mark])
      expect(body.system.at(-1).cache_control).toEqual(mark)
      expect(body.messages.map((m: Loose) => (Array.isArray(m.content) ? m.content.at(-1).cache_control : undefined))).toEqual([
        undefined,
        undefined,
        mark,
      ])
      expect(JSON.stringify(body).match(/cache_control/g)).toHaveLength(3)
      const own = { ...turns[1], content: [{ type: 'text', text: 'U1', cache_control: { type: 'ephemeral', ttl: '1h' } }] }
      const [kept] = (
        await auto.ask(chat, 'messages', plainReply.messages.whole, { add: { ...add, messages: [turns[0], own, turns[2], turns[3]] } })
      ).sent
      expect(JSON.stringify(kept).match(/cache_control/g)).toHaveLength(1)
      // nothing is made up for those that know no marks, and nothing where nobody asked for it
      const plain = await auto.ask(responses, 'chat', plainReply.chat.whole)
      expect(plain.headers.get('x-gateway-dropped')).toBeNull()
      expect(JSON.stringify(plain.sent[0])).not.toContain('cache_control')
      expect(JSON.stringify((await stage.ask(chat, 'messages', plainReply.messages.whole, { add })).sent[0])).not.toContain('cache_control')
    } finally {
      await auto.stop()
    }
  })

  test('F01 a second turn repeats the first one byte for byte in the dialect of the upstream, so that its cache is found', async () => {
    const made = [1, 2].map((i) => ({ id: `call|${i}`, name: 'look', args: `{"z":"${i}"}`, result: `R${i}` }))
    for (const client of [chat, responses, messages, gemini]) {
      for (const upstream of ['chat', 'responses', 'messages', 'gemini'] as const) {
        if (client.name === upstream) continue
        const first = history(client, made)
        const list: Loose[] = first.messages ?? first.input ?? first.contents
        const key = first.messages ? 'messages' : first.input ? 'input' : 'contents'
        const more = {
          chat: { role: 'assistant', content: 'Seen.' },
          responses: { role: 'assistant', content: 'Seen.' },
          messages: { role: 'assistant', content: 'Seen.' },
          gemini: { role: 'model', parts: [{ text: 'Seen.' }] },
        }[client.name as Name]
        const again = { [key]: [...list, more, list.at(-1)] }
        const one = await stage.ask(client, upstream, plainReply[upstream].whole, { add: { ...toolsOf(client, ['look']), ...first } })
        const two = await stage.ask(client, upstream, plainReply[upstream].whole, { add: { ...toolsOf(client, ['look']), ...again } })
        const turns = (body: Loose): Loose[] => body.messages ?? body.input ?? body.contents
        const before = turns(one.sent[0]).map((turn) => JSON.stringify(turn))
        const after = turns(two.sent[0]).map((turn) => JSON.stringify(turn))
        expect(after.slice(0, before.length)).toEqual(before)
        for (const member of ['tools', 'system', 'instructions', 'systemInstruction'])
          expect(two.sent[0][member]).toEqual(one.sent[0][member])
      }
    }
  })
})
