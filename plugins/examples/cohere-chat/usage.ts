/**
 * Usage and stop reasons.
 *
 * `billed_units` are what is charged; `tokens` also count the prompts that Cohere puts around a conversation. Thinking is not told apart, and reads of the
 * cache are not charged apart.
 */

import { countOf, type JsonObject, jsonText, objectOf } from 'headgate/dialect'
import { inputTokens, type Json, outputTokens, type StopEvent, type StopReason, type Usage, unknownUsage } from 'headgate/plugin'

/** Usage of a `usage` object; undefined when it holds no token count. */
export function readUsage(value: Json | undefined): Usage | undefined {
  const usage = objectOf(value)
  const counts = objectOf(usage?.billed_units) ?? objectOf(usage?.tokens)
  const input = countOf(counts?.input_tokens)
  const output = countOf(counts?.output_tokens)
  if (!usage || (input === undefined && output === undefined)) return undefined
  const source = input !== undefined && output !== undefined ? 'reported' : 'partial'
  return { ...unknownUsage, source, inputUncached: input ?? 0, outputVisible: output ?? 0, raw: jsonText(usage) }
}

/** The `usage` object of a usage. */
export function usageObject(usage: Usage): JsonObject {
  const counts = { input_tokens: inputTokens(usage), output_tokens: outputTokens(usage) }
  return { billed_units: counts, tokens: counts, ...(usage.cacheRead > 0 && { cached_tokens: usage.cacheRead }) }
}

const meanings: ReadonlyMap<string, StopReason> = new Map([
  ['COMPLETE', 'end'],
  ['STOP_SEQUENCE', 'stop_sequence'],
  ['MAX_TOKENS', 'length'],
  ['TOOL_CALL', 'tool_calls'],
  ['ERROR_TOXIC', 'filter'],
  ['ERROR', 'fault'],
  ['TIMEOUT', 'fault'],
])

/** The stop of a `finish_reason`. A word that is not known is carried. */
export function stopEvent(raw: string): StopEvent {
  return { type: 'stop', reason: meanings.get(raw) ?? 'other', raw, choice: 0 }
}

/** The `finish_reason` for a stop: its own word where it is one of these, else that of its meaning. */
export function stopWord(stop: StopEvent): string {
  if (meanings.get(stop.raw) === stop.reason) return stop.raw
  for (const [word, reason] of meanings) if (reason === stop.reason) return word
  return 'COMPLETE'
}
