/**
 * Unmodified LangChain JS in front of a scripted model behind each dialect of upstream (PROTOCOL §4): ChatOpenAI, ChatAnthropic, OpenAIEmbeddings.
 *
 * LangChain adds up what comes in the chunks of a stream: usage or a finish reason told twice would be doubled (E09).
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { ChatAnthropic } from '@langchain/anthropic'
import { type AIMessageChunk, type BaseMessageLike, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { concat } from '@langchain/core/utils/stream'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { z } from 'zod'
import { type ModelGateway, modelOf, startModelGateway, type Upstream, upstreams } from '../support/model/gateway.ts'
import { vectorOf } from '../support/model/others.ts'

const apiKey = 'client-secret'
const args = { city: 'Köln', days: 3 }
const question = [new SystemMessage('Be brief.'), new HumanMessage('How warm is it?')]
const weather = tool(() => '', {
  name: 'get_weather',
  description: 'The weather of a city',
  schema: z.object({ city: z.string(), days: z.number() }),
})
const usage = { input_tokens: 120, output_tokens: 30, total_tokens: 150, input_token_details: { cache_read: 20 } }
/**
 * What ChatAnthropic makes of a stream: what went in from message_start alone, where Chat and Responses do not say it yet; what came out from
 * message_start and message_delta together, which Anthropic itself tells so that it counts one too many.
 */
const streamedClaude: { readonly [U in Upstream]: object } = {
  chat: { output_tokens: 30 },
  responses: { output_tokens: 30 },
  messages: { ...usage, output_tokens: 31, total_tokens: 151 },
  gemini: usage,
}
const Report = z.object({ city: z.string(), degrees: z.number() })
const report = { city: 'word', degrees: 7 }

async function gathered(stream: AsyncIterable<AIMessageChunk>): Promise<AIMessageChunk> {
  let all: AIMessageChunk | undefined
  for await (const chunk of stream) all = all === undefined ? chunk : concat(all, chunk)
  return all!
}

describe('LangChain', () => {
  let at: ModelGateway
  const openai = (upstream: Upstream, useResponsesApi: boolean) =>
    new ChatOpenAI({ apiKey, model: modelOf(upstream), maxRetries: 0, useResponsesApi, configuration: { baseURL: `${at.url}/v1` } })
  const anthropic = (upstream: Upstream) =>
    new ChatAnthropic({ apiKey, model: modelOf(upstream), anthropicApiUrl: at.url, maxRetries: 0, maxTokens: 4000 })

  beforeAll(async () => {
    at = await startModelGateway()
  })
  afterEach(() => expect(at.complaints()).toEqual([]))
  afterAll(() => at.stop())

  describe.each([...upstreams])('to %s', (upstream) => {
    const clients = [
      ['ChatOpenAI', () => openai(upstream, false), 'finish_reason', ['stop', 'tool_calls']],
      ['ChatOpenAI with Responses', () => openai(upstream, true), 'status', ['completed', 'completed']],
      ['ChatAnthropic', () => anthropic(upstream), 'stop_reason', ['end_turn', 'tool_use']],
    ] as const

    describe.each(clients)('%s', (name, client, reason, [end, called]) => {
      const streamedUsage = name === 'ChatAnthropic' ? streamedClaude[upstream] : usage
      const reasonOf = (message: AIMessageChunk) => {
        const metadata: Readonly<Record<string, unknown>> = message.response_metadata
        return metadata[reason] ?? message.additional_kwargs[reason]
      }

      test('invoke and stream: text, usage once, the reason once (E09)', async () => {
        const whole = await client().invoke(question)
        const streamed = await gathered(await client().stream(question))
        expect(whole.usage_metadata).toMatchObject(usage)
        expect(streamed.usage_metadata).toMatchObject(streamedUsage)
        for (const message of [whole, streamed]) {
          expect(message.text).toBe('You said: How warm is it?')
          expect(reasonOf(message as AIMessageChunk)).toBe(end)
        }
      })

      test.each([1, 3])('tools over two turns, calls at a time: %d (C02, C08)', async (parallel) => {
        const bound = client().bindTools([weather])
        const asks = [
          [(messages: BaseMessageLike[]) => bound.invoke(messages) as Promise<AIMessageChunk>, usage],
          [async (messages: BaseMessageLike[]) => gathered((await bound.stream(messages)) as AsyncIterable<AIMessageChunk>), streamedUsage],
        ] as const
        for (const [ask, expected] of asks) {
          at.model.args = { get_weather: args }
          at.model.parallel = parallel
          at.model.proofs = false // it keeps no proofs in Chat
          const first = await ask(question)
          expect(first.tool_calls?.map((call) => [call.name, call.args])).toEqual(
            Array.from({ length: parallel }, () => ['get_weather', args]),
          )
          expect(first.usage_metadata).toMatchObject(expected)
          expect(reasonOf(first)).toBe(called)
          const results = first.tool_calls!.map((call, i) => new ToolMessage({ tool_call_id: call.id!, content: `r${i}` }))
          const second = await ask([...question, first, ...results])
          expect(second.text).toBe(`The answer is ${results.map((_, i) => `r${i}`).join(' and ')}.`)
        }
      })

      test('withStructuredOutput by schema and by function (D08)', async () => {
        const methods =
          name === 'ChatAnthropic' ? (['functionCalling', 'jsonSchema'] as const) : (['jsonSchema', 'functionCalling'] as const)
        for (const method of methods) {
          const structured = client().withStructuredOutput(Report, { method, name: 'report' })
          expect((await structured.invoke(question)) as object).toEqual(report)
        }
      })
    })
  })

  test('embeddings: the vectors as they are, one and many (H18)', async () => {
    const embeddings = new OpenAIEmbeddings({ apiKey, model: modelOf('openai'), maxRetries: 0, configuration: { baseURL: `${at.url}/v1` } })
    expect(await embeddings.embedQuery('alpha')).toEqual(vectorOf('alpha'))
    expect(await embeddings.embedDocuments(['alpha', 'beta'])).toEqual([vectorOf('alpha'), vectorOf('beta')])
  })
})
