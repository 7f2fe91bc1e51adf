/** The words of `finish_reason` and what they mean (PROTOCOL §1.5). An unknown word means `other` and is carried (I06). */

import type { StopEvent, StopReason } from '../../plugin/events.ts'

const meanings = new Map<string, StopReason>([
  ['stop', 'end'],
  ['eos', 'end'],
  ['length', 'length'],
  ['model_length', 'length'],
  ['max_tokens', 'length'],
  ['tool_calls', 'tool_calls'],
  ['function_call', 'tool_calls'],
  ['content_filter', 'filter'],
  ['error', 'fault'],
])

/** The words of OpenAI itself: the only ones that all clients know. Anthropic's `max_tokens` is among the others, and looks the same. */
const own: ReadonlySet<string> = new Set(['stop', 'length', 'tool_calls', 'function_call', 'content_filter'])

/** Neutral meaning of a `finish_reason`. */
export function chatStopReason(raw: string): StopReason {
  return meanings.get(raw) ?? 'other'
}

/** The `finish_reason` for a stop: its own word where that is OpenAI's, else the word of its meaning. */
export function chatFinishReason(stop: StopEvent): string {
  if (own.has(stop.raw) && meanings.get(stop.raw) === stop.reason) return stop.raw
  switch (stop.reason) {
    case 'length':
      return 'length'
    case 'tool_calls':
      return 'tool_calls'
    case 'filter':
      return 'content_filter'
    case 'fault':
      return 'error'
    default:
      return 'stop'
  }
}
