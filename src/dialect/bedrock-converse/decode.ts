/**
 * Frames of a Converse stream to events. Bedrock's binary messages have become `event: <type>` and `data: <payload>` before they come here.
 *
 * One decoder per stream: it counts the calls and knows which blocks are the provider's own tools. `contentBlockStart` is absent for text, and usage
 * comes in `metadata` after `messageStop`: the end of the stream is told by nothing else. Odd frames become `native`; nothing throws.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import type { StreamDecoder } from '../codec.ts'
import { nativeEvent } from '../frame-events.ts'
import { countOf, type JsonObject, listOf, objectOf, parseJson, textOf, wordOf } from '../shape.ts'
import { errorIn } from '../upstream-error.ts'
import { citationEvent, isHosted, reasoningEvent } from './blocks.ts'
import { converseStopReason } from './stop-reasons.ts'
import { converseUsage } from './usage.ts'

/** Open blocks that are told apart; one is the rule. */
const maxOpen = 1024

/** The decoder of one stream. */
export function converseDecoder(): StreamDecoder {
  /** The call of each open block; -1 for a tool of the provider. */
  const open = new Map<number, number>()
  let calls = 0
  let started = false

  const blockStart = (body: JsonObject): StreamEvent | undefined => {
    const toolUse = objectOf(objectOf(body.start)?.toolUse)
    if (!toolUse) return undefined
    if (open.size >= maxOpen) open.clear()
    const hosted = isHosted(toolUse)
    const index = hosted ? -1 : calls++
    open.set(countOf(body.contentBlockIndex) ?? 0, index)
    if (hosted) return undefined
    const id = wordOf(toolUse.toolUseId)
    const name = wordOf(toolUse.name)
    return {
      type: 'tool_call',
      index,
      choice: 0,
      ...(id !== undefined && { id }),
      ...(name !== undefined && { name }),
      arguments: '',
    }
  }
  const blockDelta = (body: JsonObject): StreamEvent | undefined => {
    const delta = objectOf(body.delta)
    if (!delta) return undefined
    if (typeof delta.text === 'string') return { type: 'text', text: delta.text, choice: 0 }
    const reasoning = objectOf(delta.reasoningContent)
    if (reasoning) return reasoningEvent(reasoning)
    const toolUse = objectOf(delta.toolUse)
    const index = open.get(countOf(body.contentBlockIndex) ?? 0)
    if (toolUse && index !== undefined && index >= 0) {
      return { type: 'tool_call', index, choice: 0, arguments: textOf(toolUse.input) }
    }
    const citation = objectOf(delta.citation)
    return citation && citationEvent(citation)
  }

  return {
    decode(frame) {
      const { data, event } = frame
      if (data === '' && event === undefined) return []
      const native = nativeEvent(frame)
      const value = parseJson(data)
      const body = objectOf(value)
      if (event === 'error' || body?.error !== undefined) return [failure(value, data)]
      if (!body) return [native]
      switch (event) {
        case 'messageStart':
          if (started) return [native]
          started = true
          return [{ type: 'start' }]
        case 'contentBlockStart':
          return [blockStart(body) ?? native]
        case 'contentBlockDelta':
          return [blockDelta(body) ?? native]
        case 'contentBlockStop':
          open.delete(countOf(body.contentBlockIndex) ?? 0)
          return [native]
        case 'messageStop': {
          const stop = stopEvent(body)
          return [stop ?? native]
        }
        case 'metadata': {
          const usage = converseUsage(body.usage)
          return [usage ? { type: 'usage', usage } : native]
        }
        default:
          return [native]
      }
    },
  }
}

/** The stop of a `messageStop` or of a whole reply. The stop string that was met stands among the fields that we asked the model for. */
export function stopEvent(body: JsonObject): StreamEvent | undefined {
  const raw = wordOf(body.stopReason)
  if (raw === undefined) return undefined
  const fields = objectOf(body.additionalModelResponseFields)
  const sequence = wordOf(fields?.stop_sequence) ?? wordOf(objectOf(fields?.delta)?.stop_sequence)
  return { type: 'stop', reason: converseStopReason(raw), raw, choice: 0, ...(sequence !== undefined && { sequence }) }
}

function failure(value: Json | undefined, data: string): StreamEvent {
  const error = value === undefined ? undefined : errorIn(listOf(value)[0] ?? value)
  return {
    type: 'error',
    kind: error?.type ?? error?.code ?? 'api_error',
    message: error?.message ?? (data || 'Bedrock reported an error.'),
  }
}
