import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import type { WireError } from '../codec.ts'
import { SseReader } from '../sse.ts'
import { geminiGenerate } from './index.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON of our own making
type Loose = any

const head = { id: 'reply1', model: 'model1', created: 1 }
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
const chunksOf = (sse: string): Loose[] => new SseReader().push(Buffer.from(sse)).map((frame) => JSON.parse(frame.data))
const partsOf = (sse: string): Loose[] => chunksOf(sse).flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? [])
const write = (events: readonly StreamEvent[]): string => {
  const encoder = geminiGenerate.encoder(head)
  return events.map((event) => encoder.encode([event])).join('')
}

/** One upstream frame through hooks that make `after` of it. */
function rewrite(chunk: unknown, edit: (events: readonly StreamEvent[]) => StreamEvent[]): { out: string; chunks: Loose[] } {
  const encoder = geminiGenerate.encoder(head)
  const decoder = geminiGenerate.decoder()
  const out = new SseReader()
    .push(Buffer.from(`data: ${JSON.stringify(chunk)}\r\n\r\n`))
    .map((frame) => {
      const before = decoder.decode(frame)
      return encoder.encode(edit(before), { frame, before })
    })
    .join('')
  return { out, chunks: chunksOf(out) }
}

describe('streams made of events alone', () => {
  test('E09 B01: calls whole, finish and usage once, in the last chunk, CRLF', () => {
    const out = write([
      { type: 'start', id: 'up1', model: 'upstream-model' },
      { type: 'reasoning', text: 'hm', choice: 0 },
      { type: 'reasoning', text: '', choice: 0, signature: 'hg1.a.b.sig' },
      { type: 'text', text: 'Hi', choice: 0 },
      { type: 'tool_call', index: 0, choice: 0, id: 'c0', name: 'f', arguments: '' },
      { type: 'tool_call', index: 1, choice: 0, id: 'c1', name: 'g', arguments: '{"b":' },
      { type: 'tool_call', index: 0, choice: 0, arguments: '{"a":1.0}', signature: 'proof' },
      { type: 'tool_call', index: 1, choice: 0, arguments: 'oops' },
      { type: 'stop', reason: 'tool_calls', raw: 'tool_use', choice: 0 },
      { type: 'usage', usage },
      { type: 'end' },
    ])
    expect(out).not.toMatch(/[^\r]\n/)
    expect(out).toContain('"args":{"a":1.0}')
    expect(partsOf(out)).toEqual([
      { text: 'hm', thought: true },
      { text: '', thought: true, thoughtSignature: btoa('hg1.a.b.sig') },
      { text: 'Hi' },
      { functionCall: { id: 'c0', name: 'f', args: { a: 1 } }, thoughtSignature: 'proof' },
      { functionCall: { id: 'c1', name: 'g', args: { _raw: '{"b":oops' } } },
      { text: '' },
    ])
    const chunks = chunksOf(out)
    for (const chunk of chunks) expect(chunk).toMatchObject({ responseId: 'up1', modelVersion: 'upstream-model' })
    expect(chunks.map((chunk) => chunk.candidates[0].finishReason)).toEqual([undefined, undefined, undefined, undefined, 'STOP'])
    expect(chunks.map((chunk) => chunk.usageMetadata !== undefined)).toEqual([false, false, false, false, true])
    expect(chunks.at(-1).usageMetadata).toEqual({
      promptTokenCount: 8,
      cachedContentTokenCount: 3,
      candidatesTokenCount: 7,
      thoughtsTokenCount: 2,
      totalTokenCount: 17,
    })
  })

  test('B01: without its end a stream has no finish reason', () => {
    const out = write([
      { type: 'text', text: 'half', choice: 0 },
      { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
    ])
    expect(out).not.toContain('finishReason')
  })

  test('B08: an error is the last thing; remarks are left out, for SDKs take every line for data', () => {
    const out = write([{ type: 'note', text: 'hello' }, { type: 'error', kind: 'overloaded_error', message: 'busy' }, { type: 'end' }])
    expect(chunksOf(out)).toEqual([{ error: { code: 529, message: 'busy', status: 'UNAVAILABLE' } }])
  })

  test('stop words of other dialects; each choice is finished', () => {
    const words = (reason: Loose, raw: string) =>
      chunksOf(write([{ type: 'stop', reason, raw, choice: 0 }, { type: 'end' }])).at(-1).candidates[0].finishReason
    expect([
      words('length', 'max_tokens'),
      words('filter', 'content_filter'),
      words('fault', 'error'),
      words('pause', 'pause_turn'),
    ]).toEqual(['MAX_TOKENS', 'SAFETY', 'OTHER', 'STOP'])
    expect(words('filter', 'RECITATION')).toBe('RECITATION')
    const two = write([
      { type: 'text', text: 'a', choice: 0 },
      { type: 'text', text: 'b', choice: 1 },
      { type: 'stop', reason: 'length', raw: 'length', choice: 1 },
      { type: 'end' },
    ])
    expect(
      chunksOf(two)
        .at(-1)
        .candidates.map((c: Loose) => [c.index, c.finishReason]),
    ).toEqual([
      [0, 'STOP'],
      [1, 'MAX_TOKENS'],
    ])
  })
})

describe('frames that hooks changed', () => {
  const chunk = {
    candidates: [
      {
        content: {
          parts: [{ text: 'one' }, { functionCall: { name: 'f', args: { n: 1 } }, thoughtSignature: 's' }, { text: 'two' }],
          role: 'model',
        },
        finishReason: 'STOP',
        index: 0,
      },
    ],
    usageMetadata: { promptTokenCount: 1, totalTokenCount: 2, extra: 7 },
    responseId: 'r',
  }

  test('what was inserted stands where the hooks put it, in front of finish and usage', () => {
    const { chunks } = rewrite(chunk, (events) =>
      events.flatMap((event): StreamEvent[] =>
        event.type === 'tool_call' || event.type === 'stop' ? [{ type: 'text', text: '<new>', choice: 0 }, event] : [event],
      ),
    )
    expect(chunks.length).toBe(1)
    expect(chunks[0].candidates[0].content.parts).toEqual([
      { text: 'one' },
      { text: '<new>' },
      chunk.candidates[0]!.content.parts[1]!,
      { text: 'two' },
      { text: '<new>' },
    ])
    expect(chunks[0].usageMetadata).toEqual(chunk.usageMetadata)
  })

  test('calls and stop changed, unknown members kept', () => {
    const { chunks } = rewrite(chunk, (events) =>
      events.map((event): StreamEvent => {
        if (event.type === 'tool_call') return { ...event, name: 'g', arguments: '{"n":2}' }
        return event.type === 'stop' ? { ...event, reason: 'length', raw: '' } : event
      }),
    )
    expect(chunks[0].candidates[0].content.parts[1]).toEqual({ functionCall: { name: 'g', args: { n: 2 } }, thoughtSignature: 's' })
    expect(chunks[0].candidates[0].finishReason).toBe('MAX_TOKENS')
    expect(chunks[0].usageMetadata.extra).toBe(7)
  })

  test('all parts dropped: an empty text is left, as Google sends it; all events dropped: nothing is', () => {
    const calls = { candidates: [{ content: { parts: [{ functionCall: { name: 'f' } }] }, finishReason: 'STOP' }] }
    expect(rewrite(calls, (events) => events.filter((e) => e.type !== 'tool_call')).chunks[0].candidates[0].content.parts).toEqual([
      { text: '' },
    ])
    expect(rewrite(calls, () => []).out).toBe('')
  })

  test('a text with a signature that is dropped keeps the signature', () => {
    const signed = { candidates: [{ content: { parts: [{ text: 'secret', thoughtSignature: 's' }] } }] }
    expect(rewrite(signed, (events) => events.filter((e) => e.type !== 'text')).chunks[0].candidates[0].content.parts).toEqual([
      { text: '', thoughtSignature: 's' },
    ])
  })

  test('members that a plugin adds to usage', () => {
    const { chunks } = rewrite(chunk, (events) =>
      events.map((event) => (event.type === 'usage' ? { ...event, extra: { cost: '0.1' } } : event)),
    )
    expect(chunks[0].usageMetadata).toEqual({ ...chunk.usageMetadata, cost: '0.1' })
  })

  test('an end or error of a hook is the last that leaves', () => {
    const encoder = geminiGenerate.encoder(head)
    const frame = new SseReader().push(Buffer.from(`data: ${JSON.stringify(chunk)}\r\n\r\n`))[0]!
    const before = geminiGenerate.decoder().decode(frame)
    const out = encoder.encode([{ type: 'error', kind: 'content_filter', message: 'no' }], { frame, before })
    expect(chunksOf(out)).toEqual([{ error: { code: 400, message: 'no', status: 'INVALID_ARGUMENT' } }])
    expect(encoder.rewriting).toBe(true)
    expect(encoder.encode(before, { frame, before })).toBe('')
  })

  test('whole replies: an inserted text with no candidate to stand in is not lost', () => {
    const blocked = Buffer.from(
      JSON.stringify({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 } }),
    )
    const decoded = geminiGenerate.decodeWhole(blocked)!
    const after = decoded.events.map((event): StreamEvent[] =>
      event.type === 'stop' ? [{ type: 'text', text: 'sorry', choice: 0 }, event] : [event],
    )
    const body = JSON.parse(Buffer.from(decoded.apply(after)).toString())
    expect(body).toMatchObject({
      candidates: [{ content: { parts: [{ text: 'sorry' }] }, finishReason: 'SAFETY' }],
      usageMetadata: { promptTokenCount: 3 },
    })
  })
})

