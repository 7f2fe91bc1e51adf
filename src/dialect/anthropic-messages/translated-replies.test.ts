/** Replies of Messages for other dialects, and of other dialects for clients of Messages. */

import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { unknownUsage } from '../../plugin/outcome.ts'
import { jsonSource } from '../json-source.ts'
import { LossReport } from '../loss.ts'
import { tagProof, unsigned } from '../proof.ts'
import { SseReader } from '../sse.ts'
import { messagesDecoder } from './decode.ts'
import { messagesEncoder } from './encode.ts'
import { messagesErrorType } from './errors.ts'
import { messagesRequest } from './request.ts'
import { decodeMessagesWhole, encodeMessagesWhole } from './whole.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON that was just written
type Loose = any

const head = { id: 'req1', model: 'asked', created: 99 }

describe('of Messages, for other dialects', () => {
  function decode(...bodies: object[]): StreamEvent[] {
    const decoder = messagesDecoder('translate')
    const sse = bodies.map((body) => `event: ${(body as Loose).type}\ndata: ${JSON.stringify(body)}\n\n`).join('')
    return new SseReader().push(Buffer.from(sse)).flatMap((frame) => decoder.decode(frame))
  }
  const start = (index: number, content_block: object) => ({ type: 'content_block_start', index, content_block })
  const delta = (index: number, body: object) => ({ type: 'content_block_delta', index, delta: body })
  const stop = (index: number) => ({ type: 'content_block_stop', index })
  const cited = { type: 'web_search_result_location', url: 'https://a.example/x', title: 'A', cited_text: 'words', encrypted_index: 'E' }

  test('D01: thoughts and hidden thoughts with their proofs; the shape of the stream says nothing', () => {
    expect(
      decode(
        start(0, { type: 'thinking', thinking: '', signature: '' }),
        delta(0, { type: 'thinking_delta', thinking: 'hm' }),
        delta(0, { type: 'signature_delta', signature: 'SIG' }),
        stop(0),
        start(1, { type: 'redacted_thinking', data: 'RED' }),
        stop(1),
        start(2, { type: 'text', text: '' }),
        delta(2, { type: 'text_delta', text: 'Hi' }),
        stop(2),
      ),
    ).toEqual([
      { type: 'reasoning', text: 'hm', choice: 0 },
      { type: 'reasoning', text: '', choice: 0, signature: 'SIG' },
      { type: 'reasoning', text: '', choice: 0, signature: 'RED', redacted: true },
      { type: 'text', text: 'Hi', choice: 0 },
    ])
  })
  test('citations with an address; places in documents have none', () => {
    expect(
      decode(
        start(0, { type: 'text', text: '', citations: [] }),
        delta(0, { type: 'citations_delta', citation: cited }),
        delta(0, { type: 'citations_delta', citation: { type: 'char_location', cited_text: 'x', document_index: 0 } }),
      ),
    ).toEqual([{ type: 'citation', choice: 0, url: 'https://a.example/x', title: 'A', cited: 'words' }])
  })
  test("C26: what the provider's own tools did stays native, input and all", () => {
    const events = decode(
      start(0, { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }),
      delta(0, { type: 'input_json_delta', partial_json: '{"q":1}' }),
      stop(0),
      start(1, { type: 'web_search_tool_result', tool_use_id: 's', content: [] }),
    )
    expect(events.map((event) => event.type)).toEqual(['native', 'native', 'native'])
  })
  test('stop strings, refusals with the words of the provider', () => {
    expect(decode({ type: 'message_delta', delta: { stop_reason: 'stop_sequence', stop_sequence: 'END' } })).toEqual([
      { type: 'stop', reason: 'stop_sequence', raw: 'stop_sequence', choice: 0, sequence: 'END' },
    ])
    const details = { type: 'refusal', category: 'cyber', explanation: 'Not this.' }
    expect(decode({ type: 'message_delta', delta: { stop_reason: 'refusal', stop_details: details } })).toEqual([
      { type: 'text', text: 'Not this.', choice: 0, refusal: true },
      { type: 'stop', reason: 'filter', raw: 'refusal', choice: 0 },
    ])
  })
  test('whole replies alike', () => {
    const content = [
      { type: 'redacted_thinking', data: 'RED' },
      { type: 'text', text: 'Hi', citations: [cited] },
      { type: 'server_tool_use', id: 's', name: 'n', input: {} },
    ]
    const reply = { type: 'message', content, stop_reason: 'refusal', stop_details: { explanation: 'No.' } }
    const { events } = decodeMessagesWhole(Buffer.from(JSON.stringify(reply)), 'translate')!
    expect(events.map((event) => event.type)).toEqual(['start', 'reasoning', 'text', 'citation', 'native', 'text', 'stop', 'end'])
    expect(decodeMessagesWhole(Buffer.from(JSON.stringify(reply)))!.events.map((event) => event.type)).toEqual([
      'start',
      'native',
      'text',
      'native',
      'stop',
      'end',
    ])
  })
})

