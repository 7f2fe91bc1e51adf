/**
 * HOT PATH: can a chunk of a Chat stream hold usage, a stop reason, an error or the end? By native searches on bytes only.
 *
 * Most providers write `"finish_reason":null` and `"usage":null` into every chunk; those do not count. A false yes costs one parse, a
 * false no would lose money: so every doubt is a yes. Quotes inside JSON strings are escaped, so that text can't fake a key.
 */

import { asBuffer } from '../sse.ts'

const finishKey = Buffer.from('finish_reason"')
const usageKey = Buffer.from('usage"')
const errorWord = Buffer.from('error')
const done = Buffer.from('[DONE')

/** False when no frame in these bytes can carry usage, a stop reason, an error or the end. */
export function chatInteresting(chunk: Uint8Array): boolean {
  const bytes = asBuffer(chunk)
  return (
    hasValue(bytes, finishKey) ||
    hasValue(bytes, usageKey) ||
    bytes.indexOf(done) !== -1 ||
    (bytes.indexOf(errorWord) !== -1 && hasErrorValue(bytes))
  )
}

/** True when the key stands in the bytes with a value other than null. */
function hasValue(bytes: Buffer, key: Buffer): boolean {
  let at = bytes.indexOf(key)
  while (at !== -1) {
    at += key.length
    if (!isNullAt(bytes, at)) return true
    at = bytes.indexOf(key, at)
  }
  return false
}

/** True unless every `error` in the bytes is a key whose value is null. */
function hasErrorValue(bytes: Buffer): boolean {
  let at = bytes.indexOf(errorWord)
  while (at !== -1) {
    at += errorWord.length
    if (bytes[at] !== 0x22 || !isNullAt(bytes, at + 1)) return true
    at = bytes.indexOf(errorWord, at)
  }
  return false
}

/** True when, behind white space and a colon, `null` stands at `at`. */
function isNullAt(bytes: Uint8Array, at: number): boolean {
  while (bytes[at] === 0x20) at++
  if (bytes[at] !== 0x3a) return false
  at++
  while (bytes[at] === 0x20) at++
  return bytes[at] === 0x6e
}
