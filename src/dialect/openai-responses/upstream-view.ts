/**
 * Which items of the upstream the client of a forwarded stream knows, under which indices, and which of their parts are open.
 *
 * Kept up frame by frame, changed or not. Indices are the upstream's own until something was changed; from then on each item gets the next free one.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import { countOf, type JsonObject, objectOf, textOf, wordOf } from '../shape.ts'
import { indexOf } from './decode.ts'
import { itemKind } from './items.ts'
import { partKey, type TrackedItem, textOfEvent, trackItem } from './tracked-items.ts'
import type { ResponsesWriter } from './writer.ts'

/** Items that are told apart. */
const maxItems = 4096

export interface UpstreamView {
  /** By the upstream's index. */
  readonly items: Map<number, TrackedItem>
  /** The upstream's item of each call. */
  readonly calls: ReadonlyMap<number, TrackedItem>
  /** The open item that a text or thought which is inserted now belongs to. */
  home(event: StreamEvent): TrackedItem | undefined
  /** The item that stands at an index of the final response. */
  find(index: number, item: JsonObject): TrackedItem | undefined
  /** Keeps up with a frame that leaves for the client. `changed`: indices may be others than the upstream's. */
  follow(type: string, body: JsonObject, events: readonly StreamEvent[], changed: boolean): void
  /** Nothing more will come. */
  close(): void
}

/** The view of one stream. */
export function upstreamView(writer: ResponsesWriter): UpstreamView {
  const items = new Map<number, TrackedItem>()
  const calls = new Map<number, TrackedItem>()

  const home = (event: StreamEvent): TrackedItem | undefined => {
    const kind = event.type === 'text' ? 'message' : event.type === 'reasoning' ? 'reasoning' : undefined
    if (kind === undefined) return undefined
    for (const item of [...items.values()].reverse()) {
      if (item.kind === kind && !item.done && item.out !== undefined) return item
    }
    return undefined
  }
  /** Keeps up with a frame that leaves for the client, whole or rewritten. */
  const follow = (type: string, body: JsonObject, events: readonly StreamEvent[], changed: boolean): void => {
    const index = indexOf(body)
    const item = items.get(index)
    const key = partKey(type, body)
    if (type === 'response.created' || type === 'response.in_progress') {
      const response = objectOf(body.response)
      if (response) writer.begun(wordOf(response.id), wordOf(response.model), countOf(response.created_at))
      return
    }
    if (type === 'response.output_item.added' || (type === 'response.output_item.done' && !item)) {
      if (items.size >= maxItems) {
        items.clear()
        calls.clear()
      }
      const fresh = trackItem(objectOf(body.item) ?? {}, changed ? writer.next : index)
      writer.next = (changed ? writer.next : index) + 1
      items.set(index, fresh)
      const call = events.find((event) => event.type === 'tool_call')
      if (call?.type === 'tool_call') {
        calls.set(call.index, fresh)
        fresh.open = { key: 'call', frame: callDelta(objectOf(body.item) ?? {}) }
        fresh.texts.set('call', call.arguments)
      }
      fresh.done = type === 'response.output_item.done'
      fresh.value = objectOf(body.item)
      return
    }
    if (!item) return
    if (type === 'response.output_item.done') {
      item.done = true
      item.open = undefined
      item.value = objectOf(body.item)
    } else if (key !== undefined && type.endsWith('.delta')) {
      if (item.open?.key !== key) item.open = { key, frame: body }
      item.texts.set(key, (item.texts.get(key) ?? '') + events.map(textOfEvent).join(''))
    } else if (key !== undefined && type.endsWith('.added')) {
      item.open = { key, frame: deltaOf(body) }
    } else if (key !== undefined && type.endsWith('.done')) {
      const late = events.map(textOfEvent).join('')
      if (late !== '') item.texts.set(key, (item.texts.get(key) ?? '') + late)
      item.ending = type.endsWith('_part.done') || key === 'call' ? undefined : (item.open ?? item.ending)
      if (item.open?.key === key) item.open = undefined
    }
  }

  const trackedAt = (index: number, item: JsonObject): TrackedItem | undefined => {
    // OpenRouter gives items other ids in the final response
    const id = wordOf(item.id)
    const named = id === undefined ? undefined : [...items.values()].find((other) => other.id === id)
    const known = named ?? items.get(index)
    return known?.kind === itemKind(item) ? known : undefined
  }

  return {
    items,
    calls,
    home,
    find: trackedAt,
    follow,
    close() {
      for (const item of items.values()) item.done = true
    },
  }
}

/** What a delta of a part looks like, by the frame that opens the part. */
function deltaOf(added: JsonObject): JsonObject {
  const { part, sequence_number: _, ...place } = added
  const kind = textOf(objectOf(part)?.type)
  const type =
    kind === 'summary_text'
      ? 'response.reasoning_summary_text.delta'
      : kind === 'reasoning_text'
        ? 'response.reasoning_text.delta'
        : kind === 'refusal'
          ? 'response.refusal.delta'
          : 'response.output_text.delta'
  return { ...place, type, ...(type === 'response.output_text.delta' && { logprobs: [] }) }
}

/** What a delta of a call's arguments looks like. */
function callDelta(item: JsonObject): JsonObject {
  const type = item.type === 'custom_tool_call' ? 'response.custom_tool_call_input.delta' : 'response.function_call_arguments.delta'
  return { type, item_id: item.id ?? '' }
}
