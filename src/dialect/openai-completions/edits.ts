/**
 * The edits that make a chunk or a whole completion say what hooks made of its events; every other byte stays as received.
 *
 * Text and stop of a choice stand side by side in one object, so all texts that hooks left of a choice become its text. Log
 * probabilities spell the text out token by token: they go when it changes.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Splice } from '../json-edits.ts'
import { choiceIndex, usageSite } from '../openai-chat/sites.ts'
import { chatFinishReason } from '../openai-chat/stop-reasons.ts'
import { chatUsageObject } from '../openai-chat/usage.ts'
import { type JsonObject, listOf, objectOf, textOf, wordOf } from '../shape.ts'
import { usageEdits } from '../usage-edits.ts'

export interface CompletionEdits {
  readonly edits: readonly Splice[]
  /** Events that have no place in the body: texts of choices that it does not hold, notes, errors. */
  readonly left: readonly StreamEvent[]
  /** Nothing that a client would look at remains in the body. */
  readonly hollow: boolean
}

/** @param before the events of the body, `after` what became of them and what was added */
export function completionEdits(body: JsonObject, before: readonly StreamEvent[], after: readonly StreamEvent[]): CompletionEdits {
  const edits: Splice[] = []
  const held = new Set<number>()
  let hollow = true
  const choices = listOf(body.choices)
  for (const [i, item] of choices.entries()) {
    const choice = objectOf(item)
    if (!choice) continue
    const index = choiceIndex(choice, i)
    held.add(index)
    const text = textIn(after, index)
    if (text !== '') hollow = false
    if (text !== textOf(choice.text)) {
      edits.push({ pointer: `/choices/${i}/text`, value: text })
      if (objectOf(choice.logprobs)) edits.push({ pointer: `/choices/${i}/logprobs`, value: null })
    }
    const stop = after.find((event) => event.type === 'stop' && event.choice === index)
    const told = before.some((event) => event.type === 'stop' && event.choice === index)
    const raw = wordOf(choice.finish_reason)
    if (stop?.type === 'stop') {
      hollow = false
      const word = completionStop(stop)
      if (word !== raw) edits.push({ pointer: `/choices/${i}/finish_reason`, value: word })
    } else if (told) edits.push({ pointer: `/choices/${i}/finish_reason`, value: null })
  }
  const site = usageSite(body, choices)
  const counted = before.find((event) => event.type === 'usage')
  const usage = after.findLast((event) => event.type === 'usage')
  if (site && counted) {
    if (usage?.type === 'usage') {
      hollow = false
      edits.push(...usageEdits(site.pointer, counted, usage, chatUsageObject))
    } else edits.push({ pointer: site.pointer, value: null })
  }
  const failed = before.find((event) => event.type === 'error')
  const error = after.find((event) => event.type === 'error')
  if (failed && error) {
    hollow = false
    if (error !== failed) edits.push({ pointer: '/error', value: { message: error.message, type: error.kind, param: null, code: null } })
  } else if (failed) edits.push({ pointer: '/error' })
  const left = after.filter((event) => {
    if (event.type === 'text' || event.type === 'stop') return !held.has(event.choice)
    if (event.type === 'usage') return !site
    return event.type === 'note' || event.type === 'end' || (event.type === 'error' && !failed)
  })
  return { edits, left, hollow }
}

/** All text of a choice. */
export function textIn(events: readonly StreamEvent[], choice: number): string {
  let text = ''
  for (const event of events) if (event.type === 'text' && event.choice === choice) text += event.text
  return text
}

/** The `finish_reason` of a stop: the words of Chat, but for calls, which there are none of. */
export function completionStop(stop: Extract<StreamEvent, { type: 'stop' }>): string {
  const word = chatFinishReason(stop)
  return word === 'tool_calls' ? 'stop' : word
}
