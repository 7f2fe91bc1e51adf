/** Golden: every recorded exchange of the small OpenAI dialects, Completions and Embeddings. */

import { describe, expect, test } from 'bun:test'
import { openaiCompletions } from '../../src/dialect/openai-completions/index.ts'
import { openaiEmbeddings } from '../../src/dialect/openai-embeddings/index.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import { JsonDocument } from '../../src/json/document.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { inputTokens, outputTokens } from '../../src/plugin/outcome.ts'
import { dataOf } from './naive.ts'
import { hasRecordings, randomFrom, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

const head = { id: 'golden', model: 'golden-model', created: 1_700_000_000, includeUsage: true }

describe.skipIf(!hasRecordings)('openai-completions', () => {
  const all = recordings('openai-completions')
  const textsOf = (events: readonly StreamEvent[]): string[] => {
    const texts: string[] = []
    for (const event of events) if (event.type === 'text') texts[event.choice] = (texts[event.choice] ?? '') + event.text
    return texts
  }
  const stopsOf = (events: readonly StreamEvent[]) => events.flatMap((event) => (event.type === 'stop' ? [event.raw] : []))

  test('streams: cut anywhere they say what they hold, forwarded and written anew', () => {
    const streams = all.filter((recording) => recording.stream)
    expect(streams.length).toBeGreaterThan(0)
    for (const recording of streams) {
      const random = randomFrom(recording.id)
      const bytes = Buffer.from(recording.body)
      const reader = new SseReader()
      const decoder = openaiCompletions.decoder()
      const relay = openaiCompletions.encoder(head)
      const anew = openaiCompletions.encoder(head)
      const events: StreamEvent[] = []
      let forwarded = ''
      for (let from = 0; from < bytes.length; ) {
        const to = Math.min(bytes.length, from + 1 + random(200))
        for (const frame of reader.push(bytes.subarray(from, to))) {
          const before = decoder.decode(frame)
          events.push(...before)
          forwarded += relay.encode(
            before.map((event) => ({ ...event })),
            { frame, before },
          )
        }
        from = to
      }
      expect(forwarded).toBe(recording.body)
      const chunks = dataOf(recording.body)
        .filter((data) => data !== '[DONE]')
        .map((data): Loose => JSON.parse(data))
      expect(textsOf(events)).toEqual([chunks.map((chunk) => chunk.choices[0]?.text ?? '').join('')])
      expect(stopsOf(events)).toEqual(chunks.flatMap((chunk) => chunk.choices[0]?.finish_reason ?? []))
      expect(events.at(-1)).toEqual({ type: 'end' })
      const again = openaiCompletions.decoder()
      const back = new SseReader().push(Buffer.from(anew.encode(events))).flatMap((frame) => again.decode(frame))
      expect([textsOf(back), stopsOf(back), back.at(-1)]).toEqual([textsOf(events), stopsOf(events), { type: 'end' }])
      const vendor = chunks.findLast((chunk) => chunk.usage)?.usage
      const usage = back.findLast((event) => event.type === 'usage')?.usage
      expect(usage && [inputTokens(usage), outputTokens(usage)]).toEqual(vendor && [vendor.prompt_tokens, vendor.completion_tokens])
    }
  })

  test('interesting() misses no frame with usage, stop, error or end, and skips most others', () => {
    const matters = new Set(['usage', 'stop', 'error', 'end'])
    let dull = 0
    for (const recording of all.filter((one) => one.stream)) {
      const decoder = openaiCompletions.decoder()
      for (const frame of new SseReader().push(Buffer.from(recording.body))) {
        const found = decoder.decode(frame).some((event) => matters.has(event.type))
        const looks = openaiCompletions.interesting(frame.raw, 0) >= 0
        if (found) expect(looks).toBe(true)
        else if (!looks) dull++
      }
    }
    expect(dull).toBeGreaterThan(20)
  })

  test('whole replies: texts, stops and usage; unchanged, edited and written anew', () => {
    const good = all.filter((recording) => !recording.stream && recording.status === 200)
    expect(good.length).toBeGreaterThan(3)
    for (const recording of good) {
      const bytes = Buffer.from(recording.body)
      const reply: Loose = JSON.parse(recording.body)
      const whole = openaiCompletions.decodeWhole(bytes)!
      expect(textsOf(whole.events)).toEqual(reply.choices.map((choice: Loose) => choice.text))
      expect(stopsOf(whole.events)).toEqual(reply.choices.map((choice: Loose) => choice.finish_reason))
      expect(whole.apply(whole.events.map((event) => [event]))).toBe(bytes)
      expect(Buffer.from(whole.apply(whole.events.map((event) => [{ ...event }]))).equals(bytes)).toBe(true)
      const edited = whole.apply(whole.events.map((event) => (event.type === 'text' ? [{ ...event, text: `<${event.text}>` }] : [event])))
      const now: Loose = JSON.parse(Buffer.from(edited).toString())
      expect(now.choices.map((choice: Loose) => choice.text)).toEqual(reply.choices.map((choice: Loose) => `<${choice.text}>`))
      expect([now.usage, now.id]).toEqual([reply.usage, reply.id])
      const again = openaiCompletions.decodeWhole(Buffer.from(openaiCompletions.encodeWhole(whole.events, head)))!
      expect([textsOf(again.events), stopsOf(again.events)]).toEqual([textsOf(whole.events), stopsOf(whole.events)])
      const { usage } = openaiCompletions.summary(bytes)
      expect([inputTokens(usage!), outputTokens(usage!)]).toEqual([reply.usage.prompt_tokens, reply.usage.completion_tokens])
    }
  })

  test('G05: the words of errors; every part of every request can be edited', () => {
    for (const recording of all) {
      if (recording.status >= 400) {
        expect(openaiCompletions.readError(recording.status, Buffer.from(recording.body)).message).toBe(
          JSON.parse(recording.body).error.message,
        )
      }
      for (const part of openaiCompletions.parts(recording.request as Loose)) {
        expect(new JsonDocument(Buffer.from(JSON.stringify(recording.request))).at(part.pointer)).toBe(part.text)
      }
    }
  })
})

describe.skipIf(!hasRecordings)('openai-embeddings', () => {
  const all = recordings('openai-embeddings')
  test('every reply counts its input, and leaves as it came', () => {
    expect(all.length).toBeGreaterThan(10)
    for (const recording of all) {
      const bytes = Buffer.from(recording.body)
      const summary = openaiEmbeddings.summary(bytes)
      const reply: Loose = JSON.parse(recording.body)
      expect([recording.id, summary.valid]).toEqual([recording.id, recording.status === 200])
      if (recording.status !== 200) {
        expect(openaiEmbeddings.readError(recording.status, bytes).message).toBe(reply.error?.message ?? reply.detail)
        continue
      }
      expect([summary.model, inputTokens(summary.usage!), outputTokens(summary.usage!)]).toEqual([
        reply.model,
        reply.usage.prompt_tokens ?? reply.usage.total_tokens,
        0,
      ])
      const whole = openaiEmbeddings.decodeWhole(bytes)!
      expect(whole.apply([whole.events.map((event) => ({ ...event }))])).toBe(bytes)
    }
  })
})
