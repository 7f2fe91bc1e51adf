/**
 * Every recording of both dialects without an SDK: the bytes that come out are the upstream's, however they arrive (A01-A07), and a
 * stream that was cut is never taken for a whole one (B01-B03).
 *
 * Each case runs twice: as a raw relay, and with a plugin that looks at every event and changes none.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { dataOf } from '../golden/naive.ts'
import { call, endpointOf, envelope, type Family, families, headersOf, verdictOf } from '../support/client.ts'
import { type Delivery, frameEnds, seeded } from '../support/delivery.ts'
import { forAll } from '../support/for-all.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { authPlugin, gatewayConfig } from '../support/gateway-config.ts'
import { findRecordings, type Recording, readRecording, replyBytes } from '../support/recordings.ts'
import { modelPrefix, type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'
import { sampleStream, sampleWhole } from '../support/sample-replies.ts'

setDefaultTimeout(60_000)

const found = findRecordings({ dialect: ['openai-chat', 'anthropic-messages'] })
const load = (stream: boolean) => (found ?? []).filter((e) => e.stream === stream && e.status === 200).map(readRecording)
const familyOf = (r: { readonly dialect: string }): Family => (r.dialect === 'openai-chat' ? 'openai' : 'anthropic')

const watcher = `import { definePlugin } from 'headgate/plugin'
export default definePlugin({ api: 1, name: 'watcher', summary: 'Looks at every event', failure: 'closed', setup: () => ({ event() {} }) })
`
const both = [false, true]
const watched = (yes: boolean): Record<string, string> => (yes ? { 'x-watch': 'yes' } : {})
const sse = { 'content-type': 'text/event-stream' }

let replay: ReplayUpstream
let gateway: GatewayProcess
beforeAll(async () => {
  replay = await startReplay()
  gateway = await startGateway({
    config: gatewayConfig({
      upstream: replay.url,
      prefix: modelPrefix,
      plugins: [authPlugin, { use: './watcher.ts', when: { header: { 'x-watch': ['yes'] } } }, { use: 'router' }],
    }),
    files: { 'watcher.ts': watcher },
  })
})
afterAll(async () => {
  expect(await gateway.stop()).toBe(0)
  await replay.stop()
})

/** Asks for a reply that the replay server has under `id`. */
function ask(family: Family, id: string, stream: boolean, watch: boolean) {
  return call(family, gateway.url, JSON.stringify({ model: `cat/${id}`, max_tokens: 9, messages: [], stream }), watched(watch))
}

/** Sends `body` as a stream in the given way and gives what the client got. */
async function relay(family: Family, body: Uint8Array, delivery: Delivery, watch: boolean) {
  const id = replay.addReply({ status: 200, headers: sse, body, stream: true }, delivery)
  return ask(family, id, true, watch)
}

/** What a complete stream still lacks: the blank line after its last frame, and a Chat stream's `[DONE]` (B02). */
function completed(family: Family, text: string): string {
  const closed = /(\r\n|\n|\r)\1$/.test(text) ? text : `${text}\n\n`
  return family === 'openai' && !/^data: ?\[DONE\]/m.test(text) ? `${closed}data: [DONE]\n\n` : closed
}

/** True for a stream that ends as its dialect says; undefined when its last frame is no JSON. */
function endsWell(family: Family, sseText: string): boolean | undefined {
  let stopped = false
  let ended = false
  const messages = new Set<string>()
  for (const data of dataOf(sseText)) {
    if (data.trim() === '[DONE]') continue
    let frame: { type?: string; error?: unknown; message?: { id?: string }; choices?: { finish_reason?: string | null }[] }
    try {
      frame = JSON.parse(data)
    } catch {
      return undefined
    }
    if (frame.error) return false
    if (frame.type === 'message_stop') ended = true
    if (frame.message?.id !== undefined && messages.add(frame.message.id).size > 1) return false // B22
    if (frame.choices?.some((choice) => choice.finish_reason)) stopped = true
  }
  return family === 'openai' ? stopped : ended
}

const isComplete = (r: Recording) => endsWell(familyOf(r), r.response.sse!) === true

