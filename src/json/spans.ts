/**
 * Where the children of a container lie in the source bytes.
 *
 * Works on bytes that `scan.ts` has accepted, so it checks nothing; containers inside a child are skipped, not indexed.
 * Time is linear in the container's size, strings are jumped over by native search.
 */

/** A child of a container, as byte offsets in the source. Keys include their quotes; -1 in arrays. */
export interface ChildSpan {
  readonly keyStart: number
  readonly keyEnd: number
  readonly start: number
  readonly end: number
}

const utf8 = new TextDecoder()

/** The children of the object or array that begins at `start`, in order; `end` is the byte behind its bracket. */
export function childSpans(bytes: Uint8Array, start: number): ChildSpan[] {
  const isObject = bytes[start] === 0x7b
  const children: ChildSpan[] = []
  let at = skipSpace(bytes, start + 1)
  while (bytes[at] !== 0x7d && bytes[at] !== 0x5d) {
    let keyStart = -1
    let keyEnd = -1
    if (isObject) {
      keyStart = at
      keyEnd = stringEnd(bytes, at)
      at = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1)
    }
    const end = valueEnd(bytes, at)
    children.push({ keyStart, keyEnd, start: at, end })
    at = skipSpace(bytes, end)
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1)
  }
  return children
}

/** First byte behind the value that begins at `at`. */
export function valueEnd(bytes: Uint8Array, at: number): number {
  const first = bytes[at]
  if (first === 0x22) return stringEnd(bytes, at)
  if (first !== 0x7b && first !== 0x5b) {
    while (at < bytes.length && !isDelimiter(bytes[at]!)) at++
    return at
  }
  let depth = 0
  do {
    const byte = bytes[at]!
    if (byte === 0x22) {
      at = stringEnd(bytes, at)
      continue
    }
    if (byte === 0x7b || byte === 0x5b) depth++
    else if (byte === 0x7d || byte === 0x5d) depth--
    at++
  } while (depth > 0)
  return at
}

/** First byte at or behind `at` that is not JSON white space. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++
  return at
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

/** First byte behind the string whose opening quote is at `at`. Each run of backslashes is counted once. */
function stringEnd(bytes: Uint8Array, at: number): number {
  const start = at + 1
  for (let quote = bytes.indexOf(0x22, start); ; quote = bytes.indexOf(0x22, quote + 1)) {
    let before = quote
    while (before > start && bytes[before - 1] === 0x5c) before--
    if (((quote - before) & 1) === 0) return quote + 1
  }
}

function isDelimiter(byte: number): boolean {
  return byte === 0x2c || byte === 0x5d || byte === 0x7d || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
