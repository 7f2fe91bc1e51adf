/** Golden: every recorded stream of the native dialects, decoded, re-encoded and written anew, against a naive reading of it. */

import { describe, expect, test } from 'bun:test'
import { anthropicMessages } from '../../src/dialect/anthropic-messages/index.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { openaiResponses } from '../../src/dialect/openai-responses/index.ts'
import { unsigned } from '../../src/dialect/proof.ts'
import { type SseFrame, SseReader } from '../../src/dialect/sse.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { inputTokens, outputTokens } from '../../src/plugin/outcome.ts'
import { type Told, tellChat, tellMessages, tellResponses } from './naive.ts'
import { hasRecordings, type Recording, randomFrom, recordings } from './recordings.ts'

const head = { id: 'golden', model: 'golden-model', created: 1_700_000_000, includeUsage: true }

function framesOf(sse: string, cut?: (below: number) => number): SseFrame[] {
  const bytes = Buffer.from(sse)
  const reader = new SseReader()
  const frames: SseFrame[] = []
  let from = 0
  while (from < bytes.length) {
    const to = cut ? Math.min(bytes.length, from + 1 + cut(300)) : bytes.length
    frames.push(...reader.push(bytes.subarray(from, to)))
    from = to
  }
  frames.push(...reader.end())
  return frames
}

function decodeAll(dialect: Dialect, frames: readonly SseFrame[]): { frame: SseFrame; events: readonly StreamEvent[] }[] {
  const decoder = dialect.decoder()
  return frames.map((frame) => ({ frame, events: decoder.decode(frame) }))
}

/** What our events say, in the yardstick's form. */
function toldBy(events: readonly StreamEvent[]): Omit<Told, 'usage' | 'blocks'> {
  const told = {
    text: '',
    reasoning: '',
    signatures: '',
    calls: [] as Told['calls'],
    stops: [] as string[],
    error: undefined as string | undefined,
    ended: false,
  }
  for (const event of events) {
    if (event.type === 'text') told.text += event.text
    else if (event.type === 'reasoning') {
      told.reasoning += event.text
      told.signatures += event.signature ?? ''
    } else if (event.type === 'tool_call') {
      const call = (told.calls[event.index] ??= { id: event.id!, name: event.name!, arguments: '' })
      call.arguments += event.arguments
    } else if (event.type === 'stop') told.stops.push(event.raw)
    else if (event.type === 'error') told.error = event.message
    else if (event.type === 'end') told.ended = true
  }
  return told
}

