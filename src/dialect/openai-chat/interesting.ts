/**
 * HOT PATH: where can a chunk of a Chat stream hold usage, a stop reason, an error or the end? By native searches on bytes only.
 *
 * Most providers write `"finish_reason":null` and `"usage":null` into every chunk; those do not count. A false yes costs one parse, a
 * false no would lose money: so every doubt is a yes. Quotes inside JSON strings are escaped, so that text can't fake a key.
 */

import { asBuffer } from '../sse.ts'

const finishKey = Buffer.from('finish_reason"')
const usageKey = Buffer.from('usage"')
const errorWord = Buffer.from('error')
const done = Buffer.from('[DONE')

/** Where, from `from` on, the first thing stands that may be usage, a stop reason, an error or the end; -1 when there is none. */
export function chatInteresting(chunk: Uint8Array, from: number): number {
  const bytes = asBuffer(chunk)
  let first = keyWithValue(bytes, finishKey, from)
  first = sooner(first, keyWithValue(bytes, usageKey, from))
  first = sooner(first, bytes.indexOf(done, from))
  return sooner(first, errorWithValue(bytes, from))
}

function sooner(a: number, b: number): number {
  return a < 0 || (b >= 0 && b < a) ? b : a
}

/** Where the key stands with a value other than null. */
function keyWithValue(bytes: Buffer, key: Buffer, from: number): number {
  let at = bytes.indexOf(key, from)
  while (at !== -1 && isNullAt(bytes, at + key.length)) at = bytes.indexOf(key, at + key.length)
  return at
}

/** Where an `error` stands that is not a key whose value is null. */
function errorWithValue(bytes: Buffer, from: number): number {
  let at = bytes.indexOf(errorWord, from)
  while (at !== -1) {
    const end = at + errorWord.length
    if (bytes[end] !== 0x22 || !isNullAt(bytes, end + 1)) return at
    at = bytes.indexOf(errorWord, end)
  }
  return -1
}

/** True when, behind white space and a colon, `null` stands at `at`. */
function isNullAt(bytes: Uint8Array, at: number): boolean {
  while (bytes[at] === 0x20) at++
  if (bytes[at] !== 0x3a) return false
  at++
  while (bytes[at] === 0x20) at++
  return bytes[at] === 0x6e
}
