/**
 * The words of `finishReason` and what they mean (PROTOCOL §1.5). An unknown word means `other` and is carried (I06).
 *
 * A turn that calls functions ends with STOP like any other (B04): who knows of the calls says `tool_calls`.
 */

import type { StopEvent, StopReason } from '../../plugin/events.ts'

const meanings = new Map<string, StopReason>([
  ['STOP', 'end'],
  ['MAX_TOKENS', 'length'],
  ['SAFETY', 'filter'],
  ['RECITATION', 'filter'],
  ['BLOCKLIST', 'filter'],
  ['PROHIBITED_CONTENT', 'filter'],
  ['SPII', 'filter'],
  ['IMAGE_SAFETY', 'filter'],
  ['IMAGE_PROHIBITED_CONTENT', 'filter'],
  ['IMAGE_RECITATION', 'filter'],
  ['MODEL_ARMOR', 'filter'],
  ['JAILBREAK', 'filter'],
  ['MALFORMED_FUNCTION_CALL', 'fault'],
  ['UNEXPECTED_TOOL_CALL', 'fault'],
  ['TOO_MANY_TOOL_CALLS', 'fault'],
  ['MISSING_THOUGHT_SIGNATURE', 'fault'],
  ['MALFORMED_RESPONSE', 'fault'],
  ['NO_IMAGE', 'fault'],
  ['IMAGE_OTHER', 'fault'],
  ['OTHER', 'fault'],
])

/** Neutral meaning of a `finishReason`. */
export function geminiStopReason(raw: string, called: boolean): StopReason {
  return raw === 'STOP' && called ? 'tool_calls' : (meanings.get(raw) ?? 'other')
}

/** The `finishReason` for a stop: its own word where that is one of this dialect, else the word of its meaning. */
export function geminiFinishReason(stop: StopEvent): string {
  if (stop.raw !== 'STOP' && meanings.get(stop.raw) === stop.reason) return stop.raw
  switch (stop.reason) {
    case 'length':
      return 'MAX_TOKENS'
    case 'filter':
      return 'SAFETY'
    case 'fault':
      return 'OTHER'
    default:
      return 'STOP'
  }
}
