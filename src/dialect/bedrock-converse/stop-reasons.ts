/** The words of `stopReason` and what they mean (PROTOCOL §1.5). An unknown word means `other` and is carried (I06). */

import type { StopEvent, StopReason } from '../../plugin/events.ts'

const meanings = new Map<string, StopReason>([
  ['end_turn', 'end'],
  ['stop_sequence', 'stop_sequence'],
  ['tool_use', 'tool_calls'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['guardrail_intervened', 'filter'],
  ['content_filtered', 'filter'],
  ['malformed_model_output', 'fault'],
  ['malformed_tool_use', 'fault'],
])

/** Neutral meaning of a `stopReason`. */
export function converseStopReason(raw: string): StopReason {
  return meanings.get(raw) ?? 'other'
}

/** The `stopReason` for a stop: its own word where that is one of this dialect, else the word of its meaning. */
export function converseStopWord(stop: StopEvent): string {
  if (meanings.get(stop.raw) === stop.reason) return stop.raw
  for (const [word, reason] of meanings) if (reason === stop.reason) return word
  return 'end_turn'
}
