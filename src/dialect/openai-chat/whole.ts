/**
 * Whole Chat completions: the summary for the record, and the events they consist of.
 *
 * A large body is not parsed for its summary: its members are found by their spans and only the small ones are read. Edits are
 * spliced, so that what no hook changed keeps its bytes.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import { isUntouched, wholeFates } from '../align.ts'
import type { DecodedWhole, Purpose, WholeSummary } from '../codec.ts'
import { startEvent } from '../frame-events.ts'
import { type Splice, spliceBytes } from '../json-edits.ts'
import { countOf, decodeText, type JsonObject, listOf, objectOf, parseJson, wordOf } from '../shape.ts'
import { notAReply } from '../upstream-error.ts'
import { readMembers } from '../whole-members.ts'
import { siteReader } from './decode.ts'
import { neutralReader } from './decode-neutral.ts'
import { siteEdits } from './rewrite.ts'
import { metersOf, type Site, sitesOf } from './sites.ts'
import { chatFinishReason } from './stop-reasons.ts'
import { chatErrorText, encodeChatWhole } from './whole-encode.ts'

/** What the record needs of a completion. */
export function chatSummary(body: Uint8Array): WholeSummary {
  const read = readMembers(body, ['id', 'model', 'usage', 'error', 'x_groq'], {
    list: 'choices',
    members: ['index', 'finish_reason', 'error', 'usage'],
  })
  const reply = read?.object
  if (!reply || !Array.isArray(reply.choices)) return notAReply(read?.value)
  const id = wordOf(reply.id)
  const model = wordOf(reply.model)
  const { usage, stop, error } = metersOf(reply)
  return { valid: true, id, model, usage, stop, error }
}

/** The events of a completion; null when the body is none. */
export function decodeChatWhole(body: Uint8Array, purpose: Purpose = 'relay'): DecodedWhole | null {
  const reply = objectOf(parseJson(decodeText(body)))
  if (!reply || !Array.isArray(reply.choices)) return null
  const start = startEvent(reply.id, reply.model)
  if (purpose === 'translate') {
    const events = [start, ...neutralReader()(reply, 'message'), { type: 'end' } as const]
    return { events, apply: (after) => rewritten(reply, after) }
  }
  const events: StreamEvent[] = [start]
  const paired: (Site | undefined)[] = [undefined]
  const read = siteReader()
  for (const site of sitesOf(reply, 'message')) {
    const event = read(site)
    if (!event) continue
    events.push(event)
    paired.push(site)
  }
  events.push({ type: 'end' })
  paired.push(undefined)
  return { events, apply: (after) => applyEdits(body, reply, events, paired, after) }
}

function applyEdits(
  body: Uint8Array,
  reply: JsonObject,
  events: readonly StreamEvent[],
  paired: readonly (Site | undefined)[],
  after: readonly (readonly StreamEvent[])[],
): Uint8Array {
  if (isUntouched(events, after)) return body
  const { kept, added } = wholeFates(events, after)
  const error = added.find((event) => event.type === 'error')
  if (error) return Buffer.from(chatErrorText(error.kind, error.message))

  joinTexts(events, kept, after)
  const edits = siteEdits(reply, paired, events, kept)
  for (const event of added) addedEdits(reply, events, event, edits)
  try {
    return spliceBytes(body, edits)
  } catch {
    // Nested deeper than edits go: the reply is written anew, so that no change of a hook is lost.
    return rewritten(reply, after)
  }
}

/** The reply made of its events alone. */
function rewritten(reply: JsonObject, after: readonly (readonly StreamEvent[])[]): Uint8Array {
  const head = { id: wordOf(reply.id) ?? '', model: wordOf(reply.model) ?? '', created: countOf(reply.created) ?? 0 }
  return Buffer.from(encodeChatWhole(after.flat(), head))
}

/** Text inserted anywhere joins the text of its choice: behind the last one before it, else before the first one after it. */
function joinTexts(events: readonly StreamEvent[], kept: (StreamEvent | undefined)[], after: readonly (readonly StreamEvent[])[]): void {
  for (const type of ['text', 'reasoning'] as const) {
    const texts = new Map<number, string>()
    const homes = new Map<number, number>()
    const early = new Map<number, string>()
    let touched = false
    for (const [i, list] of after.entries()) {
      const own = events[i]
      for (const event of list) {
        if (event.type !== type) continue
        if (own?.type === type && own.choice === event.choice) homes.set(event.choice, i)
        const home = homes.get(event.choice)
        if (home === undefined) early.set(event.choice, (early.get(event.choice) ?? '') + event.text)
        else {
          const lead = early.get(event.choice) ?? ''
          early.delete(event.choice)
          texts.set(home, (texts.get(home) ?? '') + lead + event.text)
        }
        if (event !== own) touched = true
      }
    }
    if (!touched) continue
    for (const [i, text] of texts) {
      const own = events[i]
      if (own?.type === type) kept[i] = own.text === text ? own : { ...own, text }
    }
    // A choice whose own text was dropped altogether takes the inserted text in its place.
    for (const [choice, text] of early) {
      const home = events.findIndex((event) => event.type === type && event.choice === choice)
      const own = events[home]
      if (own?.type === type) kept[home] = { ...own, text }
    }
  }
}

/** Edits for an event that has no place of its own in the reply. */
function addedEdits(reply: JsonObject, events: readonly StreamEvent[], event: StreamEvent, edits: Splice[]): void {
  if (!('choice' in event)) return
  const choices = listOf(reply.choices)
  const found = choices.findIndex((choice, i) => (objectOf(choice)?.index ?? i) === event.choice)
  const message = objectOf(objectOf(choices[found])?.message)
  if (!message) return
  const at = `/choices/${found}`
  if (event.type === 'tool_call') {
    const call = {
      id: event.id ?? `call_${event.index}`,
      type: 'function',
      function: { name: event.name ?? '', arguments: event.arguments || '{}' },
    }
    const list = `${at}/message/tool_calls`
    const begun = edits.find((edit) => edit.pointer === list && Array.isArray(edit.value))
    if (begun) edits.splice(edits.indexOf(begun), 1, { pointer: list, value: [...listOf(begun.value), call] })
    else if (listOf(message.tool_calls).length > 0 && !edits.some((edit) => edit.pointer === list)) {
      edits.push({ pointer: `${list}/-`, value: call })
    } else {
      const dropped = edits.findIndex((edit) => edit.pointer === list)
      if (dropped !== -1) edits.splice(dropped, 1)
      edits.push({ pointer: list, value: [call] })
    }
  } else if (event.type === 'text' || event.type === 'reasoning') {
    if (event.text === '' || events.some((own) => own.type === event.type && own.choice === event.choice)) return
    const pointer = `${at}/message/${event.type === 'text' ? 'content' : 'reasoning_content'}`
    const begun = edits.findIndex((edit) => edit.pointer === pointer)
    if (begun === -1) edits.push({ pointer, value: event.text })
    else edits[begun] = { pointer, value: `${edits[begun]?.value ?? ''}${event.text}` }
  } else if (event.type === 'stop') edits.push({ pointer: `${at}/finish_reason`, value: chatFinishReason(event) })
}
