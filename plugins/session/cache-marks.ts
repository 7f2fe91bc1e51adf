/**
 * Messages without the marks that a client sets for the provider's prompt cache.
 *
 * Clients move their marks to the end of the conversation with every turn: the same message has one today and none tomorrow. It is still the same
 * message, so marks are left out of what is compared. Works on bytes, looks at nothing but the few places where a mark stands. Pure.
 */

/** Members that are marks: of Anthropic's dialect and those that borrowed it, of Converse, of OpenAI's. Found by how they begin. */
const marks = ['"cache_control"', '"cachePoint"', '"prompt_cache_breakpoint"'].map((text) => Buffer.from(text))
const [borrowed, openai] = [Buffer.from('"cache'), Buffer.from('"prompt_cache_breakpoint"')]
/** Which are looked for: a search of a long history is most of what finding none costs. */
const beginnings: Readonly<Record<string, readonly Buffer[]>> = {
  'anthropic-messages': [borrowed],
  'bedrock-converse': [borrowed],
  'openai-responses': [openai],
  'gemini-generate': [],
}
const all = [borrowed, openai]

/** More places than any provider takes marks at. Whoever has more is not told from somebody with other messages. */
const mostMarks = 256
/** Longest value of a mark. */
const longestMark = 300

export interface Cut {
  readonly from: number
  readonly to: number
}

/** Where marks stand in `bytes[start, end)`, in order, each with the comma that goes with it. @param dialect of the client; all marks where it is not known */
export function cacheMarks(bytes: Uint8Array, start: number, end: number, dialect = ''): Cut[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
  const found: Cut[] = []
  let looked = 0
  for (const beginning of beginnings[dialect] ?? all) {
    for (let at = buffer.indexOf(beginning); at >= 0 && looked < mostMarks; at = buffer.indexOf(beginning, at + 6)) {
      // inside a string it would be escaped
      if (at > 0 && buffer[at - 1] === 0x5c) continue
      looked++
      const mark = marks.find((text) => buffer.compare(text, 0, text.length, at, Math.min(at + text.length, buffer.length)) === 0)
      const cut = mark && cutAt(buffer, at, at + mark.length)
      if (cut) found.push({ from: cut.from + start, to: cut.to + start })
    }
  }
  return found.sort((a, b) => a.from - b.from)
}

/** `bytes[start, end)` without the cuts inside it; a view of the same memory when there are none. */
export function without(bytes: Uint8Array, start: number, end: number, cuts: readonly Cut[]): Uint8Array {
  if (cuts.length === 0) return bytes.subarray(start, end)
  const pieces: Uint8Array[] = []
  let at = start
  for (const { from, to } of cuts) {
    if (from > at) pieces.push(bytes.subarray(at, from))
    at = Math.max(at, to)
  }
  pieces.push(bytes.subarray(at, end))
  return Buffer.concat(pieces)
}

function cutAt(bytes: Uint8Array, keyStart: number, keyEnd: number): Cut | undefined {
  let to = pastSpace(bytes, keyEnd)
  if (bytes[to] !== 0x3a) return undefined
  to = valueEnd(bytes, pastSpace(bytes, to + 1))
  if (to < 0) return undefined
  let from = keyStart
  // a mark that is an item of its own takes its braces along
  if (before(bytes, from) === 0x7b && bytes[pastSpace(bytes, to)] === 0x7d) {
    from = indexBefore(bytes, from)
    to = pastSpace(bytes, to) + 1
  }
  if (before(bytes, from) === 0x2c) return { from: indexBefore(bytes, from), to }
  const next = pastSpace(bytes, to)
  return bytes[next] === 0x2c ? { from, to: next + 1 } : { from, to }
}

/** End of the small object, string or word that begins at `at`; -1 when it is none. */
function valueEnd(bytes: Uint8Array, at: number): number {
  const limit = Math.min(bytes.length, at + longestMark)
  let depth = 0
  let quoted = false
  for (let i = at; i < limit; i++) {
    const byte = bytes[i]!
    if (quoted) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) {
        quoted = false
        if (depth === 0) return i + 1
      }
    } else if (byte === 0x22) quoted = true
    else if (byte === 0x7b || byte === 0x5b) depth++
    else if (byte === 0x7d || byte === 0x5d) {
      if (depth === 0) return i
      if (--depth === 0) return i + 1
    } else if (byte === 0x2c && depth === 0) return i
  }
  return -1
}

function pastSpace(bytes: Uint8Array, at: number): number {
  let i = at
  while (isSpace(bytes[i])) i++
  return i
}
function indexBefore(bytes: Uint8Array, at: number): number {
  let i = at - 1
  while (isSpace(bytes[i])) i--
  return i
}
function before(bytes: Uint8Array, at: number): number | undefined {
  return bytes[indexBefore(bytes, at)]
}
function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
