/**
 * The unmodified `@anthropic-ai/sdk` speaking Messages to a scripted model behind each dialect of upstream (PROTOCOL §4).
 *
 * The model refuses what the real providers refuse, and complains when a proof that it gave does not come back bit-exact (D01).
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod'
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod'
import type { Message, MessageParam, RawMessageStreamEvent, Tool, ToolResultBlockParam, Usage } from '@anthropic-ai/sdk/resources/messages'
import { z } from 'zod'
import { leave } from '../support/model/aborting.ts'
import { type ModelGateway, modelOf, startModelGateway, upstreams } from '../support/model/gateway.ts'
import { thought } from '../support/model/script.ts'

const tool: Tool = {
  name: 'get_weather',
  description: 'The weather of a city',
  input_schema: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city', 'days'] },
}
const args = { city: 'Köln', days: 3 }
const question: MessageParam[] = [{ role: 'user', content: 'How warm is it?' }]
const thinking = { type: 'enabled', budget_tokens: 2000 } as const

function expectUsage(usage: Usage): void {
  expect(usage).toMatchObject({ input_tokens: 100, cache_read_input_tokens: 20, output_tokens: 30 })
  expect(usage.cache_creation_input_tokens ?? 0).toBe(0)
}

describe('the anthropic SDK', () => {
  let at: ModelGateway
  let client: Anthropic

  beforeAll(async () => {
    at = await startModelGateway()
    client = new Anthropic({ apiKey: 'client-secret', baseURL: at.url, maxRetries: 0, timeout: 10_000 })
  })
  afterEach(() => expect(at.complaints()).toEqual([]))
  afterAll(() => at.stop())

  describe.each([...upstreams])('to %s', (upstream) => {
    const model = modelOf(upstream)

    test('messages.create', async () => {
      const message = await client.messages.create({ model, max_tokens: 4000, system: 'Be brief.', messages: question })
      expect(message).toMatchObject({ type: 'message', role: 'assistant', stop_reason: 'end_turn', stop_sequence: null })
      expect(message.content).toMatchObject([{ type: 'text', text: 'You said: How warm is it?' }])
      expect(message._request_id).toStartWith('req_')
      expectUsage(message.usage)
      expect(at.model.requests[0]!.asked.system).toEqual(['Be brief.'])
    })

    test('the events of a stream: order, indexes, one end (B05, B06)', async () => {
      at.model.args = { get_weather: args }
      const events: RawMessageStreamEvent[] = []
      const body = { model, max_tokens: 4000, messages: question, tools: [tool], stream: true as const }
      for await (const event of await client.messages.create(body)) events.push(event)
      const types = events.map((event) => event.type)
      expect(types[0]).toBe('message_start')
      expect(types.slice(-2)).toEqual(['message_delta', 'message_stop'])
      const counted = (type: string) => types.filter((t) => t === type).length
      expect([counted('message_start'), counted('message_delta'), counted('message_stop')]).toEqual([1, 1, 1])
      const starts = events.flatMap((event) => (event.type === 'content_block_start' ? [event.index] : []))
      expect(starts).toEqual(starts.map((_, i) => i))
      expect(counted('content_block_stop')).toBe(starts.length)
    })

    const ask = (way: string, messages: MessageParam[], more: object = {}): Promise<Message> => {
      const body = { model, max_tokens: 4000, messages, tools: [tool], thinking, ...more }
      return way === 'whole' ? client.messages.create(body) : client.messages.stream(body).finalMessage()
    }

    test.each(['whole', 'streamed'])('thinking and a tool over two turns: the proof comes back (D01, C01): %s', async (way) => {
      at.model.args = { get_weather: args }
      const first = await ask(way, question)
      expect(first.stop_reason).toBe('tool_use')
      expect(first.content.find((block) => block.type === 'thinking')).toMatchObject({ thinking: thought })
      const call = first.content.at(-1)!
      if (call.type !== 'tool_use') throw new Error('no call')
      expect([call.name, call.input]).toEqual(['get_weather', args])
      expect(call.id).toMatch(/^[a-zA-Z0-9_-]+$/)
      expectUsage(first.usage)
      const result: ToolResultBlockParam = { type: 'tool_result', tool_use_id: call.id, content: '21 degrees' }
      const second = await ask(way, [...question, { role: 'assistant', content: first.content }, { role: 'user', content: [result] }])
      expect(second.content).toMatchObject([{ type: 'text', text: 'The answer is 21 degrees.' }])
      expect(second.stop_reason).toBe('end_turn')
      expectUsage(second.usage)
      expect(at.model.requests.at(-1)!.asked.calls).toMatchObject([{ name: 'get_weather', args }])
      expect(at.model.requests.at(-1)!.asked.proofs).toHaveLength(1)
    })

    test.each(['whole', 'streamed'])('parallel calls, their results in one turn with text behind (C02, C08): %s', async (way) => {
      at.model.args = { get_weather: args }
      at.model.parallel = 3
      const first = await ask(way, question)
      const calls = first.content.flatMap((block) => (block.type === 'tool_use' ? [block] : []))
      expect(new Set(calls.map((call) => call.id)).size).toBe(3)
      expect(calls.map((call) => call.input)).toEqual([args, args, args])
      const results = calls.map((call, i): ToolResultBlockParam => ({ type: 'tool_result', tool_use_id: call.id, content: `r${i}` }))
      const second = await ask(way, [
        ...question,
        { role: 'assistant', content: first.content },
        { role: 'user', content: [...results, { type: 'text', text: 'And now?' }] },
      ])
      expect(second.content).toMatchObject([{ type: 'text', text: 'The answer is r0 and r1 and r2.' }])
    })

    test('an error as result, and a picture in one, reach the model (C10, C11)', async () => {
      at.model.args = { get_weather: args }
      const first = await ask('whole', question)
      const call = first.content.find((block) => block.type === 'tool_use')!
      const data = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
      const result: ToolResultBlockParam = {
        type: 'tool_result',
        tool_use_id: call.id,
        is_error: true,
        content: [
          { type: 'text', text: 'no such city' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data } },
        ],
      }
      const second = await ask('whole', [...question, { role: 'assistant', content: first.content }, { role: 'user', content: [result] }])
      const [block] = second.content
      expect(block?.type === 'text' && block.text).toContain('no such city')
      expect(JSON.stringify(at.model.requests.at(-1)!.body)).toContain(data)
    })

    test('tool choice: any, one, none', async () => {
      const any = await ask('whole', question, { thinking: undefined, tool_choice: { type: 'any' } })
      expect(any.stop_reason).toBe('tool_use')
      expect(at.model.requests.at(-1)!.asked.forced).toBe(true) // C14
      await ask('whole', question, { thinking: undefined, tool_choice: { type: 'tool', name: 'get_weather' } })
      expect(at.model.requests.at(-1)!.asked.forced).toBe('get_weather')
      const none = await ask('whole', question, { tool_choice: { type: 'none' } })
      expect(none.stop_reason).toBe('end_turn')
    })

    test('a system message inside the conversation stays in its place (H14)', async () => {
      const messages = [
        ...question,
        { role: 'assistant', content: 'Mild.' },
        { role: 'system', content: 'From now on in Fahrenheit.' },
        { role: 'user', content: 'Say it again' },
      ] as MessageParam[]
      const message = await client.messages.create({ model, max_tokens: 4000, messages })
      expect(message.content).toMatchObject([{ type: 'text', text: expect.stringContaining('Say it again') }])
      expect(JSON.stringify(at.model.requests[0]!.body)).toContain('From now on in Fahrenheit.')
    })

    test('parse with zod', async () => {
      const Report = z.object({ city: z.string(), degrees: z.number(), sky: z.enum(['clear', 'grey']) })
      const message = await client.messages.parse({
        model,
        max_tokens: 4000,
        messages: question,
        output_config: { format: zodOutputFormat(Report) },
      })
      expect(message.parsed_output).toEqual({ city: 'word', degrees: 7, sky: 'clear' })
    })

    test('count_tokens, plain and beta: more than nothing, and more with tools (H08, H09)', async () => {
      const plain = await client.messages.countTokens({ model, messages: question })
      const withTools = await client.beta.messages.countTokens({ model, messages: question, tools: [tool] })
      expect(plain.input_tokens).toBeGreaterThan(0)
      expect(withTools.input_tokens).toBeGreaterThan(plain.input_tokens)
    })

    test('beta.messages: flags reach Anthropic, and nobody else (H04, H08)', async () => {
      const betas = ['context-management-2025-06-27', 'made-up-2099-01-01']
      const body = { model, max_tokens: 4000, messages: question, betas }
      const whole = await client.beta.messages.create(body, { query: { beta: 'true' } }) // as SDKs before 1.0 do
      const streamed = await client.beta.messages.stream(body).finalMessage()
      for (const message of [whole, streamed]) expect(message.content).toMatchObject([{ type: 'text', text: 'You said: How warm is it?' }])
      expect(at.model.requests[0]!.search).toBe(upstream === 'messages' ? '?beta=true' : '')
      for (const { headers } of at.model.requests) {
        expect(headers.get('anthropic-beta')).toBe(upstream === 'messages' ? betas.join(',') : null)
        expect(JSON.stringify([...headers])).not.toContain('client-secret')
      }
    })

    test.each([false, true])('the tool runner goes on without a thread, stream %p', async (stream) => {
      at.model.args = { get_weather: args }
      if (upstream === 'messages') at.model.instead = refuseThread
      const asked: object[] = []
      const runnable = betaZodTool({
        name: 'get_weather',
        description: 'The weather of a city',
        inputSchema: z.object({ city: z.string(), days: z.number() }),
        run: (given) => {
          asked.push(given)
          return 'Rain'
        },
      })
      const runner = client.beta.messages.toolRunner({ model, max_tokens: 4000, messages: question, tools: [runnable], stream })
      const message = await runner.runUntilDone()
      expect(asked).toEqual([args])
      expect(message.content).toMatchObject([{ type: 'text', text: 'The answer is Rain.' }])
      expect(at.model.requests.every(({ body }) => !('thread' in body))).toBe(true)
      expect(at.model.requests).toHaveLength(2)
    })

    test('abort: the upstream is left within a second (G09)', async () => {
      const took = await leave(at.model, async () => {
        const stream = await client.messages.create({ model, max_tokens: 4000, messages: question, stream: true })
        await stream[Symbol.asyncIterator]().next()
        return () => stream.controller.abort()
      })
      expect(took).toBeLessThan(1000)
    })
  })

  test('models.list and retrieve', async () => {
    const listed: string[] = []
    for await (const model of client.models.list({ limit: 2 })) listed.push(model.id)
    expect(listed.toSorted()).toEqual(['m/chat', 'm/gemini', 'm/messages', 'm/openai', 'm/responses'])
    expect(await client.models.retrieve('m/gemini')).toMatchObject({ type: 'model', id: 'm/gemini' })
  })
})

/** What a host of Anthropic's dialect without threads answers. */
function refuseThread(_: Request, body: Record<string, unknown>): Response | undefined {
  if (!('thread' in body)) return undefined
  const details = { error_code: 'thread_unsupported_request', unsupported: ['thread'] }
  return Response.json(
    { type: 'error', error: { type: 'invalid_request_error', message: 'thread: not supported', details } },
    { status: 400 },
  )
}
