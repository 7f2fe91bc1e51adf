/**
 * HOT PATH: where can a chunk of a stream hold usage, the stop reason, an error or the end? By native searches on bytes only.
 *
 * All but errors stand in `message-end`.
 */

import { asBuffer } from 'headgate/dialect'

const keys = ['message-end', 'error"'].map((key) => Buffer.from(key))

/** Where, from `from` on, the first thing stands that may matter; -1 when there is none. */
export function interesting(chunk: Uint8Array, from: number): number {
  const bytes = asBuffer(chunk)
  let first = -1
  for (const key of keys) {
    const at = bytes.indexOf(key, from)
    if (at !== -1 && (first === -1 || at < first)) first = at
  }
  return first
}
