/** The event stream: any cut, any damage, linear time; and what its messages become as server-sent events. */

import { describe, expect, test } from 'bun:test'
import { findRecordings, readRecording, replyBytes } from '../../../test/support/recordings.ts'
import { chunk, event, eventMessage, exception, rawMessage } from './event-stream.fixture.ts'
import { EventStreamError, eventStreamReader } from './event-stream.ts'
import { converseTranscoder, invokeTranscoder } from './event-stream-sse.ts'
import type { Transcoder } from './host.ts'

const three = Buffer.concat([
  event('messageStart', { role: 'assistant' }),
  event('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'héllo 🌍 “ok”' } }),
  event('messageStop', { stopReason: 'end_turn' }),
])

function textOf(transcoder: Transcoder, chunks: Iterable<Uint8Array>): string {
  const out: Uint8Array[] = []
  for (const piece of chunks) out.push(transcoder.push(piece))
  out.push(transcoder.end())
  return Buffer.concat(out).toString()
}

describe('the reader', () => {
  test('gives the same messages wherever the bytes are cut (A01)', () => {
    const whole = textOf(converseTranscoder(), [three])
    expect(whole).toContain('héllo 🌍 “ok”')
    for (let cut = 1; cut < three.length; cut++) {
      expect(textOf(converseTranscoder(), [three.subarray(0, cut), three.subarray(cut)])).toBe(whole)
    }
    expect(
      textOf(
        converseTranscoder(),
        [...three].map((byte) => Uint8Array.of(byte)),
      ),
    ).toBe(whole)
  })

  test('notices every damaged byte', () => {
    const message = event('messageStop', { stopReason: 'end_turn' })
    for (let at = 0; at < message.length; at++) {
      const damaged = Buffer.from(message)
      damaged[at]! ^= 0x10
      expect(() => eventStreamReader().push(damaged)).toThrow(EventStreamError)
    }
  })

  test('gives what was whole before the damage, and then the damage', () => {
    const damaged = Buffer.concat([event('a', {}), event('b', {})])
    damaged[damaged.length - 1]! ^= 1
    const reader = eventStreamReader()
    expect(reader.push(damaged).map(({ headers }) => headers.get(':event-type'))).toEqual(['a'])
    expect(() => reader.push(event('c', {}))).toThrow('checksum')
    expect(() => reader.end()).toThrow('checksum')
  })

  test('does not believe a length above its limit, nor one below the least', () => {
    expect(() => eventStreamReader(64).push(event('a', 'x'.repeat(64)))).toThrow('is larger than 64')
    const tiny = Buffer.alloc(12)
    tiny.writeUInt32BE(15, 0)
    tiny.writeUInt32BE(Bun.hash.crc32(tiny.subarray(0, 8)), 8)
    expect(() => eventStreamReader().push(tiny)).toThrow('cannot be 15 bytes')
  })

  test('refuses headers that do not add up', () => {
    const bad = (head: number[]) => () => eventStreamReader().push(rawMessage(Buffer.from(head), Buffer.alloc(0)))
    expect(bad([1, 97, 10])).toThrow('unknown type 10')
    expect(bad([1, 97, 7, 0, 9, 98])).toThrow('longer than all headers')
    expect(bad([200, 97])).toThrow('end too soon')
    expect(bad([1, 97, 7, 0])).toThrow('end too soon')
  })

  test('passes over headers of other types', () => {
    const head = Buffer.concat([
      Buffer.from([1, 97, 0, 1, 98, 1, 1, 99, 2, 1, 1, 100, 3, 0, 1, 1, 101, 4, 0, 0, 0, 1]),
      Buffer.from([1, 102, 8, 0, 0, 0, 0, 0, 0, 0, 1, 1, 103, 6, 0, 2, 1, 2, 1, 104, 7, 0, 2, 104, 105]),
    ])
    const [message] = eventStreamReader().push(rawMessage(head, Buffer.from('x')))
    expect([...message!.headers]).toEqual([['h', 'hi']])
    expect(Buffer.from(message!.payload).toString()).toBe('x')
  })

  test('a message of 8 MB in reads of 1 KB takes linear time (I04)', () => {
    const big = event('x', 'a'.repeat(8 * 1024 * 1024))
    const reader = eventStreamReader()
    const from = performance.now()
    let count = 0
    for (let at = 0; at < big.length; at += 1024) count += reader.push(big.subarray(at, at + 1024)).length
    expect(count).toBe(1)
    expect(reader.pending).toBe(0)
    expect(performance.now() - from).toBeLessThan(1000)
  })
})

describe('as server-sent events', () => {
  test('Converse: the event type, and the payload as received', () => {
    expect(textOf(converseTranscoder(), [three])).toStartWith(
      'event: messageStart\ndata: {"role":"assistant"}\n\nevent: contentBlockDelta\n',
    )
    const spaced = eventMessage({ ':event-type': 'metadata', ':message-type': 'event' }, '{\r\n "a":\n1}')
    expect(textOf(converseTranscoder(), [spaced])).toBe('event: metadata\ndata: {  "a": 1}\n\n')
  })

  test("invoke: the model's own event under its own name", () => {
    const bytes = Buffer.concat([chunk({ type: 'ping' }), chunk({ index: 0, type: 'content_block_stop' }), event('other', {}), chunk({})])
    expect(textOf(invokeTranscoder(), [bytes])).toBe(
      'event: ping\ndata: {"type":"ping"}\n\nevent: content_block_stop\ndata: {"index":0,"type":"content_block_stop"}\n\n',
    )
  })

  test.each([
    ['throttlingException', 'rate_limit_error'],
    ['modelStreamErrorException', 'api_error'],
    ['serviceUnavailableException', 'overloaded_error'],
    ['validationException', 'invalid_request_error'],
  ])('the exception %s is an error in the stream (B17)', (name, type) => {
    const frame = `event: error\ndata: {"type":"error","error":{"type":"${type}","message":"Too \\"many\\"."}}\n\n`
    expect(textOf(invokeTranscoder(), [exception(name, 'Too "many".')])).toBe(frame)
    expect(textOf(converseTranscoder(), [exception(name, 'Too "many".')])).toBe(frame)
  })

  test('an error message has its words in its headers, or none', () => {
    const error = eventMessage({ ':message-type': 'error', ':error-code': 'InternalError', ':error-message': 'Broken' }, '')
    expect(textOf(converseTranscoder(), [error])).toContain('"message":"Broken"')
    expect(textOf(converseTranscoder(), [eventMessage({ ':message-type': 'exception' }, '')])).toContain('ended the stream with an error')
  })

  test('a stream that is cut inside a message gives what was whole, and no end (B01)', () => {
    expect(textOf(converseTranscoder(), [three.subarray(0, three.length - 1)])).not.toContain('messageStop')
  })

  test('a payload that is no JSON is a failure, not silence', () => {
    expect(() => invokeTranscoder().push(eventMessage({ ':event-type': 'chunk', ':message-type': 'event' }, 'oops'))).toThrow()
  })
})

const recorded = findRecordings({ dialect: 'bedrock-converse', stream: true })?.map(readRecording)
const binary = recorded?.filter(({ response }) => response.base64 !== undefined && response.framing === 'recorded')

test.skipIf(!binary)('recorded streams of Converse: each message is a frame with JSON in it (needs ../shared/recordings)', () => {
  expect(binary!.length).toBeGreaterThan(5)
  for (const recording of binary!) {
    const bytes = replyBytes(recording)
    const whole = textOf(converseTranscoder(), [bytes])
    const frames = whole.split('\n\n').filter((frame) => frame !== '')
    expect(frames.at(0)).toStartWith('event: messageStart\n')
    expect(frames.at(-1)).toStartWith('event: metadata\n')
    for (const frame of frames) expect(() => JSON.parse(/^event: \w+\ndata: (.*)$/.exec(frame)![1]!)).not.toThrow()
    for (const step of [1, 7, 1000]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) => bytes.subarray(i * step, (i + 1) * step))
      expect(textOf(converseTranscoder(), pieces)).toBe(whole)
    }
  }
})
