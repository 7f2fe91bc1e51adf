/**
 * The unmodified Vercel AI SDK in front of a scripted model behind each dialect of upstream (PROTOCOL §4): @ai-sdk/openai (Responses, its default,
 * and Chat), @ai-sdk/openai-compatible, @ai-sdk/anthropic.
 *
 * The SDK validates every chunk against its schemas; a type it does not expect fails the call.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, generateText, type LanguageModel, type LanguageModelUsage, Output, stepCountIs, streamText, tool } from 'ai'
import { z } from 'zod'
import { failureOf } from '../support/model/aborting.ts'
import { type ModelGateway, modelOf, startModelGateway, type Upstream, upstreams } from '../support/model/gateway.ts'
import { thought } from '../support/model/script.ts'

const apiKey = 'client-secret'
const args = { city: 'Köln', days: 3 }
const system = 'Be brief.'
const prompt = 'How warm is it?'

const clients: Readonly<Record<string, (url: string, model: string) => LanguageModel>> = {
  'openai, Responses': (url, model) => createOpenAI({ apiKey, baseURL: `${url}/v1` })(model),
  'openai, Chat': (url, model) => createOpenAI({ apiKey, baseURL: `${url}/v1` }).chat(model),
  'openai-compatible': (url, model) =>
    createOpenAICompatible({ name: 'headgate', apiKey, baseURL: `${url}/v1`, includeUsage: true, supportsStructuredOutputs: true })(model),
  anthropic: (url, model) => createAnthropic({ apiKey, baseURL: `${url}/v1` })(model),
}

function expectUsage(usage: LanguageModelUsage, client: string, upstream: Upstream): void {
  expect([usage.inputTokens, usage.outputTokens, usage.totalTokens]).toEqual([120, 30, 150])
  expect(usage.inputTokenDetails.cacheReadTokens).toBe(20)
  if (client !== 'anthropic' && upstream !== 'messages') expect(usage.outputTokenDetails.reasoningTokens).toBe(10)
}

describe('the AI SDK', () => {
  let at: ModelGateway

  beforeAll(async () => {
    Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false }) // it tells that it does not know our models
    at = await startModelGateway()
  })
  afterEach(() => expect(at.complaints()).toEqual([]))
  afterAll(() => at.stop())

  describe.each(Object.keys(clients))('%s', (client) => {
    describe.each([...upstreams])('to %s', (upstream) => {
      const model = () => clients[client]!(at.url, modelOf(upstream))
      /** These keep the proofs of a provider with the parts that they belong to; the others do not know such a thing. */
      const keepsProofs = client === 'anthropic' || (client === 'openai-compatible' && upstream === 'gemini')
      let asked: object[] = []
      const tools = {
        get_weather: tool({
          description: 'The weather of a city',
          inputSchema: z.object({ city: z.string(), days: z.number() }),
          execute: (given) => {
            asked.push(given)
            return Promise.resolve('21 degrees')
          },
        }),
      }
      const begin = (parallel = 1) => {
        asked = []
        at.model.args = { get_weather: args }
        at.model.parallel = parallel
        at.model.proofs = keepsProofs
      }

      test('generateText', async () => {
        const result = await generateText({ model: model(), instructions: system, prompt, maxRetries: 0 })
        expect(result.text).toBe('You said: How warm is it?')
        expect(result.finishReason).toBe('stop')
        expectUsage(result.usage, client, upstream)
        expect(at.model.requests[0]!.asked.system.join()).toBe(system)
      })

      test.each([1, 3])('streamText with tools over two steps, calls at a time: %d', async (parallel) => {
        begin(parallel)
        const errors: unknown[] = []
        const result = streamText({
          model: model(),
          prompt,
          tools,
          stopWhen: stepCountIs(3),
          maxRetries: 0,
          onError: ({ error }) => {
            errors.push(error)
          },
        })
        const kinds: string[] = []
        for await (const part of result.stream) kinds.push(part.type)
        expect(errors).toEqual([])
        const steps = await result.steps
        expect(steps.map((step) => step.finishReason)).toEqual(['tool-calls', 'stop'])
        expect(asked).toEqual(Array.from({ length: parallel }, () => args))
        expect(await result.text).toBe(`The answer is ${Array.from({ length: parallel }, () => '21 degrees').join(' and ')}.`)
        for (const step of steps) expectUsage(step.usage, client, upstream)
        // openai's own Chat knows no reasoning
        if (client !== 'openai, Chat' && !(client === 'openai-compatible' && upstream === 'chat')) {
          expect(steps[0]!.reasoningText).toBe(thought)
          expect(kinds).toContain('reasoning-delta')
        }
        expect(kinds.filter((kind) => kind === 'finish')).toHaveLength(1)
        expect(at.model.requests.at(-1)!.asked.calls).toHaveLength(parallel)
      })

      test('generateText with tools over two steps', async () => {
        begin()
        const result = await generateText({ model: model(), prompt, tools, stopWhen: stepCountIs(3), maxRetries: 0 })
        expect(result.text).toBe('The answer is 21 degrees.')
        expect(result.steps).toHaveLength(2)
        expect(asked).toEqual([args])
      })

      test('an object that fits a schema, whole and streamed (D08)', async () => {
        const output = Output.object({
          schema: z.object({ city: z.string(), degrees: z.number(), sky: z.enum(['clear', 'grey']), near: z.array(z.string()) }),
        })
        const expected = { city: 'word', degrees: 7, sky: 'clear', near: ['word'] }
        const whole = await generateText({ model: model(), prompt, output, maxRetries: 0 })
        expect(whole.output as object).toEqual(expected)
        const streamed = streamText({ model: model(), prompt, output, maxRetries: 0 })
        expect((await streamed.output) as object).toEqual(expected)
        expect(await streamed.finishReason).toBe('stop')
      })

      test('an error has its status and its sentence', async () => {
        const error = { message: 'The words of the provider.', type: 'api_error', code: 503, status: 'UNAVAILABLE' }
        at.model.instead = () => Response.json({ type: 'error', error }, { status: 503 })
        const failure = await failureOf(generateText({ model: model(), prompt, maxRetries: 0 }))
        expect(failure).toBeInstanceOf(APICallError)
        expect((failure as APICallError).message).toContain('The words of the provider.')
        expect((failure as APICallError).isRetryable).toBe(true)
      })
    })
  })
})
