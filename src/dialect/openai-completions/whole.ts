/** Whole completions: the events they consist of, with edits that keep all other bytes, and completions made of events alone. */

import type { StreamEvent } from '../../plugin/events.ts'
import { isUntouched } from '../align.ts'
import type { DecodedWhole, ReplyIdentity } from '../codec.ts'
import { startEvent } from '../frame-events.ts'
import { spliceBytes } from '../json-edits.ts'
import { chatUsageObject } from '../openai-chat/usage.ts'
import { chatErrorText } from '../openai-chat/whole-encode.ts'
import { reduceEvents } from '../reduce.ts'
import { countOf, decodeText, type JsonObject, jsonText, objectOf, parseJson, wordOf } from '../shape.ts'
import { withExtra } from '../usage-edits.ts'
import { completionEvents } from './decode.ts'
import { completionEdits, completionStop, textIn } from './edits.ts'
import { completionId } from './encode.ts'

/** The events of a completion; null when the body is none. */
export function decodeCompletionsWhole(body: Uint8Array): DecodedWhole | null {
  const reply = objectOf(parseJson(decodeText(body)))
  if (!reply || !Array.isArray(reply.choices)) return null
  const events: StreamEvent[] = [startEvent(reply.id, reply.model), ...completionEvents(reply, new Set()), { type: 'end' }]
  return { events, apply: (after) => applied(body, reply, events, after) }
}

function applied(
  body: Uint8Array,
  reply: JsonObject,
  events: readonly StreamEvent[],
  after: readonly (readonly StreamEvent[])[],
): Uint8Array {
  if (isUntouched(events, after)) return body
  const now = after.flat()
  const error = now.find((event) => event.type === 'error')
  if (error && !events.includes(error)) return Buffer.from(chatErrorText(error.kind, error.message))
  try {
    return spliceBytes(body, completionEdits(reply, events, now).edits)
  } catch {
    const head = { id: wordOf(reply.id) ?? '', model: wordOf(reply.model) ?? '', created: countOf(reply.created) ?? 0 }
    return Buffer.from(encodeCompletionsWhole(now, head))
  }
}

/** A completion made of events alone. */
export function encodeCompletionsWhole(events: readonly StreamEvent[], head: ReplyIdentity): string {
  const sum = reduceEvents(events)
  if (sum.error) return chatErrorText(sum.error.kind, sum.error.message)
  const choices = sum.choices.map(({ choice, stop }) => ({
    text: textIn(events, choice),
    index: choice,
    logprobs: null,
    finish_reason: stop ? completionStop(stop) : 'stop',
  }))
  const usage = sum.usage && sum.usage.source !== 'unknown' ? { usage: withExtra(chatUsageObject(sum.usage), sum.usageExtra) } : {}
  const id = sum.id ?? completionId(head.id)
  return jsonText({ id, object: 'text_completion', created: head.created, model: sum.model ?? head.model, choices, ...usage })
}
