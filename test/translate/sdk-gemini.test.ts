/**
 * The unmodified `@google/genai` SDK in front of a scripted model behind each dialect of upstream (PROTOCOL §4).
 *
 * It calls `/v1beta` or `/v1`, keeps signatures in the parts that it sends back, and is told usage with each chunk.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import {
  ApiError,
  type Content,
  FinishReason,
  FunctionCallingConfigMode,
  type GenerateContentResponse,
  type GenerateContentResponseUsageMetadata,
  GoogleGenAI,
  type Tool,
} from '@google/genai'
import { failureOf, leave } from '../support/model/aborting.ts'
import { type ModelGateway, modelOf, startModelGateway, type Upstream, upstreams } from '../support/model/gateway.ts'
import { thought } from '../support/model/script.ts'

const tool: Tool = {
  functionDeclarations: [
    {
      name: 'get_weather',
      description: 'The weather of a city',
      parametersJsonSchema: {
        $schema: 'http://json-schema.org/draft-07/schema#',
        type: 'object',
        properties: { city: { type: 'string' }, days: { type: ['integer', 'null'] } },
        required: ['city', 'days'],
        additionalProperties: false,
      },
    },
  ],
}
const args = { city: 'Köln', days: 3 }
const question: Content[] = [{ role: 'user', parts: [{ text: 'How warm is it?' }] }]

/** Thoughts count beside the candidates; Messages do not tell how many of the output they are. */
function expectUsage(usage: GenerateContentResponseUsageMetadata | undefined, upstream: Upstream): void {
  expect(usage).toMatchObject({ promptTokenCount: 120, cachedContentTokenCount: 20, totalTokenCount: 150 })
  expect((usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0)).toBe(30)
  if (upstream !== 'messages') expect(usage?.thoughtsTokenCount).toBe(10)
}

