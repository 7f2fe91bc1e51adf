/**
 * Messages frames to events.
 *
 * One decoder per stream: it merges usage over frames (E03), counts the calls and knows the kind of each open block, because a delta of
 * a server tool's input looks like one of a client's. Odd frames become `native`; nothing throws.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import type { Purpose, StreamDecoder } from '../codec.ts'
import { nativeEvent, startEvent } from '../frame-events.ts'
import { countOf, type JsonObject, listOf, objectOf, parseJson, textOf, wordOf } from '../shape.ts'
import type { SseFrame } from '../sse.ts'
import { errorIn, errorOf } from '../upstream-error.ts'
import { type BlockKind, blockKind, blockSite } from './blocks.ts'
import { neutralDecoder } from './decode-neutral.ts'
import { stopEvent } from './stop-reasons.ts'
import { mergeUsage, messagesUsage } from './usage.ts'

interface OpenBlock {
  readonly kind: BlockKind
  /** Index of the call, for `tool_use`. */
  readonly call: number
}
/** Open blocks that are told apart; one is the rule. */
const maxOpen = 1024

/** @param purpose `translate`: what has a neutral word gets it, and frames that only give the stream its shape give nothing */
export function messagesDecoder(purpose: Purpose = 'relay'): StreamDecoder {
  return purpose === 'translate' ? neutralDecoder(relayDecoder()) : relayDecoder()
}

function relayDecoder(): StreamDecoder {
  const open = new Map<number, OpenBlock>()
  let calls = 0
  let usage: JsonObject | undefined
  let messageId: string | undefined
  let started = false

  const messageStart = (body: JsonObject, native: StreamEvent): StreamEvent[] => {
    const message = objectOf(body.message) ?? {}
    const id = wordOf(message.id)
    if (started) {
      if (id === messageId) return [native]
      return [{ type: 'error', kind: 'api_error', message: 'The upstream began a second message inside the stream.' }]
    }
    started = true
    messageId = id
    const events: StreamEvent[] = [startEvent(message.id, message.model)]
    for (const [i, value] of listOf(message.content).entries()) {
      const block = objectOf(value)
      if (!block) continue
      const { event } = blockSite(block, i, calls)
      if (event.type === 'tool_call') calls++
      events.push(event)
    }
    usage = objectOf(message.usage)
    const counted = messagesUsage(usage, wordOf(message.stop_reason) !== undefined)
    if (counted) events.push({ type: 'usage', usage: counted })
    stop(message, events)
    return events
  }

  const blockStart = (body: JsonObject, native: StreamEvent): StreamEvent => {
    const block = objectOf(body.content_block)
    if (!block) return native
    const kind = blockKind(block)
    const index = countOf(body.index) ?? 0
    const call = kind === 'tool_use' ? calls++ : -1
    if (open.size >= maxOpen) open.clear()
    open.set(index, { kind, call })
    if (kind === 'native') return native
    const { event } = blockSite(block, index, call)
    if (event.type === 'tool_call') return event.arguments === '{}' ? { ...event, arguments: '' } : event
    if (event.type === 'text') return event.text === '' ? native : event
    return event.type === 'reasoning' && event.text === '' && event.signature === undefined ? native : event
  }

  const blockDelta = (body: JsonObject, native: StreamEvent): StreamEvent => {
    const delta = objectOf(body.delta)
    switch (delta?.type) {
      case 'text_delta':
        return { type: 'text', text: textOf(delta.text), choice: 0 }
      case 'thinking_delta':
        return { type: 'reasoning', text: textOf(delta.thinking), choice: 0 }
      case 'signature_delta':
        return { type: 'reasoning', text: '', choice: 0, signature: textOf(delta.signature) }
      case 'input_json_delta': {
        const block = open.get(countOf(body.index) ?? 0)
        if (block?.kind !== 'tool_use') return native
        return { type: 'tool_call', index: block.call, choice: 0, arguments: textOf(delta.partial_json) }
      }
      default:
        return native
    }
  }

  const messageDelta = (body: JsonObject): StreamEvent[] => {
    const events: StreamEvent[] = []
    stop(objectOf(body.delta) ?? {}, events)
    usage = mergeUsage(usage, objectOf(body.usage))
    const counted = messagesUsage(usage, true)
    if (counted && body.usage !== undefined) events.push({ type: 'usage', usage: counted })
    return events
  }

  return {
    decode(frame) {
      if (frame.data === '' && frame.event === undefined) return []
      const native = nativeEvent(frame)
      const value = parseJson(frame.data)
      const body = objectOf(value)
      switch (frameType(frame, body)) {
        case 'message_start':
          return body ? messageStart(body, native) : [native]
        case 'content_block_start':
          return [body ? blockStart(body, native) : native]
        case 'content_block_delta':
          return [body ? blockDelta(body, native) : native]
        case 'content_block_stop':
          if (body) open.delete(countOf(body.index) ?? 0)
          return [native]
        case 'message_delta': {
          const events = body ? messageDelta(body) : []
          return events.length > 0 ? events : [native]
        }
        case 'message_stop':
          return [{ type: 'end' }]
        case 'error':
          return [errorEvent(value, frame.data)]
        default:
          return [native]
      }
    },
  }
}

/** What kind of frame it is: an error by its event name or data, else by its data, else by its event name. */
export function frameType(frame: SseFrame, body: JsonObject | undefined): string | undefined {
  if (frame.event === 'error' || (body?.type === undefined && body?.error !== undefined)) return 'error'
  return wordOf(body?.type) ?? frame.event
}

/** Where blocks begin and end. */
export function messagesEdge(frame: SseFrame): 'begin' | 'end' | undefined {
  if (frame.data.startsWith('{"type":"content_block_delta"')) return undefined
  switch (frameType(frame, objectOf(parseJson(frame.data)))) {
    case 'content_block_start':
      return 'begin'
    case 'message_start': // blocks that it carries are whole
    case 'content_block_stop':
      return 'end'
    default:
      return undefined
  }
}

function stop(holder: JsonObject, events: StreamEvent[]): void {
  const raw = wordOf(holder.stop_reason)
  if (raw !== undefined) events.push(stopEvent(raw, holder.stop_sequence))
}

function errorEvent(value: Json | undefined, data: string): StreamEvent {
  const body = objectOf(value)
  const error = body?.error !== undefined ? errorOf(body.error, body) : value === undefined ? undefined : errorIn(value)
  return {
    type: 'error',
    kind: error?.type ?? error?.code ?? 'api_error',
    message: error?.message ?? (data || 'The upstream reported an error.'),
  }
}
