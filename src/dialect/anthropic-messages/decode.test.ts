import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { SseReader } from '../sse.ts'
import { messagesDecoder } from './decode.ts'
import { messagesInteresting } from './interesting.ts'

function decode(...bodies: (object | string)[]): StreamEvent[] {
  const decoder = messagesDecoder()
  const text = bodies
    .map((body) => (typeof body === 'string' ? body : `event: ${(body as { type: string }).type}\ndata: ${JSON.stringify(body)}\n\n`))
    .join('')
  return new SseReader().push(Buffer.from(text)).flatMap((frame) => decoder.decode(frame))
}
const message = (more: object = {}) => ({
  type: 'message_start',
  message: {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude',
    content: [],
    stop_reason: null,
    usage: { input_tokens: 10, output_tokens: 1 },
    ...more,
  },
})
const start = (index: number, content_block: object) => ({ type: 'content_block_start', index, content_block })
const delta = (index: number, body: object) => ({ type: 'content_block_delta', index, delta: body })
const stop = (index: number) => ({ type: 'content_block_stop', index })

describe('blocks', () => {
  test('text, thinking with its proof (D01), redacted thinking', () => {
    const events = decode(
      message(),
      start(0, { type: 'thinking', thinking: '', signature: '' }),
      delta(0, { type: 'thinking_delta', thinking: 'hm' }),
      delta(0, { type: 'signature_delta', signature: 'SIG' }),
      stop(0),
      start(1, { type: 'redacted_thinking', data: 'x' }),
      stop(1),
      start(2, { type: 'text', text: '' }),
      delta(2, { type: 'text_delta', text: 'Hi' }),
      delta(2, { type: 'citations_delta', citation: {} }),
    )
    expect(events.map((event) => event.type)).toEqual([
      'start',
      'usage',
      'native',
      'reasoning',
      'reasoning',
      'native',
      'native',
      'native',
      'native',
      'text',
      'native',
    ])
    expect(events[4]).toEqual({ type: 'reasoning', text: '', choice: 0, signature: 'SIG' })
  })
  test('C02 C26: calls are counted from 0 whatever blocks lie between; server tools are not calls', () => {
    const events = decode(
      message(),
      start(0, { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }),
      delta(0, { type: 'input_json_delta', partial_json: '{"q":1}' }),
      stop(0),
      start(1, { type: 'web_search_tool_result', tool_use_id: 's', content: [] }),
      stop(1),
      start(2, { type: 'tool_use', id: 'a', name: 'f', input: {} }),
      delta(2, { type: 'input_json_delta', partial_json: '{"x":1}' }),
      stop(2),
      start(3, { type: 'tool_use', id: 'b', name: 'g', input: { whole: 1 } }),
    )
    expect(events.filter((event) => event.type === 'tool_call')).toEqual([
      { type: 'tool_call', index: 0, choice: 0, id: 'a', name: 'f', arguments: '' },
      { type: 'tool_call', index: 0, choice: 0, arguments: '{"x":1}' },
      { type: 'tool_call', index: 1, choice: 0, id: 'b', name: 'g', arguments: '{"whole":1}' },
    ])
  })
  test('B22: message_start that already holds content and a stop reason', () => {
    const events = decode(
      message({
        content: [
          { type: 'text', text: 'all' },
          { type: 'tool_use', id: 'a', name: 'f', input: { k: 1 } },
        ],
        stop_reason: 'tool_use',
      }),
      { type: 'message_stop' },
    )
    expect(events.map((event) => event.type)).toEqual(['start', 'text', 'tool_call', 'usage', 'stop', 'end'])
    expect(events[3]).toMatchObject({ usage: { source: 'reported' } })
  })
  test('B22: a second message is an error, the same one again is not', () => {
    expect(decode(message(), message({ id: 'msg_2' })).at(-1)?.type).toBe('error')
    expect(decode(message(), message()).at(-1)?.type).toBe('native')
  })
})

