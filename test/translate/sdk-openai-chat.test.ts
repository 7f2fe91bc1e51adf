/**
 * The unmodified `openai` SDK speaking Chat Completions to a scripted model behind each dialect of upstream (PROTOCOL §4).
 *
 * The SDK's helpers throw where a stream is not as OpenAI's; what is asserted besides is what they make of it: text, calls, stop, usage.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import type { ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions'
import { z } from 'zod'
import { leave } from '../support/model/aborting.ts'
import { type ModelGateway, modelOf, startModelGateway, type Upstream, upstreams } from '../support/model/gateway.ts'
import { thought } from '../support/model/script.ts'

const weather: ChatCompletionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city', 'days'] },
  },
}
const question: ChatCompletionMessageParam[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'How warm is it?' },
]
const args = { city: 'Köln', days: 3 }

/** The figures of `tokens` in Chat's terms; Messages do not tell what of the output is reasoning. */
function expectUsage(usage: OpenAI.CompletionUsage | null | undefined, upstream: Upstream): void {
  expect(usage).toMatchObject({
    prompt_tokens: 120,
    completion_tokens: 30,
    total_tokens: 150,
    prompt_tokens_details: { cached_tokens: 20 },
  })
  if (upstream !== 'messages') expect(usage?.completion_tokens_details?.reasoning_tokens).toBe(10)
}

