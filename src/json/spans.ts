/**
 * Where the children of a container lie in the source bytes.
 *
 * Works on bytes that `scan.ts` has accepted, so it checks nothing; what is inside a child is skipped, not indexed. Strings
 * are got past as in the scan. Time is linear in the container's size.
 */

import { quoteIndex, WINDOW } from './quote-index.ts'

/** Byte offsets of a value in the source. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A child of a container. Keys include their quotes; -1 in arrays. */
export interface ChildSpan extends Span {
  readonly keyStart: number
  readonly keyEnd: number
}

const utf8 = new TextDecoder()

/** The document's value without the white space around it. `start` is the offset behind a byte order mark. */
export function rootSpan(bytes: Uint8Array, start: number): Span {
  let end = bytes.length
  while (isSpace(bytes[start])) start++
  while (isSpace(bytes[end - 1])) end--
  return { start, end }
}

/** The children of the object or array that begins at `start`, in order. */
export function childSpans(bytes: Uint8Array, start: number): ChildSpan[] {
  const isObject = bytes[start] === 0x7b
  const children: ChildSpan[] = []
  let depth = 1
  let key = isObject
  let keyStart = -1
  let keyEnd = -1
  let valueStart = -1
  let valueEnd = -1

  let at = start + 1
  let base = at
  let limit = at
  let step = 256
  let next = 0
  let count = 0
  let escaped: 0 | 1 = 0
  let open = -1

  for (;;) {
    while (next === count && limit < bytes.length) {
      base = limit
      // small containers are common: begin with little
      step = Math.min(step * 4, WINDOW)
      limit = Math.min(base + step, bytes.length)
      const found = quoteIndex.find(bytes, base, limit, escaped)
      count = found >>> 1
      escaped = (found & 1) as 0 | 1
      next = 0
    }
    const quote = next < count ? base + quoteIndex.positions[next++]! : bytes.length

    if (open !== -1) {
      at = quote + 1
      if (depth === 1) {
        if (key) {
          keyStart = open
          keyEnd = at
        } else {
          valueStart = open
          valueEnd = at
        }
      }
      open = -1
      continue
    }

    for (; at < quote; at++) {
      const byte = bytes[at]!
      if (byte === 0x7b || byte === 0x5b) {
        if (depth++ === 1) valueStart = at
      } else if (byte === 0x7d || byte === 0x5d) {
        if (--depth === 1) valueEnd = at + 1
        else if (depth === 0) {
          if (valueStart !== -1) children.push({ keyStart, keyEnd, start: valueStart, end: valueEnd })
          return children
        }
      } else if (depth === 1) {
        if (byte === 0x2c) {
          children.push({ keyStart, keyEnd, start: valueStart, end: valueEnd })
          valueStart = -1
          key = isObject
        } else if (byte === 0x3a) key = false
        else if (!isSpace(byte)) {
          if (valueStart === -1) valueStart = at
          valueEnd = at + 1
        }
      }
    }
    // only a source that was never checked ends inside a container
    if (quote === bytes.length) return children
    open = quote
  }
}

/** True when the JSON string `bytes[start, end)` (quotes included) spells `key`, whose UTF-8 form is `encoded`. */
export function spells(bytes: Uint8Array, start: number, end: number, key: string, encoded: Uint8Array): boolean {
  const length = end - start - 2
  // what has no UTF-8 form of its own (lone surrogates, the replacement character) can only be compared decoded
  const exact = key.isWellFormed() && !key.includes('\ufffd')
  if (exact && length < encoded.length) return false
  const text = bytes.subarray(start, end)
  if (exact && !text.includes(0x5c)) return length === encoded.length && encoded.every((byte, index) => text[index + 1] === byte)
  try {
    return JSON.parse(utf8.decode(text)) === key
  } catch {
    return false
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
