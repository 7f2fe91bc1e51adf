/** The Vercel AI SDK, two steps with a tool: it reads what the encoder writes, and what it sends back is understood. */

import { describe, expect, test } from 'bun:test'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai'
import type { StreamEvent } from '../../plugin/events.ts'
import type { Conversation } from '../conversation.ts'
import { jsonSource } from '../json-source.ts'
import { LossReport } from '../loss.ts'
import { openaiResponses } from './index.ts'
import { readResponses } from './read.ts'

const usage = {
  source: 'reported',
  inputUncached: 5,
  cacheRead: 3,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  cacheWriteOther: 0,
  outputVisible: 7,
  reasoning: 2,
  inputAudio: 0,
  outputAudio: 0,
} as const
const first: StreamEvent[] = [
  { type: 'start', id: 'msg_a', model: 'claude' },
  { type: 'reasoning', text: 'Hm.', choice: 0 },
  { type: 'reasoning', text: '', choice: 0, signature: 'hg1.anthropic-messages.up.c2ln' },
  { type: 'text', text: 'I look.', choice: 0 },
  {
    type: 'tool_call',
    index: 0,
    choice: 0,
    id: 'toolu_1',
    name: 'weather',
    arguments: '{"city":',
    signature: 'hg1.gemini-generate.up.Z2Vt',
  },
  { type: 'tool_call', index: 0, choice: 0, arguments: '"Rome"}' },
  { type: 'stop', reason: 'tool_calls', raw: 'tool_use', choice: 0 },
  { type: 'usage', usage },
  { type: 'end' },
]
const second: StreamEvent[] = [
  { type: 'start', id: 'msg_b', model: 'claude' },
  { type: 'text', text: 'Sunny.', choice: 0 },
  { type: 'citation', choice: 0, url: 'https://example.org', title: 'E', cited: 'Sunny' },
  { type: 'stop', reason: 'end', raw: 'end_turn', choice: 0 },
  { type: 'usage', usage },
  { type: 'end' },
]

/** Two steps against a server that plays the encoder; gives what was asked in the second one. */
async function twoSteps<T>(store: boolean | undefined, run: (options: Parameters<typeof generateText>[0]) => Promise<T>) {
  const asked: Conversation[] = []
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const source = jsonSource(new Uint8Array(await request.arrayBuffer()))!
      const report = new LossReport()
      asked.push(readResponses(source, report))
      expect(report.refusal).toBeUndefined()
      const events = asked.length === 1 ? first : second
      const head = { id: 'r', model: 'claude', created: 1, request: source.json }
      if (source.json.stream !== true) return Response.json(JSON.parse(openaiResponses.encodeWhole(events, head)))
      const encoder = openaiResponses.encoder(head)
      const sse = events.map((event) => encoder.encode([event])).join('')
      return new Response(sse, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  const openai = createOpenAI({ apiKey: 'k', baseURL: `http://127.0.0.1:${server.port}` })
  const inputSchema = jsonSchema<{ city: string }>({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'] })
  const weather = tool({ inputSchema, execute: ({ city }) => Promise.resolve(`${city}: sun`) })
  try {
    const result = await run({
      model: openai.responses('claude-x'),
      prompt: 'Weather?',
      tools: { weather },
      stopWhen: stepCountIs(3),
      ...(store !== undefined && { providerOptions: { openai: { store } } }),
    })
    expect(asked.length).toBe(2)
    return { result, again: asked[1]! }
  } finally {
    await server.stop(true)
  }
}

async function streamed(options: Parameters<typeof generateText>[0]) {
  const stream = streamText(options as Parameters<typeof streamText>[0])
  const types: string[] = []
  for await (const part of stream.fullStream) types.push(part.type)
  expect(types).not.toContain('error')
  return { text: await stream.text, finishReason: await stream.finishReason, usage: await stream.totalUsage, sources: await stream.sources }
}

async function whole(options: Parameters<typeof generateText>[0]) {
  const { text, finishReason, totalUsage, sources } = await generateText(options)
  return { text, finishReason, usage: totalUsage, sources }
}

describe('the AI SDK', () => {
  for (const [name, run] of Object.entries({ streamed, whole })) {
    test(`D01 C18 E01: ${name}: text, sources, usage; thoughts and proofs come back`, async () => {
      const { result, again } = await twoSteps(false, run)
      expect(result).toMatchObject({ text: 'Sunny.', finishReason: 'stop' })
      expect(result.sources).toMatchObject([{ url: 'https://example.org', title: 'E' }])
      expect(result.usage).toMatchObject({ inputTokens: 16, outputTokens: 18, totalTokens: 34 })
      const proof = (dialect: string, value: string) => ({ dialect, upstream: 'up', value })
      expect(again.turns.slice(1)).toEqual([
        {
          role: 'assistant',
          content: [
            { type: 'reasoning', text: 'Hm.', proof: proof('anthropic-messages', 'c2ln') },
            { type: 'text', text: 'I look.' },
            {
              type: 'call',
              id: 'toolu_1',
              name: 'weather',
              kind: 'function',
              arguments: '{"city":"Rome"}',
              proof: proof('gemini-generate', 'Z2Vt'),
            },
          ],
        },
        { role: 'user', content: [{ type: 'result', id: 'toolu_1', content: [{ type: 'text', text: 'Rome: sun' }] }] },
      ])
      expect(again.extras).toEqual([])
    })
  }

  test('as it comes, it refers to what it believes to be stored: thoughts may be missing, texts may not', async () => {
    const { again } = await twoSteps(undefined, streamed)
    expect(again.extras.map(({ field, weight }) => [field, weight])).toEqual([
      ['input[1]', 'hint'],
      ['input[2]', 'meaning'],
      ['input[3]', 'hint'],
    ])
    expect(again.extras[1]?.message).toContain('"store": false')
  })
})
