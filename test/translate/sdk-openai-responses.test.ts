/**
 * The unmodified `openai` SDK speaking Responses to a scripted model behind each dialect of upstream (PROTOCOL §4).
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import OpenAI from 'openai'
import { zodTextFormat } from 'openai/helpers/zod'
import type {
  FunctionTool,
  Response,
  ResponseInputItem,
  ResponseStreamEvent,
  ResponseUsage,
  Tool,
} from 'openai/resources/responses/responses'
import { z } from 'zod'
import { failureOf, leave } from '../support/model/aborting.ts'
import { type ModelGateway, modelOf, startModelGateway, type Upstream, upstreams } from '../support/model/gateway.ts'
import { thought } from '../support/model/script.ts'

const tool: FunctionTool = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather of a city',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' }, days: { type: 'integer' } },
    required: ['city', 'days'],
    additionalProperties: false,
  },
  strict: true,
}
const args = { city: 'Köln', days: 3 }
const question: ResponseInputItem[] = [{ role: 'user', content: 'How warm is it?' }]
const stateless = { store: false, include: ['reasoning.encrypted_content'] } satisfies Partial<OpenAI.Responses.ResponseCreateParams>

function expectUsage(usage: ResponseUsage | undefined, upstream: Upstream): void {
  expect(usage).toMatchObject({ input_tokens: 120, input_tokens_details: { cached_tokens: 20 }, output_tokens: 30, total_tokens: 150 })
  expect(usage?.output_tokens_details.reasoning_tokens).toBe(upstream === 'messages' ? 0 : 10)
}

describe('the openai SDK, Responses', () => {
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
      const reply = await client.responses.create({ model, instructions: 'Be brief.', input: 'How warm is it?' })
      expect(reply.object).toBe('response')
      expect(reply.status).toBe('completed')
      expect(reply.output_text).toBe('You said: How warm is it?')
      expect(reply.output.map((item) => item.type)).toEqual(['message'])
      expect(reply._request_id).toStartWith('req_')
      expectUsage(reply.usage, upstream)
      expect(at.model.requests[0]!.asked.system).toEqual(['Be brief.'])
    })

    test('create with stream: the order of events, numbered, one end (B14, B15)', async () => {
      const events: ResponseStreamEvent[] = []
      for await (const event of await client.responses.create({ model, input: question, stream: true })) events.push(event)
      const types = events.map((event) => event.type)
      expect(types[0]).toBe('response.created')
      expect(types.at(-1)).toBe('response.completed')
      expect(types.filter((type) => /^response\.(completed|failed|incomplete)$/.test(type))).toHaveLength(1)
      const places = ['response.output_item.added', 'response.content_part.added', 'response.output_text.delta'] as const
      expect(places.map((type) => types.indexOf(type))).toEqual(places.map((type) => types.indexOf(type)).toSorted((a, b) => a - b))
      const numbers = events.map((event) => event.sequence_number)
      expect(numbers.every((n, i) => i === 0 || n > numbers[i - 1]!)).toBe(true)
      const text = events.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('')
      expect(text).toBe('You said: How warm is it?')
      const last = events.at(-1)!
      if (last.type === 'response.completed') expectUsage(last.response.usage, upstream)
    })

    const ask = async (way: string, input: ResponseInputItem[], tools: Tool[] = [tool]): Promise<Response> =>
      way === 'whole'
        ? client.responses.create({ model, input, tools, ...stateless })
        : client.responses.stream({ model, input, tools, ...stateless }).finalResponse()

    test.each(['whole', 'streamed'])('a tool, then its result with the reasoning (H16): %s', async (way) => {
      at.model.args = { get_weather: args }
      const first = await ask(way, question)
      // a proof that belongs to the call (Gemini) is an item of its own
      const items = upstream === 'gemini' ? ['reasoning', 'reasoning', 'function_call'] : ['reasoning', 'function_call']
      expect(first.output.map((item) => item.type)).toEqual(items as never)
      const [reasoning] = first.output
      const call = first.output.at(-1)
      if (reasoning?.type === 'reasoning') expect(reasoning.summary).toEqual([{ type: 'summary_text', text: thought }])
      if (call?.type !== 'function_call') throw new Error('no call')
      expect([call.name, JSON.parse(call.arguments)]).toEqual(['get_weather', args])
      expect(call.call_id).not.toBe(call.id!)
      expectUsage(first.usage, upstream)
      const output = first.output as ResponseInputItem[]
      const result: ResponseInputItem = { type: 'function_call_output', call_id: call.call_id, output: '21 degrees' }
      const second = await ask(way, [...question, ...output, result])
      expect(second.output_text).toBe('The answer is 21 degrees.')
      expect(at.model.requests.at(-1)!.asked.calls).toMatchObject([{ name: 'get_weather', args }])
      if (upstream === 'chat') expect(at.model.requests.at(-1)!.asked.proofs).toHaveLength(1)
    })

    test.each(['whole', 'streamed'])('parallel calls (C02, C08): %s', async (way) => {
      at.model.args = { get_weather: args }
      at.model.parallel = 3
      const first = await ask(way, question)
      const calls = first.output.flatMap((item) => (item.type === 'function_call' ? [item] : []))
      expect(new Set(calls.map((call) => call.call_id)).size).toBe(3)
      expect(calls.map((call) => JSON.parse(call.arguments))).toEqual([args, args, args])
      const results = calls.map((call, i): ResponseInputItem => ({ type: 'function_call_output', call_id: call.call_id, output: `r${i}` }))
      const second = await ask(way, [...question, ...(first.output as ResponseInputItem[]), ...results])
      expect(second.output_text).toBe('The answer is r0 and r1 and r2.')
    })

    test('a custom tool is called with its plain text (C21)', async () => {
      const custom: Tool = { type: 'custom', name: 'run_sql', description: 'Runs SQL' }
      at.model.args = { run_sql: { input: 'select "ü"' } }
      for (const way of ['whole', 'streamed']) {
        const first = await ask(way, question, [custom])
        const call = first.output.find((item) => item.type === 'custom_tool_call')
        expect(call).toMatchObject({ name: 'run_sql', input: 'select "ü"' })
        if (call?.type !== 'custom_tool_call') continue
        const result: ResponseInputItem = { type: 'custom_tool_call_output', call_id: call.call_id, output: '1 row' }
        const second = await ask(way, [...question, ...(first.output as ResponseInputItem[]), result], [custom])
        expect(second.output_text).toBe('The answer is 1 row.')
      }
    })

    test('a tool of a namespace comes back in it (C21)', async () => {
      const tools = [
        { type: 'namespace', name: 'mcp__files', description: 'Files', tools: [{ ...tool, name: 'read' }] },
      ] as unknown as Tool[]
      for (const way of ['whole', 'streamed']) {
        const first = await ask(way, question, tools)
        expect(first.output.find((item) => item.type === 'function_call')).toMatchObject({ name: 'read', namespace: 'mcp__files' })
      }
    })

    test('parse with zod, whole and streamed (D08)', async () => {
      const Report = z.object({ city: z.string(), degrees: z.number(), sky: z.enum(['clear', 'grey']) })
      const text = { format: zodTextFormat(Report, 'report') }
      const whole = await client.responses.parse({ model, input: question, text })
      expect(whole.output_parsed).toEqual({ city: 'word', degrees: 7, sky: 'clear' })
      const streamed = await client.responses.stream({ model, input: question, text }).finalResponse()
      expect(streamed.output_parsed).toEqual({ city: 'word', degrees: 7, sky: 'clear' })
    })

    test('what only the maker can hold is refused, in words (previous_response_id)', async () => {
      if (upstream === 'responses') return
      const failure = await failureOf(client.responses.create({ model, input: question, previous_response_id: 'resp_1' }))
      expect(failure).toBeInstanceOf(OpenAI.BadRequestError)
      expect(failure).toMatchObject({ param: 'previous_response_id', code: 'unsupported_parameter' })
      expect(at.model.requests).toEqual([])
    })

    test('abort: the upstream is left within a second (G09)', async () => {
      const took = await leave(at.model, async () => {
        const stream = await client.responses.create({ model, input: question, stream: true })
        await stream[Symbol.asyncIterator]().next()
        return () => stream.controller.abort()
      })
      expect(took).toBeLessThan(1000)
    })
  })
})
