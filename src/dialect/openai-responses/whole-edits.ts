/**
 * A whole response with what hooks made of its events, spliced into its bytes.
 *
 * Text that was inserted joins the text before it, else the first one behind it; a text that was dropped altogether takes what was inserted behind it
 * in its place. What has no place in the response gets an item of its own at the end.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { isUntouched, wholeFates } from '../align.ts'
import { type Splice, spliceBytes } from '../json-edits.ts'
import { type JsonObject, listOf, objectOf, parseJson, wordOf } from '../shape.ts'
import { usageEdits } from '../usage-edits.ts'
import { encodeResponsesWhole } from './encode-whole.ts'
import { inReplyError } from './errors.ts'
import type { Place } from './items.ts'
import { statusOfStop } from './stop-reasons.ts'
import { renaming, textOfEvent } from './tracked-items.ts'
import { responsesUsageObject } from './usage.ts'
import { responsesWriter } from './writer.ts'

/** Where an event stands in `output`. */
export interface WholeSite {
  readonly index: number
  readonly place: Place
}

/** The bytes of a response with what became of its events. `sites[i]` is the place of `events[i]`; undefined: it stands for the response itself. */
export function editedWhole(
  body: Uint8Array,
  reply: JsonObject,
  events: readonly StreamEvent[],
  sites: readonly (WholeSite | undefined)[],
  after: readonly (readonly StreamEvent[])[],
): Uint8Array {
  if (isUntouched(events, after)) return body
  const { kept, added } = wholeFates(events, after)
  const error = added.find((event) => event.type === 'error')
  if (error?.type === 'error') return Buffer.from(inReplyError(error.kind, error.message))
  joinTexts(events, kept, after)

  const output = listOf(reply.output)
  const edits: Splice[] = []
  const gone = goneItems(output, events, sites, kept)
  for (const [i, old] of events.entries()) {
    const site = sites[i]
    if (site && !gone.has(site.index)) itemEdits(objectOf(output[site.index]) ?? {}, site, old, kept[i], edits)
    else if (!site) replyEdits(old, kept[i], edits)
  }
  if (typeof reply.output_text === 'string') edits.push({ pointer: '/output_text', value: allText(kept, added, events) })
  const fresh = newItems(reply, events, added, output.length)
  if (gone.size === output.length && (gone.size > 0 || fresh.length > 0)) edits.push({ pointer: '/output', value: fresh })
  else {
    for (const [n, item] of fresh.entries()) edits.push({ pointer: `/output/${output.length + n}`, value: item })
    for (const index of [...gone].sort((a, b) => a - b)) edits.push({ pointer: `/output/${index}` })
  }
  try {
    return spliceBytes(body, edits.sort(byPlace))
  } catch {
    // Nested deeper than edits go: the reply is written anew, so that no change of a hook is lost.
    return Buffer.from(encodeResponsesWhole(after.flat(), { id: wordOf(reply.id) ?? '', model: wordOf(reply.model) ?? '', created: 0 }))
  }
}