describe('of other dialects, for clients of Messages', () => {
  interface Frame {
    readonly type: string
    readonly [name: string]: Loose
  }
  function frames(...events: StreamEvent[]): Frame[] {
    const encoder = messagesEncoder(head)
    const sse = events.map((event) => encoder.encode([event])).join('')
    return new SseReader().push(Buffer.from(sse)).map((frame) => {
      const body = JSON.parse(frame.data)
      expect(frame.event).toBe(body.type)
      return body
    })
  }
  /** The message that a client puts together, as the SDK does it. */
  function message(...events: StreamEvent[]): Loose[] {
    const blocks: Loose[] = []
    for (const frame of frames(...events)) {
      if (frame.type === 'content_block_start') blocks[frame.index] = frame.content_block
      const block = blocks[frame.index]
      if (frame.type !== 'content_block_delta') continue
      const { delta } = frame
      if (delta.type === 'text_delta') block.text += delta.text
      else if (delta.type === 'thinking_delta') block.thinking += delta.thinking
      else if (delta.type === 'signature_delta') block.signature = delta.signature
      else block.json = (block.json ?? '') + delta.partial_json
    }
    return blocks.map(({ json, ...block }) => (block.type === 'tool_use' ? { ...block, input: JSON.parse(json ?? '{}') } : block))
  }
  const call = (index: number, more: object): StreamEvent => ({ type: 'tool_call', index, choice: 0, arguments: '', ...more })
  const thought = (text: string, more: object = {}): StreamEvent => ({ type: 'reasoning', text, choice: 0, ...more })
  const text = (value: string, more: object = {}): StreamEvent => ({ type: 'text', text: value, choice: 0, ...more })
  const end: StreamEvent = { type: 'end' }
  const tag = (dialect: string, value: string) => tagProof({ dialect, upstream: 'up', value })

  const gemini: StreamEvent[] = [
    thought('hm'),
    text('so'),
    text('', { signature: tag('gemini-generate', 'T') }),
    call(0, { id: 'a', name: 'f', arguments: '{"x":1}', signature: tag('gemini-generate', 'C') }),
    call(1, { id: 'b', name: 'g', arguments: '{}' }),
    end,
  ]
  const responses: StreamEvent[] = [
    thought('first', { signature: tag('openai-responses', 'E1') }),
    thought('', { signature: tag('openai-responses', 'E2') }),
    text('ok'),
    end,
  ]

  test('C18 D01: proofs find their way to the client and back, streamed and whole', () => {
    for (const [events, expected] of [
      [
        gemini,
        [
          ['reasoning', undefined],
          ['text', 'T'],
          ['call', 'C'],
          ['call', undefined],
        ],
      ],
      [
        responses,
        [
          ['reasoning', 'E1'],
          ['reasoning', 'E2'],
          ['text', undefined],
        ],
      ],
    ] as const) {
      const whole = JSON.parse(encodeMessagesWhole(events, head)).content
      for (const content of [message(...events), whole]) {
        const source = jsonSource(Buffer.from(JSON.stringify({ messages: [{ role: 'assistant', content }] })))!
        const back = messagesRequest.read(source, new LossReport()).turns[0]?.content ?? []
        expect(back.map((c) => [c.type, 'proof' in c ? c.proof?.value : undefined])).toEqual(expected.map((pair) => [...pair]))
      }
      expect(message(...events)).toEqual(whole)
    }
  })
  test('a thought that nobody vouches for carries a mark, by which it is taken out before a provider sees it', () => {
    const blocks = message(thought('plain'), text('a'), end)
    expect(blocks[0]).toEqual({ type: 'thinking', thinking: 'plain', signature: unsigned })
    expect(messagesRequest.foreign({ messages: [{ role: 'assistant', content: blocks }] })).toEqual(['/messages/0/content/0'])
  })
  test("a provider's own empty thought stays what it is", () => {
    expect(message(thought('', { signature: 'SIG' }), text('a'), end)[0]).toEqual({ type: 'thinking', thinking: '', signature: 'SIG' })
  })
  test('B06: reasoning, text and parallel calls interleaved', () => {
    const seen = frames(
      thought('a'),
      text('b'),
      thought('c'),
      call(0, { id: 'x', name: 'f', arguments: '{"k"' }),
      text('late'),
      call(1, { id: 'y', name: 'g', arguments: '{}' }),
      call(0, { arguments: ':1}' }),
      { type: 'stop', reason: 'tool_calls', raw: 'tool_calls', choice: 0 },
      end,
    )
    let open = -1
    let next = 0
    for (const frame of seen) {
      if (frame.type === 'content_block_start') {
        expect([open, frame.index]).toEqual([-1, next])
        open = next++
      } else if (frame.type === 'content_block_delta') expect(frame.index).toBe(open)
      else if (frame.type === 'content_block_stop') open = -1
    }
    expect(seen.filter((frame) => frame.type === 'content_block_start').map((frame) => frame.content_block.type)).toEqual([
      'thinking',
      'text',
      'thinking',
      'tool_use',
      'text',
      'tool_use',
    ])
    expect(seen.slice(-2).map((frame) => frame.type)).toEqual(['message_delta', 'message_stop'])
  })
  test('C04 C09: a name that comes late is waited for; ids become legal', () => {
    const blocks = message(
      call(0, { id: 'call_a|fc:1', arguments: '' }),
      call(0, { name: 'f', arguments: '{"a"' }),
      call(0, { arguments: ':1}' }),
      end,
    )
    expect(blocks).toMatchObject([{ type: 'tool_use', name: 'f', input: { a: 1 } }])
    expect(blocks[0].id).toMatch(/^[a-zA-Z0-9_-]+$/)
    expect(message(call(0, { id: 'a' }), end)).toEqual([])
  })
  test('C06: a call without arguments', () => {
    expect(message(call(0, { id: 'a', name: 'f' }), end)[0].input).toEqual({})
    expect(JSON.parse(encodeMessagesWhole([call(0, { id: 'a', name: 'f', arguments: '{broken' }), end], head)).content[0].input).toEqual({
      _raw: '{broken',
    })
  })
  test('usage: the input as soon as it is known, the output once', () => {
    const usage = { ...unknownUsage, source: 'reported', inputUncached: 10, cacheRead: 5, outputVisible: 7, reasoning: 3 } as const
    const early = frames({ type: 'usage', usage }, { type: 'start', id: 'r' }, text('a'), end)
    expect(early[0]?.message.usage).toMatchObject({ input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 0 })
    expect(early.at(-2)?.usage).toMatchObject({ input_tokens: 10, output_tokens: 10 })
    const late = frames(text('a'), { type: 'usage', usage }, end)
    expect([late[0]?.message.usage.output_tokens, late.at(-2)?.usage.output_tokens]).toEqual([0, 10])
  })
  test('the stop string is told; what has no place in this dialect is left out', () => {
    const seen = frames(
      text('a'),
      { type: 'citation', choice: 0, url: 'https://x' },
      { type: 'media', choice: 0, mime: 'image/png', data: 'AAAA' },
      { type: 'native', event: 'response.in_progress', data: '{"type":"response.in_progress"}' },
      text('b'),
      { type: 'stop', reason: 'stop_sequence', raw: 'stop', choice: 0, sequence: 'END' },
      end,
    )
    expect(seen.filter((frame) => frame.type === 'content_block_start')).toHaveLength(1)
    expect(seen.at(-2)?.delta).toEqual({ stop_reason: 'stop_sequence', stop_sequence: 'END' })
    expect(seen.some((frame) => frame.type.startsWith('response'))).toBe(false)
  })
  test('I01 B08: errors in the words of this dialect', () => {
    expect(
      [
        'rate_limit_exceeded',
        'RESOURCE_EXHAUSTED',
        'server_error',
        'UNAVAILABLE',
        'insufficient_quota',
        'novel',
        'overloaded_error',
        'DEADLINE_EXCEEDED',
      ].map(messagesErrorType),
    ).toEqual([
      'rate_limit_error',
      'rate_limit_error',
      'api_error',
      'overloaded_error',
      'billing_error',
      'api_error',
      'overloaded_error',
      'timeout_error',
    ])
    expect(frames(text('a'), { type: 'error', kind: 'server_error', message: 'boom' }, end).at(-1)).toEqual({
      type: 'error',
      error: { type: 'api_error', message: 'boom' },
    })
  })
})