describe.skipIf(found === undefined)('recorded replies', () => {
  test('whole: the bytes as they came, plain and gzip (A07), and in random pieces', async () => {
    let seed = 1
    const recordings = load(false)
    await forAll(
      recordings,
      (r) => r.id,
      async (r) => {
        const recorded = Buffer.from(replyBytes(r)).toString()
        for (const delivery of [{}, { gzip: true }, { cuts: { seed: seed++ } }, { transfer: 'chunked' as const }]) {
          const watch = seed % 2 === 0
          const answer = await ask(familyOf(r), replay.add(r, delivery), false, watch)
          expect(answer.status).toBe(200)
          expect(answer.text).toBe(recorded)
          expect(answer.headers.get('content-encoding')).toBeNull()
        }
      },
    )
    expect(recordings.length).toBeGreaterThanOrEqual(120)
  })

  test('streams: the bytes as they came, however they are cut and spelled (A01-A07)', async () => {
    const recordings = load(true).filter((r) => isComplete(r))
    let seed = 1
    await forAll(
      recordings,
      (r) => r.id,
      async (r) => {
        const family = familyOf(r)
        const text = r.response.sse!.replaceAll('\r\n', '\n')
        const commented = text.replaceAll('\n\n', '\n\n: OPENROUTER PROCESSING\n\nid: 7\nretry: 3\n: x\n')
        const variants: [string, string, Delivery][] = [
          ['as recorded', r.response.sse!, {}],
          ['in frames', r.response.sse!, { cuts: 'frames' }],
          ['random cuts', text, { cuts: { seed: seed++, pieces: 40 } }],
          ['more random cuts', text, { cuts: { seed: seed++, pieces: 7 } }],
          ['crlf', text.replaceAll('\n', '\r\n'), { cuts: { seed: seed++, pieces: 20 } }],
          ['bom', `\ufeff${text}`, { cuts: [1] }],
          ['comments', commented, { cuts: { seed: seed++ } }],
          ['gzip', text, { gzip: true, cuts: { seed: seed++ } }],
          ['closed by the end of the connection', text, { transfer: 'close' }],
        ]
        if (text.length < 4000) variants.push(['byte by byte', text, { cuts: 'bytes' }])
        for (const [name, body, delivery] of variants) {
          for (const watch of both) {
            const answer = await relay(family, Buffer.from(body), delivery, watch)
            expect([name, watch, answer.status]).toEqual([name, watch, 200])
            expect(answer.headers.get('content-encoding')).toBeNull()
            expect(`${name} ${watch}\n${answer.text}`).toBe(`${name} ${watch}\n${completed(family, body)}`)
          }
        }
      },
    )
    expect(recordings.length).toBeGreaterThanOrEqual(70)
  })

  test('B01, B02: cut at every event boundary and inside a frame, never a success without its terminal event', async () => {
    const endings: Delivery[] = [{ ending: 'complete' }, { ending: 'eof' }, { ending: 'reset' }, { transfer: 'close' }]
    const seen = { success: 0, 'error-frame': 0, broken: 0, incomplete: 0, refused: 0 }
    let turn = 0
    const cases = load(true)
      .filter(isComplete)
      .flatMap((r) => {
        const bytes = replyBytes(r)
        const ends = frameEnds(bytes)
        // every boundary of a short stream; of a long one the first and last 20 and every tenth
        const chosen = ends.filter((_, i) => ends.length < 60 || i < 20 || i > ends.length - 20 || i % 10 === 0)
        const random = seeded(bytes.length)
        const middles = chosen.filter((_, i) => i % 4 === 0).map((end) => Math.max(1, end - 1 - Math.floor(random() * 12)))
        return [...chosen, ...middles].map((at) => ({ r, at, delivery: endings[turn++ % endings.length]!, watch: turn % 3 === 0 }))
      })
    await forAll(
      cases,
      (c) => `${c.r.id} at ${c.at} ${JSON.stringify(c.delivery)} ${c.watch ? 'watched' : ''}`,
      async ({ r, at, delivery, watch }) => {
        const family = familyOf(r)
        const prefix = Buffer.from(replyBytes(r)).subarray(0, at)
        const id = replay.addReply({ status: 200, headers: sse, body: prefix, stream: true }, delivery)
        const answer = await ask(family, id, true, watch)
        // a last frame that lacks only its blank line counts as well
        const text = prefix.toString()
        const whole = endsWell(family, text) ?? endsWell(family, prefix.subarray(0, frameEnds(prefix).at(-1) ?? 0).toString()) ?? false
        if (answer.status !== 200) {
          expect(whole).toBe(false)
          expect(answer.status).toBe(502)
          envelope(family, answer.text)
          seen.refused++
          return
        }
        const verdict = verdictOf(family, answer.text)
        seen[verdict]++
        // frame by frame nothing but whole frames leaves; a raw relay may have passed on the half of one
        if (!whole) expect(watch ? ['error-frame'] : ['error-frame', 'broken']).toContain(verdict)
        const atBoundary = frameEnds(prefix).at(-1) === prefix.length
        if (delivery.ending === 'reset' || !atBoundary) return // a reset may lose what was sent before it
        expect(verdict).not.toBe('broken')
        // the transfer ended properly: nothing is missing (B02)
        if (whole && (delivery.ending === 'complete' || delivery.transfer === 'close')) expect(verdict).toBe('success')
      },
    )
    console.log(`cut streams: ${cases.length} cuts, ${JSON.stringify(seen)}`)
    expect(seen.incomplete).toBe(0)
    expect(seen.refused).toBeGreaterThan(100)
    expect(seen['error-frame']).toBeGreaterThan(300)
    expect(seen.success).toBeGreaterThan(50)
  })

  test('B01, B03: recorded streams without success leave as they came, with an error instead of a success', async () => {
    const recordings = load(true).filter((r) => !isComplete(r))
    await forAll(
      recordings,
      (r) => r.id,
      async (r) => {
        for (const watch of both) {
          const answer = await relay(familyOf(r), replyBytes(r), {}, watch)
          if (answer.status === 200) expect(verdictOf(familyOf(r), answer.text)).toBe('error-frame')
          else envelope(familyOf(r), answer.text)
          if (familyOf(r) === 'anthropic') expect(answer.text).not.toContain('message_stop') // B22
        }
      },
    )
    expect(recordings.length).toBeGreaterThan(0)
  })
})

