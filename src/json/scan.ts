/**
 * The one look that every request body gets: is it well-formed JSON, an object, not too deep, and which model does it name.
 *
 * HOT PATH. Nothing is decoded, copied or allocated per value: `quote-index.ts` says where strings begin and end, and the
 * loop below walks only the bytes between them. It checks the whole JSON grammar (brackets, commas, colons, literals, numbers)
 * except the inside of strings: bad escapes and raw control characters there, and invalid UTF-8, are left to whoever decodes
 * the string (`JSON.parse` in `document.ts`). Never recursive; time is linear in the body whatever it holds.
 * This file may not build values and knows nothing of requests beyond the two members it looks for.
 */

import { quoteIndex, WINDOW } from './quote-index.ts'

/** What the gateway must know of a body before anything else. Offsets are bytes in the scanned array, BOM included. */
export interface TopLevel {
  readonly ok: true
  /** Value of the last top-level `model` member; empty when there is none. */
  readonly model: string
  /** Where the JSON string of `model` begins (its opening quote); -1 when there is none. */
  readonly modelStart: number
  /** First byte behind its closing quote; -1 when there is none. */
  readonly modelEnd: number
  /** How many members named `model` there are. Above 1 a splice of the span alone leaves the earlier ones to a reader that takes the first. */
  readonly modelCount: number
  /** Value of the last top-level `stream` member; false when absent or null (hazard A14). */
  readonly stream: boolean
  /** The whole grammar was checked; false after a look at the ends of a large body (`quick-look.ts`). */
  readonly checked: boolean
}

export interface JsonProblem {
  readonly ok: false
  readonly kind: 'syntax' | 'not_object' | 'too_deep' | 'empty' | 'bad_type'
  /** Byte offset of the first byte that cannot be accepted; the body's length when it ends too early. */
  readonly offset: number
  /** For people; names line and column (in bytes, from 1). */
  readonly message: string
  /** The member at fault, for `bad_type`. */
  readonly param?: string
}

// What the grammar allows next. The order matters: up to KEY a string may come.
const VALUE = 0
const VALUE_OR_CLOSE = 1
const KEY_OR_CLOSE = 2
const KEY = 3
const COLON = 4
const COMMA_OR_CLOSE = 5
const END = 6

const ARRAY = 0
const OBJECT = 1

const MODEL = 1
const STREAM = 2

const STRING = 1
const OTHER = 2
const TRUE = 3
const FALSE = 4
const NULL = 5

/** Containers inside each other that a body may have, unless said otherwise; re-serialising deep values takes seconds. */
export const MAX_DEPTH = 200

const utf8 = new TextDecoder()

/** Containers around the byte being looked at; scans are synchronous, so one is enough. */
let stack = new Uint8Array(256)

/**
 * Checks a request body and finds its top-level `model` and `stream`. Of duplicate members the last wins, as in JSON.parse;
 * names spelled with escapes count. A UTF-8 byte order mark at the start is skipped (hazard A06).
 * @param maxDepth containers inside each other that are still accepted; the top-level object is 1.
 */
export function scanTopLevel(bytes: Uint8Array, maxDepth = MAX_DEPTH): TopLevel | JsonProblem {
  return scan(bytes, maxDepth, true)
}

/** The same check for any JSON text, whatever its top-level value and the types of its members; null when it is well-formed. */
export function checkJson(bytes: Uint8Array, maxDepth = MAX_DEPTH): JsonProblem | null {
  const found = scan(bytes, maxDepth, false)
  return found.ok ? null : found
}

const NOTHING: TopLevel = { ok: true, model: '', modelStart: -1, modelEnd: -1, modelCount: 0, stream: false, checked: true }

