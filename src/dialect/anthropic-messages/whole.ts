/**
 * Whole Messages: the summary for the record, the events they consist of, and messages made of events.
 *
 * A large body is not parsed for its summary. Edits are spliced, so that what no hook changed keeps its bytes.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { isUntouched, wholeFates } from '../align.ts'
import type { DecodedWhole, Purpose, ReplyIdentity, WholeSummary } from '../codec.ts'
import { startEvent } from '../frame-events.ts'
import { type Splice, spliceBytes } from '../json-edits.ts'
import { RawJson, writeJson } from '../json-text.ts'
import { reduceEvents } from '../reduce.ts'
import { decodeText, jsonText, listOf, objectOf, parseJson, wordOf } from '../shape.ts'
import { notAReply } from '../upstream-error.ts'
import { withExtra } from '../usage-edits.ts'
import { itemTexts, readMembers } from '../whole-members.ts'
import { blockSite } from './blocks.ts'
import { blocksOf } from './blocks-of.ts'
import { citationsOf, neutralNative, refusalOf } from './decode-neutral.ts'
import { messagesErrorType } from './errors.ts'
import { eventEdits } from './rewrite.ts'
import { messagesStopWord, stopEvent } from './stop-reasons.ts'
import { messagesUsage, messagesUsageObject, noUsageObject } from './usage.ts'

/** What the record needs of a message. */
export function messagesSummary(body: Uint8Array): WholeSummary {
  const read = readMembers(body, ['type', 'id', 'model', 'usage', 'stop_reason', 'error', 'message'], { list: 'content', members: [] })
  const reply = read?.object
  const failed = reply?.error !== undefined && reply.error !== null
  if (!reply || failed || !Array.isArray(reply.content)) return notAReply(read?.value)
  const id = wordOf(reply.id)
  const model = wordOf(reply.model)
  const usage = messagesUsage(reply.usage, true)
  const stop = wordOf(reply.stop_reason)
  return {
    valid: true,
    ...(id !== undefined && { id }),
    ...(model !== undefined && { model }),
    ...(usage && { usage }),
    ...(stop !== undefined && { stop }),
  }
}

/** The events of a message; null when the body is none. */
export function decodeMessagesWhole(body: Uint8Array, purpose: Purpose = 'relay'): DecodedWhole | null {
  const reply = objectOf(parseJson(decodeText(body)))
  if (!reply || !Array.isArray(reply.content) || (reply.error !== undefined && reply.error !== null)) return null
  const events: StreamEvent[] = [startEvent(reply.id, reply.model)]
  const pointers: string[] = ['']
  const add = (event: StreamEvent, pointer: string): void => {
    events.push(event)
    pointers.push(pointer)
  }
  const blocks = listOf(reply.content)
  const hasCalls = blocks.some((block) => objectOf(block)?.type === 'tool_use')
  const inputs = hasCalls ? itemTexts(body, 'content', 'input') : []
  let calls = 0
  for (const [i, value] of blocks.entries()) {
    const block = objectOf(value)
    if (!block) continue
    const { event } = blockSite(block, i, calls, inputs[i])
    if (event.type === 'tool_call') calls++
    const seen = purpose === 'translate' && event.type === 'native' ? neutralNative(event) : [event]
    for (const one of seen) add(one, `/content/${i}`)
    if (purpose === 'translate' && event.type === 'text') for (const one of citationsOf(block)) add(one, '')
  }
  const raw = wordOf(reply.stop_reason)
  if (raw !== undefined) {
    const stop = stopEvent(raw, reply.stop_sequence)
    if (purpose === 'translate' && stop.reason === 'filter') for (const one of refusalOf(reply)) add(one, '')
    add(stop, '')
  }
  const usage = messagesUsage(reply.usage, true)
  if (usage) add({ type: 'usage', usage }, '')
  add({ type: 'end' }, '')
  return { events, apply: (after) => applyEdits(body, blocks, events, pointers, after) }
}

