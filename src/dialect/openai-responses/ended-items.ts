/**
 * Items that the upstream began and will not close: a plugin ended the reply, or the upstream is gone. The client gets the frames that close them, with
 * all that it was told of them.
 */

import type { Json } from '../../plugin/request.ts'
import { type JsonObject, listOf, textOf } from '../shape.ts'
import type { Emit } from './open-items.ts'
import { patchedItem, type TrackedItem } from './tracked-items.ts'

/** Closes an item other than a message, and gives it as it is then. */
export function endItem(item: TrackedItem, value: JsonObject, emit: Emit): JsonObject {
  const ended = endedItem(value, item)
  closePart(item, ended, emit)
  emit('response.output_item.done', { output_index: item.out ?? 0, item: ended })
  return ended
}

/** Closes a part whose text was told to its end. */
export function endPart({ ending, texts, out }: TrackedItem, emit: Emit): void {
  if (!ending) return
  const { kind, spot } = placeOf(ending.frame, out)
  const type = ending.key.startsWith('summary/') ? 'response.reasoning_summary_part.done' : 'response.content_part.done'
  emit(type, { ...spot, part: partOf(kind.slice('response.'.length), texts.get(ending.key) ?? '') })
}

function closePart(item: TrackedItem, ended: JsonObject, emit: Emit): void {
  const { open, texts, out } = item
  if (!open) {
    endPart(item, emit)
    return
  }
  const { kind, spot } = placeOf(open.frame, out)
  const text = texts.get(open.key) ?? ''
  if (open.key !== 'call') {
    emit(`${kind}.done`, { ...spot, text })
    endPart({ ...item, ending: open }, emit)
  } else if (ended.type === 'custom_tool_call') emit(`${kind}.done`, { ...spot, input: text })
  else emit(`${kind}.done`, { ...spot, name: ended.name ?? '', arguments: text })
}

/** What a delta speaks of, without its own words. */
function placeOf(delta: JsonObject, out: number | undefined): { kind: string; spot: JsonObject } {
  const { type, delta: _, sequence_number: __, obfuscation: ___, logprobs: ____, ...place } = delta
  return { kind: textOf(type).slice(0, -'.delta'.length), spot: { ...place, output_index: out ?? 0 } }
}

/** An item as its frames told it so far: the object that began it says nothing of what came after. */
function endedItem(value: JsonObject, item: TrackedItem): JsonObject {
  let ended = patchedItem(value, { ...item, done: true })
  for (const list of ['content', 'summary'] as const) {
    const parts: Json[] = [...listOf(ended[list])]
    const told = parts.length
    for (const [key, text] of item.texts) {
      const [of, at] = key.split('/')
      if (of === list && Number(at) === parts.length)
        parts.push(partOf(list === 'summary' ? 'reasoning_summary_text' : 'reasoning_text', text))
    }
    if (parts.length > told) ended = { ...ended, [list]: parts }
  }
  return ended.status === 'in_progress' ? { ...ended, status: 'incomplete' } : ended
}

function partOf(kind: string, text: string): JsonObject {
  if (kind === 'refusal') return { type: kind, refusal: text }
  if (kind === 'output_text') return { type: kind, annotations: [], logprobs: [], text }
  return { type: kind === 'reasoning_text' ? kind : 'summary_text', text }
}
