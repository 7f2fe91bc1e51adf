import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { SseReader } from '../sse.ts'
import { chatDecoder } from './decode.ts'

/** Events of a stream whose frames hold these values; a string is taken as it is. */
function decode(...datas: unknown[]): StreamEvent[] {
  const decoder = chatDecoder()
  const text = datas.map((data) => (typeof data === 'string' ? data : `data: ${JSON.stringify(data)}\n\n`)).join('')
  return new SseReader().push(Buffer.from(text)).flatMap((frame) => decoder.decode(frame))
}
const chunk = (delta: unknown, more: object = {}, choice: object = {}) => ({
  id: 'c1',
  model: 'm1',
  created: 5,
  choices: [{ index: 0, delta, finish_reason: null, ...choice }],
  ...more,
})
const call = (fields: object) => chunk({ tool_calls: [fields] })
const calls = (events: StreamEvent[]) => events.filter((event) => event.type === 'tool_call')

describe('text and reasoning', () => {
  test('one frame may say several things', () => {
    const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
    const events = decode(
      chunk({ role: 'assistant', content: 'Hi', reasoning_content: 'hm' }, { usage }, { finish_reason: 'stop' }),
      'data: [DONE]\n\n',
    )
    expect(events.map((event) => event.type)).toEqual(['start', 'reasoning', 'text', 'stop', 'usage', 'end'])
    expect(events[0]).toEqual({ type: 'start', id: 'c1', model: 'm1' })
    expect(events[3]).toEqual({ type: 'stop', reason: 'end', raw: 'stop', choice: 0 })
  })
  test('both spellings of reasoning, said once when both are there', () => {
    const events = decode(
      chunk({ reasoning: 'a' }),
      chunk({ reasoning_content: 'b', reasoning: 'b' }),
      chunk({ reasoning_content: null, reasoning: '' }),
    )
    expect(events.filter((event) => event.type === 'reasoning').map((event) => event.text)).toEqual(['a', 'b'])
  })
  test('Mistral: content as a list of texts and thoughts', () => {
    const content = [
      { type: 'thinking', thinking: [{ type: 'text', text: 'so' }] },
      { type: 'text', text: 'it is' },
    ]
    expect(decode(chunk({ content })).slice(1)).toEqual([
      { type: 'reasoning', text: 'so', choice: 0 },
      { type: 'text', text: 'it is', choice: 0 },
    ])
  })
  test('B18: Azure filter results before the first chunk, usage behind the last', () => {
    const events = decode({ id: '', model: '', choices: [], prompt_filter_results: [{}] }, chunk({ content: 'x' }), {
      id: 'c1',
      model: 'm1',
      choices: [],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    })
    expect(events.map((event) => event.type)).toEqual(['native', 'start', 'text', 'usage'])
  })
  test('what has no neutral word is native, and is told apart from the text beside it', () => {
    const annotations = [{ type: 'url_citation' }]
    const events = decode(chunk({ content: 'x', annotations, token_id: 7, refusal: null, audio: {} }))
    expect(events.map((event) => event.type)).toEqual(['start', 'text', 'native'])
    expect(events[2]).toEqual({ type: 'native', data: JSON.stringify({ choices: [{ index: 0, delta: { annotations } }] }) })
  })
  test('several choices keep their index', () => {
    const events = decode({
      id: 'x',
      choices: [
        { index: 1, delta: { content: 'b' } },
        { index: 0, delta: { content: 'a' } },
      ],
    })
    expect(events.slice(1)).toEqual([
      { type: 'text', text: 'b', choice: 1 },
      { type: 'text', text: 'a', choice: 0 },
    ])
  })
  test('comments give nothing, garbage is native, nothing throws', () => {
    expect(decode(': OPENROUTER PROCESSING\n\n')).toEqual([])
    for (const odd of [
      'null',
      '[]',
      '7',
      '{"choices":7}',
      '{"choices":[null,7,{"delta":3}]}',
      '{broken',
      '<html>',
      '{"choices":[{"delta":{"tool_calls":[null,{"function":7}]}}]}',
    ]) {
      expect(decode(`data: ${odd}\n\n`).length).toBeGreaterThan(0)
    }
  })
})

