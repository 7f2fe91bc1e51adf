/**
 * Responses frames to events.
 *
 * One decoder per stream: it knows the items of the reply by their index, counts the calls and remembers which items have told their
 * content, because some upstreams send items whole, without deltas. Odd frames become `native`; nothing throws.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Purpose, StreamDecoder } from '../codec.ts'
import { nativeEvent, startEvent } from '../frame-events.ts'
import { countOf, type JsonObject, listOf, objectOf, parseJson, textOf, wordOf } from '../shape.ts'
import type { SseFrame } from '../sse.ts'
import { errorIn, errorOf } from '../upstream-error.ts'
import { responseError } from './errors.ts'
import { argumentsOf, callEvent, citationOf, type ItemKind, itemKind, itemSites, paragraph } from './items.ts'
import { responsesStop } from './stop-reasons.ts'
import { responsesUsage } from './usage.ts'

interface SeenItem {
  readonly kind: ItemKind
  /** Position among the calls; -1 for what is none. */
  readonly call: number
  /** Content that was told by deltas. */
  told: boolean
  /** Reasoning: which of its two texts is told. */
  voice: string
  /** Text so far, where citations are told: they point into it. */
  text: string
}
/** Items that are told apart. */
const maxItems = 4096

/** The decoder of one stream. */
export function responsesDecoder(purpose: Purpose = 'relay'): StreamDecoder {
  const items = new Map<number, SeenItem>()
  const translate = purpose === 'translate'
  let calls = 0
  let started = false
  let failed = false

  const itemAt = (index: number, kind: ItemKind): SeenItem => {
    let item = items.get(index)
    if (!item) {
      if (items.size >= maxItems) items.clear()
      item = { kind, call: kind === 'function_call' || kind === 'custom_tool_call' ? calls++ : -1, told: false, voice: '', text: '' }
      items.set(index, item)
    }
    return item
  }
  const start = (response: JsonObject): StreamEvent[] => {
    if (started) return []
    started = true
    return [startEvent(response.id, response.model)]
  }
  const added = (body: JsonObject): StreamEvent[] => {
    const value = objectOf(body.item)
    if (!value) return []
    const kind = itemKind(value)
    const known = items.has(indexOf(body))
    const item = itemAt(indexOf(body), kind)
    if (item.call < 0 || known) return []
    const args = argumentsOf(value)
    if (args !== '') item.told = true
    return [callEvent(value, item.call, args)]
  }
  const textDelta = (body: JsonObject, refusal: boolean): StreamEvent[] => {
    const item = itemAt(indexOf(body), 'message')
    const text = textOf(body.delta)
    item.told = true
    if (translate) item.text += text
    return [{ type: 'text', text, choice: 0, ...(refusal && { refusal: true }) }]
  }
  const reasoningDelta = (body: JsonObject, voice: string): StreamEvent[] => {
    const item = itemAt(indexOf(body), 'reasoning')
    item.told = true
    if (item.voice === '') item.voice = voice
    // a summary and the thought itself say the same
    if (translate && item.voice !== voice) return []
    return [{ type: 'reasoning', text: textOf(body.delta), choice: 0 }]
  }
  const callDelta = (body: JsonObject, kind: ItemKind): StreamEvent[] => {
    const item = itemAt(indexOf(body), kind)
    if (item.call < 0) return []
    item.told = true
    return [{ type: 'tool_call', index: item.call, choice: 0, arguments: textOf(body.delta) }]
  }
  /** Content of a `done` frame that no delta has told. */
  const late = (body: JsonObject, event: StreamEvent): StreamEvent[] => {
    const item = items.get(indexOf(body))
    if (!item || item.told) return []
    const text = event.type === 'tool_call' ? event.arguments : event.type === 'text' ? event.text : ''
    if (text === '') return []
    item.told = true
    return event.type === 'tool_call' ? [{ ...event, index: item.call }] : [event]
  }
  const done = (body: JsonObject): StreamEvent[] => {
    const value = objectOf(body.item)
    if (!value) return []
    const kind = itemKind(value)
    const fresh = !items.has(indexOf(body))
    const item = itemAt(indexOf(body), kind)
    if (kind === 'native') return translate ? mediaOf(value) : []
    const sites = itemSites(value, indexOf(body), item.call, purpose)
    const proof = sites.filter((site) => site.place.in === 'proof').map((site) => site.event)
    if (item.told) return proof
    item.told = true
    const events = sites.map((site) => site.event)
    // the call was begun by its `added` frame
    const [first] = events
    if (!fresh && first?.type === 'tool_call')
      return first.arguments === '' ? [] : [{ type: 'tool_call', index: item.call, choice: 0, arguments: first.arguments }]
    return events
  }
  const over = (body: JsonObject): StreamEvent[] => {
    const response = objectOf(body.response) ?? {}
    const output = listOf(response.output)
    const events = translate ? start(response) : []
    // an upstream that streams no items at all tells them here
    if (translate && items.size === 0) {
      for (const [index, value] of output.entries()) {
        const item = objectOf(value)
        if (!item) continue
        const { call } = itemAt(index, itemKind(item))
        const told = itemKind(item) === 'native' ? mediaOf(item) : itemSites(item, index, call, purpose).map((site) => site.event)
        events.push(...told)
      }
    }
    const called = output.some((item) => /^(function|custom_tool)_call$/.test(textOf(objectOf(item)?.type)))
    const stop = responsesStop({ ...response, status: statusOf(body, response) }, called || (translate && calls > 0))
    if (stop) events.push(stop)
    const usage = responsesUsage(response.usage)
    if (usage) events.push({ type: 'usage', usage })
    events.push({ type: 'end' })
    return events
  }
  const failure = (error: { message: string; type?: string; code?: string }): StreamEvent[] => {
    if (failed) return []
    failed = true
    return [{ type: 'error', kind: error.code ?? error.type ?? 'server_error', message: error.message }]
  }
  /** It is paid for as far as it came, also where an `error` frame has told the failure. */
  const failedResponse = (response: JsonObject): StreamEvent[] => {
    const usage = responsesUsage(response.usage)
    return [...(usage ? [{ type: 'usage' as const, usage }] : []), ...failure(responseError(response))]
  }

  const read = (type: string | undefined, body: JsonObject): StreamEvent[] => {
    switch (type) {
      case 'response.created':
      case 'response.queued':
      case 'response.in_progress':
        return start(objectOf(body.response) ?? {})
      case 'response.output_item.added':
        return added(body)
      case 'response.output_text.delta':
        return textDelta(body, false)
      case 'response.refusal.delta':
        return textDelta(body, true)
      case 'response.output_text.done':
        return late(body, { type: 'text', text: textOf(body.text), choice: 0 })
      case 'response.refusal.done':
        return late(body, { type: 'text', text: textOf(body.refusal), choice: 0, refusal: true })
      case 'response.reasoning_summary_part.added':
        return translate && (countOf(body.summary_index) ?? 0) > 0 ? [paragraph] : []
      case 'response.reasoning_summary_text.delta':
        return reasoningDelta(body, 'summary')
      case 'response.reasoning_text.delta':
        return reasoningDelta(body, 'content')
      case 'response.function_call_arguments.delta':
        return callDelta(body, 'function_call')
      case 'response.custom_tool_call_input.delta':
        return callDelta(body, 'custom_tool_call')
      case 'response.function_call_arguments.done':
        return late(body, { type: 'tool_call', index: 0, choice: 0, arguments: textOf(body.arguments) })
      case 'response.custom_tool_call_input.done':
        return late(body, { type: 'tool_call', index: 0, choice: 0, arguments: textOf(body.input) })
      case 'response.output_text.annotation.added': {
        const cited = translate ? citationOf(body.annotation ?? null, items.get(indexOf(body))?.text ?? '') : null
        return cited ? [cited] : []
      }
      case 'response.output_item.done':
        return done(body)
      case 'response.completed':
      case 'response.incomplete':
      case 'response.cancelled':
        return over(body)
      case 'response.failed':
        return failedResponse(objectOf(body.response) ?? {})
      default:
        return []
    }
  }

  return {
    decode(frame) {
      if (frame.data === '' && frame.event === undefined) return []
      const native = nativeEvent(frame)
      const value = parseJson(frame.data)
      const body = objectOf(value)
      const type = frameType(frame, body)
      if (type === 'error') {
        const error = body?.error != null ? errorOf(body.error, body) : value === undefined ? undefined : errorIn(value)
        const events = failure(error ?? { message: frame.data || 'The upstream reported an error.' })
        return events.length > 0 ? events : [native]
      }
      const events = body ? read(type, body) : []
      return events.length > 0 ? events : [native]
    },
  }
}

