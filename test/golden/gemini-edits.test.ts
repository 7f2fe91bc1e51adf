/** Property: whatever hooks do to a Gemini stream or whole reply, what leaves says what the hooks said, in their order. */

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { geminiGenerate } from '../../src/dialect/gemini/index.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON of our own making
type Loose = any

const words = fc.constantFrom('a', ' b', '"\\', 'ü🎉', '\n', '{"x":1}', '')
const part: fc.Arbitrary<Loose> = fc.oneof(
  words.map((text) => ({ text })),
  words.map((text) => ({ text, thoughtSignature: 's' })),
  words.map((text) => ({ text, thought: true })),
  fc.constantFrom('f', 'g').map((name) => ({ functionCall: { name, args: { k: 1 } }, thoughtSignature: 'c' })),
  fc.constant({ executableCode: { code: 'x' } }),
)
const chunk = fc.array(part, { maxLength: 4 })
const chunks = fc.array(chunk, { minLength: 1, maxLength: 5 })
const choices = fc.array(fc.nat(13), { minLength: 40, maxLength: 40 })

/** The last chunk holds the stop and the usage. */
function bodies(list: readonly (readonly Loose[])[]): Loose[] {
  return list.map((parts, i) => ({
    candidates: [
      { content: { parts, role: 'model' }, ...(i === list.length - 1 && { finishReason: 'STOP' }), index: 0, safetyRatings: [{ a: 1 }] },
    ],
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: i, totalTokenCount: 3 + i },
    responseId: 'r',
    modelVersion: 'm',
  }))
}

/** Texts, thoughts and calls in order, neighbours of one kind joined; read without our code. */
function tell(list: readonly Loose[]): string[] {
  const said: string[] = []
  const say = (kind: string, text: string): void => {
    if (text === '') return
    if (kind !== 'call' && said.at(-1)?.startsWith(`${kind}:`)) said[said.length - 1] += text
    else said.push(`${kind}:${text}`)
  }
  for (const body of list) {
    for (const given of body.candidates?.[0]?.content?.parts ?? []) {
      if (given.functionCall) say('call', `${given.functionCall.name}${JSON.stringify(given.functionCall.args ?? {})}`)
      else if (given.text !== undefined) say(given.thought ? 'thought' : 'text', given.text)
    }
  }
  return said
}

function said(events: readonly StreamEvent[]): string[] {
  return tell(
    events.map((event) => {
      const given =
        event.type === 'text'
          ? { text: event.text }
          : event.type === 'reasoning'
            ? { text: event.text, thought: true }
            : event.type === 'tool_call'
              ? { functionCall: { name: event.name, args: JSON.parse(event.arguments || '{}') } }
              : {}
      return { candidates: [{ content: { parts: [given] } }] }
    }),
  )
}

/** A hook that keeps, drops, changes and inserts by chance. */
function hook(list: readonly number[]): (event: StreamEvent) => StreamEvent[] {
  let at = 0
  let inserted = 0
  return (event) => {
    const text: StreamEvent = { type: 'text', text: `<${inserted++}>`, choice: 0 }
    const content = event.type === 'text' || event.type === 'reasoning' || event.type === 'tool_call'
    switch (list[at++ % list.length]) {
      case 0:
      case 1:
        return content ? [] : [event]
      case 2:
        return event.type === 'text' || event.type === 'reasoning' ? [{ ...event, text: `${event.text}!` }] : [event]
      case 3:
        return event.type === 'tool_call' ? [{ ...event, name: 'h', arguments: '{"z":2}' }] : [event]
      case 4:
        return content || event.type === 'stop' ? [text, event] : [event]
      case 5:
        return content || event.type === 'start' ? [event, text] : [event]
      case 6:
        return content
          ? [event, { type: 'tool_call', index: 90 + inserted, choice: 0, id: `new${inserted}`, name: 'n', arguments: '{}' }]
          : [event]
      case 7:
        return event.type === 'stop' ? [{ ...event, reason: 'length', raw: '' }] : [event]
      default:
        return [event]
    }
  }
}

const meters = (list: readonly Loose[]) => [
  list.findLast((body) => body.usageMetadata)?.usageMetadata,
  list.filter((body) => body.candidates?.[0]?.finishReason).length,
]

describe('gemini-generate: random edits', () => {
  test('of a stream', () => {
    fc.assert(
      fc.property(chunks, choices, (list, chance) => {
        const given = bodies(list)
        const frames = new SseReader().push(Buffer.from(given.map((body) => `data: ${JSON.stringify(body)}\r\n\r\n`).join('')))
        const decoder = geminiGenerate.decoder()
        const encoder = geminiGenerate.encoder({ id: 'other', model: 'other', created: 1 })
        const edit = hook(chance)
        const all: StreamEvent[] = []
        const out = frames.map((frame) => {
          const before = decoder.decode(frame)
          const after = before.flatMap(edit)
          all.push(...after)
          if (after.length === before.length && after.every((event, i) => event === before[i])) {
            encoder.observe(frame, before)
            return Buffer.from(frame.raw).toString()
          }
          return encoder.encode(after, { frame, before })
        })
        const told = new SseReader().push(Buffer.from(out.join(''))).map((frame) => JSON.parse(frame.data))
        expect(tell(told)).toEqual(said(all))
        expect(meters(told)).toEqual(meters(given))
        for (const body of told) expect([body.responseId, body.modelVersion]).toEqual(['r', 'm'])
      }),
      { numRuns: 500 },
    )
  })

  test('of a whole reply', () => {
    fc.assert(
      fc.property(chunk, choices, (parts, chance) => {
        const [given] = bodies([parts])
        const decoded = geminiGenerate.decodeWhole(Buffer.from(JSON.stringify(given)))!
        const edit = hook(chance)
        const after = decoded.events.map(edit)
        const told = JSON.parse(Buffer.from(decoded.apply(after)).toString())
        expect(tell([told])).toEqual(said(after.flat()))
        expect(meters([told])).toEqual(meters([given]))
        expect(told.candidates[0].safetyRatings).toEqual([{ a: 1 }])
      }),
      { numRuns: 500 },
    )
  })
})
