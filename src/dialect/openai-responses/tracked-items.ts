/**
 * The upstream's items as the client of a forwarded stream has come to know them, and what that changes in later frames.
 *
 * The API tells everything three times: in deltas, in done frames, in the final response. What a hook made of the deltas must stand in the other
 * two as well, so the text of each part is kept until the stream ends. It can't outgrow what the upstream repeats in its own last frame.
 */

import type { StreamEvent, ToolCallEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { type JsonObject, listOf, objectOf, textOf } from '../shape.ts'
import { type ItemKind, itemKind, itemSites } from './items.ts'

export interface TrackedItem {
  readonly kind: ItemKind
  readonly id: string
  /** Its index with the client; undefined when it was dropped. */
  readonly out: number | undefined
  /** Texts as the client was told them, by part: `content/0`, `summary/1`, `call`. */
  readonly texts: Map<string, string>
  /** Name and call id that hooks gave a call. */
  renamed: { readonly name: string | undefined; readonly callId: string | undefined } | undefined
  /** Hooks dropped the proof of the thought, or gave it another. */
  proof: { readonly value: string | undefined } | undefined
  /** The part that is open: more text may come. */
  open: { readonly key: string; readonly frame: JsonObject } | undefined
  /** The part whose text is told to its end, but which is not closed yet. */
  ending: TrackedItem['open']
  done: boolean
  /** The item as its frames told it last. */
  value: JsonObject | undefined
}

/** An item of the upstream's as it begins. `out`: its position in what the client gets. */
export function trackItem(item: JsonObject, out: number | undefined): TrackedItem {
  const kind = itemKind(item)
  return {
    kind,
    id: textOf(item.id),
    out,
    texts: new Map(),
    renamed: undefined,
    proof: undefined,
    open: undefined,
    ending: undefined,
    done: false,
    value: undefined,
  }
}

/** The part that a frame speaks of; undefined for frames that speak of none. */
export function partKey(type: string, body: JsonObject): string | undefined {
  switch (type) {
    case 'response.output_text.delta':
    case 'response.output_text.done':
    case 'response.refusal.delta':
    case 'response.refusal.done':
    case 'response.reasoning_text.delta':
    case 'response.reasoning_text.done':
    case 'response.content_part.added':
    case 'response.content_part.done':
      return `content/${Number(body.content_index ?? 0)}`
    case 'response.reasoning_summary_part.added':
    case 'response.reasoning_summary_part.done':
    case 'response.reasoning_summary_text.delta':
    case 'response.reasoning_summary_text.done':
      return `summary/${Number(body.summary_index ?? 0)}`
    case 'response.function_call_arguments.delta':
    case 'response.function_call_arguments.done':
    case 'response.custom_tool_call_input.delta':
    case 'response.custom_tool_call_input.done':
      return 'call'
    default:
      return undefined
  }
}

/** Text of an event, of whatever kind. */
export function textOfEvent(event: StreamEvent | undefined): string {
  if (event?.type === 'text' || event?.type === 'reasoning') return event.text
  return event?.type === 'tool_call' ? event.arguments : ''
}

/** What hooks changed in the first event of a call. */
export function renaming(old: ToolCallEvent, now: ToolCallEvent): TrackedItem['renamed'] {
  if (old.name === now.name && old.id === now.id) return undefined
  return { name: now.name, callId: now.id }
}

/** What hooks made of content that only the item's own done frame tells: whole items without deltas, and the proof of a thought. */
export function noteLate(
  item: TrackedItem,
  value: JsonObject,
  before: readonly StreamEvent[],
  kept: readonly (StreamEvent | undefined)[],
): void {
  const content = before.filter((event) => event.type !== 'native')
  const sites = itemSites(value, 0, 0, 'relay')
  // the last sites: what came before them was told by deltas
  const first = sites.length - content.length
  for (const [i, old] of before.entries()) {
    const place = sites[first + i]?.place
    const now = kept[i]
    if (!place) continue
    if (place.in === 'content' || place.in === 'summary') item.texts.set(`${place.in}/${place.at}`, textOfEvent(now))
    else if (place.in === 'call') item.texts.set('call', textOfEvent(now))
    else if (place.in === 'proof' && old.type === 'reasoning') {
      const proof = now?.type === 'reasoning' ? now.signature : undefined
      if (proof !== old.signature) item.proof = { value: proof }
    }
  }
}

/** The members of a done frame, or the frame's part, as the client must see them; the same object when nothing differs. */
export function patchedFrame(type: string, body: JsonObject, item: TrackedItem): JsonObject {
  if (type === 'response.output_item.done' || type === 'response.output_item.added') {
    const value = objectOf(body.item)
    const patched = value && patchedItem(value, item)
    return patched === value || patched === undefined ? body : { ...body, item: patched }
  }
  const key = partKey(type, body)
  const text = key === undefined ? undefined : item.texts.get(key)
  if (text === undefined || !type.endsWith('.done')) return item.renamed && type.endsWith('.done') ? renamed(body, item) : body
  const part = objectOf(body.part)
  if (part) {
    const patched = patchedPart(part, text)
    return patched === part ? body : { ...body, part: patched }
  }
  const patched = patchedPart(body, text)
  return item.renamed ? renamed(patched, item) : patched
}

function renamed(body: JsonObject, item: TrackedItem): JsonObject {
  return typeof body.name === 'string' && item.renamed?.name !== undefined ? { ...body, name: item.renamed.name } : body
}

/** An item as the client must see it; the same object when nothing differs. */
export function patchedItem(value: JsonObject, item: TrackedItem): JsonObject {
  let patched = value
  const change = (members: JsonObject): void => {
    patched = { ...patched, ...members }
  }
  for (const list of ['content', 'summary'] as const) {
    const parts = listOf(value[list])
    const now = parts.map((part, i): Json => {
      const text = item.texts.get(`${list}/${i}`)
      const object = objectOf(part)
      return text === undefined || !object ? part : patchedPart(object, text)
    })
    if (now.some((part, i) => part !== parts[i])) change({ [list]: now })
  }
  const args = item.texts.get('call')
  const member = value.type === 'custom_tool_call' ? 'input' : 'arguments'
  if (args !== undefined && typeof value[member] === 'string' && value[member] !== args && item.done) change({ [member]: args })
  if (item.renamed) {
    const { name, callId } = item.renamed
    change({ ...(name !== undefined && { name }), ...(callId !== undefined && { call_id: callId }) })
  }
  if (item.proof) {
    const { encrypted_content: _, ...rest } = patched
    patched = item.proof.value === undefined ? rest : { ...rest, encrypted_content: item.proof.value }
  }
  return patched
}

/** A part with a text: `text`, `refusal`, `arguments` or `input`, whichever it has. Log probabilities of another text are dropped with it. */
function patchedPart(part: JsonObject, text: string): JsonObject {
  for (const member of ['text', 'refusal', 'arguments', 'input']) {
    if (typeof part[member] !== 'string') continue
    if (part[member] === text) return part
    return { ...part, [member]: text, ...(listOf(part.logprobs).length > 0 && { logprobs: [] }) }
  }
  return part
}
