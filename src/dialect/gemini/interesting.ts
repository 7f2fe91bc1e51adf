/**
 * HOT PATH: where can a chunk of a Gemini stream hold usage, a stop reason, an error or the end? By native searches on bytes only.
 *
 * Nearly every frame repeats the usage so far. Only the last figures count (E09), so of a chunk with many frames the last one with figures is
 * named, and the others only for a stop reason, an error, a blocked prompt or a call, which changes what STOP means (B04). Figures of
 * each chunk are read nevertheless: when the client leaves, they are what is known (E10). Quotes inside JSON strings are escaped, so that text
 * can't fake a key.
 */

import { asBuffer } from '../sse.ts'

const keys = ['finishReason"', 'error"', 'promptFeedback"', 'functionCall"'].map((key) => Buffer.from(key))
/** Ends the names of all figures of `usageMetadata`, and of nothing else: Vertex sends it without figures in every frame. */
const count = Buffer.from('TokenCount"')

/** Where, from `from` on, the first thing stands that may be usage that counts, a stop reason, an error or a call; -1 when there is none. */
export function geminiInteresting(chunk: Uint8Array, from: number): number {
  const bytes = asBuffer(chunk)
  let first = bytes.lastIndexOf(count)
  if (first < from) first = -1
  for (const key of keys) {
    const at = bytes.indexOf(key, from)
    if (at !== -1 && (first === -1 || at < first)) first = at
  }
  return first
}
