import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import type { StreamEncoder } from '../codec.ts'
import { SseReader } from '../sse.ts'
import { messagesDecoder } from './decode.ts'
import { messagesEncoder } from './encode.ts'

const head = { id: 'req1', model: 'asked', created: 99 }
const frame = (body: { type: string }): string => `event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`
const begin = frame({
  type: 'message_start',
  message: { id: 'msg_1', model: 'claude', content: [], stop_reason: null, usage: { input_tokens: 1, output_tokens: 1 } },
} as { type: string })
const block = (index: number, content_block: object, ...deltas: object[]): string =>
  [
    { type: 'content_block_start', index, content_block },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ]
    .map(frame)
    .join('')
const text = (index: number, ...words: string[]): string =>
  block(index, { type: 'text', text: '' }, ...words.map((word) => ({ type: 'text_delta', text: word })))
const tool = (index: number, id: string, ...parts: string[]): string =>
  block(index, { type: 'tool_use', id, name: 'f', input: {} }, ...parts.map((part) => ({ type: 'input_json_delta', partial_json: part })))
const finish =
  frame({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 9 } } as {
    type: string
  }) + frame({ type: 'message_stop' })

function relay(
  stream: string,
  edit: (event: StreamEvent) => readonly StreamEvent[],
  encoder: StreamEncoder = messagesEncoder(head),
): string {
  const decoder = messagesDecoder()
  return new SseReader()
    .push(Buffer.from(stream))
    .map((received) => {
      const before = decoder.decode(received)
      const after = before.flatMap(edit)
      if (!encoder.rewriting && after.length === before.length && after.every((event, i) => event === before[i])) {
        encoder.observe(received, before)
        return Buffer.from(received.raw).toString()
      }
      return encoder.encode(after, { frame: received, before })
    })
    .join('')
}
const added: StreamEvent = { type: 'text', text: '+', choice: 0 }

describe('one edited frame', () => {
  test('only the text changes: padding, escapes and unknown fields stay', () => {
    const one =
      'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"caf\\u00e9"},"n":1.0}   \n\n'
    const out = relay(begin + one, (event) => (event.type === 'text' ? [{ ...event, text: 'tea' }] : [event]))
    expect(out).toBe(begin + one.replace('caf\\u00e9', 'tea'))
  })
  test('text added to an open text block joins it; nothing later is rewritten', () => {
    const encoder = messagesEncoder(head)
    const out = relay(
      begin + text(0, 'a') + tool(1, 't', '{}') + finish,
      (event) => (event.type === 'text' ? [event, added] : [event]),
      encoder,
    )
    expect(out).toBe(begin + text(0, 'a', '+') + tool(1, 't', '{}') + finish)
    expect(encoder.rewriting).toBe(false)
  })
  test('a dropped delta is not sent; stop and usage edits', () => {
    const out = relay(begin + text(0, 'a', 'b') + finish, (event) => {
      if (event.type === 'text') return event.text === 'a' ? [] : [event]
      return event.type === 'stop' ? [{ ...event, reason: 'length', raw: 'cut' }] : [event]
    })
    expect(out).toBe(begin + text(0, 'b') + finish.replace('end_turn', 'max_tokens'))
  })
  test('arguments edited', () => {
    const out = relay(begin + tool(0, 't', '{"p":"x"}'), (event) =>
      event.type === 'tool_call' && event.arguments ? [{ ...event, arguments: '{"p":"y"}' }] : [event],
    )
    expect(out).toBe(begin + tool(0, 't', '{"p":"y"}'))
  })
})

describe('B05 B06: blocks', () => {
  test('text inserted before the first block is a block of its own; all later indices move', () => {
    const encoder = messagesEncoder(head)
    const out = relay(
      begin + text(0, 'a') + tool(1, 't', '{}') + finish,
      (event) => (event.type === 'start' ? [event, added] : [event]),
      encoder,
    )
    expect(out).toBe(begin + text(0, '+') + text(1, 'a') + tool(2, 't', '{}') + finish)
    expect(encoder.rewriting).toBe(true)
  })
  test('text inserted between blocks and before the stop', () => {
    const out = relay(begin + tool(0, 't', '{}') + finish, (event) => (event.type === 'stop' ? [added, event] : [event]))
    expect(out).toBe(begin + tool(0, 't', '{}') + text(1, '+') + finish)
  })
  test('text inserted inside a tool block waits until it closes', () => {
    const encoder = messagesEncoder(head)
    let told = false
    const out = relay(
      begin + tool(0, 't', '{"x"', ':1}') + text(1, 'a') + finish,
      (event) => {
        if (event.type !== 'tool_call' || event.id !== undefined || told) return [event]
        told = true
        return [added, event]
      },
      encoder,
    )
    expect(out).toBe(begin + tool(0, 't', '{"x"', ':1}') + text(1, '+') + text(2, 'a') + finish)
  })
  test('a dropped call takes its block with it', () => {
    const out = relay(begin + tool(0, 't', '{}') + text(1, 'a') + finish, (event) => (event.type === 'tool_call' ? [] : [event]))
    expect(out).toBe(begin + text(0, 'a') + finish)
  })
  test('insert one, drop one: the indices meet again, and forwarding goes on', () => {
    const encoder = messagesEncoder(head)
    const out = relay(
      begin + tool(0, 't', '{}') + text(1, 'a') + finish,
      (event) => (event.type === 'tool_call' ? [] : event.type === 'start' ? [event, added] : [event]),
      encoder,
    )
    expect(out).toBe(begin + text(0, '+') + text(1, 'a') + finish)
    expect(encoder.rewriting).toBe(false)
  })
  test('frames that give the shape stay, though a hook drops all natives; ping and server tools go', () => {
    const ping = frame({ type: 'ping' })
    const server = block(0, { type: 'server_tool_use', id: 's', name: 'n', input: {} })
    const out = relay(begin + ping + server + text(1, 'a') + finish, (event) => (event.type === 'native' ? [] : [event]))
    expect(out).toBe(begin + text(0, 'a') + finish)
  })
  test('a hook may end the reply in the middle of a block', () => {
    const encoder = messagesEncoder(head)
    const out = relay(
      begin + text(0, 'a', 'b') + finish,
      (event) =>
        event.type === 'text' && event.text === 'b' ? [{ type: 'stop', reason: 'filter', raw: '', choice: 0 }, { type: 'end' }] : [event],
      encoder,
    )
    expect(out).toStartWith(begin + text(0, 'a'))
    expect(out).toContain('"stop_reason":"refusal"')
    expect(out.match(/message_stop/g)).toHaveLength(2)
    expect(encoder.rewriting).toBe(true)
  })
  test('B22: an edit inside a message_start that carries content', () => {
    const whole = frame({
      type: 'message_start',
      message: { id: 'm', content: [{ type: 'text', text: 'all' }], stop_reason: 'end_turn', usage: { input_tokens: 1, output_tokens: 1 } },
    } as { type: string })
    expect(relay(whole, (event) => (event.type === 'text' ? [{ ...event, text: 'none' }] : [event]))).toBe(whole.replace('"all"', '"none"'))
  })
})

