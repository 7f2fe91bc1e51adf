/**
 * A stream that came whole, as one JSON array: so answers an upstream that knows no `alt=sse` (A15).
 *
 * Read only when all of it is there: its elements are the chunks of one reply. It is a reply only if some choice has stopped in it (B01).
 */

import { bodyStart, checkJson } from '../../json/scan.ts'
import { childSpans, rootSpan } from '../../json/spans.ts'
import type { StreamEvent } from '../../plugin/events.ts'
import type { Purpose, WholeSummary } from '../codec.ts'
import { decodeText } from '../shape.ts'
import { geminiDecoder } from './decode.ts'

/** The events of all elements, with the end; undefined when the body is no such array. */
export function arrayEvents(body: Uint8Array, purpose: Purpose): readonly StreamEvent[] | undefined {
  const { start } = rootSpan(body, bodyStart(body))
  if (body[start] !== 0x5b || checkJson(body) !== null) return undefined
  const decoder = geminiDecoder(purpose)
  const events: StreamEvent[] = []
  for (const span of childSpans(body, start)) {
    const raw = body.subarray(span.start, span.end)
    events.push(...decoder.decode({ data: decodeText(raw), raw }))
  }
  if (!events.some((event) => event.type === 'stop')) return undefined
  return [...events, { type: 'end' }]
}

/** What the record needs of such an array; undefined when the body is none. */
export function arraySummary(body: Uint8Array): WholeSummary | undefined {
  const events = arrayEvents(body, 'relay')
  if (!events) return undefined
  const start = events.find((event) => event.type === 'start')
  const usage = events.findLast((event) => event.type === 'usage')?.usage
  const stop = events.find((event) => event.type === 'stop')?.raw
  return { valid: true, pieces: true, id: start?.id, model: start?.model, usage, stop }
}
