/** Golden: the meter, which parses next to nothing, says the same of every recorded stream as a decoder that parses all of it. */

import { describe, expect, test } from 'bun:test'
import { anthropicMessages } from '../../src/dialect/anthropic-messages/index.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { openaiResponses } from '../../src/dialect/openai-responses/index.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import { Meter } from '../../src/upstream/meter.ts'
import { hasRecordings, randomFrom, recordings } from './recordings.ts'

for (const dialect of [openaiChat, anthropicMessages, openaiResponses]) {
  describe.skipIf(!hasRecordings)(`the meter on ${dialect.name}`, () => {
    const all = hasRecordings ? recordings(dialect.name) : []

    test('any chunking, LF and CRLF: usage, stops, end and error are those of a full decode', () => {
      expect(all.length).toBeGreaterThan(20)
      const random = randomFrom('meter')
      for (const recording of all) {
        for (const lineEnd of ['\n', '\r\n']) {
          const bytes = Buffer.from(recording.body.replaceAll('\n', lineEnd))
          const reader = new SseReader()
          const decoder = dialect.decoder()
          const events = [...reader.push(bytes), ...reader.end()].flatMap((frame) => decoder.decode(frame))
          for (const size of [bytes.length, 3000, 300, 40]) {
            const meter = new Meter(dialect, true)
            let committed = false
            for (let from = 0; from < bytes.length; ) {
              const to = Math.min(bytes.length, from + 1 + random(size * 2))
              const chunk = bytes.subarray(from, to)
              if (committed) meter.look(chunk)
              else committed = meter.read(chunk)
              from = to
            }
            meter.finish()
            const stops = new Set(events.flatMap((e) => (e.type === 'stop' ? [e.choice] : []))).size
            const usage = events.findLast((e) => e.type === 'usage')
            const where = [recording.id, lineEnd, size]
            expect([...where, meter.usage]).toEqual([...where, usage?.type === 'usage' ? usage.usage : undefined])
            expect([...where, meter.stops, meter.ended]).toEqual([...where, stops, events.some((e) => e.type === 'end')])
            expect([...where, meter.error !== undefined]).toEqual([...where, events.some((e) => e.type === 'error')])
          }
        }
      }
    })
  })
}
