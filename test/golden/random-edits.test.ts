/**
 * Property: whatever hooks do to a stream, what leaves is a well-formed stream that says what the hooks said (B05, B06, C05).
 *
 * The source streams are random, and written by the encoders themselves; the yardstick is the naive reader.
 */

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { anthropicMessages } from '../../src/dialect/anthropic-messages/index.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { openaiResponses } from '../../src/dialect/openai-responses/index.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { type Told, tellChat, tellMessages, tellResponses } from './naive.ts'

const head = { id: 'random', model: 'm', created: 1, includeUsage: true }
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

type Turn = { kind: 'text' | 'reasoning'; parts: string[] } | { kind: 'call'; args: string[] }

const words = fc.array(fc.constantFrom('a', ' b', '"\\', 'ü🎉', '\n', '{"x":1}'), { minLength: 1, maxLength: 4 })
const turn: fc.Arbitrary<Turn> = fc.oneof(
  words.map((parts): Turn => ({ kind: 'text', parts })),
  words.map((parts): Turn => ({ kind: 'reasoning', parts })),
  fc.constantFrom('{}', '{"a"|:1}', '').map((args): Turn => ({ kind: 'call', args: args.split('|') })),
)
const turns = fc.array(turn, { maxLength: 6 })

function eventsOf(list: readonly Turn[]): StreamEvent[] {
  const events: StreamEvent[] = [{ type: 'start', id: 'id1', model: 'm1' }]
  let calls = 0
  for (const [t, step] of list.entries()) {
    if (step.kind === 'call') {
      const index = calls++
      events.push({ type: 'tool_call', index, choice: 0, id: `call_${index}`, name: `tool_${index}`, arguments: '' })
      for (const part of step.args) events.push({ type: 'tool_call', index, choice: 0, arguments: part })
    } else {
      for (const text of step.parts) events.push({ type: step.kind, text, choice: 0 })
      if (step.kind === 'reasoning') events.push({ type: 'reasoning', text: '', choice: 0, signature: `sig${t}` })
    }
  }
  events.push({ type: 'stop', reason: calls > 0 ? 'tool_calls' : 'end', raw: '', choice: 0 }, { type: 'usage', usage }, { type: 'end' })
  return events
}

/** What a list of events says; a call's id names it. */
function said(events: readonly StreamEvent[], signatures: boolean): Pick<Told, 'text' | 'reasoning' | 'signatures' | 'calls'> {
  const told = { text: '', reasoning: '', signatures: '', calls: [] as Told['calls'] }
  const open = new Map<number, Told['calls'][number]>()
  for (const event of events) {
    if (event.type === 'text') told.text += event.text
    if (event.type === 'reasoning') {
      told.reasoning += event.text
      if (signatures) told.signatures += event.signature ?? ''
    }
    if (event.type === 'tool_call') {
      const call = { id: event.id ?? '', name: event.name ?? '', arguments: event.arguments }
      if (event.id === undefined) open.get(event.index)!.arguments += event.arguments
      else {
        told.calls.push(call)
        open.set(event.index, call)
      }
    }
  }
  return told
}

const pick = ({ text, reasoning, signatures, calls }: Pick<Told, 'text' | 'reasoning' | 'signatures' | 'calls'>) => ({
  text,
  reasoning,
  signatures,
  // C06: no arguments are an empty object
  calls: calls.map((call) => ({ ...call, arguments: call.arguments || '{}' })).toSorted((a, b) => a.id.localeCompare(b.id)),
})

const dialects: [Dialect, (sse: string) => Told][] = [
  [openaiChat, tellChat],
  [anthropicMessages, tellMessages],
  [openaiResponses, tellResponses],
]
for (const [dialect, tell] of dialects) {
  const signatures = dialect !== openaiChat
  const write = (events: readonly StreamEvent[]): string => {
    const encoder = dialect.encoder(head)
    return events.map((event) => encoder.encode([event])).join('')
  }

  describe(dialect.name, () => {
    test('events written to a stream and read back say the same', () => {
      fc.assert(
        fc.property(turns, (list) => {
          const events = eventsOf(list)
          const sse = write(events)
          const told = tell(sse)
          expect(pick(told)).toEqual(pick(said(events, signatures)))
          expect([told.ended, told.stops.length]).toEqual([true, 1])
          const decoder = dialect.decoder()
          const again = new SseReader().push(Buffer.from(sse)).flatMap((frame) => decoder.decode(frame))
          expect(pick(said(again, signatures))).toEqual(pick(said(events, signatures)))
          expect(again.findLast((event) => event.type === 'usage')?.usage).toMatchObject({ ...usage, source: 'reported' })
        }),
        { numRuns: 400 },
      )
    })

    test('dropped, changed, doubled and inserted events', () => {
      fc.assert(
        fc.property(turns, fc.array(fc.nat(11), { minLength: 64, maxLength: 64 }), (list, choices) => {
          const frames = new SseReader().push(Buffer.from(write(eventsOf(list))))
          const decoder = dialect.decoder()
          const encoder = dialect.encoder({ ...head, id: 'other' })
          let at = 0
          const choose = (): number => choices[at++ % choices.length]!
          const dropped = new Map<number, boolean>()
          let inserted = 0
          const all: StreamEvent[] = []
          const edit = (event: StreamEvent): StreamEvent[] => {
            if (event.type === 'tool_call') {
              if (event.id !== undefined) dropped.set(event.index, choose() < 3)
              return dropped.get(event.index) ? [] : [event]
            }
            const text: StreamEvent = { type: 'text', text: `<${inserted++}>`, choice: 0 }
            const fits = event.type !== 'end' && event.type !== 'usage'
            switch (choose()) {
              case 0:
                return event.type === 'text' ? [] : [event]
              case 1:
                return event.type === 'text' ? [{ ...event, text: `${event.text}!` }] : [event]
              case 2:
                return event.type === 'text' ? [event, { ...event }] : [event]
              case 3:
                return fits && event.type !== 'start' ? [text, event] : [event]
              case 4:
                return fits && event.type !== 'stop' ? [event, text] : [event]
              case 5:
                return fits && event.type === 'text'
                  ? [{ type: 'tool_call', index: 90 + inserted, choice: 0, id: `new_${inserted}`, name: 'n', arguments: '{"k":2}' }, event]
                  : [event]
              default:
                return [event]
            }
          }
          const out = frames.map((frame) => {
            const before = decoder.decode(frame)
            const after = before.flatMap(edit)
            all.push(...after)
            const same = after.length === before.length && after.every((event, i) => event === before[i])
            if (!same || encoder.rewriting) return encoder.encode(after, { frame, before })
            encoder.observe(frame, before)
            return Buffer.from(frame.raw).toString()
          })
          const told = tell(out.join(''))
          expect(pick(told)).toEqual(pick(said(all, signatures)))
          expect([told.ended, told.stops.length]).toEqual([true, 1])
          // C05: what the client counts is dense.
          const again = dialect.decoder()
          const indices = new SseReader()
            .push(Buffer.from(out.join('')))
            .flatMap((frame) => [...frame.data.matchAll(/"tool_calls":\[\{"index":(\d+),"id"/g)].map((match) => Number(match[1])))
          expect(indices).toEqual([...indices.keys()])
          expect(again.decode({ data: '', raw: Buffer.alloc(0) })).toEqual([])
        }),
        { numRuns: 1500 },
      )
    })
  })
}