describe('errors', () => {
  const error: WireError = {
    code: 'rate_limited',
    message: 'slow down',
    requestId: 'req1',
    param: 'contents',
    extra: { retry_after: 12, tier: 'free', no: null },
  }

  test('Google envelope with details', () => {
    const body = JSON.parse(geminiGenerate.errorBody(error)).error
    expect(body).toMatchObject({ code: 429, message: 'slow down', status: 'RESOURCE_EXHAUSTED' })
    const details = Object.fromEntries(body.details.map((detail: Loose) => [detail['@type'].split('.').at(-1), detail]))
    expect(details.ErrorInfo).toMatchObject({ reason: 'RATE_LIMITED', metadata: { tier: 'free' } })
    expect(details.RequestInfo.requestId).toBe('req1')
    expect(details.BadRequest.fieldViolations[0].field).toBe('contents')
    expect(details.RetryInfo.retryDelay).toBe('12s')
    expect(chunksOf(geminiGenerate.errorFrames(error))[0].error.code).toBe(429)
  })

  test("Google's own status wins, other dialects' words do not", () => {
    const status = (upstreamType: string) => JSON.parse(geminiGenerate.errorBody({ ...error, upstreamType })).error.status
    expect([status('ABORTED'), status('rate_limit_error')]).toEqual(['ABORTED', 'RESOURCE_EXHAUSTED'])
  })

  test('G01: the wait that an error asks for', () => {
    const body = (retryDelay: string) =>
      Buffer.from(
        JSON.stringify([
          {
            error: {
              code: 429,
              message: 'q',
              status: 'RESOURCE_EXHAUSTED',
              details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }],
            },
          },
        ]),
      )
    expect(geminiGenerate.readError(429, body('34.07s'))).toMatchObject({ message: 'q', type: 'RESOURCE_EXHAUSTED', retryAfter: 35 })
    expect(geminiGenerate.readError(429, body('soon'))).not.toHaveProperty('retryAfter')
    expect(geminiGenerate.readError(502, Buffer.from('<html><title>Bad</title></html>')).message).toBe('Bad')
  })
})
