/**
 * HOT PATH: where can a chunk of a Converse stream hold usage, a stop reason or an error? By native searches on bytes only.
 *
 * Usage stands in `metadata`, the stop in `messageStop`. A false yes costs one parse, a false no would lose money.
 */

import { asBuffer } from '../sse.ts'

const keys = ['stopReason"', 'usage"', 'error"'].map((key) => Buffer.from(key))

/** Where, from `from` on, the first thing stands that may be usage, a stop reason or an error; -1 when there is none. */
export function converseInteresting(chunk: Uint8Array, from: number): number {
  const bytes = asBuffer(chunk)
  let first = -1
  for (const key of keys) {
    const at = bytes.indexOf(key, from)
    if (at !== -1 && (first === -1 || at < first)) first = at
  }
  return first
}