function scan(bytes: Uint8Array, maxDepth: number, asRequest: boolean): TopLevel | JsonProblem {
  if (stack.length <= maxDepth) stack = new Uint8Array(maxDepth + 1)
  const end = bytes.length
  const quotes = quoteIndex.positions

  let state = VALUE
  let depth = 0
  let member = 0
  let model = 0
  let modelStart = -1
  let modelEnd = -1
  let modelCount = 0
  let modelAt = 0
  let stream = 0
  let streamAt = 0

  let cursor = bodyStart(bytes)
  let base = cursor
  let limit = cursor
  let next = 0
  let count = 0
  let escaped: 0 | 1 = 0
  let open = -1

  for (;;) {
    // The next quote, or the end of the body.
    while (next === count && limit < end) {
      base = limit
      limit = Math.min(base + WINDOW, end)
      const found = quoteIndex.find(bytes, base, limit, escaped)
      count = found >>> 1
      escaped = (found & 1) as 0 | 1
      next = 0
    }
    const quote = next < count ? base + quotes[next++]! : end

    if (open !== -1) {
      if (quote === end) return problem(bytes, 'syntax', end, 'the body ends inside a string')
      cursor = quote + 1
      if (state === VALUE || state === VALUE_OR_CLOSE) {
        if (member !== 0) {
          if (member === MODEL) {
            model = STRING
            modelStart = open
            modelEnd = cursor
          } else {
            stream = OTHER
            streamAt = open
          }
          member = 0
        }
        state = depth === 0 ? END : COMMA_OR_CLOSE
      } else {
        if (depth === 1) {
          member = memberOf(bytes, open, cursor)
          if (member === MODEL) modelCount++
        }
        state = COLON
      }
      open = -1
      continue
    }

    while (cursor < quote) {
      const byte = bytes[cursor]!
      if (byte === 0x2c) {
        if (state !== COMMA_OR_CLOSE) return unexpected(bytes, cursor)
        state = stack[depth] === OBJECT ? KEY : VALUE
        cursor++
      } else if (byte === 0x3a) {
        if (state !== COLON) return unexpected(bytes, cursor)
        state = VALUE
        cursor++
      } else if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
        cursor++
      } else if (byte === 0x7d || byte === 0x5d) {
        const closes = byte === 0x7d ? OBJECT : ARRAY
        if (depth === 0 || stack[depth] !== closes) return unexpected(bytes, cursor)
        if (state !== COMMA_OR_CLOSE && state !== (closes === OBJECT ? KEY_OR_CLOSE : VALUE_OR_CLOSE)) return unexpected(bytes, cursor)
        depth--
        state = depth === 0 ? END : COMMA_OR_CLOSE
        cursor++
      } else if (state > VALUE_OR_CLOSE) {
        return unexpected(bytes, cursor)
      } else {
        let kind = OTHER
        const at = cursor
        if (byte === 0x7b || byte === 0x5b) {
          if (depth === maxDepth) return problem(bytes, 'too_deep', cursor, `the body is nested more than ${maxDepth} levels deep`)
          if (depth === 0 && asRequest && byte === 0x5b) return notObject(bytes, cursor)
          stack[++depth] = byte === 0x7b ? OBJECT : ARRAY
          state = byte === 0x7b ? KEY_OR_CLOSE : VALUE_OR_CLOSE
          cursor++
        } else {
          // a scalar cannot reach over a quote, so reading up to `end` is safe
          if (byte === 0x74) kind = TRUE
          else if (byte === 0x66) kind = FALSE
          else if (byte === 0x6e) kind = NULL
          cursor = kind === OTHER ? numberEnd(bytes, cursor) : wordEnd(bytes, cursor, kind)
          if (cursor < 0) return unexpected(bytes, ~cursor)
          if (depth === 0 && asRequest) return notObject(bytes, at)
          state = depth === 0 ? END : COMMA_OR_CLOSE
        }
        if (member !== 0) {
          if (member === MODEL) {
            model = kind
            modelAt = at
          } else {
            stream = kind
            streamAt = at
          }
          member = 0
        }
      }
    }

    if (quote === end) break
    if (depth === 0 && asRequest) return state === END ? unexpected(bytes, quote) : notObject(bytes, quote)
    if (state > KEY) return unexpected(bytes, quote)
    open = quote
  }

  if (state !== END) {
    if (depth === 0) return problem(bytes, 'empty', end, 'the body is empty')
    return problem(bytes, 'syntax', end, `the body ends early: ${depth} ${depth === 1 ? 'bracket is' : 'brackets are'} still open`)
  }
  if (!asRequest) return NOTHING
  if (model > STRING) return problem(bytes, 'bad_type', modelAt, 'model must be a string', 'model')
  if (stream === STRING || stream === OTHER) return problem(bytes, 'bad_type', streamAt, 'stream must be a boolean', 'stream')
  if (model === 0) return stream === TRUE ? { ...NOTHING, stream: true } : NOTHING
  const name = stringValue(bytes, modelStart, modelEnd)
  if (name === null) return problem(bytes, 'syntax', modelStart, 'the string of model holds a bad escape or a control character')
  return { ok: true, model: name, modelStart, modelEnd, modelCount, stream: stream === TRUE, checked: true }
}

