/** Golden: every recorded reply of Gemini, decoded, edited, re-encoded and written anew, against a naive reading of it. */

import { describe, expect, test } from 'bun:test'
import { geminiCountTokens, geminiGenerate } from '../../src/dialect/gemini/index.ts'
import { type SseFrame, SseReader } from '../../src/dialect/sse.ts'
import { JsonDocument } from '../../src/json/document.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { inputTokens, outputTokens } from '../../src/plugin/outcome.ts'
import { Meter } from '../../src/upstream/meter.ts'
import { dataOf } from './naive.ts'
import { hasRecordings, randomFrom, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

const head = { id: 'golden', model: 'golden-model', created: 1_700_000_000 }
const all = recordings('gemini-generate')
const streams = all.filter((recording) => recording.stream)
const wholes = all.filter((recording) => !recording.stream && recording.body !== undefined)

interface Told {
  text: string
  reasoning: string
  /** All thought signatures, in order. */
  signatures: string
  calls: [name: string, args: unknown][]
  media: string[]
  stop: string | undefined
  usage: Loose
}

/** What chunks say, read without any of our code. Arguments that come in pieces are put together by evaluating their paths. */
function tell(chunks: readonly Loose[]): Told {
  const told: Told = { text: '', reasoning: '', signatures: '', calls: [], media: [], stop: undefined, usage: undefined }
  let open: Loose
  for (const chunk of chunks) {
    if (chunk.usageMetadata?.totalTokenCount !== undefined) told.usage = chunk.usageMetadata
    const candidate = chunk.candidates?.[0]
    for (const part of candidate?.content?.parts ?? []) {
      if (part.thoughtSignature && (part.functionCall || part.text !== undefined || Object.keys(part).length === 1)) {
        told.signatures += part.thoughtSignature
      }
      if (part.inlineData) told.media.push(part.inlineData.data)
      if (typeof part.text === 'string') told[part.thought ? 'reasoning' : 'text'] += part.text
      const call = part.functionCall
      if (!call) continue
      if (call.name) told.calls.push([call.name, (open = call.args ?? {})])
      for (const arg of call.partialArgs ?? []) {
        const steps = arg.jsonPath
          .slice(2)
          .replaceAll(/\[(\d+)\]/g, '.$1')
          .split('.')
        const last = steps.pop()
        let node = open
        for (const [i, step] of steps.entries()) node = node[step] ??= /^\d+$/.test(steps[i + 1] ?? last) ? [] : {}
        const value = arg.stringValue ?? arg.numberValue ?? arg.boolValue ?? null
        node[last] = typeof node[last] === 'string' ? node[last] + value : value
      }
    }
    told.stop ??= candidate?.finishReason ?? chunk.promptFeedback?.blockReason
  }
  return told
}

const tellStream = (sse: string): Told => tell(dataOf(sse).map((data) => JSON.parse(data)))

/** What events say, in the same form. */
function toldBy(events: readonly StreamEvent[]): Omit<Told, 'usage'> {
  const told = { text: '', reasoning: '', signatures: '', media: [] as string[], stop: undefined as string | undefined }
  const calls: { name: string; args: string }[] = []
  for (const event of events) {
    if ('signature' in event) told.signatures += event.signature ?? ''
    if (event.type === 'text') told.text += event.text
    else if (event.type === 'reasoning') told.reasoning += event.text
    else if (event.type === 'media') told.media.push(event.data)
    else if (event.type === 'stop') told.stop = event.raw
    else if (event.type === 'tool_call') {
      const call = (calls[event.index] ??= { name: event.name!, args: '' })
      call.args += event.arguments
    }
  }
  return { ...told, calls: calls.map(({ name, args }) => [name, JSON.parse(args || '{}')]) }
}

const withoutUsage = ({ usage: _, ...told }: Told) => told

function framesOf(sse: string, cut?: (below: number) => number): SseFrame[] {
  const bytes = Buffer.from(sse)
  const reader = new SseReader()
  const frames: SseFrame[] = []
  for (let from = 0; from < bytes.length; ) {
    const to = cut ? Math.min(bytes.length, from + 1 + cut(300)) : bytes.length
    frames.push(...reader.push(bytes.subarray(from, to)))
    from = to
  }
  return [...frames, ...reader.end()]
}

function decodeAll(sse: string, purpose?: 'relay' | 'translate', cut?: (below: number) => number) {
  const decoder = geminiGenerate.decoder(purpose)
  return framesOf(sse, cut).map((frame) => ({ frame, events: decoder.decode(frame) }))
}
const eventsOf = (sse: string, purpose?: 'relay' | 'translate') => decodeAll(sse, purpose).flatMap((entry) => entry.events)
const lastUsage = (events: readonly StreamEvent[]) => events.findLast((event) => event.type === 'usage')?.usage
const classes = (events: readonly StreamEvent[]) => {
  const usage = lastUsage(events)
  return usage && { ...usage, raw: undefined, source: undefined }
}
const reason = (events: readonly StreamEvent[]) => events.find((event) => event.type === 'stop')?.reason

function expectUsage(id: string, events: readonly StreamEvent[], vendor: Loose): void {
  const usage = lastUsage(events)
  expect([id, usage !== undefined]).toEqual([id, vendor?.totalTokenCount !== undefined])
  if (!usage) return
  expect([id, inputTokens(usage) + outputTokens(usage)]).toEqual([id, vendor.totalTokenCount])
  expect(inputTokens(usage)).toBe((vendor.promptTokenCount ?? 0) + (vendor.toolUsePromptTokenCount ?? 0))
  expect(usage).toMatchObject({ reasoning: vendor.thoughtsTokenCount ?? 0, cacheRead: vendor.cachedContentTokenCount ?? 0 })
}

describe.skipIf(!hasRecordings)(`gemini-generate: ${streams.length} recorded streams`, () => {
  test('there are recordings', () => {
    expect(streams.length).toBeGreaterThan(15)
    expect(wholes.length).toBeGreaterThan(250)
  })

  test('A02 B04 C01: cut anywhere, events say what the frames say', () => {
    for (const { id, body } of streams) {
      const random = randomFrom(id)
      for (const text of [body, body.replaceAll('\r\n', '\n')]) {
        const events = decodeAll(text, 'relay', random).flatMap((entry) => entry.events)
        const told = withoutUsage(tellStream(body))
        expect({ id, ...toldBy(events) }).toEqual({ id, ...told, media: [] })
        expect([id, events.filter((event) => event.type === 'start').length]).toEqual([id, 1])
        expect([id, reason(events)]).toEqual([id, told.calls.length > 0 ? 'tool_calls' : 'end'])
        expect({ id, ...toldBy(eventsOf(text, 'translate')) }).toEqual({ id, ...told })
      }
    }
  })

  test('E08 E09: the last usage counts, its classes add up to the total', () => {
    for (const { id, body } of streams) {
      const events = eventsOf(body)
      expectUsage(id, events, tellStream(body).usage)
      expect(lastUsage(events)?.source).toBe('reported')
    }
  })

  test('the meter, in any chunking, says what a full decode says', () => {
    const random = randomFrom('gemini meter')
    for (const { id, body } of streams) {
      for (const text of [body, body.replaceAll('\r\n', '\n')]) {
        const bytes = Buffer.from(text)
        const events = eventsOf(text)
        for (const size of [bytes.length, 3000, 300]) {
          const meter = new Meter(geminiGenerate, true)
          let committed = false
          for (let from = 0; from < bytes.length; ) {
            const to = Math.min(bytes.length, from + 1 + random(size * 2))
            if (committed) meter.look(bytes.subarray(from, to))
            else committed = meter.read(bytes.subarray(from, to))
            from = to
          }
          meter.finish()
          expect([id, size, meter.usage, meter.stops, meter.complete]).toEqual([id, size, lastUsage(events), 1, true])
        }
      }
    }
  })

  test('interesting() never misses a stop, an error, a call or the last usage, and skips frames of a burst', () => {
    let frames = 0
    let read = 0
    for (const { id, body } of streams) {
      const text = body.replaceAll('\r\n', '\n')
      const few = geminiGenerate.decoder()
      const events: StreamEvent[] = []
      const bytes = Buffer.from(text)
      for (let from = 0; ; ) {
        const at = geminiGenerate.interesting(bytes, from)
        if (at < 0) break
        const before = bytes.lastIndexOf('\n\n', at)
        const behind = bytes.indexOf('\n\n', at)
        const end = behind < 0 ? bytes.length : behind + 2
        for (const frame of new SseReader().push(bytes.subarray(before < 0 ? 0 : before + 2, end))) {
          events.push(...few.decode(frame))
          read++
        }
        from = end
      }
      frames += framesOf(text).length
      const full = eventsOf(text)
      const pick = (list: readonly StreamEvent[]) => [list.filter((e) => e.type === 'stop' || e.type === 'error'), lastUsage(list)]
      expect([id, ...pick(events)]).toEqual([id, ...pick(full)])
    }
    expect(read).toBeLessThan(frames)
  })

  test('F01: forwarded and re-encoded without a change, every byte is as received', () => {
    for (const { body } of streams) {
      const encoder = geminiGenerate.encoder(head)
      const out = decodeAll(body).map(({ frame, events }) => encoder.encode(events, { frame, before: events }))
      expect(out.join('').trimEnd()).toBe(body.trimEnd())
      expect(encoder.rewriting).toBe(false)
      expect(encoder.encode([{ type: 'end' }])).toBe('')
    }
  })

  test('equal events in new objects: the same stream', () => {
    for (const { id, body } of streams) {
      const encoder = geminiGenerate.encoder(head)
      const out = decodeAll(body).map(({ frame, events }) =>
        encoder.encode(
          events.map((event) => ({ ...event })),
          { frame, before: events },
        ),
      )
      expect([id, out.join('').trimEnd()]).toEqual([id, body.trimEnd()])
    }
  })

  test('every text doubled, reasoning dropped: the rest stays', () => {
    for (const { id, body } of streams) {
      const encoder = geminiGenerate.encoder(head)
      let doubled = ''
      const out = decodeAll(body).map(({ frame, events }) => {
        const after = events.flatMap((event): StreamEvent[] => {
          if (event.type !== 'text') return event.type === 'reasoning' ? [] : [event]
          doubled += event.text + event.text
          return [{ ...event, text: `${event.text}${event.text}` }]
        })
        return encoder.encode(after, { frame, before: events })
      })
      const told = tellStream(out.join(''))
      const before = tellStream(body)
      expect({ id, ...told }).toEqual({ id, ...before, text: doubled, reasoning: '' })
    }
  })

  test('text inserted at the front and before the stop, all calls dropped: still a well-formed stream', () => {
    for (const { id, body } of streams) {
      const encoder = geminiGenerate.encoder(head)
      const out = decodeAll(body).map(({ frame, events }) => {
        const after = events.flatMap((event): StreamEvent[] => {
          if (event.type === 'tool_call') return []
          if (event.type === 'start') return [event, { type: 'text', text: '<fr', choice: 0 }, { type: 'text', text: 'ont>', choice: 0 }]
          return event.type === 'stop' ? [{ type: 'text', text: '<back>', choice: 0 }, event] : [event]
        })
        return encoder.encode(after, { frame, before: events })
      })
      const told = tellStream(out.join(''))
      const before = tellStream(body)
      expect({ id, text: told.text, calls: told.calls }).toEqual({ id, text: `<front>${before.text}<back>`, calls: [] })
      expect({ stop: told.stop, usage: told.usage, reasoning: told.reasoning }).toEqual({
        stop: before.stop,
        usage: before.usage,
        reasoning: before.reasoning,
      })
    }
  })

  test('written anew from events alone, as stream and as whole reply, it says the same', () => {
    for (const { id, body } of streams) {
      const events: StreamEvent[] = [...eventsOf(body, 'translate'), { type: 'end' }]
      const encoder = geminiGenerate.encoder(head)
      const out = events.map((event) => encoder.encode([event])).join('')
      const told = withoutUsage(tellStream(body))
      expect({ id, ...withoutUsage(tellStream(out)) }).toEqual({ id, ...told })
      expect(classes(eventsOf(out))).toEqual(classes(events))
      expect(out.split('"finishReason"').length).toBe(2)
      expect(out.split('"usageMetadata"').length).toBe(2)
      const whole = geminiGenerate.decodeWhole(Buffer.from(geminiGenerate.encodeWhole(events, head)), 'translate')!
      expect({ id, ...toldBy(whole.events) }).toEqual({ id, ...told })
      expect(classes(whole.events)).toEqual(classes(events))
      expect(reason(whole.events)).toBe(reason(events))
    }
  })
})

describe.skipIf(!hasRecordings)(`gemini-generate: ${wholes.length} recorded whole replies`, () => {
  test('events say what the reply says; arguments keep their spelling', () => {
    for (const { id, body, status } of wholes) {
      const reply: Loose = JSON.parse(body)
      const summary = geminiGenerate.summary(Buffer.from(body))
      if (status !== 200) {
        expect([id, summary.valid, summary.error?.message]).toEqual([id, false, reply.error.message])
        expect(geminiGenerate.decodeWhole(Buffer.from(body))).toBeNull()
        continue
      }
      const told = tell([reply])
      expect([id, summary.valid, summary.id, summary.stop]).toEqual([id, true, reply.responseId, told.stop])
      for (const purpose of ['relay', 'translate'] as const) {
        const { events } = geminiGenerate.decodeWhole(Buffer.from(body), purpose)!
        expect({ id, ...toldBy(events) }).toEqual({ id, ...withoutUsage(told), media: purpose === 'relay' ? [] : told.media })
        expectUsage(id, events, reply.usageMetadata)
        expect(events.at(-1)).toEqual({ type: 'end' })
      }
    }
  })

  test('nothing changed: the same bytes; new objects: the same bytes', () => {
    for (const { body } of wholes) {
      const bytes = Buffer.from(body)
      const decoded = geminiGenerate.decodeWhole(bytes)
      if (!decoded) continue
      expect(decoded.apply(decoded.events.map((event) => [event]))).toBe(bytes)
      expect(Buffer.from(decoded.apply(decoded.events.map((event) => [{ ...event }]))).toString()).toBe(body)
    }
  })

  test('texts changed, text inserted, calls dropped: the rest stays', () => {
    for (const { id, body } of wholes) {
      const decoded = geminiGenerate.decodeWhole(Buffer.from(body))
      if (!decoded) continue
      const after = decoded.events.map((event): StreamEvent[] => {
        if (event.type === 'start') return [event, { type: 'text', text: '<front>', choice: 0 }]
        if (event.type === 'text') return [{ ...event, text: `${event.text}!` }]
        return event.type === 'tool_call' ? [] : [event]
      })
      const told = tell([JSON.parse(Buffer.from(decoded.apply(after)).toString())])
      const before = tell([JSON.parse(body)])
      const texts = decoded.events.map((event) => (event.type === 'text' ? `${event.text}!` : '')).join('')
      expect({ id, text: told.text, calls: told.calls, stop: told.stop === 'STOP' }).toEqual({
        id,
        text: `<front>${texts}`,
        calls: [],
        stop: before.stop === 'STOP',
      })
      expect(told.media).toEqual(before.media)
    }
  })

  test('written anew from events alone, as whole reply and as stream, it says the same', () => {
    for (const { id, body } of wholes) {
      const decoded = geminiGenerate.decodeWhole(Buffer.from(body), 'translate')
      if (!decoded) continue
      const { events } = decoded
      const told = { ...toldBy(events), stop: undefined }
      const again = geminiGenerate.decodeWhole(Buffer.from(geminiGenerate.encodeWhole(events, head)), 'translate')!.events
      expect({ id, ...toldBy(again), stop: undefined }).toEqual({ id, ...told })
      expect([id, reason(again), classes(again)]).toEqual([id, reason(events), classes(events)])
      const encoder = geminiGenerate.encoder(head)
      const streamed = eventsOf(events.map((event) => encoder.encode([event])).join(''), 'translate')
      expect({ id, ...toldBy(streamed), stop: undefined }).toEqual({ id, ...told })
      expect([id, reason(streamed), classes(streamed)]).toEqual([id, reason(events), classes(events)])
      const urls = (list: readonly StreamEvent[]) => new Set(list.flatMap((event) => (event.type === 'citation' ? [event.url] : [])))
      expect(urls(streamed)).toEqual(urls(events))
    }
  })

  test('parts of every request point at their texts', () => {
    let seen = 0
    for (const { id, request } of all) {
      if (!request) continue
      const document = new JsonDocument(Buffer.from(JSON.stringify(request)))
      for (const part of geminiGenerate.parts(document.value)) {
        const value = document.at(part.pointer)
        expect([id, part.pointer, typeof value === 'string' ? value : JSON.stringify(value)]).toEqual([id, part.pointer, part.text])
        seen++
      }
    }
    expect(seen).toBeGreaterThan(800)
  })
})

describe.skipIf(!hasRecordings)('gemini-count-tokens', () => {
  test('replies are counts, and errors keep their words', () => {
    const counts = recordings('gemini-count-tokens')
    expect(counts.length).toBeGreaterThan(3)
    for (const { body, status } of counts.filter((count) => count.body !== undefined)) {
      const summary = geminiCountTokens.summary(Buffer.from(body))
      expect(summary.valid).toBe(status === 200)
      if (status !== 200) expect(summary.error?.message).toBe(JSON.parse(body).error.message)
    }
  })
})
