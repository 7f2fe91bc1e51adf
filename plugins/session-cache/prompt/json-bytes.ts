/** Small looks at JSON bytes where a span is known already. Pure; nothing here parses more than a word. */

import type { ByteSpan } from 'headgate/plugin'

const longestWord = 64

/** The short plain string that a span holds; undefined when it is something else. */
export function wordAt(bytes: Uint8Array, span: ByteSpan | undefined): string | undefined {
  if (!span || bytes[span.start] !== 0x22 || span.end - span.start > longestWord + 2) return undefined
  return Buffer.from(bytes.buffer, bytes.byteOffset + span.start + 1, span.end - span.start - 2).toString('latin1')
}

/** The first key of the object that begins at `start`; undefined when it is none. */
export function firstKey(bytes: Uint8Array, start: number): string | undefined {
  if (bytes[start] !== 0x7b) return undefined
  let at = start + 1
  while (isSpace(bytes[at])) at++
  if (bytes[at] !== 0x22) return undefined
  const end = bytes.indexOf(0x22, at + 1)
  return end < 0 ? undefined : wordAt(bytes, { start: at, end: end + 1 })
}

/** A string with nothing in it but white space, escaped or not: providers refuse marks on such a text. */
export function isBlank(bytes: Uint8Array, span: ByteSpan): boolean {
  for (let at = span.start + 1; at < span.end - 1; at++) {
    const byte = bytes[at]
    if (isSpace(byte)) continue
    if (byte !== 0x5c) return false
    const escaped = bytes[++at]
    if (escaped !== 0x6e && escaped !== 0x72 && escaped !== 0x74) return false
  }
  return true
}

export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** Where an object key of this name stands between `start` and `end`, as `"name"` before a colon; -1 when it does not. */
export function keyBetween(bytes: Uint8Array, quoted: Buffer, start: number, end: number): number {
  const range = bufferOf(bytes).subarray(start, end)
  for (let at = range.indexOf(quoted); at >= 0; at = range.indexOf(quoted, at + 1)) {
    let after = start + at + quoted.length
    while (isSpace(bytes[after])) after++
    if (bytes[after] === 0x3a && bytes[start + at - 1] !== 0x5c) return start + at
  }
  return -1
}

/** The bytes as a Buffer over the same memory, for its native searches. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