describe('the Google GenAI SDK', () => {
  let at: ModelGateway
  let client: GoogleGenAI

  beforeAll(async () => {
    at = await startModelGateway()
    client = new GoogleGenAI({ apiKey: 'client-secret', httpOptions: { baseUrl: at.url } })
  })
  afterEach(() => expect(at.complaints()).toEqual([]))
  afterAll(() => at.stop())

  describe.each([...upstreams])('to %s', (upstream) => {
    const model = modelOf(upstream)
    /** One reply out of a stream or none, as the SDK has no helper for it. */
    const ask = async (
      way: string,
      contents: Content[],
      config: object = {},
    ): Promise<{ parts: NonNullable<Content['parts']>; last: GenerateContentResponse; all: GenerateContentResponse[] }> => {
      const all: GenerateContentResponse[] = []
      if (way === 'whole') all.push(await client.models.generateContent({ model, contents, config }))
      else for await (const chunk of await client.models.generateContentStream({ model, contents, config })) all.push(chunk)
      return { parts: all.flatMap((reply) => reply.candidates?.[0]?.content?.parts ?? []), last: all.at(-1)!, all }
    }

    test.each(['whole', 'streamed'])('generateContent: %s', async (way) => {
      const { parts, last, all } = await ask(way, question, { systemInstruction: 'Be brief.' })
      expect(parts.map((part) => part.text ?? '').join('')).toBe('You said: How warm is it?')
      expect(all.flatMap((reply) => reply.candidates?.[0]?.finishReason ?? [])).toEqual([FinishReason.STOP])
      expectUsage(last.usageMetadata, upstream)
      expect(at.model.requests[0]!.asked.system).toEqual(['Be brief.'])
      expect(JSON.stringify([...at.model.requests[0]!.headers])).not.toContain('client-secret')
    })

    test.each(['whole', 'streamed'])('a function, then its response, with the signature (C18): %s', async (way) => {
      at.model.args = { get_weather: args }
      const config = { tools: [tool], thinkingConfig: { includeThoughts: true, thinkingBudget: 2000 } }
      const first = await ask(way, question, config)
      const calls = first.parts.flatMap((part) => part.functionCall ?? [])
      expect(calls.map((call) => [call.name, call.args])).toEqual([['get_weather', args]])
      const thoughts = first.parts.map((part) => (part.thought ? (part.text ?? '') : '')).join('')
      expect(thoughts).toBe(thought)
      expect(first.last.candidates?.[0]?.finishReason).toBe(FinishReason.STOP)
      expectUsage(first.last.usageMetadata, upstream)
      const response = { ...(calls[0]!.id !== undefined && { id: calls[0]!.id }), name: 'get_weather', response: { output: '21 degrees' } }
      const second = await ask(
        way,
        [...question, { role: 'model', parts: first.parts }, { role: 'user', parts: [{ functionResponse: response }] }],
        config,
      )
      expect(second.parts.map((part) => part.text ?? '').join('')).toBe('The answer is 21 degrees.')
      expect(at.model.requests.at(-1)!.asked.calls).toMatchObject([{ name: 'get_weather', args }])
    })

    test('parallel calls, their responses by place (C02, C08)', async () => {
      at.model.args = { get_weather: args }
      at.model.parallel = 3
      for (const way of ['whole', 'streamed']) {
        const first = await ask(way, question, { tools: [tool] })
        const calls = first.parts.flatMap((part) => part.functionCall ?? [])
        expect(calls.map((call) => call.args)).toEqual([args, args, args])
        const responses = calls.map((_, i) => ({ functionResponse: { name: 'get_weather', response: { result: `r${i}` } } }))
        const second = await ask(way, [...question, { role: 'model', parts: first.parts }, { role: 'user', parts: responses }], {
          tools: [tool],
        })
        expect(second.parts.map((part) => part.text ?? '').join('')).toBe('The answer is r0 and r1 and r2.')
      }
    })

    test('a dummy signature is no proof, and nothing chokes on it', async () => {
      at.model.proofs = false
      const call = { functionCall: { name: 'get_weather', args }, thoughtSignature: 'skip_thought_signature_validator' }
      const response = { functionResponse: { name: 'get_weather', response: { output: 'Sunny' } } }
      const reply = await ask('whole', [...question, { role: 'model', parts: [call] }, { role: 'user', parts: [response] }], {
        tools: [tool],
      })
      expect(reply.parts.map((part) => part.text).join('')).toBe('The answer is Sunny.')
      if (upstream !== 'gemini') expect(JSON.stringify(at.model.requests[0]!.body)).not.toContain('skip_thought')
    })

    test('function calling modes', async () => {
      const forced = { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['get_weather'] } }
      await ask('whole', question, { tools: [tool], toolConfig: forced })
      expect(at.model.requests.at(-1)!.asked.forced).toBeTruthy()
      const none = { functionCallingConfig: { mode: FunctionCallingConfigMode.NONE } }
      const { parts } = await ask('whole', question, { tools: [tool], toolConfig: none })
      expect(parts.map((part) => part.text ?? '').join('')).toBe('You said: How warm is it?')
    })

    test('output held to a schema (D08)', async () => {
      const schema = {
        type: 'object',
        properties: { city: { type: 'string' }, degrees: { type: 'number' } },
        required: ['city', 'degrees'],
        additionalProperties: false,
      }
      for (const way of ['whole', 'streamed']) {
        const { parts } = await ask(way, question, { responseMimeType: 'application/json', responseJsonSchema: schema })
        expect(JSON.parse(parts.map((part) => part.text ?? '').join(''))).toEqual({ city: 'word', degrees: 7 })
      }
    })

    test('countTokens (H09)', async () => {
      const { totalTokens } = await client.models.countTokens({ model, contents: question })
      expect(totalTokens).toBeGreaterThan(0)
      const longer = [{ role: 'user', parts: [{ text: 'How warm is it? '.repeat(50) }] }]
      expect((await client.models.countTokens({ model, contents: longer })).totalTokens).toBeGreaterThan(totalTokens!)
    })

    test('an error has its status and its sentence (G05)', async () => {
      const error = { message: 'The words of the provider.', type: 'rate_limit_error', code: 429, status: 'RESOURCE_EXHAUSTED' }
      at.model.instead = () => Response.json({ type: 'error', error }, { status: 429 })
      const failure = await failureOf(ask('whole', question))
      expect(failure).toBeInstanceOf(ApiError)
      expect((failure as ApiError).status).toBe(429)
      expect((failure as ApiError).message).toContain('The words of the provider.')
      expect(JSON.parse((failure as ApiError).message)).toMatchObject({ error: { code: 429, status: 'RESOURCE_EXHAUSTED' } })
    })

    test('abort: the upstream is left within a second (G09)', async () => {
      const took = await leave(at.model, async () => {
        const controller = new AbortController()
        const stream = await client.models.generateContentStream({
          model,
          contents: question,
          config: { abortSignal: controller.signal },
        })
        await stream.next()
        return () => controller.abort()
      })
      expect(took).toBeLessThan(1000)
    })
  })

  test('models.list and get', async () => {
    const names: string[] = []
    for await (const model of await client.models.list({ config: { pageSize: 2 } })) names.push(model.name ?? '')
    expect(names.toSorted()).toEqual(['models/m/chat', 'models/m/gemini', 'models/m/messages', 'models/m/openai', 'models/m/responses'])
    expect(await client.models.get({ model: 'models/m/chat' })).toMatchObject({ name: 'models/m/chat' })
  })
})