function applyEdits(
  body: Uint8Array,
  blocks: readonly Json[],
  events: readonly StreamEvent[],
  pointers: readonly string[],
  after: readonly (readonly StreamEvent[])[],
): Uint8Array {
  if (isUntouched(events, after)) return body
  const { kept, added } = wholeFates(events, after)
  const error = added.find((event) => event.type === 'error')
  if (error) return Buffer.from(errorText(error.kind, error.message))

  joinTexts(events, kept, after)
  const edits: Splice[] = []
  let left = 0
  for (const [i, old] of events.entries()) {
    const now = kept[i]
    const at = pointers[i] ?? ''
    if (at !== '') {
      if (now === undefined) edits.push({ pointer: at })
      else {
        left++
        if (old.type === 'native' && now.type === 'native') edits.push(...nativeEdits(at, old.data, now.data))
        else edits.push(...eventEdits(at, old, now))
      }
    } else if (old.type === 'stop' || old.type === 'usage') edits.push(...eventEdits('', old, now))
  }
  const fresh = newBlocks(events, added)
  if (fresh.length > 0) {
    if (left === 0)
      edits.splice(0, edits.length, ...edits.filter((edit) => !edit.pointer.startsWith('/content/')), { pointer: '/content', value: fresh })
    else for (const [n, block] of fresh.entries()) edits.push({ pointer: `/content/${blocks.length + n}`, value: block })
  }
  const stop = added.find((event) => event.type === 'stop')
  if (stop) edits.push({ pointer: '/stop_reason', value: messagesStopWord(stop) })
  try {
    return spliceBytes(body, edits)
  } catch {
    // Nested deeper than edits go: the reply is written anew, so that no change of a hook is lost.
    return Buffer.from(encodeMessagesWhole(after.flat(), { id: '', model: '', created: 0 }))
  }
}

/**
 * Inserted text joins the text before it, else the first text after it, so that it keeps its place among the blocks. A block whose own
 * text was dropped takes text that is inserted behind it in its place: held text comes back that way.
 */
function joinTexts(events: readonly StreamEvent[], kept: (StreamEvent | undefined)[], after: readonly (readonly StreamEvent[])[]): void {
  let home = -1
  let dropped = -1
  let early = ''
  const take = (at: number, text: string): void => {
    const event = events[at]
    if (event?.type === 'text') kept[at] = { ...event, text: early + text }
    home = at
    dropped = -1
    early = ''
  }
  for (const [i, list] of after.entries()) {
    const own = kept[i]
    const block = events[i]?.type === 'text'
    let text = ''
    for (const event of list) {
      if (event.type !== 'text') continue
      if (own?.type === 'text') text += event.text
      else if (dropped !== -1) take(dropped, event.text)
      else if (home === -1) early += event.text
      else extend(kept, home, event.text)
    }
    if (block && own?.type !== 'text') dropped = i
    if (!block || own?.type !== 'text') continue
    home = i
    dropped = -1
    if (early + text !== own.text) kept[i] = { ...own, text: early + text }
    early = ''
  }
  if (early !== '' && dropped !== -1) take(dropped, '')
}

function extend(kept: (StreamEvent | undefined)[], at: number, text: string): void {
  const event = kept[at]
  if (event?.type === 'text') kept[at] = { ...event, text: event.text + text }
}

/** Blocks for what was added and has no block to join. */
function newBlocks(events: readonly StreamEvent[], added: readonly StreamEvent[]): Json[] {
  const hasText = events.some((event) => event.type === 'text')
  const blocks = blocksOf(
    added.filter((event) => event.type === 'tool_call' || event.type === 'reasoning' || (event.type === 'text' && !hasText)),
    'added',
  )
  return JSON.parse(writeJson(blocks)) as Json[]
}

function nativeEdits(at: string, from: string, to: string): Splice[] {
  if (from === to) return []
  const block = objectOf(parseJson(to))?.content_block
  return block === undefined ? [] : [{ pointer: at, value: block }]
}

function errorText(kind: string, message: string): string {
  return jsonText({ type: 'error', error: { type: kind, message } })
}

/** A message made of events alone. */
export function encodeMessagesWhole(events: readonly StreamEvent[], head: ReplyIdentity): string {
  const sum = reduceEvents(events)
  if (sum.error) return errorText(messagesErrorType(sum.error.kind), sum.error.message)
  const id = sum.id ?? (head.id.startsWith('msg_') ? head.id : `msg_${head.id}`)
  const content = blocksOf(events, id.slice(-24))
  const stop = sum.choices[0]?.stop
  const called = sum.choices[0]?.pieces.some((piece) => piece.type === 'tool_call')
  const counted = sum.usage && sum.usage.source !== 'unknown' ? withExtra(messagesUsageObject(sum.usage), sum.usageExtra) : noUsageObject
  return writeJson({
    id,
    type: 'message',
    role: 'assistant',
    model: sum.model ?? head.model,
    content,
    stop_reason: stop ? messagesStopWord(stop) : called ? 'tool_use' : 'end_turn',
    stop_sequence: stop?.sequence ?? null,
    usage: new RawJson(jsonText(counted)), // amounts of money keep their spelling
  })
}
