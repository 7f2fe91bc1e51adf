/**
 * Frames of a stream to events. `message-end` holds the stop reason and the usage, and is the end.
 *
 * A `tool_plan` is what the model thinks before it calls: reasoning. Odd frames become `native`; nothing throws.
 */

import { countOf, errorIn, type JsonObject, objectOf, parseJson, type StreamDecoder, textOf, wordOf } from 'headgate/dialect'
import type { StreamEvent } from 'headgate/plugin'
import { citationEvent } from './citations.ts'
import { readUsage, stopEvent } from './usage.ts'

export function decoder(): StreamDecoder {
  return {
    decode({ data, event }) {
      if (data === '' && event === undefined) return []
      const body = objectOf(parseJson(data))
      const events = body && eventsOf(body, wordOf(body.type) ?? event)
      if (events) return events
      return [{ type: 'native', ...(event !== undefined && { event }), data }]
    },
  }
}

/** The events of a frame; undefined for one without neutral meaning. */
function eventsOf(body: JsonObject, type: string | undefined): StreamEvent[] | undefined {
  const delta = objectOf(body.delta)
  const message = objectOf(delta?.message)
  switch (type) {
    case 'message-start': {
      const id = wordOf(body.id)
      return [{ type: 'start', ...(id !== undefined && { id }) }]
    }
    case 'content-start':
    case 'content-delta':
      return contentEvents(objectOf(message?.content))
    case 'tool-plan-delta':
      return [{ type: 'reasoning', text: textOf(message?.tool_plan), choice: 0 }]
    case 'tool-call-start':
    case 'tool-call-delta': {
      const call = objectOf(message?.tool_calls)
      const made = objectOf(call?.function)
      const id = wordOf(call?.id)
      const name = wordOf(made?.name)
      const part = { index: countOf(body.index) ?? 0, choice: 0, arguments: textOf(made?.arguments) }
      return made && [{ type: 'tool_call', ...part, ...(id !== undefined && { id }), ...(name !== undefined && { name }) }]
    }
    case 'citation-start': {
      const citation = citationEvent(objectOf(message?.citations))
      return citation && [citation]
    }
    case 'message-end':
      return endEvents(delta)
    default: {
      const error = type === undefined ? errorIn(body) : undefined
      return error && [{ type: 'error', kind: error.type ?? 'api_error', message: error.message }]
    }
  }
}

function contentEvents(content: JsonObject | undefined): StreamEvent[] | undefined {
  if (typeof content?.thinking === 'string' && content.thinking !== '') return [{ type: 'reasoning', text: content.thinking, choice: 0 }]
  if (typeof content?.text === 'string' && content.text !== '') return [{ type: 'text', text: content.text, choice: 0 }]
  return undefined
}

function endEvents(delta: JsonObject | undefined): StreamEvent[] {
  const error = wordOf(delta?.error)
  if (error !== undefined) return [{ type: 'error', kind: 'api_error', message: error }]
  const stop = wordOf(delta?.finish_reason)
  const usage = readUsage(delta?.usage)
  return [...(stop === undefined ? [] : [stopEvent(stop)]), ...(usage ? [{ type: 'usage', usage } as const] : []), { type: 'end' }]
}
