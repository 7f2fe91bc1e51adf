/**
 * Chat Completions frames to events.
 *
 * One decoder per stream: it remembers that the start was told, which choices have stopped (a repeated finish is told once, B21) and
 * which calls there are. Odd frames become `native`; nothing throws.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Purpose, StreamDecoder } from '../codec.ts'
import { errorEvent, nativeEvent, startEvent } from '../frame-events.ts'
import { type JsonObject, objectOf, parseJson } from '../shape.ts'
import { errorIn } from '../upstream-error.ts'
import { callTracker } from './calls.ts'
import { neutralReader } from './decode-neutral.ts'
import { type Site, sitesOf } from './sites.ts'
import { chatStopReason } from './stop-reasons.ts'

/** Events of a site; null when it repeats what was told. */
export type SiteReader = (site: Site) => StreamEvent | null

/** Turns sites into events; keeps the state of one reply. */
export function siteReader(): SiteReader {
  const calls = callTracker()
  const stopped = new Set<number>()
  return (site) => {
    switch (site.type) {
      case 'text':
        return { type: 'text', text: site.text, choice: site.choice }
      case 'reasoning':
        return { type: 'reasoning', text: site.text, choice: site.choice }
      case 'tool_call':
        return calls.event(site)
      case 'native':
        return { type: 'native', data: site.data }
      case 'stop':
        if (stopped.has(site.choice)) return null
        stopped.add(site.choice)
        return { type: 'stop', reason: chatStopReason(site.raw), raw: site.raw, choice: site.choice }
      case 'usage':
        return { type: 'usage', usage: site.usage }
      case 'error':
        return errorEvent(site.error)
    }
  }
}

/** @param purpose `translate`: everything that has a neutral word is told, and frames without one give no event */
export function chatDecoder(purpose: Purpose = 'relay'): StreamDecoder {
  const translating = purpose === 'translate'
  const readChunk = translating ? neutralReader() : relayReader()
  let started = false
  return {
    decode(frame) {
      const { data, event } = frame
      if (data === '' && event === undefined) return []
      if (isDone(data)) return [{ type: 'end' }]
      const native = nativeEvent(frame)
      const value = parseJson(data)
      const chunk = objectOf(value)
      if (event === 'error' && value !== undefined && !objectOf(chunk?.error)) {
        return [errorEvent(errorIn(value) ?? { message: data })]
      }
      if (!chunk) return translating ? [] : [native]
      const events = readChunk(chunk, 'delta')
      if (!started && chunk.choices !== undefined) {
        const start = startEvent(chunk.id, chunk.model)
        if (start.id !== undefined || start.model !== undefined || events.length > 0) {
          started = true
          events.unshift(start)
        }
      }
      return events.length > 0 || translating ? events : [native]
    },
  }
}

function relayReader(): (chunk: JsonObject, holder: 'delta') => StreamEvent[] {
  const read = siteReader()
  return (chunk, holder) => {
    const events: StreamEvent[] = []
    for (const site of sitesOf(chunk, holder)) {
      const told = read(site)
      if (told) events.push(told)
    }
    return events
  }
}

/** True for the data of the frame that ends a stream. */
export function isDone(data: string): boolean {
  return data === '[DONE]' || (data.length < 16 && data.trim() === '[DONE]')
}
