/**
 * Golden: recorded streams that break off somewhere after their first text and are written on from events, read by a naive client: one stream, with all of
 * the text, nothing told twice, one end.
 */

import { describe, expect, test } from 'bun:test'
import { anthropicMessages } from '../../src/dialect/anthropic-messages/index.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { openaiResponses } from '../../src/dialect/openai-responses/index.ts'
import { rawText, type SseFrame, SseReader } from '../../src/dialect/sse.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { unknownUsage } from '../../src/plugin/outcome.ts'
import { type Told, tellChat, tellMessages, tellResponses } from './naive.ts'
import { hasRecordings, type Recording, randomFrom, recordings } from './recordings.ts'

const head = { id: 'golden', model: 'golden-model', created: 1_700_000_000, includeUsage: true }
const rest: readonly StreamEvent[] = [
  { type: 'text', text: ' and', choice: 0 },
  { type: 'text', text: ' more.', choice: 0 },
  { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
  { type: 'usage', usage: { ...unknownUsage, source: 'reported', inputUncached: 700, outputVisible: 42 } },
  { type: 'end' },
]
const call: StreamEvent = { type: 'tool_call', index: 9, choice: 0, id: 'call_golden', name: 'look', arguments: '{}' }

const dialects: readonly (readonly [Dialect, (sse: string) => Told])[] = [
  [openaiChat, tellChat],
  [anthropicMessages, tellMessages],
  [openaiResponses, tellResponses],
]

/** Where it may break: behind a text, before any call, error or stop. */
function places(dialect: Dialect, frames: readonly SseFrame[]): number[] {
  const decoder = dialect.decoder()
  const found: number[] = []
  let spoken = false
  for (const [i, frame] of frames.entries()) {
    for (const event of decoder.decode(frame)) {
      if (event.type === 'tool_call' || event.type === 'stop' || event.type === 'error' || event.type === 'end') return found
      if ('choice' in event && event.choice > 0) return []
      if (event.type === 'text' && event.text !== '') spoken = true
    }
    if (spoken) found.push(i + 1)
  }
  return found
}

/** Some were shortened when they were recorded: their done frames tell more than their deltas did. */
function isOneStory(tell: (sse: string) => Told, sse: string): boolean {
  try {
    tell(sse)
    return true
  } catch {
    return false
  }
}

function goneOn(dialect: Dialect, frames: readonly SseFrame[], events: readonly StreamEvent[]): { sse: string; said: string } {
  const encoder = dialect.encoder(head)
  const decoder = dialect.decoder()
  let sse = ''
  let said = ''
  for (const frame of frames) {
    const before = decoder.decode(frame)
    encoder.observe(frame, before)
    sse += rawText(frame)
    for (const event of before) if (event.type === 'text') said += event.text
  }
  encoder.takeOver?.()
  // as they come: one chunk at a time
  for (const event of events) sse += encoder.encode([event])
  return { sse, said }
}

describe.skipIf(!hasRecordings)('recorded streams that break off', () => {
  for (const [dialect, tell] of dialects) {
    const all = recordings(dialect.name).filter((one: Recording) => one.stream && one.status === 200 && isOneStory(tell, one.body))
    test(`${dialect.name}: go on as one stream`, () => {
      let tried = 0
      for (const one of all) {
        const frames = new SseReader().push(Buffer.from(one.body))
        const random = randomFrom(one.id)
        const cuts = places(dialect, frames)
        for (let i = 0; i < Math.min(5, cuts.length); i++) {
          const cut = cuts[random(cuts.length)]!
          for (const events of [rest, [rest[0]!, rest[1]!, call, ...rest.slice(2)]]) {
            const { sse, said } = goneOn(dialect, frames.slice(0, cut), events)
            const told = tell(sse)
            const where = `${one.id} cut at ${cut}`
            expect([where, told.text, told.ended, told.error]).toEqual([where, `${said} and more.`, true, undefined])
            expect([where, told.stops.length]).toEqual([where, 1])
            expect([where, told.calls.map(({ name }) => name)]).toEqual([where, events === rest ? [] : ['look']])
            expect([where, JSON.stringify(told.usage).includes('42')]).toEqual([where, true])
            tried++
          }
        }
      }
      console.log(`${dialect.name}: ${tried} breaks in ${all.length} recordings`)
      expect(tried).toBeGreaterThan(20)
    })
  }
})