/** A call with its arguments as a value; the input of a custom tool is text. */
function comparable(call: Told['calls'][number]): unknown[] {
  const json = /^\s*\{/.test(call.arguments) || call.arguments === ''
  return [call.id, call.name, json ? JSON.parse(call.arguments || '{}') : call.arguments]
}

const withoutUsage = ({ usage: _, blocks: __, ...told }: Told) => told
const lastUsage = (events: readonly StreamEvent[]) => events.findLast((event) => event.type === 'usage')?.usage
const classes = (events: readonly StreamEvent[]) => {
  const usage = lastUsage(events)
  return usage && { ...usage, raw: undefined, source: undefined }
}

const dialects: [Dialect, (sse: string) => Told][] = [
  [openaiChat, tellChat],
  [anthropicMessages, tellMessages],
  [openaiResponses, tellResponses],
]

/** Some recordings hold a second reply, or done frames that say something else than the deltas: their naive reading makes no sense (B22). */
function isSpliced(recording: Recording): boolean {
  if (recording.dialect === 'openai-responses') return contradicts(recording)
  return recording.dialect === 'anthropic-messages' && recording.body.split('"type":"message_start"').length > 2
}

function contradicts(recording: Recording): boolean {
  try {
    tellResponses(recording.body)
    return false
  } catch {
    return true
  }
}

for (const [dialect, tell] of dialects) {
  const all = recordings(dialect.name).filter((recording) => recording.stream)
  const sound = all.filter((recording) => !isSpliced(recording))

  describe.skipIf(!hasRecordings)(`${dialect.name}: ${all.length} recorded streams`, () => {
    test('there are recordings', () => {
      expect(all.length).toBeGreaterThan(30)
    })

    test('A01 A02: cut anywhere and with CRLF, the frames are the same and add up to the bytes', () => {
      for (const recording of all) {
        const random = randomFrom(recording.id)
        const whole = framesOf(recording.body)
        for (const body of [recording.body, recording.body.replaceAll('\n', '\r\n')]) {
          const frames = framesOf(body, random)
          expect(Buffer.concat(frames.map((frame) => frame.raw)).equals(Buffer.from(body))).toBe(true)
          expect(frames.map((frame) => [frame.event, frame.data])).toEqual(whole.map((frame) => [frame.event, frame.data]))
        }
      }
    })

    test('events say what the frames say', () => {
      for (const recording of sound) {
        const events = decodeAll(dialect, framesOf(recording.body)).flatMap((entry) => entry.events)
        expect({ id: recording.id, ...toldBy(events) }).toEqual({ id: recording.id, ...withoutUsage(tell(recording.body)) })
      }
    })

    test('E01 E03 E05 E06 E07: usage has disjoint classes that add up to the vendor figures', () => {
      for (const recording of all) {
        const events = decodeAll(dialect, framesOf(recording.body)).flatMap((entry) => entry.events)
        const usage = lastUsage(events)
        const vendor = isSpliced(recording) ? undefined : tell(recording.body).usage
        if (!vendor || !usage) {
          expect([recording.id, usage === undefined]).toEqual([
            recording.id,
            vendor === undefined || isSpliced(recording) ? usage === undefined : false,
          ])
          continue
        }
        for (const value of Object.values(usage)) if (typeof value === 'number') expect(value).toBeGreaterThanOrEqual(0)
        if (dialect.family === 'anthropic') {
          expect(usage.inputUncached).toBe(vendor.input_tokens)
          expect(usage.cacheRead).toBe(vendor.cache_read_input_tokens ?? 0)
          expect(inputTokens(usage)).toBe(
            vendor.input_tokens + (vendor.cache_read_input_tokens ?? 0) + (vendor.cache_creation_input_tokens ?? 0),
          )
          expect(outputTokens(usage)).toBe(vendor.output_tokens)
        } else {
          const input = vendor.prompt_tokens ?? vendor.input_tokens
          expect(inputTokens(usage)).toBe(input)
          expect(outputTokens(usage)).toBe(Math.max(vendor.completion_tokens ?? vendor.output_tokens, (vendor.total_tokens ?? 0) - input))
        }
      }
    })

    test('interesting() never misses a frame with usage, stop, error or end', () => {
      let bytes = 0
      let interesting = 0
      for (const recording of all) {
        for (const { frame, events } of decodeAll(dialect, framesOf(recording.body))) {
          const looks = dialect.interesting(frame.raw, 0) >= 0
          bytes++
          if (looks) interesting++
          if (events.some((e) => e.type === 'usage' || e.type === 'stop' || e.type === 'error' || e.type === 'end')) {
            expect([recording.id, frame.data.slice(0, 200), looks]).toEqual([recording.id, frame.data.slice(0, 200), true])
          }
        }
      }
      // Useful only if it says no to nearly everything.
      expect(interesting / bytes).toBeLessThan(0.1)
    })

    test('the interesting frames alone give the same usage, stop, error and end', () => {
      for (const recording of all) {
        const entries = decodeAll(dialect, framesOf(recording.body))
        const few = decodeAll(
          dialect,
          entries.map((entry) => entry.frame).filter((frame) => dialect.interesting(frame.raw, 0) >= 0),
        )
        const kinds = new Set(['usage', 'stop', 'error', 'end'])
        const pick = (list: typeof entries) => list.flatMap((entry) => entry.events).filter((event) => kinds.has(event.type))
        expect(pick(few)).toEqual(pick(entries))
      }
    })

    test('F01: forwarded and re-encoded without a change, every byte is as received', () => {
      for (const recording of all) {
        const encoder = dialect.encoder(head)
        const out = decodeAll(dialect, framesOf(recording.body)).map(({ frame, events }) => {
          expect(encoder.rewriting).toBe(false)
          return encoder.encode(events, { frame, before: events })
        })
        expect(out.join('').trimEnd()).toBe(recording.body.trimEnd())
      }
    })

    test('equal events in new objects: the same stream', () => {
      for (const recording of sound) {
        const encoder = dialect.encoder(head)
        const out = decodeAll(dialect, framesOf(recording.body)).map(({ frame, events }) =>
          encoder.encode(
            events.map((event) => ({ ...event })),
            { frame, before: events },
          ),
        )
        expect(encoder.rewriting).toBe(false)
        expect({ id: recording.id, ...tell(out.join('')) }).toEqual({ id: recording.id, ...tell(recording.body) })
      }
    })

    test('every text doubled, reasoning dropped: the rest stays', () => {
      for (const recording of sound) {
        const encoder = dialect.encoder(head)
        const out = decodeAll(dialect, framesOf(recording.body)).map(({ frame, events }) => {
          const after = events.flatMap((event): StreamEvent[] => {
            if (event.type === 'text') return [{ ...event, text: `${event.text}${event.text}` }]
            return event.type === 'reasoning' ? [] : [event]
          })
          return encoder.encode(after, { frame, before: events })
        })
        const before = tell(recording.body)
        const told = tell(out.join(''))
        const doubled = decodeAll(dialect, framesOf(recording.body)).flatMap(({ events }) =>
          events.filter((event) => event.type === 'text'),
        )
        expect(told.text).toBe(doubled.map((event) => event.text + event.text).join(''))
        expect(told.reasoning).toBe('')
        expect({ id: recording.id, calls: told.calls, stops: told.stops, usage: told.usage, ended: told.ended }).toEqual({
          id: recording.id,
          calls: before.calls,
          stops: before.stops,
          usage: before.usage,
          ended: before.ended,
        })
      }
    })

    test('B05 B06 C05: text inserted at the front and before the stop, all calls dropped: still a well-formed stream', () => {
      for (const recording of sound) {
        const encoder = dialect.encoder(head)
        let first = true
        const out = decodeAll(dialect, framesOf(recording.body)).map(({ frame, events }) => {
          const after = events.flatMap((event): StreamEvent[] => {
            if (event.type === 'tool_call') return []
            if (event.type === 'start') return [event, { type: 'text', text: '<fr', choice: 0 }, { type: 'text', text: 'ont>', choice: 0 }]
            if (event.type !== 'stop' || !first) return [event]
            first = false
            return [{ type: 'text', text: '<back>', choice: 0 }, event]
          })
          const unchanged = after.length === events.length && after.every((event, i) => event === events[i])
          if (unchanged && !encoder.rewriting) {
            encoder.observe(frame, events)
            return frame.raw.toString()
          }
          return encoder.encode(after, { frame, before: events })
        })
        const before = tell(recording.body)
        const told = tell(out.join(''))
        expect(told.calls).toEqual([])
        expect([recording.id, told.text]).toEqual([
          recording.id,
          before.stops.length > 0 ? `<front>${before.text}<back>` : `<front>${before.text}`,
        ])
        expect({ stops: told.stops, usage: told.usage, ended: told.ended }).toEqual({
          stops: before.stops,
          usage: before.usage,
          ended: before.ended,
        })
      }
    })

    test('B05 B20: written anew from events alone, it says the same', () => {
      for (const recording of sound) {
        const events = decodeAll(dialect, framesOf(recording.body)).flatMap((entry) => entry.events)
        const encoder = dialect.encoder(head)
        const out = events.map((event) => encoder.encode([event])).join('')
        const before = tell(recording.body)
        const told = tell(out)
        // the mark of a thought without a proof is none (D03)
        if (told.signatures === unsigned) told.signatures = ''
        const expected = withoutUsage(before)
        // After an error nothing follows (B08); a stream without stop reason gets one when it ends.
        if (before.error !== undefined) expected.ended = false
        else if (expected.stops.length === 0 && before.ended) expected.stops = ['stop']
        expect({ id: recording.id, ...withoutUsage(told) }).toEqual({ id: recording.id, ...expected })
        expect(told.blocks).toEqual(before.blocks)
        const again = decodeAll(dialect, framesOf(out)).flatMap((entry) => entry.events)
        if (before.ended && before.error === undefined) expect(classes(again)).toEqual(classes(events))
      }
    })

    test('a whole reply written from the stream decodes to the same', () => {
      for (const recording of sound) {
        const events = decodeAll(dialect, framesOf(recording.body)).flatMap((entry) => entry.events)
        if (events.some((event) => event.type === 'error')) continue
        const body = Buffer.from(dialect.encodeWhole(events, head))
        expect(dialect.summary(body).valid).toBe(true)
        const again = dialect.decodeWhole(body)!.events
        const told = toldBy(again)
        const before = toldBy(events)
        expect(told.text).toBe(before.text)
        expect(told.reasoning).toBe(before.reasoning)
        expect(told.calls.map(comparable)).toEqual(before.calls.map(comparable))
        expect(classes(again)).toEqual(classes(events))
      }
    })
  })
}

describe.skipIf(!hasRecordings)('odd recordings', () => {
  test('B22: a second message inside a stream is an error, a repeated start of the same message is not', () => {
    const spliced = recordings('anthropic-messages').filter((recording) => recording.stream && isSpliced(recording))
    expect(spliced.length).toBeGreaterThan(0)
    for (const recording of spliced) {
      const ids = new Set([...recording.body.matchAll(/"message":\{"id":"([^"]+)"/g)].map((match) => match[1]))
      const events = decodeAll(anthropicMessages, framesOf(recording.body)).flatMap((entry) => entry.events)
      expect([recording.id, events.some((event) => event.type === 'error')]).toEqual([recording.id, ids.size > 1])
    }
  })
})
