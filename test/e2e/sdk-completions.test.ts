/**
 * The unmodified `openai` SDK calling legacy completions and embeddings through the real gateway: passed on where the upstream has them, and
 * prompts answered by upstreams that only hold conversations.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import OpenAI from 'openai'
import { dataOf, tellMessages } from '../golden/naive.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { findRecordings, readRecording, replyBytes } from '../support/recordings.ts'
import { modelPrefix, type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'

setDefaultTimeout(60_000)

// biome-ignore lint/suspicious/noExplicitAny: recorded bodies of unknown shape
type Loose = any

const embeddings = findRecordings({ dialect: 'openai-embeddings' })
const completions = findRecordings({ dialect: 'openai-completions', status: 200 })

describe.skipIf(embeddings === undefined || completions === undefined)('the openai SDK', () => {
  let replay: ReplayUpstream
  let gateway: GatewayProcess

  beforeAll(async () => {
    replay = await startReplay()
    gateway = await startGateway({
      config: JSON.stringify({
        version: 1,
        upstreams: {
          all: { dialect: 'openai', base_url: `${replay.url}/v1` },
          chat: { dialect: 'openai', base_url: `${replay.url}/v1`, apis: ['chat'] },
          claude: { dialect: 'anthropic', base_url: replay.url },
        },
        models: Object.fromEntries(
          ['all', 'chat', 'claude'].map((upstream) => [`${upstream}/*`, { targets: [{ upstream, model: `${modelPrefix}*` }] }]),
        ),
        plugins: [{ use: 'router' }],
      }),
    })
  })
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0)
    await replay.stop()
  })
  /** The last body that the SDK sent. */
  let sentBody = ''
  const sdk = () =>
    new OpenAI({
      apiKey: 'none',
      baseURL: `${gateway.url}/v1`,
      maxRetries: 0,
      timeout: 20_000,
      fetch: (url, init) => {
        sentBody = String(init?.body)
        return fetch(url, init)
      },
    })

  test('H18: vectors are the true ones, asked for as base64 or as floats; the request leaves as it came', async () => {
    let vectors = 0
    for (const entry of embeddings!) {
      const recording = readRecording(entry)
      const id = replay.add(recording)
      const body: Loose = { ...(recording.request.body as object), model: `all/${id}` }
      const reply: Loose = recording.response.body
      if (entry.status !== 200) {
        const error: Loose = await sdk()
          .embeddings.create(body)
          .catch((e) => e)
        expect([error.status, error.message]).toEqual([entry.status, expect.stringContaining(reply.error?.message ?? reply.detail)])
        continue
      }
      const result = await sdk().embeddings.create(body)
      for (const [i, item] of (reply.data as Loose[]).entries()) {
        const bytes = typeof item.embedding === 'string' ? Buffer.from(item.embedding, 'base64') : undefined
        const expected = bytes ? Array.from({ length: bytes.length / 4 }, (_, k) => bytes.readFloatLE(4 * k)) : item.embedding
        const got: Loose = result.data[i]!.embedding
        // the SDK decodes only what it asked for by itself
        expect(typeof got === 'string' ? got : Array.from(got)).toEqual(typeof got === 'string' ? item.embedding : expected)
        vectors++
      }
      expect(result.usage).toEqual(reply.usage)
      const [sent] = replay.requestsFor(id)
      expect([sent!.path, Buffer.from(sent!.body).toString()]).toEqual([
        '/v1/embeddings',
        sentBody.replace(`all/${id}`, `${modelPrefix}${id}`),
      ])
    }
    expect(vectors).toBeGreaterThan(10)
  })

  test('embeddings of an upstream that has none are refused, never translated', async () => {
    for (const model of ['chat/x', 'claude/x']) {
      const error: Loose = await sdk()
        .embeddings.create({ model, input: 'a' })
        .catch((e) => e)
      expect(error.status).toBe(400)
    }
  })

  test('completions pass whole and streamed', async () => {
    for (const entry of completions!) {
      const recording = readRecording(entry)
      const id = replay.add(recording)
      const body: Loose = { ...(recording.request.body as object), model: `all/${id}` }
      if (!entry.stream) {
        const { _request_id, ...result }: Loose = await sdk().completions.create(body)
        expect(result).toEqual(recording.response.body)
      } else {
        const chunks: unknown[] = []
        for await (const chunk of (await sdk().completions.create({ ...body, stream: true })) as Loose) chunks.push(chunk)
        const recorded = dataOf(recording.response.sse!).filter((data) => data !== '[DONE]')
        expect(chunks).toEqual(recorded.map((data) => JSON.parse(data)))
      }
      expect(replay.requestsFor(id)[0]?.path).toBe('/v1/completions')
    }
  })

  test('a prompt is answered by models that only hold conversations, of any dialect', async () => {
    const plain = { status: 200, kind: ['exchange', 'response'] as const, limit: 25 }
    let answered = 0
    for (const [upstream, dialect] of [
      ['claude', 'anthropic-messages'],
      ['chat', 'openai-chat'],
    ] as const) {
      for (const entry of findRecordings({ ...plain, dialect, stream: false })!) {
        const recording = readRecording(entry)
        const body: Loose = recording.response.body
        const content = dialect === 'openai-chat' ? body.choices[0].message.content : body.content
        const text = typeof content === 'string' ? content : (content ?? []).map((b: Loose) => (b.type === 'text' ? b.text : '')).join('')
        const id = replay.add(recording)
        const result = await sdk().completions.create({ model: `${upstream}/${id}`, prompt: 'Say it.', max_tokens: 9 })
        expect([entry.id, result.object, result.choices[0]!.text]).toEqual([entry.id, 'text_completion', text])
        const sent: Loose = JSON.parse(Buffer.from(replay.requestsFor(id)[0]!.body).toString())
        expect([sent.messages.length, sent.messages[0].role]).toEqual([1, 'user'])
        answered++
      }
    }
    for (const entry of findRecordings({ ...plain, dialect: 'anthropic-messages', stream: true, without: ['mid_stream_error'] })!) {
      const recording = readRecording(entry)
      const sse = Buffer.from(replyBytes(recording)).toString()
      if (sse.split('"type":"message_start"').length > 2) continue
      const told = tellMessages(sse)
      if (!told.ended || told.error !== undefined) continue
      const id = replay.add(recording)
      let text = ''
      const finishes: string[] = []
      const stream = await sdk().completions.create({ model: `claude/${id}`, prompt: 'Say it.', stream: true })
      for await (const chunk of stream) {
        text += chunk.choices[0]?.text ?? ''
        if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason)
        expect(chunk.object).toBe('text_completion')
      }
      expect([entry.id, text, finishes.length]).toEqual([entry.id, told.text, 1])
      answered++
    }
    expect(answered).toBeGreaterThan(40)
  })

  test('what a conversation can not say is refused before any call', async () => {
    const before = replay.requests.length
    for (const more of [{ prompt: [1, 2, 3] }, { prompt: 'a', suffix: 'b' }, { prompt: 'a', logprobs: 2 }, { prompt: 'a', best_of: 3 }]) {
      const error: Loose = await sdk()
        .completions.create({ model: 'claude/x', ...more } as Loose)
        .catch((e) => e)
      expect([error.status, Object.keys(more)]).toEqual([400, expect.arrayContaining([error.param])])
    }
    expect(replay.requests.length).toBe(before)
  })
})
