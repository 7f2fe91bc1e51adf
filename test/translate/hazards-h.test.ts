/** Hazards of errors (G), of headers and particular clients (H), and what other gateways were seen to do (I) between dialects, over real HTTP. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { leastRequest, spoken } from './dialects.ts'
import {
  block,
  type Loose,
  messageStart,
  messagesStream,
  type Name,
  names,
  othersThan,
  pairs,
  plainReply,
  type Stage,
  speaker,
  startStage,
} from './stage.ts'
import { toolsOf } from './tools-of.ts'

setDefaultTimeout(60_000)

let stage: Stage
beforeAll(async () => {
  stage = await startStage()
})
afterAll(() => stage.stop())

const chat = speaker('chat')
const messages = speaker('messages')
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

describe('upstreams that are not there', () => {
  test('G10 G08 a connection that fails is a 502, once, in the shape of each client', async () => {
    const down = await startStage((config) => {
      for (const upstream of Object.values(config.upstreams) as { base_url: string }[]) upstream.base_url = 'http://127.0.0.1:1'
    })
    try {
      for (const client of spoken) {
        for (const upstream of names) {
          for (const stream of [true, false]) {
            const { status, body, headers } = await down.ask(client, upstream, plainReply[upstream].whole, { stream })
            expect(`${client.name} ${upstream} ${status}`).toBe(`${client.name} ${upstream} 502`)
            expect(client.whole(body).error).toContain('could not be reached')
            const outcome = await down.gateway.outcome(headers.get('x-request-id')!)
            expect(outcome.attempts).toHaveLength(1)
          }
        }
      }
    } finally {
      await down.stop()
    }
  })

  test('G08 an upstream without a key that wants one is no 401 for a client of another dialect', async () => {
    const keyless = await startStage((config) => {
      for (const upstream of Object.values(config.upstreams) as { key?: string }[]) delete upstream.key
    })
    try {
      const error = { type: 'error', error: { type: 'authentication_error', message: 'No key, no answer.', code: null } }
      for (const { client, upstream } of pairs) {
        const { status, told, headers } = await keyless.ask(client, upstream, error, { status: 401 })
        expect({ status, retry: headers.get('x-should-retry') }).toEqual({ status: 502, retry: 'false' })
        expect(told.error).toContain('No key, no answer.')
      }
    } finally {
      await keyless.stop()
    }
  })

  test('G09 a client that leaves takes its translated call along', async () => {
    for (const { client, upstream } of pairs) {
      const text = plainReply[upstream].stream
      const never = Promise.withResolvers<void>()
      const id = stage.replay.addReply(
        { status: 200, headers: { 'content-type': 'text/event-stream' }, body: Buffer.from(text), stream: true },
        { cuts: [text.indexOf('there') - 30], before: (piece) => (piece === 1 ? never.promise : undefined) },
      )
      const model = `${upstream}-${id}`
      const abort = new AbortController()
      const response = await fetch(stage.gateway.url + client.path(model, true), {
        method: 'POST',
        headers: client.headers,
        body: leastRequest(client, model, true),
        signal: abort.signal,
      })
      await response.body!.getReader().read()
      abort.abort()
      const outcome = await stage.gateway.outcome(response.headers.get('x-request-id')!)
      never.resolve()
      expect(`${client.name} ${upstream} ${outcome.end}`).toBe(`${client.name} ${upstream} abandoned`)
      expect(outcome.attempts.map((attempt) => attempt.failure)).toEqual(['aborted'])
    }
  })
})

describe('clients', () => {
  test('H08 H09 tokens are counted for every model, tools and pictures too, and never none', async () => {
    const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } }
    for (const upstream of ['chat', 'responses', 'gemini'] as const) {
      const count = async (add: object): Promise<number> => {
        const body = { ...(JSON.parse(leastRequest(messages, `${upstream}-r0`, false)) as object), ...add }
        const response = await fetch(`${stage.gateway.url}/v1/messages/count_tokens?beta=true`, {
          method: 'POST',
          headers: messages.headers,
          body: JSON.stringify(body),
        })
        expect(response.status).toBe(200)
        expect(response.headers.get('x-gateway-estimated')).toBe('true')
        return ((await response.json()) as { input_tokens: number }).input_tokens
      }
      const plain = await count({ tools: [] })
      expect(plain).toBeGreaterThan(0)
      expect(await count(toolsOf(messages, ['look']))).toBeGreaterThan(plain)
      expect(await count({ messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }, picture] }] })).toBeGreaterThan(plain)
      expect(await count({ messages: [{ role: 'user', content: 'foo' }] })).toBeGreaterThan(0)
    }
  })

  test('H11 long names of users are hashed for OpenAI, and kept for Anthropic', async () => {
    const user_id = JSON.stringify({ device_id: 'd'.repeat(64), account_uuid: 'a'.repeat(36), session_id: 's'.repeat(60) })
    const add = { metadata: { user_id } }
    for (const upstream of ['chat', 'responses'] as const) {
      const { sent, status } = await stage.ask(messages, upstream, plainReply[upstream].whole, { add })
      expect(status).toBe(200)
      const said = sent[0].user ?? sent[0].safety_identifier
      expect(said?.length ?? 0).toBeLessThanOrEqual(64)
      expect(JSON.stringify(sent[0])).not.toContain('device_id')
    }
    const native = await stage.ask(messages, 'messages', plainReply.messages.whole, { add })
    expect(native.sent[0].metadata.user_id).toBe(user_id)
    const long = 'u'.repeat(200)
    expect((await stage.ask(chat, 'messages', plainReply.messages.whole, { add: { user: long } })).sent[0].metadata.user_id).toBe(long)
  })

  test('H12 what Claude Code says is untouched on its way to Anthropic, and so is what Anthropic says of it', async () => {
    const add = {
      system: [{ type: 'text', text: 'x-anthropic-billing-header: cc_version=9; cc_entrypoint=cli' }],
      safeguards: { odd: 1.5 },
      context_management: { edits: [{ type: 'clear_thinking_20251015' }] },
      thinking: { type: 'adaptive', display: 'omitted' },
    }
    const error = {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'safeguards: Extra inputs are not permitted' },
      request_id: 'req_9',
    }
    const { sent, body, status } = await stage.ask(messages, 'messages', error, { status: 400, add })
    expect(sent[0]).toMatchObject(add)
    expect(status).toBe(400)
    expect(JSON.parse(body)).toEqual(error)
  })

  test('H14 a system message between others keeps its place, or is marked; it is never put first', async () => {
    const add = {
      system: 'S0',
      messages: [
        { role: 'user', content: 'U1' },
        { role: 'system', content: [{ type: 'text', text: 'S1', cache_control: { type: 'ephemeral' } }] },
        { role: 'user', content: 'U2' },
        { role: 'assistant', content: 'A1' },
        { role: 'system', content: 'S2' },
        { role: 'user', content: 'U3' },
      ],
    }
    for (const upstream of ['chat', 'responses', 'gemini'] as const) {
      const { sent, status } = await stage.ask(messages, upstream, plainReply[upstream].whole, { add })
      expect(status).toBe(200)
      const { messages: list, input, contents } = sent[0]
      const text = JSON.stringify(list ?? input ?? contents)
      const places = ['U1', 'S1', 'U2', 'A1', 'S2', 'U3'].map((word) => text.indexOf(word))
      expect(places).toEqual([...places].sort((a, b) => a - b))
      expect(places[0]).toBeGreaterThan(-1)
    }
    const native = await stage.ask(messages, 'messages', plainReply.messages.whole, { add })
    expect(native.sent[0].messages).toEqual(add.messages)
  })

  test('H17 a body of the Responses API at the path of Chat is told where it belongs', async () => {
    for (const upstream of ['responses', 'messages', 'gemini'] as const) {
      const { status, told, sent } = await stage.ask(chat, upstream, plainReply[upstream].whole, {
        add: { messages: undefined, input: 'Hello' },
      })
      expect(status).toBe(400)
      expect(told.error).toContain('/responses')
      expect(sent).toHaveLength(0)
    }
  })

  test('H19 I09 pictures, PDFs and sounds go where the model takes them, under their true type; else a clear 400', async () => {
    const pdf = `JVBERi0xLjQK${'A'.repeat(40)}`
    const content = [
      { type: 'text', text: 'See' },
      { type: 'image_url', image_url: { url: `data:image/jpg;base64,${png}` } },
      { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${pdf}` } },
    ]
    for (const upstream of ['responses', 'messages', 'gemini'] as const) {
      const able = await startStage((config) => {
        config.upstreams[upstream].capabilities = { documents: true, images: true }
      })
      try {
        const { sent, status, body } = await able.ask(chat, upstream, plainReply[upstream].whole, {
          add: { messages: [{ role: 'user', content }] },
        })
        expect(`${status} ${status === 200 ? '' : body}`).toBe('200 ')
        const text = JSON.stringify(sent[0])
        for (const piece of [png, pdf, 'image/png', 'application/pdf']) expect(text).toContain(piece)
        expect(text).not.toContain('image/jp')
      } finally {
        await able.stop()
      }
    }
    const sound = [{ type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }]
    const heard = await stage.ask(chat, 'gemini', plainReply.gemini.whole, { add: { messages: [{ role: 'user', content: sound }] } })
    expect(JSON.stringify(heard.sent[0])).toContain('audio/wav')
    const deaf = await stage.ask(chat, 'messages', plainReply.messages.whole, { add: { messages: [{ role: 'user', content: sound }] } })
    expect(deaf.status).toBe(400)
    expect(deaf.told.error).toContain('messages[0].content[0]')
    expect(deaf.sent).toHaveLength(0)
  })

  test('H20 the gateway fetches no address that a client names: it passes it on, or says that it can not', async () => {
    let visits = 0
    const inside = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response(String(++visits)) })
    try {
      const url = `http://127.0.0.1:${inside.port}/latest/meta-data/a.png`
      const content: Readonly<Record<Name, Loose>> = {
        chat: { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] },
        responses: { input: [{ role: 'user', content: [{ type: 'input_image', image_url: url }] }] },
        messages: { messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url } }] }] },
        gemini: { contents: [{ role: 'user', parts: [{ fileData: { fileUri: url, mimeType: 'image/png' } }] }] },
      }
      for (const { client, upstream } of pairs) {
        const { status, sent } = await stage.ask(client, upstream, plainReply[upstream].whole, { add: content[client.name as Name] })
        if (status === 200) expect(JSON.stringify(sent[0])).toContain(url)
        else expect({ status, calls: sent.length }).toEqual({ status: 400, calls: 0 })
      }
      expect(visits).toBe(0)
    } finally {
      await inside.stop(true)
    }
  })
})

describe('what other gateways were seen to do', () => {
  test('I01 an error of Claude in mid-stream is no finish reason for anybody', async () => {
    const stream = messagesStream([
      messageStart(),
      ...block(0, { type: 'text', text: '' }, { type: 'text_delta', text: 'Half' }).slice(0, 2),
      { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded.' } },
    ] as Loose[])
    for (const client of othersThan('messages')) {
      const { told, body } = await stage.ask(client, 'messages', stream)
      expect(told.error).toContain('Overloaded.')
      expect(told.complete).toBe(false)
      expect(body).not.toMatch(/\[DONE\]|"finish_reason":"|"finishReason"|response\.completed/)
    }
  })

  test('several answers are told apart, and a stream is complete when each of them is', async () => {
    const candidate = (index: number, text: string, finish?: string) =>
      `data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text }] }, index, ...(finish && { finishReason: finish }) }], responseId: 'r1', modelVersion: 'm' })}\r\n\r\n`
    const half = candidate(0, 'a') + candidate(1, 'b') + candidate(0, 'A', 'STOP')
    const both = await stage.ask(chat, 'gemini', half + candidate(1, 'B', 'MAX_TOKENS'), { add: { n: 2 } })
    const said = ['', '']
    const finishes: string[] = []
    for (const [, data] of both.body.matchAll(/^data: (\{.*)$/gm)) {
      for (const { index, delta, finish_reason } of (JSON.parse(data!) as Loose).choices) {
        said[index] += delta.content ?? ''
        if (finish_reason !== null) finishes[index] = finish_reason
      }
    }
    expect({ said, finishes }).toEqual({ said: ['aA', 'bB'], finishes: ['stop', 'length'] })
    expect(both.told.complete).toBe(true)
    for (const client of [chat, speaker('gemini')]) {
      const add = client === chat ? { n: 2 } : { generationConfig: { candidateCount: 2 } }
      const cut = await stage.ask(client, 'gemini', half, { add })
      expect(cut.told.error).toBeString()
      expect((await stage.gateway.outcome(cut.headers.get('x-request-id')!)).end).toBe('failed')
    }
  })

  test('Google’s clients that ask for no events get one array, with an error as its last element', async () => {
    const ask = async (body: string) => {
      const id = stage.replay.addReply({
        status: 200,
        headers: { 'content-type': 'text/event-stream' },
        body: Buffer.from(body),
        stream: true,
      })
      const response = await fetch(`${stage.gateway.url}/v1beta/models/messages-${id}:streamGenerateContent`, {
        method: 'POST',
        headers: speaker('gemini').headers,
        body: leastRequest(speaker('gemini'), '', true),
      })
      return (await response.json()) as Loose[]
    }
    const whole = await ask(plainReply.messages.stream)
    expect(whole.map((chunk) => chunk.candidates[0].content.parts[0].text).join('')).toBe('Hi there')
    expect(whole.at(-1).candidates[0].finishReason).toBe('STOP')
    const cut = await ask(plainReply.messages.stream.slice(0, plainReply.messages.stream.indexOf('event: content_block_stop')))
    expect(cut[0].candidates[0].content.parts[0].text).toBe('Hi ')
    expect(cut.at(-1).error).toMatchObject({ code: 502, status: 'INTERNAL' })
  })
})