describe('made-up replies', () => {
  const dialectOf = { openai: 'openai-chat', anthropic: 'anthropic-messages' } as const

  test('B03: [DONE] without a finish reason is an error, wherever it is cut', async () => {
    const { opening, content } = sampleStream('openai-chat')
    const body = Buffer.from([...opening, ...content, 'data: [DONE]\n\n'].join(''))
    const cases = Array.from({ length: 16 }, (_, i) => body.length - i).flatMap((cut) => both.map((watch) => ({ cut, watch })))
    await forAll(
      cases,
      (c) => JSON.stringify(c),
      async ({ cut, watch }) => {
        let at = 0
        const before = (piece: number) => (piece > at++ ? undefined : Bun.sleep(1))
        const { text, status } = await relay('openai', body, { cuts: [cut], before }, watch)
        expect(status).toBe(200)
        expect(text).not.toContain('[DONE]')
        expect(['error-frame', 'broken']).toContain(verdictOf('openai', text))
        expect(text).toContain('"error"')
      },
    )
    const alone = await relay('openai', Buffer.from('data: [DONE]\n\n'), {}, false)
    expect(alone.status).toBe(502)
  })

  test('B02: a finish reason without [DONE] completes', async () => {
    const { opening, content, closing } = sampleStream('openai-chat')
    const body = [...opening, ...content, closing[0]].join('')
    for (const watch of both) {
      const { text } = await relay('openai', Buffer.from(body), {}, watch)
      expect(text).toBe(`${body}data: [DONE]\n\n`)
    }
  })

  test('B01: with two choices asked for, one finish reason is not the end', async () => {
    const chunk = (index: number, delta: object, finish: string | null) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index, delta, finish_reason: finish }] })}\n\n`
    const start = [
      chunk(0, { role: 'assistant', content: 'a' }, null),
      chunk(1, { role: 'assistant', content: 'b' }, null),
      chunk(0, {}, 'stop'),
    ]
    for (const [frames, verdict] of [
      [start, 'error-frame'],
      [[...start, chunk(1, {}, 'stop')], 'success'],
    ] as const) {
      const id = replay.addReply({ status: 200, headers: sse, body: Buffer.from(frames.join('')), stream: true }, { cuts: 'frames' })
      const body = JSON.stringify({ model: `cat/${id}`, n: 2, messages: [], stream: true })
      expect(verdictOf('openai', (await call('openai', gateway.url, body)).text)).toBe(verdict)
    }
  })

  test.each(families)('A05: a 16 MB SSE line passes whole: %s', async (family) => {
    const { opening, content, closing } = sampleStream(dialectOf[family])
    const big = content[0]!.replace('Hello', 'x'.repeat(16 * 1024 * 1024))
    const body = Buffer.from([...opening, big, ...closing].join(''))
    for (const watch of both) {
      const answer = await relay(family, body, { cuts: { seed: 5, pieces: 300 } }, watch)
      expect(answer.bytes.length).toBe(body.length)
      expect(Buffer.from(answer.bytes).equals(body)).toBe(true)
    }
  })

  test('a frame beyond every bound fails the reply, not the gateway', async () => {
    const { opening, content, closing } = sampleStream('openai-chat')
    const huge = content[0]!.replace('Hello', 'x'.repeat(70 * 1024 * 1024))
    const answer = await relay(
      'openai',
      Buffer.from([...opening, content[1], huge, ...closing].join('')),
      { cuts: { seed: 5, pieces: 100 } },
      true,
    )
    expect(answer.status === 200 ? verdictOf('openai', answer.text) : 'refused').not.toBe('success')
    expect((await relay('openai', Buffer.from([...opening, ...content, ...closing].join('')), {}, false)).status).toBe(200)
  })

  test.each(families)('A08: request bodies may be gzip, deflate, br or zstd: %s', async (family) => {
    const id = replay.addReply({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(sampleWhole(dialectOf[family])),
      stream: false,
    })
    const body = JSON.stringify({ model: `cat/${id}`, max_tokens: 9, messages: [{ role: 'user', content: 'é'.repeat(5000) }] })
    const encoded = { gzip: gzipSync(body), deflate: deflateSync(body), br: brotliCompressSync(body), zstd: zstdCompressSync(body) }
    for (const [coding, bytes] of Object.entries(encoded)) {
      const response = await fetch(endpointOf(family, gateway.url), {
        method: 'POST',
        headers: { ...headersOf(family), 'content-encoding': coding },
        body: Uint8Array.from(Buffer.from(bytes)),
      })
      expect([coding, response.status]).toEqual([coding, 200])
      await response.arrayBuffer()
      const request = replay.requestsFor(id).at(-1)!
      expect(Buffer.from(request.body).toString()).toBe(body.replace(`cat/${id}`, modelPrefix + id))
      expect(request.headers.get('content-encoding')).toBeNull()
    }
  })

  test.each(families)('A08: a bomb is 413, an unknown coding 415, broken bytes 400: %s', async (family) => {
    const zeros = Buffer.alloc(400 * 1024 * 1024)
    const bombs = { gzip: gzipSync(zeros, { level: 1 }), zstd: zstdCompressSync(zeros) }
    for (const [coding, bytes] of Object.entries(bombs)) {
      const answer = await call(family, gateway.url, Uint8Array.from(bytes), { 'content-encoding': coding })
      expect([coding, answer.status]).toEqual([coding, 413])
      expect(envelope(family, answer.text).message).toContain('32 MB')
    }
    const unknown = await call(family, gateway.url, '{}', { 'content-encoding': 'lzma' })
    expect(unknown.status).toBe(415)
    expect(envelope(family, unknown.text).message).toContain('lzma')
    const broken = await call(family, gateway.url, 'this is not gzip', { 'content-encoding': 'gzip' })
    expect(broken.status).toBe(400)
    envelope(family, broken.text)
  })
})