describe('tool calls', () => {
  test('fragments of one call share a dense index; id and name once', () => {
    const events = calls(
      decode(
        call({ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }),
        call({ index: 0, function: { arguments: '{"x"' } }),
        call({ index: 0, id: 'a', function: { name: 'f', arguments: ':1}' } }),
      ),
    )
    expect(events).toEqual([
      { type: 'tool_call', index: 0, choice: 0, id: 'a', name: 'f', arguments: '' },
      { type: 'tool_call', index: 0, choice: 0, arguments: '{"x"' },
      { type: 'tool_call', index: 0, choice: 0, arguments: ':1}' },
    ])
  })
  test('C02: two parallel calls that both have index 0', () => {
    const events = calls(
      decode(
        call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x":1}' } }),
        call({ index: 0, id: 'b', function: { name: 'f', arguments: '{"y"' } }),
        call({ index: 0, function: { arguments: ':2}' } }),
      ),
    )
    expect(events.map((event) => [event.index, event.id, event.arguments])).toEqual([
      [0, 'a', '{"x":1}'],
      [1, 'b', '{"y"'],
      [1, undefined, ':2}'],
    ])
  })
  test('C02 C03: index 0 and empty ids on all: a name behind complete arguments begins a call', () => {
    const fragment = (name: string | null, args: string) => call({ index: 0, id: '', function: { name, arguments: args } })
    const told = (...frames: unknown[]) => calls(decode(...frames)).map((event) => [event.index, event.name, event.arguments])
    expect(told(fragment('f', '{"x":1}'), fragment('g', ''), fragment(null, '{"y":2}'))).toEqual([
      [0, 'f', '{"x":1}'],
      [1, 'g', ''],
      [1, undefined, '{"y":2}'],
    ])
    // the same tool again, with its arguments at once and in later fragments
    expect(
      told(fragment('f', '{"x":1}'), fragment('f', '{"x":2}'), fragment('f', ''), fragment(null, '{"x"'), fragment(null, ':3}')),
    ).toEqual([
      [0, 'f', '{"x":1}'],
      [1, 'f', '{"x":2}'],
      [1, undefined, ''],
      [2, 'f', '{"x"'],
      [2, undefined, ':3}'],
    ])
  })
  test('C03: a name that every fragment repeats begins no call', () => {
    const fragment = (args: string) => call({ index: 0, id: '', function: { name: 'f', arguments: args } })
    const events = calls(decode(fragment('{"x"'), fragment(':{}'), fragment('}'), fragment(''), fragment(' ')))
    expect(new Set(events.map((event) => event.index))).toEqual(new Set([0]))
    expect(events.map((event) => event.arguments).join('')).toBe('{"x":{}} ')
  })
  test('C02: an id that two indices share is told once where a reply is translated', () => {
    const frames = [
      call({ index: 0, id: 'a', function: { name: 'f', arguments: '{' } }),
      call({ index: 1, id: 'a', function: { name: 'g', arguments: '{' } }),
      call({ index: 0, id: 'a', function: { arguments: '}' } }),
      call({ index: 1, id: 'a', function: { arguments: '}' } }),
    ]
    const text = frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join('')
    const decoder = chatDecoder('translate')
    const events = calls(new SseReader().push(Buffer.from(text)).flatMap((frame) => decoder.decode(frame)))
    expect(events.map((event) => [event.index, event.id, event.name, event.arguments])).toEqual([
      [0, 'a', 'f', '{'],
      [1, undefined, 'g', '{'],
      [0, undefined, undefined, '}'],
      [1, undefined, undefined, '}'],
    ])
  })
  test('C05: gaps, a start at 1, interleaved fragments', () => {
    const events = calls(
      decode(
        call({ index: 3, id: 'a', function: { name: 'f', arguments: '' } }),
        call({ index: 1, id: 'b', function: { name: 'g', arguments: '' } }),
        call({ index: 3, function: { arguments: '1' } }),
        call({ index: 1, function: { arguments: '2' } }),
      ),
    )
    expect(events.map((event) => event.index)).toEqual([0, 1, 0, 1])
  })
  test('Mistral: no index at all', () => {
    const list = [
      { id: 'a', function: { name: 'f', arguments: '{}' } },
      { id: 'b', function: { name: 'g', arguments: '{}' } },
    ]
    expect(calls(decode(chunk({ tool_calls: list }))).map((event) => event.index)).toEqual([0, 1])
  })
  test('C03 C04 C06: null and empty names and ids are left out, a late name is told when it comes', () => {
    const events = calls(
      decode(
        call({ index: 0, id: 'a', function: { name: null, arguments: null } }),
        call({ index: 0, id: '', function: { name: 'f', arguments: '{' } }),
        call({ index: 0, id: null, function: { name: '', arguments: '}' } }),
      ),
    )
    expect(events).toEqual([
      { type: 'tool_call', index: 0, choice: 0, id: 'a', arguments: '' },
      { type: 'tool_call', index: 0, choice: 0, name: 'f', arguments: '{' },
      { type: 'tool_call', index: 0, choice: 0, arguments: '}' },
    ])
  })
})

describe('stop, errors, end', () => {
  test('I06: known words, and an unknown one carried', () => {
    const reason = (word: string) => decode(chunk({}, {}, { finish_reason: word })).find((event) => event.type === 'stop')
    expect(
      ['stop', 'length', 'tool_calls', 'function_call', 'content_filter', 'error', 'novel'].map((word) => reason(word)?.reason),
    ).toEqual(['end', 'length', 'tool_calls', 'tool_calls', 'filter', 'fault', 'other'])
    expect(reason('novel')?.raw).toBe('novel')
    expect(reason('')).toBeUndefined()
  })
  test('B21: a repeated finish is told once', () => {
    const finish = chunk({ content: '' }, {}, { finish_reason: 'stop' })
    expect(decode(finish, finish).map((event) => event.type)).toEqual(['start', 'stop', 'native'])
  })
  test('B07 B08: errors alone, beside choices, inside a choice, with an event name, as a sentence', () => {
    const last = (...datas: unknown[]) => decode(...datas).at(-1)
    const overloaded = { message: 'busy', type: 'overloaded_error', code: null }
    expect(last({ error: overloaded })).toEqual({ type: 'error', kind: 'overloaded_error', message: 'busy' })
    expect(last(chunk({ content: '' }, { error: { code: 400, message: 'limit' } }))).toEqual({
      type: 'error',
      kind: '400',
      message: 'limit',
    })
    expect(last(chunk({}, {}, { error: { message: 'm', code: 502 }, finish_reason: 'error' }))).toEqual({
      type: 'error',
      kind: '502',
      message: 'm',
    })
    expect(last('event: error\ndata: {"message":"plain","type":"api_error"}\n\n')).toEqual({
      type: 'error',
      kind: 'api_error',
      message: 'plain',
    })
    expect(last({ error: 'text' })).toEqual({ type: 'error', kind: 'upstream_error', message: 'text' })
    expect(last(chunk({ content: 'x' }, { error: null }))?.type).toBe('text')
  })
})