describe('the openai SDK, Chat', () => {
  let at: ModelGateway
  let client: OpenAI

  beforeAll(async () => {
    at = await startModelGateway()
    client = new OpenAI({ apiKey: 'client-secret', baseURL: `${at.url}/v1`, maxRetries: 0, timeout: 10_000 })
  })
  afterEach(() => expect(at.complaints()).toEqual([]))
  afterAll(() => at.stop())

  describe.each([...upstreams])('to %s', (upstream) => {
    const model = modelOf(upstream)

    test('create', async () => {
      const reply = await client.chat.completions.create({ model, messages: question })
      expect(reply.object).toBe('chat.completion')
      expect(reply.choices).toHaveLength(1)
      const [choice] = reply.choices
      expect(choice).toMatchObject({
        index: 0,
        finish_reason: 'stop',
        message: { role: 'assistant', content: 'You said: How warm is it?' },
      })
      expect(choice!.message.refusal).toBeNull()
      expect(choice!.message.tool_calls).toBeUndefined()
      expect(reply._request_id).toStartWith('req_')
      expectUsage(reply.usage, upstream)
      expect(at.model.requests[0]!.asked.system.join()).toBe('Be brief.')
    })

    test('create with stream: one finish, the usage chunk only when asked for (B19, B20)', async () => {
      for (const include_usage of [true, false]) {
        const stream = await client.chat.completions.create({
          model,
          messages: question,
          stream: true,
          ...(include_usage && { stream_options: { include_usage } }),
        })
        const chunks: ChatCompletionChunk[] = []
        for await (const chunk of stream) chunks.push(chunk)
        expect(chunks.every((chunk) => Array.isArray(chunk.choices) && chunk.object === 'chat.completion.chunk')).toBe(true)
        expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1)
        const choices = chunks.flatMap((chunk) => chunk.choices)
        expect(choices[0]!.delta.role).toBe('assistant')
        expect(choices.map((choice) => choice.delta.content ?? '').join('')).toBe('You said: How warm is it?')
        expect(choices.filter((choice) => choice.finish_reason).map((choice) => choice.finish_reason)).toEqual(['stop'])
        const withUsage = chunks.filter((chunk) => chunk.usage)
        expect(withUsage).toHaveLength(include_usage ? 1 : 0)
        if (!include_usage) continue
        expect(chunks.at(-1)!.choices).toEqual([])
        expectUsage(chunks.at(-1)!.usage, upstream)
      }
    })

    test.each(['whole', 'streamed'])('a tool, then its result: %s', async (way) => {
      at.model.args = { get_weather: args }
      const ask = (messages: ChatCompletionMessageParam[]) =>
        way === 'whole'
          ? client.chat.completions.create({ model, messages, tools: [weather] })
          : client.chat.completions
              .stream({ model, messages, tools: [weather], stream_options: { include_usage: true } })
              .finalChatCompletion()
      const first = await ask(question)
      const [choice] = first.choices
      expect(choice!.finish_reason).toBe('tool_calls')
      const { message } = choice!
      const calls = message.tool_calls!.flatMap((call) => (call.type === 'function' ? [call] : []))
      expect(calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)])).toEqual([['get_weather', args]])
      expectUsage(first.usage, upstream)
      if (upstream !== 'chat') expect(message as object).toMatchObject({ reasoning_content: thought })
      const second = await ask([...question, message, { role: 'tool', tool_call_id: calls[0]!.id, content: '21 degrees' }])
      expect(second.choices[0]!.message.content).toBe('The answer is 21 degrees.')
      expect(second.choices[0]!.finish_reason).toBe('stop')
      expectUsage(second.usage, upstream)
      expect(at.model.requests.at(-1)!.asked.calls).toMatchObject([{ name: 'get_weather', args }])
    })

    test('a client that keeps no proofs: history is accepted without them (C19)', async () => {
      at.model.proofs = false
      const first = await client.chat.completions.create({ model, messages: question, tools: [weather] })
      const [call] = first.choices[0]!.message.tool_calls!
      const messages = [...question, { role: 'assistant' as const, content: '', tool_calls: [call!] }]
      const second = await client.chat.completions.create({
        model,
        messages: [...messages, { role: 'tool', tool_call_id: call!.id, content: 'Sunny' }],
        tools: [weather],
      })
      expect(second.choices[0]!.message.content).toBe('The answer is Sunny.')
    })

    test.each(['whole', 'streamed'])('parallel calls, results in another order (C02, C08): %s', async (way) => {
      at.model.args = { get_weather: args }
      at.model.parallel = 3
      const ask = (messages: ChatCompletionMessageParam[]) =>
        way === 'whole'
          ? client.chat.completions.create({ model, messages, tools: [weather] })
          : client.chat.completions.stream({ model, messages, tools: [weather] }).finalChatCompletion()
      const { message } = (await ask(question)).choices[0]!
      const calls = message.tool_calls!.flatMap((call) => (call.type === 'function' ? [call] : []))
      expect(new Set(calls.map((call) => call.id)).size).toBe(3)
      expect(calls.map((call) => JSON.parse(call.function.arguments))).toEqual([args, args, args])
      const results = calls.map((call, i) => ({ role: 'tool' as const, tool_call_id: call.id, content: `r${i}` })).toReversed()
      const second = await ask([...question, message, ...results])
      const text = second.choices[0]!.message.content
      // to its own dialect the order stays as the client's
      expect(text).toBe(upstream === 'chat' ? 'The answer is r2 and r1 and r0.' : 'The answer is r0 and r1 and r2.')
    })

    test('a forced tool, and none', async () => {
      const other = { ...weather, function: { ...weather.function, name: 'get_time' } }
      const forced = await client.chat.completions.create({
        model,
        messages: question,
        tools: [weather, other],
        tool_choice: { type: 'function', function: { name: 'get_time' } },
      })
      expect(forced.choices[0]!.message.tool_calls).toMatchObject([{ function: { name: 'get_time' } }])
      const required = await client.chat.completions.create({ model, messages: question, tools: [weather], tool_choice: 'required' })
      expect(required.choices[0]!.finish_reason).toBe('tool_calls')
      expect(at.model.requests.at(-1)!.asked.forced).toBe(true)
      const none = await client.chat.completions.create({ model, messages: question, tools: [weather], tool_choice: 'none' })
      expect(none.choices[0]!.message.content).toBe('You said: How warm is it?')
    })

    test('parse with zod, whole and streamed (D08)', async () => {
      const Report = z.object({ city: z.string(), degrees: z.number(), sky: z.enum(['clear', 'grey']), notes: z.array(z.string()) })
      const expected = { city: 'word', degrees: 7, sky: 'clear' as const, notes: ['word'] }
      const response_format = zodResponseFormat(Report, 'report')
      const whole = await client.chat.completions.parse({ model, messages: question, response_format })
      expect(whole.choices[0]!.message.parsed).toEqual(expected)
      expect(whole.choices[0]!.finish_reason).toBe('stop')
      const streamed = await client.chat.completions.stream({ model, messages: question, response_format }).finalChatCompletion()
      expect(streamed.choices[0]!.message.parsed).toEqual(expected)
    })

    test('runTools, whole and streamed', async () => {
      at.model.args = { get_weather: args }
      at.model.proofs = false // the runner sends back what it knows of a message
      const asked: object[] = []
      const tool = {
        type: 'function' as const,
        function: {
          name: 'get_weather',
          description: 'The weather',
          parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } },
          parse: (text: string) => JSON.parse(text) as object,
          function: (given: object) => {
            asked.push(given)
            return 'Rain'
          },
        },
      }
      const whole = client.chat.completions.runTools({ model, messages: question, tools: [tool] })
      expect(await whole.finalContent()).toBe('The answer is Rain.')
      const streamed = client.chat.completions.runTools({ model, messages: question, tools: [tool], stream: true })
      expect(await streamed.finalContent()).toBe('The answer is Rain.')
      expect(asked).toEqual([args, args])
    })

    test('abort: the upstream is left within a second (G09)', async () => {
      const took = await leave(at.model, async () => {
        const stream = await client.chat.completions.create({ model, messages: question, stream: true })
        await stream[Symbol.asyncIterator]().next()
        return () => stream.controller.abort()
      })
      expect(took).toBeLessThan(1000)
    })
  })
})