/** What kind of frame it is: an error by its event name or data, else by its data, else by its event name. */
export function frameType(frame: SseFrame, body: JsonObject | undefined): string | undefined {
  if (frame.event === 'error' || (body?.type === undefined && body?.error != null)) return 'error'
  return wordOf(body?.type) ?? frame.event
}

/** Where items and their parts begin and end. */
export function responsesEdge(frame: SseFrame): 'begin' | 'end' | undefined {
  if (frame.event?.endsWith('.delta')) return undefined
  const type = frameType(frame, objectOf(parseJson(frame.data))) ?? ''
  if (type.endsWith('.done')) return 'end'
  // an annotation stands inside its text
  return type.endsWith('.added') && !type.endsWith('.annotation.added') ? 'begin' : undefined
}

/** The position in `output` of the item that a frame speaks of. */
export function indexOf(body: JsonObject): number {
  return countOf(body.output_index) ?? 0
}

/** The status that the frame's own type states, where the object says nothing or still speaks of progress. */
function statusOf(body: JsonObject, response: JsonObject): string {
  const stated = wordOf(response.status)
  if (stated !== undefined && stated !== 'in_progress' && stated !== 'queued') return stated
  return textOf(body.type).slice('response.'.length)
}

/** A picture that the model made. */
function mediaOf(item: JsonObject): StreamEvent[] {
  const data = item.type === 'image_generation_call' ? wordOf(item.result) : undefined
  return data === undefined ? [] : [{ type: 'media', choice: 0, mime: `image/${wordOf(item.output_format) ?? 'png'}`, data }]
}
