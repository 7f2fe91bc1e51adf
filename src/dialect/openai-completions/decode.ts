/** Completions frames to events. One decoder per stream; it tells the start and each choice's stop once (B21). */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Purpose, StreamDecoder } from '../codec.ts'
import { errorEvent, nativeEvent, startEvent } from '../frame-events.ts'
import { isDone } from '../openai-chat/decode.ts'
import { choiceIndex, isError, usageSite } from '../openai-chat/sites.ts'
import { chatStopReason } from '../openai-chat/stop-reasons.ts'
import { type JsonObject, listOf, objectOf, parseJson, textOf, wordOf } from '../shape.ts'
import { errorIn, errorOf } from '../upstream-error.ts'

/** @param purpose `translate`: frames without neutral meaning give no event */
export function completionsDecoder(purpose: Purpose = 'relay'): StreamDecoder {
  const stopped = new Set<number>()
  let started = false
  return {
    decode(frame) {
      const { data, event } = frame
      if (data === '' && event === undefined) return []
      if (isDone(data)) return [{ type: 'end' }]
      const value = parseJson(data)
      const chunk = objectOf(value)
      if (event === 'error' && value !== undefined && !objectOf(chunk?.error)) {
        return [errorEvent(errorIn(value) ?? { message: data })]
      }
      const events: StreamEvent[] = []
      if (chunk) {
        if (!started && Array.isArray(chunk.choices)) {
          started = true
          events.push(startEvent(chunk.id, chunk.model))
        }
        events.push(...completionEvents(chunk, stopped))
      }
      if (events.length > 0 || purpose === 'translate') return events
      return [nativeEvent(frame)]
    },
  }
}

/** The events of a chunk or a whole completion, which have the same layout. `stopped`: choices whose stop was told. */
export function completionEvents(body: JsonObject, stopped: Set<number>): StreamEvent[] {
  const events: StreamEvent[] = []
  const choices = listOf(body.choices)
  for (let i = 0; i < choices.length; i++) {
    const item = objectOf(choices[i])
    if (!item) continue
    const choice = choiceIndex(item, i)
    const text = textOf(item.text)
    if (text !== '') events.push({ type: 'text', text, choice })
    const raw = wordOf(item.finish_reason)
    if (raw === undefined || stopped.has(choice)) continue
    stopped.add(choice)
    events.push({ type: 'stop', reason: chatStopReason(raw), raw, choice })
  }
  const usage = usageSite(body, choices)
  if (usage) events.push({ type: 'usage', usage: usage.usage })
  if (isError(body.error)) events.push(errorEvent(errorOf(body.error!, body)))
  return events
}
