/** Replies of other dialects as Chat clients see them, and Chat replies as other dialects see them. */

import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import type { ReplyIdentity } from '../codec.ts'
import { jsonSource } from '../json-source.ts'
import { LossReport } from '../loss.ts'
import type { JsonObject } from '../shape.ts'
import { SseReader } from '../sse.ts'
import { chatDecoder } from './decode.ts'
import { chatEncoder } from './encode.ts'
import { readChat } from './read.ts'
import { entriesOf } from './reasoning-details.ts'
import { decodeChatWhole } from './whole.ts'
import { encodeChatWhole } from './whole-encode.ts'

// biome-ignore lint/suspicious/noExplicitAny: a written reply
type Loose = any

const head: ReplyIdentity = { id: 'r1', model: 'm', created: 5 }
const at = { choice: 0 } as const

function chunks(events: readonly StreamEvent[], identity = head): Loose[] {
  const encoder = chatEncoder(identity)
  const sse = events.map((event) => encoder.encode([event])).join('')
  return sse
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: {'))
    .map((frame) => JSON.parse(frame.slice(6)))
}
const deltas = (events: readonly StreamEvent[], identity = head): Loose[] => chunks(events, identity).map((chunk) => chunk.choices[0].delta)
const message = (events: readonly StreamEvent[], identity = head): Loose => JSON.parse(encodeChatWhole(events, identity)).choices[0].message

/** What a client has of a stream when it adds up deltas as the SDKs do, lists by pushing. */
function pushed(events: readonly StreamEvent[]): JsonObject {
  const sum: Loose = {}
  for (const delta of deltas(events)) {
    for (const key in delta) {
      if (typeof delta[key] === 'string') sum[key] = (sum[key] ?? '') + delta[key]
      else if (key === 'tool_calls') {
        for (const call of delta[key]) {
          const had = ((sum.tool_calls ??= [])[call.index] ??= { ...call, function: { name: '', arguments: '' } })
          had.function.name += call.function?.name ?? ''
          had.function.arguments += call.function?.arguments ?? ''
          had.extra_content ??= call.extra_content
        }
      } else if (Array.isArray(delta[key])) sum[key] = [...(sum[key] ?? []), ...delta[key]]
      else sum[key] = delta[key]
    }
  }
  return { ...sum, role: 'assistant' }
}
const readBack = (reply: JsonObject) =>
  readChat(jsonSource(Buffer.from(JSON.stringify({ messages: [reply] })))!, new LossReport()).turns[0]!.content

const sig = 'hg1.anthropic-messages.claude.AbC+/='
const thinking: StreamEvent[] = [
  { type: 'start', id: 'msg_1', model: 'c' },
  { type: 'reasoning', text: 'one ', ...at },
  { type: 'reasoning', text: 'two', ...at },
  { type: 'reasoning', text: '', signature: sig, ...at },
  { type: 'reasoning', text: '', signature: `${sig}r`, redacted: true, ...at },
  { type: 'reasoning', text: 'three', ...at },
  { type: 'reasoning', text: '', signature: `${sig}3`, ...at },
  { type: 'text', text: 'hi', ...at },
  { type: 'tool_call', index: 0, id: 'c1', name: 'f', arguments: '{"a":1}', signature: `${sig}c`, ...at },
  { type: 'stop', reason: 'tool_calls', raw: 'tool_use', ...at },
  { type: 'end' },
]

describe('to Chat clients', () => {
  test('D01 D03 C18: proofs survive a round through a client, streamed and whole', () => {
    const proof = (end: string) => ({ dialect: 'anthropic-messages', upstream: 'claude', value: `AbC+/=${end}` })
    const expected = [
      { type: 'reasoning', text: 'one two', proof: proof('') },
      { type: 'reasoning', text: '', proof: proof('r'), redacted: true },
      { type: 'reasoning', text: 'three', proof: proof('3') },
      { type: 'text', text: 'hi' },
      { type: 'call', id: 'c1', name: 'f', kind: 'function', arguments: '{"a":1}', proof: proof('c') },
    ]
    expect(readBack(message(thinking))).toEqual(expected as Loose)
    expect(readBack(pushed(thinking))).toEqual(expected as Loose)
  })
  test('reasoning has one spelling, never inside the content; a call’s proof stands in its first chunk', () => {
    const list = deltas(thinking)
    expect(list.map((delta) => delta.reasoning_content ?? '').join('')).toBe('one twothree')
    expect(list.map((delta) => delta.content ?? '').join('')).toBe('hi')
    const first = list.find((delta) => delta.tool_calls)
    expect(first.tool_calls[0]).toEqual({
      index: 0,
      id: 'c1',
      type: 'function',
      function: { name: 'f', arguments: '' },
      extra_content: { google: { thought_signature: `${sig}c` } },
    })
    expect(message(thinking).reasoning_content).toBe('one twothree')
  })
  test('a proof that comes late still reaches its call; a text’s proof reaches its message', () => {
    const late: StreamEvent[] = [
      { type: 'text', text: 'hi', ...at },
      { type: 'text', text: '', signature: `${sig}t`, ...at },
      { type: 'tool_call', index: 0, id: 'c1', name: 'f', arguments: '{}', ...at },
      { type: 'tool_call', index: 0, arguments: '', signature: sig, ...at },
    ]
    for (const reply of [pushed(late), message(late)]) {
      expect(readBack(reply)).toMatchObject([
        { type: 'text', text: 'hi', proof: { value: 'AbC+/=t' } },
        { type: 'call', proof: { value: 'AbC+/=' } },
      ])
    }
  })
  test('D09: refusals and citations, with places counted on the joined text', () => {
    const events: StreamEvent[] = [
      { type: 'text', text: 'It is ', ...at },
      { type: 'text', text: 'sunny.', ...at },
      { type: 'citation', url: 'https://w.test', title: 'W', cited: 'sunny', ...at },
      { type: 'citation', url: 'https://v.test', cited: 'words of the source', ...at },
      { type: 'text', text: 'I will not.', refusal: true, ...at },
    ]
    const annotations = [
      { type: 'url_citation', url_citation: { start_index: 6, end_index: 11, url: 'https://w.test', title: 'W' } },
      {
        type: 'url_citation',
        url_citation: { start_index: 12, end_index: 12, url: 'https://v.test', title: 'https://v.test', content: 'words of the source' },
      },
    ]
    expect(message(events)).toMatchObject({ content: 'It is sunny.', refusal: 'I will not.', annotations })
    expect(pushed(events)).toMatchObject({ content: 'It is sunny.', refusal: 'I will not.', annotations })
    const [, back] = [message(events), decodeChatWhole(Buffer.from(encodeChatWhole(events, head)), 'translate')!.events]
    expect(back.filter((event) => event.type === 'citation')).toEqual([
      { type: 'citation', choice: 0, url: 'https://w.test', title: 'W', cited: 'sunny' },
      { type: 'citation', choice: 0, url: 'https://v.test', title: 'https://v.test', cited: 'words of the source' },
    ])
  })
  test('pictures and sound that the model made', () => {
    const events: StreamEvent[] = [
      { type: 'media', mime: 'image/png', data: 'QUJD', ...at },
      { type: 'media', mime: 'image/png', data: 'REVG', ...at },
      { type: 'media', mime: 'audio/wav', data: 'UklGRg==', ...at },
    ]
    const images = [
      { type: 'image_url', image_url: { url: 'data:image/png;base64,QUJD' }, index: 0 },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,REVG' }, index: 1 },
    ]
    for (const reply of [message(events), pushed(events)]) {
      expect(reply.images).toEqual(images)
      expect(reply.audio).toMatchObject({ data: 'UklGRg==' })
    }
    const { events: back } = decodeChatWhole(Buffer.from(encodeChatWhole(events, head)), 'translate')!
    expect(new Set(back.filter((event) => event.type === 'media').map(({ mime, data }) => mime + data))).toEqual(
      new Set(['image/pngQUJD', 'image/pngREVG', 'audio/wavUklGRg==']),
    )
  })
  test('C21: custom calls keep their kind and their free text', () => {
    const events: StreamEvent[] = [
      { type: 'tool_call', index: 0, id: 'c', name: 'patch', kind: 'custom', arguments: '*** a', ...at },
      { type: 'tool_call', index: 0, arguments: '\n"b"', ...at },
    ]
    const list = deltas(events).slice(1)
    expect(list[0].tool_calls[0]).toEqual({ index: 0, id: 'c', type: 'custom', custom: { name: 'patch', input: '' } })
    expect(list.slice(1).map((delta) => delta.tool_calls[0].custom.input)).toEqual(['*** a', '\n"b"'])
    expect(message(events).tool_calls).toEqual([{ id: 'c', type: 'custom', custom: { name: 'patch', input: '*** a\n"b"' } }])
  })
  test('clients that name functions in the way of old are answered so', () => {
    const old: ReplyIdentity = { ...head, request: { messages: [], functions: [{ name: 'f' }] } }
    const events: StreamEvent[] = [
      { type: 'tool_call', index: 0, id: 'c', name: 'f', arguments: '{"a"', ...at },
      { type: 'tool_call', index: 0, arguments: ':1}', ...at },
      { type: 'stop', reason: 'tool_calls', raw: 'tool_use', ...at },
      { type: 'end' },
    ]
    const whole: Loose = JSON.parse(encodeChatWhole(events, old)).choices[0]
    expect([whole.message.function_call, whole.message.tool_calls, whole.finish_reason]).toEqual([
      { name: 'f', arguments: '{"a":1}' },
      undefined,
      'function_call',
    ])
    const list = chunks(events, old)
    expect(list.flatMap((chunk) => (chunk.choices[0].delta.function_call ? [chunk.choices[0].delta.function_call] : []))).toEqual([
      { name: 'f', arguments: '' },
      { arguments: '{"a"' },
      { arguments: ':1}' },
    ])
    expect(list.at(-1).choices[0].finish_reason).toBe('function_call')
  })
})

describe('from Chat upstreams', () => {
  const decode = (...data: object[]): StreamEvent[] => {
    const decoder = chatDecoder('translate')
    const sse = data.map((value) => `data: ${JSON.stringify(value)}\n\n`).join('')
    return new SseReader().push(Buffer.from(sse)).flatMap((frame) => decoder.decode(frame))
  }
  const delta = (value: object, more: object = {}) => ({ id: 'x', model: 'm', choices: [{ index: 0, delta: value, ...more }] })

  test('a proof of an upstream is given with all that it takes to give it back', () => {
    const events = decode(
      delta({ reasoning: 'ab', reasoning_details: [{ type: 'reasoning.text', text: 'ab', format: 'anthropic-claude-v1', index: 0 }] }),
      delta({ reasoning_details: [{ type: 'reasoning.text', signature: 'S', format: 'anthropic-claude-v1', index: 0 }] }),
      delta({ reasoning_details: [{ type: 'reasoning.encrypted', data: 'D', id: 'rs_1', format: 'openai-responses-v1', index: 1 }] }),
    ).filter((event) => event.type === 'reasoning')
    expect(events.map(({ text, redacted }) => [text, redacted])).toEqual([
      ['ab', undefined],
      ['', undefined],
      ['', true],
    ])
    expect(entriesOf(events[1]!.signature!, 'ab')).toEqual([
      { type: 'reasoning.text', signature: 'S', format: 'anthropic-claude-v1', index: 0, text: 'ab' },
    ])
    expect(entriesOf(events[2]!.signature!, '')).toEqual([
      { type: 'reasoning.encrypted', data: 'D', id: 'rs_1', format: 'openai-responses-v1', index: 1 },
    ])
    expect(entriesOf('not ours', 'x')).toEqual([])
  })
  test('a summary goes back before the hidden thought that it sums up', () => {
    const reply = {
      choices: [
        {
          message: {
            reasoning: 'sum',
            reasoning_details: [
              { type: 'reasoning.summary', summary: 'sum', format: 'openai-responses-v1', index: 0 },
              { type: 'reasoning.encrypted', data: 'D', format: 'openai-responses-v1', index: 0 },
            ],
          },
        },
      ],
    }
    const events = decodeChatWhole(Buffer.from(JSON.stringify(reply)), 'translate')!.events.filter((event) => event.type === 'reasoning')
    expect(events.map(({ text, redacted }) => [text, redacted])).toEqual([
      ['sum', undefined],
      ['', undefined],
    ])
    expect(entriesOf(events[1]!.signature!, 'sum').map((entry) => entry.type)).toEqual(['reasoning.summary', 'reasoning.encrypted'])
  })
  test('our own replies, when a gateway of this kind is the upstream', () => {
    const encoder = chatEncoder(head)
    const sse = thinking.map((event) => encoder.encode([event])).join('')
    const decoder = chatDecoder('translate')
    const events = new SseReader().push(Buffer.from(sse)).flatMap((frame) => decoder.decode(frame))
    const told = events.filter((event) => event.type === 'reasoning')
    expect(told.map((event) => event.text).join('')).toBe('one twothree')
    expect(told.filter((event) => event.signature !== undefined).map((event) => event.redacted)).toEqual([undefined, true, undefined])
  })
  test('refusal, thought signatures, custom calls, the function call of old', () => {
    const extra_content = { google: { thought_signature: 'T' } }
    expect(
      decode(
        delta({ refusal: 'no' }),
        delta({ content: 'x', extra_content }),
        delta({ tool_calls: [{ index: 0, id: 'a', type: 'custom', custom: { name: 'p', input: '' } }] }),
        delta({ tool_calls: [{ index: 0, custom: { input: 'raw' } }] }),
        delta({ tool_calls: [{ index: 1, id: 'b', type: 'function', function: { name: 'f', arguments: '{}' }, extra_content }] }),
      ).slice(1),
    ).toEqual([
      { type: 'text', text: 'no', choice: 0, refusal: true },
      { type: 'text', text: 'x', choice: 0 },
      { type: 'text', text: '', choice: 0, signature: 'T' },
      { type: 'tool_call', index: 0, choice: 0, id: 'a', name: 'p', kind: 'custom', arguments: '' },
      { type: 'tool_call', index: 0, choice: 0, arguments: 'raw' },
      { type: 'tool_call', index: 1, choice: 0, id: 'b', name: 'f', arguments: '{}', signature: 'T' },
    ])
    const old = decode(
      delta({ function_call: { name: 'f', arguments: '' } }),
      delta({ function_call: { arguments: '{}' } }),
      delta({ function_call: { name: '', arguments: '' } }),
    )
    expect(old.slice(1)).toEqual([
      { type: 'tool_call', index: 0, choice: 0, id: 'call_x_0', name: 'f', arguments: '' },
      { type: 'tool_call', index: 0, choice: 0, arguments: '{}' },
    ])
  })
  test('thoughts that are marked among the texts', () => {
    const thought = { google: { thought: true } }
    const events = decode(
      delta({ content: '<thought>hmm', extra_content: thought }),
      delta({ content: ' so', extra_content: thought }),
      delta({ content: '</thought>Yes' }),
    )
    expect(events.slice(1)).toEqual([
      { type: 'reasoning', text: 'hmm', choice: 0 },
      { type: 'reasoning', text: ' so', choice: 0 },
      { type: 'text', text: 'Yes', choice: 0 },
    ])
  })
  test('B18 B21 A04: empty and unknown frames say nothing, a repeated finish is told once', () => {
    const finish = delta({}, { finish_reason: 'stop' })
    const events = decode(
      { choices: [], prompt_filter_results: [{ x: 1 }] },
      { object: 'ping' },
      delta({ executed_tools: [{ a: 1 }] }),
      finish,
      finish,
    )
    expect(events.map((event) => event.type)).toEqual(['start', 'stop'])
  })
})