describe('from events alone', () => {
  const all = (...events: StreamEvent[]): { type: string; index?: number; [key: string]: unknown }[] => {
    const encoder = messagesEncoder(head)
    const sse = events.map((event) => encoder.encode([event])).join('')
    return new SseReader().push(Buffer.from(sse)).map((one) => {
      const body = JSON.parse(one.data)
      expect(one.event).toBe(body.type)
      return body
    })
  }
  const call = (index: number, id: string | undefined, args: string): StreamEvent => ({
    type: 'tool_call',
    index,
    choice: 0,
    ...(id !== undefined && { id, name: 'f' }),
    arguments: args,
  })

  test('a bare text makes a complete message', () => {
    const frames = all({ type: 'text', text: 'Hi', choice: 0 }, { type: 'end' })
    expect(frames.map((one) => one.type)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    expect(frames[0]).toMatchObject({
      message: { id: 'msg_req1', model: 'asked', role: 'assistant', content: [], usage: { input_tokens: 0, output_tokens: 0 } },
    })
    expect(frames[4]).toMatchObject({ delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 0 } })
  })
  test('message_start goes out at once, with the usage that came with it', () => {
    const encoder = messagesEncoder(head)
    expect(encoder.encode([{ type: 'start', id: 'msg_9', model: 'c' }])).toContain('"id":"msg_9"')
  })
  test('interleaved parallel calls: one block at a time, each with all its arguments', () => {
    const frames = all(
      call(0, 'a', ''),
      call(1, 'b', ''),
      call(0, undefined, '{"x"'),
      call(1, undefined, '{"y"'),
      call(0, undefined, ':1}'),
      call(1, undefined, ':2}'),
      { type: 'end' },
    )
    const shape = frames.filter((one) => one.type.startsWith('content')).map((one) => `${one.type.slice(14)}${one.index}`)
    expect(shape).toEqual(['start0', 'delta0', 'delta0', 'stop0', 'start1', 'delta1', 'delta1', 'stop1'])
    expect(JSON.stringify(frames)).toContain('tool_use')
    expect(frames.find((one) => one.type === 'message_delta')).toMatchObject({ delta: { stop_reason: 'tool_use' } })
  })
  test('a call that never was complete is closed at the end, and what waited follows', () => {
    const frames = all(call(0, 'a', '{"x'), { type: 'text', text: 'late', choice: 0 }, { type: 'end' })
    expect(frames.filter((one) => one.type.startsWith('content')).map((one) => `${one.type.slice(14)}${one.index}`)).toEqual([
      'start0',
      'delta0',
      'stop0',
      'start1',
      'delta1',
      'stop1',
    ])
  })
  test('D01: thoughts with their proofs are blocks of their own', () => {
    const thought = (value: string, signature?: string): StreamEvent => ({
      type: 'reasoning',
      text: value,
      choice: 0,
      ...(signature !== undefined && { signature }),
    })
    const frames = all(thought('a'), thought('', 'S1'), thought('b', 'S2'), { type: 'end' })
    expect(frames.filter((one) => one.type === 'content_block_delta').map((one) => [one.index, one.delta])).toEqual([
      [0, { type: 'thinking_delta', thinking: 'a' }],
      [0, { type: 'signature_delta', signature: 'S1' }],
      [1, { type: 'thinking_delta', thinking: 'b' }],
      [1, { type: 'signature_delta', signature: 'S2' }],
    ])
  })
  test('B08 I01: after an error comes nothing', () => {
    const frames = all(
      { type: 'text', text: 'a', choice: 0 },
      { type: 'error', kind: 'overloaded_error', message: 'busy' },
      { type: 'end' },
    )
    expect(frames.at(-1)).toEqual({ type: 'error', error: { type: 'overloaded_error', message: 'busy' } })
  })
  test('native events of other dialects have no place', () => {
    expect(all({ type: 'native', data: '{"choices":[]}' })).toEqual([])
  })
})