describe('usage, stop, errors', () => {
  const usageOf = (events: StreamEvent[]) => events.findLast((event) => event.type === 'usage')?.usage
  test('E03: message_delta wins member by member, and makes it final', () => {
    const begin = message({
      usage: {
        input_tokens: 2479,
        cache_read_input_tokens: 7,
        output_tokens: 1,
        cache_creation: { ephemeral_1h_input_tokens: 4 },
        cache_creation_input_tokens: 4,
      },
    })
    const events = decode(begin, {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn' },
      usage: {
        input_tokens: 404500,
        output_tokens: 99,
        cache_read_input_tokens: null,
        cache_creation_input_tokens: 10,
        output_tokens_details: { thinking_tokens: 9 },
      },
    })
    expect(events.map((event) => event.type)).toEqual(['start', 'usage', 'stop', 'usage'])
    expect(events[1]).toMatchObject({ usage: { source: 'partial', inputUncached: 2479 } })
    expect(usageOf(events)).toMatchObject({
      source: 'reported',
      inputUncached: 404500,
      cacheRead: 7,
      cacheWrite1h: 4,
      cacheWriteOther: 6,
      outputVisible: 90,
      reasoning: 9,
    })
  })
  test('E05: writes by lifetime; a restated smaller total never makes a class negative', () => {
    const split = { cache_creation_input_tokens: 30, cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 } }
    expect(usageOf(decode(message({ usage: { input_tokens: 1, output_tokens: 1, ...split } })))).toMatchObject({
      cacheWrite5m: 10,
      cacheWrite1h: 20,
      cacheWriteOther: 0,
    })
    const less = decode(message({ usage: { input_tokens: 1, output_tokens: 1, ...split } }), {
      type: 'message_delta',
      delta: {},
      usage: { output_tokens: 5, cache_creation_input_tokens: 5 },
    })
    expect(usageOf(less)).toMatchObject({ cacheWrite5m: 0, cacheWrite1h: 5, cacheWriteOther: 0 })
  })
  test('I06: stop reasons', () => {
    const reason = (word: string) =>
      decode({ type: 'message_delta', delta: { stop_reason: word } }).find((event) => event.type === 'stop')?.reason
    expect(
      ['end_turn', 'stop_sequence', 'tool_use', 'max_tokens', 'model_context_window_exceeded', 'refusal', 'pause_turn', 'novel'].map(
        reason,
      ),
    ).toEqual(['end', 'stop_sequence', 'tool_calls', 'length', 'length', 'filter', 'pause', 'other'])
  })
  test('B07 B08: error frames, with and without type', () => {
    const error = { type: 'error', kind: 'overloaded_error', message: 'busy' } as const
    expect(decode({ type: 'error', error: { type: 'overloaded_error', message: 'busy' } })).toEqual([error])
    expect(decode('data: {"error":{"type":"overloaded_error","message":"busy"}}\n\n')).toEqual([error])
    expect(decode('event: error\ndata: {"type":"overloaded_error","message":"busy"}\n\n')).toEqual([error])
    expect(decode('event: error\ndata: out of order\n\n')).toEqual([{ type: 'error', kind: 'api_error', message: 'out of order' }])
  })
  test('frames without event lines are read by their type; ping and garbage are native; nothing throws', () => {
    expect(decode('data: {"type":"message_stop"}\n\n')).toEqual([{ type: 'end' }])
    for (const odd of [
      'event: ping\ndata: {"type":"ping"}\n\n',
      'data: null\n\n',
      'data: [1]\n\n',
      'event: message_start\ndata: {broken\n\n',
      'data: {"type":"content_block_start"}\n\n',
    ]) {
      expect([odd, decode(odd).map((event) => event.type)]).toEqual([odd, ['native']])
    }
    expect(decode('event: message_start\ndata: {"type":"message_start","message":7}\n\n').map((event) => event.type)).toEqual(['start'])
    expect(decode(': stream complete\n\n')).toEqual([])
  })
  test('interesting: usage, stop, end and errors only', () => {
    const looks = (text: string) => messagesInteresting(new TextEncoder().encode(text), 0) >= 0
    expect(looks(`event: content_block_delta\ndata: ${JSON.stringify(delta(0, { type: 'text_delta', text: 'hi' }))}\n\n`)).toBe(false)
    expect(looks('event: ping\ndata: {"type":"ping"}\n\n')).toBe(false)
    for (const bright of [message(), { type: 'message_delta' }, { type: 'message_stop' }, { type: 'error' }])
      expect(looks(`data: ${JSON.stringify(bright)}\n\n`)).toBe(true)
  })
})
