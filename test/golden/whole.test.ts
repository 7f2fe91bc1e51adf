/** Golden: every recorded whole reply and request of the native dialects. */

import { describe, expect, test } from 'bun:test'
import { anthropicCountTokens, anthropicMessages } from '../../src/dialect/anthropic-messages/index.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { openaiResponses } from '../../src/dialect/openai-responses/index.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import { JsonDocument } from '../../src/json/document.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { inputTokens, outputTokens } from '../../src/plugin/outcome.ts'
import { hasRecordings, type Recording, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

const head = { id: 'golden', model: 'golden-model', created: 1_700_000_000, includeUsage: true }
const of = (dialect: Dialect): Recording[] => recordings(dialect.name).filter((recording) => !recording.stream)

/** The texts and calls of a reply, read naively. */
function told(reply: Loose): { text: string; reasoning: string; calls: [string, string, Loose][]; stop: string | null } {
  if (reply.choices) {
    const choice = reply.choices[0]
    const content = choice.message.content
    const items: Loose[] = Array.isArray(content) ? content : []
    const thoughts = items.flatMap((item) => item.thinking ?? []).map((thought) => thought.text)
    return {
      text:
        typeof content === 'string'
          ? content
          : items
              .filter((item) => item.type === 'text')
              .map((item) => item.text)
              .join(''),
      reasoning: choice.message.reasoning_content || choice.message.reasoning || thoughts.join(''),
      calls: (choice.message.tool_calls ?? [])
        .filter((call: Loose) => call.function)
        .map((call: Loose) => [call.id, call.function.name, argumentsOf(call.function.arguments)]),
      stop: choice.finish_reason || null,
    }
  }
  if (reply.output) return toldByItems(reply)
  const blocks: Loose[] = reply.content
  return {
    text: blocks
      .filter((block) => block.type === 'text')
      .map((block) => block.text)
      .join(''),
    reasoning: blocks
      .filter((block) => block.type === 'thinking')
      .map((block) => block.thinking)
      .join(''),
    calls: blocks.filter((block) => block.type === 'tool_use').map((block) => [block.id, block.name, block.input]),
    stop: reply.stop_reason,
  }
}

/** The word of the reply's end; a response that still runs in the background has none. */
function stopWord(reply: Loose): string | undefined {
  if (reply.choices) return reply.choices[0].finish_reason || undefined
  return reply.status === 'queued' ? undefined : reply.stop_reason || reply.status || undefined
}

function toldByItems(reply: Loose): ReturnType<typeof told> {
  const items: Loose[] = reply.output
  const texts = (list: Loose[]): string => list.map((part) => part.text ?? part.refusal ?? '').join('')
  return {
    text: items
      .filter((item) => item.type === 'message')
      .map((item) => texts(item.content))
      .join(''),
    reasoning: items
      .filter((item) => item.type === 'reasoning')
      .map((item) => texts(item.summary ?? []) + texts(item.content ?? []))
      .join(''),
    calls: items
      .filter((item) => item.type === 'function_call' || item.type === 'custom_tool_call')
      .map((item) => [item.call_id, item.name, argumentsOf(item.arguments ?? item.input)]),
    stop: reply.incomplete_details?.reason ?? reply.status,
  }
}

/** A reply cut off by its token limit has half an argument. */
function argumentsOf(text: string): Loose {
  try {
    return JSON.parse(text || '{}')
  } catch {
    return text
  }
}

for (const dialect of [openaiChat, anthropicMessages, openaiResponses]) {
  const good = of(dialect).filter((recording) => recording.status === 200)
  const replies = good.map((recording) => ({ recording, bytes: Buffer.from(recording.body), reply: JSON.parse(recording.body) as Loose }))
  const isOne = ({ reply }: { reply: Loose }): boolean => (reply.choices?.length ?? 1) === 1

  describe.skipIf(!hasRecordings)(`${dialect.name}: ${good.length} recorded whole replies`, () => {
    test('summary agrees with the body, small and large', () => {
      expect(replies.length).toBeGreaterThan(100)
      for (const { recording, bytes, reply } of replies) {
        const summary = dialect.summary(bytes)
        const vendor = reply.usage
        expect([recording.id, summary.valid, summary.id, summary.model, summary.stop, summary.error]).toEqual([
          recording.id,
          true,
          reply.id || undefined,
          reply.model || undefined,
          stopWord(reply),
          undefined,
        ])
        // The same reply with 100 KB of blanks in front of a member must be read the other way, with the same result.
        const large = Buffer.from(recording.body.replace('{', `{${' '.repeat(100_000)}`))
        expect(dialect.summary(large)).toEqual(summary)
        const usage = summary.usage
        if (!usage) {
          expect([recording.id, vendor?.prompt_tokens ?? vendor?.input_tokens]).toEqual([recording.id, undefined])
          continue
        }
        for (const value of Object.values(usage)) if (typeof value === 'number') expect(value).toBeGreaterThanOrEqual(0)
        expect(JSON.parse(usage.raw!)).toEqual(vendor)
        if (dialect.family === 'openai') {
          const input = vendor.prompt_tokens ?? vendor.input_tokens
          expect(inputTokens(usage)).toBe(input)
          expect(outputTokens(usage)).toBe(Math.max(vendor.completion_tokens ?? vendor.output_tokens, vendor.total_tokens - input))
        } else {
          expect(inputTokens(usage)).toBe(
            vendor.input_tokens + (vendor.cache_read_input_tokens ?? 0) + (vendor.cache_creation_input_tokens ?? 0),
          )
          expect(outputTokens(usage)).toBe(vendor.output_tokens)
        }
      }
    })

    test('F01: unchanged events give the same bytes, in new objects too', () => {
      for (const { bytes } of replies) {
        const whole = dialect.decodeWhole(bytes)!
        expect(whole.apply(whole.events.map((event) => [event]))).toBe(bytes)
        const copied = whole.apply(whole.events.map((event) => [{ ...event }]))
        expect(Buffer.from(copied).equals(bytes)).toBe(true)
      }
    })

    test('an edited text, inserted texts and a note: only the text differs', () => {
      for (const { recording, bytes, reply } of replies.filter(isOne)) {
        const whole = dialect.decodeWhole(bytes)!
        const after = whole.events.map((event): StreamEvent[] => {
          if (event.type === 'text') return [{ ...event, text: `<${event.text}>` }]
          if (event.type === 'start') return [event, { type: 'text', text: 'front ', choice: 0 }, { type: 'note', text: 'hello' }]
          return event.type === 'end' ? [{ type: 'text', text: ' back', choice: 0 }, event] : [event]
        })
        const edited: Loose = JSON.parse(Buffer.from(whole.apply(after)).toString())
        const texts = whole.events.filter((event) => event.type === 'text').map((event) => `<${event.text}>`)
        expect([recording.id, told(edited).text]).toEqual([recording.id, `front ${texts.join('')} back`])
        expect({ ...told(edited), text: '' }).toEqual({ ...told(reply), text: '' })
        expect(edited.usage).toEqual(reply.usage)
      }
    })

    test('calls and reasoning dropped', () => {
      for (const { bytes, reply } of replies.filter(isOne)) {
        const whole = dialect.decodeWhole(bytes)!
        const after = whole.events.map((event) => (event.type === 'tool_call' || event.type === 'reasoning' ? [] : [event]))
        const edited: Loose = JSON.parse(Buffer.from(whole.apply(after)).toString())
        expect(told(edited)).toEqual({ ...told(reply), calls: [], reasoning: '' })
      }
    })

    test('written anew from events alone, whole and as a stream, it says the same', () => {
      for (const { recording, bytes, reply } of replies.filter(isOne)) {
        const { events } = dialect.decodeWhole(bytes)!
        const again: Loose = JSON.parse(dialect.encodeWhole(events, head))
        const before = told(reply)
        if (before.stop === 'queued') continue
        // A reply without a stop reason gets the one that fits.
        if (before.stop === 'complete') before.stop = 'completed'
        before.stop ??= before.calls.length > 0 ? 'tool_calls' : 'stop'
        expect([recording.id, told(again)]).toEqual([recording.id, before])
        const encoder = dialect.encoder(head)
        const reader = new SseReader()
        const decoder = dialect.decoder()
        const streamed = reader.push(Buffer.from(encoder.encode(events))).flatMap((frame) => decoder.decode(frame))
        const fromStream: Loose = JSON.parse(dialect.encodeWhole(streamed, head))
        expect([recording.id, told(fromStream)]).toEqual([recording.id, before])
        expect(dialect.summary(Buffer.from(JSON.stringify(fromStream))).usage).toEqual({
          ...dialect.summary(Buffer.from(JSON.stringify(again))).usage!,
        })
      }
    })

    test('G05: the words of recorded errors', () => {
      for (const recording of of(dialect).filter(({ status }) => status >= 400)) {
        const { error } = JSON.parse(recording.body)
        const read = dialect.readError(recording.status, Buffer.from(recording.body))
        expect([read.message, read.type, read.code, read.param, read.status]).toEqual([
          error.message,
          error.type ?? undefined,
          error.code ?? undefined,
          error.param ?? undefined,
          recording.status,
        ])
        expect(dialect.summary(Buffer.from(recording.body))).toMatchObject({ valid: false, error: { message: error.message } })
        expect(dialect.decodeWhole(Buffer.from(recording.body))).toBeNull()
      }
    })

    test('the pointer of every part of every recorded request leads to its text, and an edit there changes it', () => {
      let parts = 0
      for (const recording of recordings(dialect.name)) {
        if (recording.request === undefined || recording.request === null) continue
        const bytes = Buffer.from(JSON.stringify(recording.request))
        for (const part of dialect.parts(recording.request as Loose)) {
          parts++
          const document = new JsonDocument(bytes)
          const value = document.at(part.pointer)
          expect(part.kind === 'tool_schema' ? JSON.stringify(value) : value).toBe(part.text)
          if (part.kind === 'tool_schema') continue
          document.set(part.pointer, 'changed')
          expect(dialect.parts(JSON.parse(Buffer.from(document.output()).toString())).find((p) => p.pointer === part.pointer)?.text).toBe(
            'changed',
          )
        }
      }
      expect(parts).toBeGreaterThan(500)
    })
  })
}

describe.skipIf(!hasRecordings)('anthropic-count-tokens', () => {
  test('every recorded count is a valid reply without usage', () => {
    const counts = of(anthropicCountTokens)
    expect(counts.length).toBeGreaterThan(0)
    for (const recording of counts) {
      const bytes = Buffer.from(recording.body)
      expect(anthropicCountTokens.summary(bytes)).toEqual({ valid: true })
      const whole = anthropicCountTokens.decodeWhole(bytes)!
      expect(whole.apply(whole.events.map((event) => [event]))).toBe(bytes)
    }
  })
})
