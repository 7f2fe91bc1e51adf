import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cutBytes, type Delivery } from './delivery.ts'
import { findRecordings, readRecording, replyBytes, requestText } from './recordings.ts'
import { type ReplayUpstream, startReplay } from './replay-upstream.ts'
import { within } from './within.ts'

let replay: ReplayUpstream
beforeAll(async () => {
  replay = await startReplay()
})
afterAll(() => replay.stop())

const body = 'data: {"a":"héllo 世界"}\n\ndata: {"b":2}\n\ndata: [DONE]\n\n'
const reply = { status: 200, headers: { 'content-type': 'text/event-stream' }, body: Buffer.from(body), stream: true }

function get(id: string): Promise<Response> {
  return fetch(`${replay.url}/v1/chat/completions`, { method: 'POST', headers: { 'x-replay-id': id }, body: '{}' })
}

describe('deliveries', () => {
  const whole: readonly (readonly [name: string, how: Delivery])[] = [
    ['one piece', {}],
    ['A01 cut at every byte', { cuts: 'bytes' }],
    ['cut at frames', { cuts: 'frames' }],
    ['cut at random places', { cuts: { seed: 7, pieces: 9 } }],
    ['with delays', { cuts: 'frames', delayMs: 2 }],
    ['A07 gzip', { gzip: true, cuts: [5, 1] }],
    ['without a length', { transfer: 'close' }],
    ['with a length', { transfer: 'length' }],
  ]
  test.each(whole)('%s: the body arrives', async (_, how) => {
    expect(await (await get(replay.addReply(reply, how))).text()).toBe(body)
  })

  test('A02 and A06: CRLF, CR, byte order mark', async () => {
    expect(await (await get(replay.addReply(reply, { newline: 'crlf' }))).text()).toBe(body.replaceAll('\n', '\r\n'))
    expect(await (await get(replay.addReply(reply, { newline: 'cr' }))).text()).toBe(body.replaceAll('\n', '\r'))
    const bytes = await (await get(replay.addReply(reply, { bom: true }))).bytes()
    expect([...bytes.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf])
  })

  test('B01: a truncated stream ends properly, or with EOF or RST as told', async () => {
    const first = body.slice(0, body.indexOf('data: {"b"'))
    expect(await (await get(replay.addReply(reply, { stopAfter: { frames: 1 } }))).text()).toBe(first)
    expect(await (await get(replay.addReply(reply, { stopAfter: 3, transfer: 'close' }))).text()).toBe('dat')
    for (const ending of ['eof', 'reset'] as const) {
      const cut = await get(replay.addReply(reply, { stopAfter: { frames: 2 }, ending }))
      expect(await cut.text().catch((e: { code?: string }) => e.code)).toBe('ECONNRESET')
    }
  })

  test('a test can hold a stream at a piece, and the nth request gets the nth delivery', async () => {
    const gate = Promise.withResolvers<void>()
    const id = replay.addReply(reply, { cuts: 'frames', before: (piece) => (piece === 1 ? gate.promise : undefined) }, { status: 529 })
    const reader = (await get(id)).body!.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(body.slice(0, body.indexOf('\n\n') + 2))
    gate.resolve()
    while (!(await within(1000, 'the rest', reader.read())).done);
    expect((await get(id)).status).toBe(529)
    expect((await get(id)).status).toBe(529)
  })

  test('pieces joined are the bytes', () => {
    for (const cuts of ['bytes', 'frames', { seed: 1 }, [3, 900, 3, 0]] as const) {
      const pieces = cutBytes(reply.body, cuts)
      expect(Buffer.concat(pieces).toString()).toBe(body)
      expect(pieces.every((piece) => piece.length > 0)).toBe(true)
    }
  })
})

describe('requests', () => {
  test('are found by header, model or path, and captured as they came', async () => {
    const id = replay.addReply(reply)
    const text = `{"model" : "replay-${id}", "n": 1.0}`
    await (await fetch(`${replay.url}/v1/x?beta=true`, { method: 'POST', headers: { 'X-Own': 'a' }, body: text })).text()
    await (await fetch(`${replay.url}/replay-${id}/v1/x`)).text()
    const [first, second] = replay.requestsFor(id)
    expect(first).toMatchObject({ method: 'POST', path: '/v1/x', query: 'beta=true' })
    expect(Buffer.from(first!.body).toString()).toBe(text)
    expect(first!.headers.get('x-own')).toBe('a')
    expect(first!.headerLines.map(([name]) => name.toLowerCase())).toContain('content-length')
    expect(second!.method).toBe('GET')
  })

  test('a chunked 3 MB body arrives whole', async () => {
    const id = replay.addReply(reply)
    const part = new Uint8Array(300_000).fill(65)
    let left = 10
    const stream = new ReadableStream({
      pull(c) {
        if (left-- > 0) c.enqueue(part)
        else c.close()
      },
    })
    await (await fetch(replay.url, { method: 'POST', headers: { 'x-replay-id': id }, body: stream })).text()
    expect(replay.requestsFor(id)[0]!.body.length).toBe(3_000_000)
  })

  test('an unknown id is a 404', async () => {
    expect((await get('none')).status).toBe(404)
  })
})

const streams = findRecordings({ dialect: ['openai-chat', 'anthropic-messages'], stream: true })
const errors = findRecordings({ dialect: ['openai-chat', 'anthropic-messages'], status: [400, 404] })

describe.skipIf(streams === undefined)('recordings', () => {
  test('streams replay byte for byte, re-cut', async () => {
    expect(streams!.length).toBeGreaterThan(60)
    for (const entry of streams!.slice(0, 20)) {
      const recording = readRecording(entry)
      const response = await get(replay.add(recording, { cuts: { seed: 3, pieces: 5 } }))
      expect(response.status).toBe(200)
      expect(Buffer.compare(await response.bytes(), replyBytes(recording))).toBe(0)
    }
  })

  test('errors replay with status, headers and JSON', async () => {
    for (const entry of errors!) {
      const recording = readRecording(entry)
      const response = await get(replay.add(recording))
      expect(response.status).toBe(entry.status)
      expect(response.headers.get('content-type')).toBe(recording.response.headers['content-type']!)
      expect(await response.json()).toEqual(recording.response.body)
    }
  })

  test('a request can be sent under another model name', () => {
    const recording = readRecording(streams![0]!)
    expect(JSON.parse(requestText(recording, 'replay-x'))).toEqual({ ...(recording.request.body as object), model: 'replay-x' })
  })
})
