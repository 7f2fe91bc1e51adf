/** The words of `stop_reason` and what they mean (PROTOCOL §1.5). An unknown word means `other` and is carried (I06). */

import type { StopEvent, StopReason } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'

const meanings = new Map<string, StopReason>([
  ['end_turn', 'end'],
  ['stop_sequence', 'stop_sequence'],
  ['tool_use', 'tool_calls'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['refusal', 'filter'],
  ['pause_turn', 'pause'],
])

/** Neutral meaning of a `stop_reason`. */
function messagesStopReason(raw: string): StopReason {
  return meanings.get(raw) ?? 'other'
}

/** The event of a `stop_reason` and the `stop_sequence` beside it. */
export function stopEvent(raw: string, sequence: Json | undefined): StopEvent {
  const met = typeof sequence === 'string' ? { sequence } : {}
  return { type: 'stop', reason: messagesStopReason(raw), raw, choice: 0, ...met }
}

/** The `stop_reason` for a stop: its own word where that is one of this dialect, else the word of its meaning. */
export function messagesStopWord(stop: StopEvent): string {
  if (meanings.get(stop.raw) === stop.reason) return stop.raw
  switch (stop.reason) {
    case 'stop_sequence':
      return 'stop_sequence'
    case 'tool_calls':
      return 'tool_use'
    case 'length':
      return 'max_tokens'
    case 'filter':
      return 'refusal'
    case 'pause':
      return 'pause_turn'
    default:
      return 'end_turn'
  }
}