/** Offset of the first byte behind a UTF-8 byte order mark, or 0 (hazard A06). */
export function bodyStart(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
}

/** Which member a top-level key names. `bytes[start, end)` is the key with its quotes. */
function memberOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  const first = bytes[start + 1]
  if (length === 7 && first === 0x6d) {
    return bytes[start + 2] === 0x6f && bytes[start + 3] === 0x64 && bytes[start + 4] === 0x65 && bytes[start + 5] === 0x6c ? MODEL : 0
  }
  if (length === 8 && first === 0x73) {
    const same =
      bytes[start + 2] === 0x74 &&
      bytes[start + 3] === 0x72 &&
      bytes[start + 4] === 0x65 &&
      bytes[start + 5] === 0x61 &&
      bytes[start + 6] === 0x6d
    return same ? STREAM : 0
  }
  // with escapes: 12 to 38 bytes, from one \u to all of them
  if (length < 12 || length > 38 || !escaped(bytes, start, end)) return 0
  const key = stringValue(bytes, start, end)
  return key === 'model' ? MODEL : key === 'stream' ? STREAM : 0
}

function escaped(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === 0x5c) return true
  return false
}

/** The value of a JSON string with its quotes; null when it is not one. */
function stringValue(bytes: Uint8Array, start: number, end: number): string | null {
  // a model's name is short and plain: five times cheaper than a decoder and a parser
  if (end - start <= 80) {
    let text = ''
    let at = start + 1
    for (; at < end - 1; at++) {
      const byte = bytes[at]!
      if (byte < 0x20 || byte > 0x7e || byte === 0x5c) break
      text += String.fromCharCode(byte)
    }
    if (at === end - 1) return text
  }
  try {
    return JSON.parse(utf8.decode(bytes.subarray(start, end))) as string
  } catch {
    return null
  }
}

/** End of `true`, `false` or `null` at `at`; the complement of the first wrong offset when it is misspelled. */
function wordEnd(bytes: Uint8Array, at: number, kind: number): number {
  const word = kind === TRUE ? 'true' : kind === FALSE ? 'false' : 'null'
  for (let index = 1; index < word.length; index++) {
    if (bytes[at + index] !== word.charCodeAt(index)) return ~(at + index)
  }
  return at + word.length
}

/** End of the number at `at`; the complement of the first wrong offset when it is none. Behind the body's end every comparison is false. */
function numberEnd(bytes: Uint8Array, at: number): number {
  let byte = bytes[at]!
  if (byte === 0x2d) byte = bytes[++at]!
  if (byte === 0x30) byte = bytes[++at]!
  else if (byte > 0x30 && byte <= 0x39) {
    do byte = bytes[++at]!
    while (byte >= 0x30 && byte <= 0x39)
  } else return ~at
  if (byte === 0x2e) {
    byte = bytes[++at]!
    if (!(byte >= 0x30 && byte <= 0x39)) return ~at
    do byte = bytes[++at]!
    while (byte >= 0x30 && byte <= 0x39)
  }
  if (byte === 0x65 || byte === 0x45) {
    byte = bytes[++at]!
    if (byte === 0x2b || byte === 0x2d) byte = bytes[++at]!
    if (!(byte >= 0x30 && byte <= 0x39)) return ~at
    do byte = bytes[++at]!
    while (byte >= 0x30 && byte <= 0x39)
  }
  return at
}

function notObject(bytes: Uint8Array, offset: number): JsonProblem {
  return problem(bytes, 'not_object', offset, 'the body must be a JSON object')
}

function unexpected(bytes: Uint8Array, offset: number): JsonProblem {
  if (offset >= bytes.length) return problem(bytes, 'syntax', offset, 'the body ends early')
  const byte = bytes[offset]!
  const what = byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16).padStart(2, '0')}`
  return problem(bytes, 'syntax', offset, `unexpected ${what}`)
}

function problem(bytes: Uint8Array, kind: JsonProblem['kind'], offset: number, text: string, param?: string): JsonProblem {
  let line = 1
  let lineStart = bodyStart(bytes)
  for (let at = bytes.indexOf(0x0a); at !== -1 && at < offset; at = bytes.indexOf(0x0a, lineStart)) {
    line++
    lineStart = at + 1
  }
  const message = kind === 'empty' ? text : `${text} (line ${line}, column ${offset - lineStart + 1})`
  return { ok: false, kind, offset, message, ...(param === undefined ? {} : { param }) }
}
