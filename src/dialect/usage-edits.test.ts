import { describe, expect, test } from 'bun:test'
import type { StreamEvent, UsageEvent } from '../plugin/events.ts'
import { exactNumber } from '../plugin/exact-number.ts'
import { anthropicMessages } from './anthropic-messages/index.ts'
import type { Dialect } from './codec.ts'
import { geminiGenerate } from './gemini/index.ts'
import { openaiChat } from './openai-chat/index.ts'
import { openaiCompletions } from './openai-completions/index.ts'
import { openaiResponses } from './openai-responses/index.ts'
import { SseReader } from './sse.ts'

const dialects = [openaiChat, openaiCompletions, openaiResponses, anthropicMessages, geminiGenerate]
const head = { id: 'x', model: 'm', created: 1 }
const cost = exactNumber('0.00000000123')
const add = (event: StreamEvent): StreamEvent => (event.type === 'usage' ? { ...event, extra: { cost, 'a/b~': true } } : event)

/** The stream's text after every usage event was given members. */
function streamed(dialect: Dialect, text: string, change: (event: StreamEvent) => StreamEvent = add): string {
  const decoder = dialect.decoder()
  const encoder = dialect.encoder(head)
  return new SseReader()
    .push(Buffer.from(text))
    .map((frame) => {
      const before = decoder.decode(frame)
      return encoder.encode(before.map(change), { frame, before })
    })
    .join('')
}
function whole(dialect: Dialect, text: string, change: (event: StreamEvent) => StreamEvent = add): string {
  const decoded = dialect.decodeWhole(Buffer.from(text))!
  return Buffer.from(decoded.apply(decoded.events.map((event) => [change(event)]))).toString()
}

const chatChunk = (members: string) => `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",${members}}\n\n`
const chatUsage = '"usage": {"prompt_tokens":10, "completion_tokens":2.0,"total_tokens":12,"own":"é" }'

describe('members that a plugin adds to usage', () => {
  test('Chat, stream: beside those of the upstream, which keep their spelling', () => {
    const text =
      chatChunk('"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]') + chatChunk(`"choices":[],${chatUsage}`)
    expect(streamed(openaiChat, text)).toBe(text.replace('"é" }', '"é","cost":0.00000000123,"a/b~":true }'))
  })
  test('Chat, whole', () => {
    const text = `{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],${chatUsage}}`
    expect(whole(openaiChat, text)).toBe(text.replace('"é" }', '"é","cost":0.00000000123,"a/b~":true }'))
  })
  test('Messages, stream', () => {
    const start = 'event: message_start\ndata: {"type":"message_start","message":{"id":"m","content":[],"model":"m"}}\n\n'
    const delta =
      'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens": 3,"output_tokens":2}}\n\n'
    expect(streamed(anthropicMessages, start + delta)).toBe(
      start + delta.replace('"output_tokens":2', '"output_tokens":2,"cost":0.00000000123,"a/b~":true'),
    )
  })
  test('Messages, whole', () => {
    const text = '{"id":"m","type":"message","content":[],"stop_reason":"end_turn","usage":{"input_tokens": 3,"output_tokens":2}}'
    expect(whole(anthropicMessages, text)).toBe(text.replace('"output_tokens":2', '"output_tokens":2,"cost":0.00000000123,"a/b~":true'))
  })
  test('with figures that changed too, all is written anew', () => {
    const text = '{"id":"m","type":"message","content":[],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2,"own":1}}'
    const out = whole(anthropicMessages, text, (event) =>
      event.type === 'usage' ? { ...event, usage: { ...event.usage, inputUncached: 4 }, extra: { cost } } : event,
    )
    expect(out).toContain('"cost":0.00000000123')
    expect(JSON.parse(out).usage).toMatchObject({ input_tokens: 4, cost: 1.23e-9 })
    expect(JSON.parse(out).usage).not.toHaveProperty('own')
  })

  const usage: UsageEvent = {
    type: 'usage',
    usage: {
      source: 'reported',
      inputUncached: 3,
      cacheRead: 0,
      cacheWrite5m: 0,
      cacheWrite1h: 0,
      cacheWriteOther: 0,
      outputVisible: 2,
      reasoning: 0,
      inputAudio: 0,
      outputAudio: 0,
    },
    extra: { cost },
  }
  const events: StreamEvent[] = [
    { type: 'start' },
    { type: 'text', text: 'a', choice: 0 },
    { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
    usage,
    { type: 'end' },
  ]
  test.each(dialects)('in answers made of events alone: $name', (dialect) => {
    expect(dialect.encodeWhole(events, head)).toContain('"cost":0.00000000123')
    expect(dialect.encoder(head).encode(events)).toContain('"cost":0.00000000123')
  })
  test.each(dialects)('in answers that are edited: $name', (dialect) => {
    const { extra: _, ...plain } = usage
    const bare = dialect.encodeWhole(
      events.map((event) => (event === usage ? plain : event)),
      head,
    )
    expect(bare).not.toContain('cost')
    expect(whole(dialect, bare)).toContain('"cost":0.00000000123')
    expect(JSON.parse(whole(dialect, bare))).toMatchObject(JSON.parse(bare))
    const text = dialect.encoder({ ...head, includeUsage: true }).encode(events.map((event) => (event === usage ? plain : event)))
    expect(streamed(dialect, text)).toContain('"cost":0.00000000123')
  })
  test('Chat: a client that did not ask for usage is told only what a plugin has to say', () => {
    const { extra: _, ...plain } = usage
    const bare = events.map((event) => (event === usage ? plain : event))
    expect(openaiChat.encoder(head).encode(bare)).not.toContain('usage')
  })
})

test.each(['1e5', '-', '01', '1.', '.5', 'NaN', ''])('%j is no exact number', (text) => {
  expect(() => exactNumber(text)).toThrow('not a plain decimal')
})
