/** Whole replies: the summary for the record, the events they consist of, and replies made of events. */

import {
  type DecodedWhole,
  decodeText,
  errorIn,
  type JsonObject,
  jsonText,
  listOf,
  objectOf,
  parseJson,
  type Reduced,
  type ReplyIdentity,
  reduceEvents,
  textOf,
  type WholeSummary,
  wordOf,
} from 'headgate/dialect'
import type { StreamEvent } from 'headgate/plugin'
import { citationEvent } from './citations.ts'
import { readUsage, stopEvent, stopWord, usageObject } from './usage.ts'

/** What the record needs of a reply. */
export function summary(body: Uint8Array): WholeSummary {
  const value = parseJson(decodeText(body))
  const reply = objectOf(value)
  if (!reply || !objectOf(reply.message)) {
    const error = value === undefined ? undefined : errorIn(value)
    return { valid: false, ...(error && { error }) }
  }
  return { valid: true, id: wordOf(reply.id), usage: readUsage(reply.usage), stop: wordOf(reply.finish_reason) }
}

/** The events of a reply; null when the body is none. */
export function decodeWhole(body: Uint8Array): DecodedWhole | null {
  const reply = objectOf(parseJson(decodeText(body)))
  const message = objectOf(reply?.message)
  if (!reply || !message) return null
  const id = wordOf(reply.id)
  const events: StreamEvent[] = [{ type: 'start', ...(id !== undefined && { id }) }]
  const plan = wordOf(message.tool_plan)
  if (plan !== undefined) events.push({ type: 'reasoning', text: plan, choice: 0 })
  for (const item of listOf(message.content)) {
    const block = objectOf(item)
    if (typeof block?.thinking === 'string') events.push({ type: 'reasoning', text: block.thinking, choice: 0 })
    else if (typeof block?.text === 'string') events.push({ type: 'text', text: block.text, choice: 0 })
    else if (block) events.push({ type: 'native', event: 'content', data: jsonText(block) })
  }
  for (const [index, item] of listOf(message.tool_calls).entries()) {
    const call = objectOf(item)
    const made = objectOf(call?.function)
    const given = { id: wordOf(call?.id) ?? `call_${index}`, name: textOf(made?.name), arguments: textOf(made?.arguments) }
    events.push({ type: 'tool_call', index, choice: 0, ...given })
  }
  for (const item of listOf(message.citations)) {
    const citation = citationEvent(objectOf(item))
    if (citation) events.push(citation)
  }
  const stop = wordOf(reply.finish_reason)
  if (stop !== undefined) events.push(stopEvent(stop))
  const usage = readUsage(reply.usage)
  if (usage) events.push({ type: 'usage', usage })
  events.push({ type: 'end' })
  return {
    events,
    apply(after) {
      if (events.every((event, i) => after[i]?.length === 1 && after[i]?.[0] === event)) return body
      const sum = reduceEvents(after.flat())
      if (sum.error) return Buffer.from(jsonText({ message: sum.error.message }))
      // members that events do not tell stay as they are
      return Buffer.from(jsonText({ ...reply, ...members(sum), message: { ...message, ...messageOf(sum) } }))
    },
  }
}

/** A reply made of events alone. */
export function encodeWhole(events: readonly StreamEvent[], head: ReplyIdentity): string {
  const sum = reduceEvents(events)
  if (sum.error) return jsonText({ id: head.id, message: sum.error.message })
  return jsonText({ id: sum.id ?? head.id, ...members(sum), message: { role: 'assistant', ...messageOf(sum) } })
}

function members({ choices, usage }: Reduced): JsonObject {
  const stop = choices[0]?.stop
  return {
    finish_reason: stop ? stopWord(stop) : 'COMPLETE',
    ...(usage && usage.source !== 'unknown' && { usage: usageObject(usage) }),
  }
}

function messageOf({ choices }: Reduced): JsonObject {
  const pieces = choices[0]?.pieces ?? []
  const calls = pieces.filter((piece) => piece.type === 'tool_call')
  const thoughts = pieces.flatMap((piece) => (piece.type === 'reasoning' && piece.text !== '' ? [piece.text] : []))
  // what is thought before a call is its plan
  const planned = calls.length > 0 && thoughts.length > 0
  const content = pieces.flatMap((piece): JsonObject[] => {
    if (piece.type === 'text') return [{ type: 'text', text: piece.text }]
    if (piece.type === 'native') return [objectOf(parseJson(piece.native.data)) ?? {}]
    return piece.type === 'reasoning' && piece.text !== '' && !planned ? [{ type: 'thinking', thinking: piece.text }] : []
  })
  const written = calls.map((call) => ({
    id: call.id ?? `call_${call.index}`,
    type: 'function',
    function: { name: call.name ?? '', arguments: call.arguments },
  }))
  return {
    ...(content.length > 0 && { content }),
    ...(planned && { tool_plan: thoughts.join('\n\n') }),
    ...(written.length > 0 && { tool_calls: written }),
  }
}