/** Removals run from the last to the first, so they must stand in the order of their places. */
function byPlace(a: Splice, b: Splice): number {
  if (a.value !== undefined || b.value !== undefined) return 0
  const steps = (pointer: string): number[] => pointer.split('/').map((step) => Number(step) || 0)
  const [left, right] = [steps(a.pointer), steps(b.pointer)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Items of which nothing is left: calls, items without a neutral word, and messages all of whose texts were dropped. */
function goneItems(
  output: readonly Json[],
  events: readonly StreamEvent[],
  sites: readonly (WholeSite | undefined)[],
  kept: readonly (StreamEvent | undefined)[],
): Set<number> {
  const gone = new Set<number>()
  for (const [index, value] of output.entries()) {
    if (objectOf(value)?.type === 'reasoning') continue
    const mine = [...events.keys()].filter((i) => sites[i]?.index === index)
    if (mine.length > 0 && mine.every((i) => kept[i] === undefined)) gone.add(index)
  }
  return gone
}

function itemEdits(item: JsonObject, site: WholeSite, old: StreamEvent, now: StreamEvent | undefined, edits: Splice[]): void {
  const at = `/output/${site.index}`
  const { place } = site
  if (place.in === 'content' || place.in === 'summary') {
    const pointer = `${at}/${place.in}/${place.at}`
    if (now === undefined) edits.push({ pointer })
    else if (textOfEvent(now) !== textOfEvent(old)) {
      const part = objectOf(listOf(item[place.in])[place.at])
      edits.push({ pointer: `${pointer}/${typeof part?.text === 'string' ? 'text' : 'refusal'}`, value: textOfEvent(now) })
      if (listOf(part?.logprobs).length > 0) edits.push({ pointer: `${pointer}/logprobs`, value: [] })
    }
  } else if (place.in === 'proof' && old.type === 'reasoning') {
    const signature = now?.type === 'reasoning' ? now.signature : undefined
    if (signature === undefined) edits.push({ pointer: `${at}/encrypted_content` })
    else if (signature !== old.signature) edits.push({ pointer: `${at}/encrypted_content`, value: signature })
  } else if (place.in === 'call' && old.type === 'tool_call' && now?.type === 'tool_call') {
    const named = renaming(old, now)
    if (named?.name !== undefined && named.name !== old.name) edits.push({ pointer: `${at}/name`, value: named.name })
    if (named?.callId !== undefined && named.callId !== old.id) edits.push({ pointer: `${at}/call_id`, value: named.callId })
    const member = item.type === 'custom_tool_call' ? 'input' : 'arguments'
    if (now.arguments !== old.arguments) edits.push({ pointer: `${at}/${member}`, value: now.arguments })
  } else if (old.type === 'native' && now?.type === 'native' && now.data !== old.data) {
    const value = objectOf(parseJson(now.data))?.item
    if (value !== undefined) edits.push({ pointer: at, value })
  }
}

function replyEdits(old: StreamEvent, now: StreamEvent | undefined, edits: Splice[]): void {
  if (!now || Bun.deepEquals(old, now)) return
  if (now.type === 'usage') edits.push(...usageEdits('/usage', old, now, responsesUsageObject))
  else if (now.type === 'stop') {
    const { status, reason } = statusOfStop(now)
    edits.push({ pointer: '/status', value: status }, { pointer: '/incomplete_details', value: reason === undefined ? null : { reason } })
  } else if (now.type === 'start' && old.type === 'start') {
    if (now.id !== undefined && now.id !== old.id) edits.push({ pointer: '/id', value: now.id })
    if (now.model !== undefined && now.model !== old.model) edits.push({ pointer: '/model', value: now.model })
  }
}

function joinTexts(events: readonly StreamEvent[], kept: (StreamEvent | undefined)[], after: readonly (readonly StreamEvent[])[]): void {
  let home = -1
  let dropped = -1
  let early = ''
  const add = (at: number, text: string): void => {
    const event = kept[at]
    if (event?.type === 'text') kept[at] = { ...event, text: event.text + text }
  }
  for (const [i, list] of after.entries()) {
    const old = events[i]
    const own = kept[i]
    let passed = false
    let text = ''
    for (const event of list) {
      if (event === own) {
        passed = true
        if (event.type === 'text') {
          text = early + text + event.text
          early = ''
        }
      } else if (event.type !== 'text') continue
      else if (own?.type === 'text') text += event.text
      else if (dropped !== -1) {
        const restored = events[dropped]
        if (restored?.type === 'text') kept[dropped] = { ...restored, text: early + event.text }
        home = dropped
        dropped = -1
        early = ''
      } else if (home === -1) early += event.text
      else add(home, event.text)
    }
    if (old?.type !== 'text') continue
    if (own?.type === 'text') {
      home = i
      dropped = -1
      if (passed && text !== own.text) kept[i] = { ...own, text }
    } else if (home !== i) dropped = i
  }
  const last = events[dropped]
  if (early !== '' && dropped !== -1 && last?.type === 'text') kept[dropped] = { ...last, text: early }
}

/** Items for what was added and has nothing to join. */
function newItems(reply: JsonObject, events: readonly StreamEvent[], added: readonly StreamEvent[], next: number): Json[] {
  const hasText = events.some((event) => event.type === 'text')
  const own = added.filter((event) => event.type === 'tool_call' || event.type === 'reasoning' || (event.type === 'text' && !hasText))
  if (own.length === 0) return []
  const writer = responsesWriter({ id: wordOf(reply.id) ?? 'added', model: '', created: 0 }, () => {})
  writer.next = next
  for (const event of own) writer.event(event)
  writer.closeAll()
  return writer.items.toSorted((a, b) => a.index - b.index).map(({ item }) => item)
}

function allText(kept: readonly (StreamEvent | undefined)[], added: readonly StreamEvent[], events: readonly StreamEvent[]): string {
  const own = kept.map((event) => (event?.type === 'text' && !event.refusal ? event.text : '')).join('')
  const hasText = events.some((event) => event.type === 'text')
  return hasText ? own : added.map((event) => (event.type === 'text' ? event.text : '')).join('')
}
