/**
 * Which events an output item stands for, and where in it each has its place: the one place that knows the layout of items.
 *
 * Whole replies are read through it, and streamed items whose deltas never came. Pure; nothing throws.
 */

import type { StreamEvent, ToolCallEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import type { Purpose } from '../codec.ts'
import { countOf, type JsonObject, jsonText, listOf, objectOf, textOf, wordOf } from '../shape.ts'

/** What the gateway makes of an item. `native`: it has no neutral word (hosted tools and their like). */
export type ItemKind = 'message' | 'reasoning' | 'function_call' | 'custom_tool_call' | 'native'

/** Where in its item an event stands. */
export type Place = { readonly in: 'content' | 'summary'; readonly at: number } | { readonly in: 'call' | 'proof' | 'item' | 'nowhere' }

export interface Site {
  readonly event: StreamEvent
  readonly place: Place
}

/** The kind of an item, by its type. */
export function itemKind(item: JsonObject): ItemKind {
  switch (item.type) {
    case 'message':
    case 'reasoning':
    case 'function_call':
    case 'custom_tool_call':
      return item.type
    default:
      return 'native'
  }
}

/** The first event of a call; `call` is its position among the calls of the reply. */
export function callEvent(item: JsonObject, call: number, args: string): ToolCallEvent {
  const id = wordOf(item.call_id) ?? wordOf(item.id)
  const name = wordOf(item.name)
  const namespace = wordOf(item.namespace)
  return {
    type: 'tool_call',
    index: call,
    choice: 0,
    ...(id !== undefined && { id }),
    ...(name !== undefined && { name }),
    ...(namespace !== undefined && { namespace }),
    ...(item.type === 'custom_tool_call' && { kind: 'custom' as const }),
    arguments: args,
  }
}

/** The text of a call's arguments, whatever its kind. */
export function argumentsOf(item: JsonObject): string {
  return textOf(item.type === 'custom_tool_call' ? item.input : item.arguments)
}

/** All events of a complete item. */
export function itemSites(item: JsonObject, index: number, call: number, purpose: Purpose): Site[] {
  switch (itemKind(item)) {
    case 'message':
      return messageSites(item, purpose)
    case 'reasoning':
      return reasoningSites(item, purpose)
    case 'function_call':
    case 'custom_tool_call':
      return [{ event: callEvent(item, call, argumentsOf(item)), place: { in: 'call' } }]
    case 'native':
      return [{ event: itemAsFrame(item, index), place: { in: 'item' } }]
  }
}

/** An item without a neutral word, as the frame that a stream would tell it by. */
function itemAsFrame(item: JsonObject, index: number): StreamEvent {
  const event = 'response.output_item.done'
  return { type: 'native', event, data: jsonText({ type: event, output_index: index, item }) }
}

function messageSites(item: JsonObject, purpose: Purpose): Site[] {
  const sites: Site[] = []
  for (const [at, value] of listOf(item.content).entries()) {
    const part = objectOf(value)
    if (typeof part?.text === 'string') {
      const { text } = part
      sites.push({ event: { type: 'text', text, choice: 0 }, place: { in: 'content', at } })
      if (purpose === 'translate') {
        for (const annotation of listOf(part.annotations)) {
          const event = citationOf(annotation, text)
          if (event) sites.push({ event, place: { in: 'nowhere' } })
        }
      }
    } else if (typeof part?.refusal === 'string') {
      sites.push({ event: { type: 'text', text: part.refusal, choice: 0, refusal: true }, place: { in: 'content', at } })
    }
  }
  return sites
}

function reasoningSites(item: JsonObject, purpose: Purpose): Site[] {
  const sites: Site[] = []
  const add = (list: 'summary' | 'content'): void => {
    for (const [at, value] of listOf(item[list]).entries()) {
      const text = objectOf(value)?.text
      if (typeof text !== 'string') continue
      if (purpose === 'translate' && sites.length > 0) sites.push({ event: paragraph, place: { in: 'nowhere' } })
      sites.push({ event: { type: 'reasoning', text, choice: 0 }, place: { in: list, at } })
    }
  }
  add('summary')
  if (purpose === 'relay' || sites.length === 0) add('content')
  const signature = wordOf(item.encrypted_content)
  if (signature !== undefined) sites.push({ event: { type: 'reasoning', text: '', choice: 0, signature }, place: { in: 'proof' } })
  return sites
}

/** What stands between two parts of a summary. */
export const paragraph: StreamEvent = { type: 'reasoning', text: '\n\n', choice: 0 }

/** A citation of a web page; null for what only this API can cite (files, containers). */
export function citationOf(annotation: Json, text: string): StreamEvent | null {
  const cited = objectOf(annotation)
  const url = wordOf(cited?.url)
  if (cited?.type !== 'url_citation' || url === undefined) return null
  const title = wordOf(cited.title)
  const words = text.slice(countOf(cited.start_index) ?? 0, countOf(cited.end_index) ?? 0)
  return { type: 'citation', choice: 0, url, ...(title !== undefined && { title }), ...(words !== '' && { cited: words }) }
}
