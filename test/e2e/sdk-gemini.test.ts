/**
 * The unmodified `@google/genai` SDK through the real gateway: against recorded Gemini traffic, natively, and against an upstream of
 * another dialect, translated.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { ApiError, type GenerateContentResponse, GoogleGenAI } from '@google/genai'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { findRecordings, readRecording, replyBytes } from '../support/recordings.ts'
import { modelPrefix, type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'

setDefaultTimeout(30_000)

const clientKey = 'sk-hg-gemini-client'
const entries = findRecordings({ dialect: ['gemini-generate', 'gemini-count-tokens'] })
const of = (dialect: string, stream: boolean, ok = true) =>
  (entries ?? []).filter((e) => e.dialect === dialect && e.stream === stream && (e.status === 200) === ok).map(readRecording)

let replay: ReplayUpstream
let gateway: LocalGateway
let ai: GoogleGenAI

beforeAll(async () => {
  replay = await startReplay()
  const hash = new Bun.CryptoHasher('sha256').update(clientKey).digest('hex')
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      mounts: [
        { path: '/', api: 'gemini' },
        { path: '/v1', api: 'openai' },
      ],
      upstreams: {
        google: { dialect: 'gemini', base_url: replay.url, key: 'google-secret' },
        claude: { dialect: 'anthropic', base_url: replay.url, key: 'anthropic-secret' },
      },
      models: {
        'g-*': { targets: [{ upstream: 'google', model: `${modelPrefix}*` }] },
        'c-*': { targets: [{ upstream: 'claude', model: `${modelPrefix}*` }] },
      },
      plugins: [{ use: 'probe' }, { use: 'auth', with: { keys: [{ id: 'e2e', hash }] } }, { use: 'router' }],
    }),
  )
  ai = sdk()
})
afterAll(async () => {
  await gateway.stop()
  await replay.stop()
})

function sdk(apiKey = clientKey): GoogleGenAI {
  return new GoogleGenAI({ apiKey, httpOptions: { baseUrl: gateway.url } })
}
const post = (path: string, headers: Record<string, string> = { 'x-goog-api-key': clientKey }) =>
  fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}',
  })
const message = (blocks: readonly object[]) => ({
  status: 200,
  headers: { 'content-type': 'text/event-stream' },
  stream: true,
  body: Buffer.from(blocks.map((event) => `event: ${(event as { type: string }).type}\ndata: ${JSON.stringify(event)}\n\n`).join('')),
})
const claudeReply = [
  {
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude-x',
      content: [],
      usage: { input_tokens: 9, cache_read_input_tokens: 4, output_tokens: 1 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Let me see.' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'c2ln' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'Grüße 🎉' } },
  { type: 'content_block_stop', index: 1 },
  { type: 'content_block_start', index: 2, content_block: { type: 'tool_use', id: 'toolu_1', name: 'look', input: {} } },
  { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '{"at":' } },
  { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '"x"}' } },
  { type: 'content_block_stop', index: 2 },
  { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 21 } },
  { type: 'message_stop' },
]

describe('translated to Claude', () => {
  test('a tool loop of two turns: text, thoughts, calls and usage; the proof comes back to its maker', async () => {
    const first = replay.addReply(message(claudeReply))
    const tools = [
      { functionDeclarations: [{ name: 'look', parametersJsonSchema: { type: 'object', properties: { at: { type: 'string' } } } }] },
    ]
    const chat = ai.chats.create({
      model: `c-${first}`,
      config: { tools, systemInstruction: 'Be brief.', thinkingConfig: { includeThoughts: true, thinkingBudget: 2048 } },
    })
    const chunks: GenerateContentResponse[] = []
    for await (const chunk of await chat.sendMessageStream({ message: 'Where?' })) chunks.push(chunk)
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? [])
    const texts = (thought: boolean) =>
      parts
        .map((part) => (part.thought === true) === thought && part.text)
        .filter(Boolean)
        .join('')
    expect([texts(true), texts(false)]).toEqual(['Let me see.', 'Grüße 🎉'])
    expect(parts.flatMap((part) => (part.functionCall ? [part.functionCall] : []))).toEqual([
      { id: 'toolu_1', name: 'look', args: { at: 'x' } },
    ])
    expect(chunks.map((chunk) => chunk.candidates?.[0]?.finishReason as string | undefined).filter(Boolean)).toEqual(['STOP'])
    expect(chunks.flatMap((chunk) => (chunk.usageMetadata ? [chunk.usageMetadata.totalTokenCount] : []))).toEqual([34])
    expect(chunks.at(-1)).toMatchObject({ modelVersion: 'claude-x', responseId: 'msg_1' })

    const asked = JSON.parse(Buffer.from(replay.requestsFor(first)[0]!.body).toString())
    expect(asked).toMatchObject({
      stream: true,
      system: [{ text: 'Be brief.' }],
      tools: [{ name: 'look', input_schema: { type: 'object' } }],
    })
    for await (const _ of await chat.sendMessageStream({
      message: [{ functionResponse: { name: 'look', response: { result: 'there' } } }],
    })) {
      // read to its end
    }
    const again = JSON.parse(Buffer.from(replay.requestsFor(first)[1]!.body).toString())
    expect(again.messages.slice(1)).toEqual([
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Let me see.', signature: 'c2ln' },
          { type: 'text', text: 'Grüße 🎉' },
          { type: 'tool_use', id: 'toolu_1', name: 'look', input: { at: 'x' } },
        ],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'there' }] },
    ])
  })

  test('B01 B08: a stream that breaks off is an error to the SDK, no short answer', async () => {
    const cut = replay.addReply(message(claudeReply.slice(0, 7)))
    const read = async () => {
      for await (const _ of await ai.models.generateContentStream({ model: `c-${cut}`, contents: 'Hi' })) {
        // read until it fails
      }
    }
    expect(await read().catch((error) => error)).toBeInstanceOf(Error)
    const raw = await post(`/v1beta/models/c-${cut}:streamGenerateContent?alt=sse`)
    const told = await raw.text()
    expect(told).not.toContain('finishReason')
    expect(JSON.parse(told.trimEnd().split('\r\n\r\n').at(-1)!.slice(6)).error).toMatchObject({
      code: expect.any(Number),
      status: expect.any(String),
    })
  })
})

describe('errors of the gateway', () => {
  test('in the envelope that the SDK reads', async () => {
    const error = await sdk('wrong')
      .models.generateContent({ model: 'g-x', contents: 'Hi' })
      .catch((e) => e)
    expect(error).toBeInstanceOf(ApiError)
    expect(error.status).toBe(401)
    expect(JSON.parse(error.message).error).toMatchObject({ code: 401, status: 'UNAUTHENTICATED' })
    const missing = await ai.models.generateContent({ model: 'nobody', contents: 'Hi' }).catch((e) => e)
    expect([missing.status, JSON.parse(missing.message).error.status]).toEqual([404, 'NOT_FOUND'])
  })
})

describe.skipIf(entries === undefined)('recorded Gemini traffic, natively', () => {
  test('whole replies arrive as recorded', async () => {
    for (const recording of of('gemini-generate', false)
      .filter((r) => r.response.body !== undefined)
      .slice(0, 60)) {
      const id = replay.add(recording)
      const { sdkHttpResponse: _, ...reply } = await ai.models.generateContent({ model: `g-${id}`, contents: 'Hi' })
      const recorded = JSON.parse(Buffer.from(replyBytes(recording)).toString())
      const direct = await new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: replay.url } }).models.generateContent({
        model: `${modelPrefix}${id}`,
        contents: 'Hi',
      })
      const { sdkHttpResponse: __, ...wanted } = direct
      expect(JSON.parse(JSON.stringify(reply))).toEqual(JSON.parse(JSON.stringify(wanted)))
      expect(reply.responseId).toBe(recorded.responseId)
      const [got] = replay.requestsFor(id)
      expect([got?.path, got?.headers.get('x-goog-api-key')]).toEqual([
        `/v1beta/models/${modelPrefix}${id}:generateContent`,
        'google-secret',
      ])
    }
  })

  test('A02: streams arrive byte for byte with alt=sse, and as one array without', async () => {
    const streams = of('gemini-generate', true)
    expect(streams.length).toBeGreaterThan(10)
    for (const recording of streams) {
      const id = replay.add(recording, { cuts: { seed: 7 } })
      const raw = await post(`/v1beta/models/g-${id}:streamGenerateContent?alt=sse`)
      expect((await raw.text()).trimEnd()).toBe(recording.response.sse!.trimEnd())
      expect(replay.requestsFor(id)[0]).toMatchObject({
        path: `/v1beta/models/${modelPrefix}${id}:streamGenerateContent`,
        query: expect.stringContaining('alt=sse'),
      })
      const array = await post(`/v1beta/models/g-${id}:streamGenerateContent`)
      expect(array.headers.get('content-type')).toStartWith('application/json')
      const frames = recording.response.sse!.split(/\r?\n\r?\n/).filter((frame) => frame.trim() !== '')
      expect(await array.json()).toEqual(frames.map((frame) => JSON.parse(frame.slice(frame.indexOf('{')))))
      let text = ''
      for await (const chunk of await ai.models.generateContentStream({ model: `g-${id}`, contents: 'Hi' })) {
        for (const part of chunk.candidates?.[0]?.content?.parts ?? []) text += part.text ?? ''
      }
      expect(text).toBe(
        frames
          .flatMap((frame) => JSON.parse(frame.slice(frame.indexOf('{'))).candidates?.[0]?.content?.parts ?? [])
          .map((part) => part.text ?? '')
          .join(''),
      )
    }
  })

  test('G05: the error of the upstream keeps its status and its words; counts pass', async () => {
    const [failed] = of('gemini-generate', false, false)
    const id = replay.add(failed!)
    const error = await ai.models.generateContent({ model: `g-${id}`, contents: 'Hi' }).catch((e) => e)
    expect([error.status, JSON.parse(error.message).error]).toEqual([400, (failed!.response.body as { error: object }).error])
    const counted = of('gemini-count-tokens', false).find((recording) => recording.response.body !== undefined)
    const count = await ai.models.countTokens({ model: `g-${replay.add(counted!)}`, contents: 'Hi' })
    expect(count.totalTokens).toBe((counted!.response.body as { totalTokens: number }).totalTokens)
  })
})
