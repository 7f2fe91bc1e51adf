/**
 * What identifies a piece of a prompt: a hash of it and of all that stands before it.
 *
 * A client's cache marks are left out, and so is the form that a message takes on to carry one (`"content": "…"` becomes a list of one text block): they
 * move with every turn, and the provider's cache does not see them. Everything else counts byte for byte. Two hashes of 64 bits, each the seed of the
 * next piece, because a collision would change a prompt.
 */

import type { PromptUnit } from 'headgate/plugin'

/** The hash of a prompt up to some place. */
export interface Key {
  readonly a: bigint
  readonly b: bigint
}

export interface Chain {
  /** The messages of the prompt, in order. */
  readonly units: readonly PromptUnit[]
  /** After each message: of it and all before it. */
  readonly keys: readonly Key[]
  /** Before the first. */
  readonly root: Key
  /** Whether a message was hashed as it lies there: then the same key means the same bytes. */
  readonly plain: readonly boolean[]
}

/** The key before all messages. Scopes that differ never share one. */
export function rootKey(scope: string): Key {
  return { a: Bun.hash.wyhash(scope, 1n), b: Bun.hash.xxHash3(scope, 2n) }
}

export function keyAfter(key: Key, bytes: Uint8Array | string): Key {
  return { a: Bun.hash.wyhash(bytes, key.a), b: Bun.hash.xxHash3(bytes, key.b) }
}

export function keyText({ a, b }: Key): string {
  return `${a.toString(36)}.${b.toString(36)}`
}

export const sameKey = (x: Key, y: Key): boolean => x.a === y.a && x.b === y.b

/** The key before message `index`. */
export const keyBefore = (chain: Chain, index: number): Key => (index <= 0 ? chain.root : chain.keys[index - 1]!)

/** What a dialect's cache marks look like in bytes that are JSON: members, or blocks of their own. Inside of strings the quotes would be escaped. */
const members: Readonly<Record<string, readonly string[]>> = {
  'anthropic-messages': ['"cache_control"'],
  'openai-chat': ['"cache_control"', '"prompt_cache_breakpoint"'],
  'openai-responses': ['"prompt_cache_breakpoint"'],
  'bedrock-converse': ['"cachePoint"'],
}

export function promptChain(bytes: Uint8Array, units: readonly PromptUnit[], dialect: string, root: Key): Chain {
  const messages = units[0]?.kind === 'message' ? units : units.filter((unit) => unit.kind === 'message')
  const keys: Key[] = []
  const plain: boolean[] = []
  const first = messages[0]
  if (!first) return { units: messages, keys, root, plain }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const marks = marksOf(buffer, dialect, first.start, messages.at(-1)!.end)
  let mark = 0
  let key = root
  for (const unit of messages) {
    while (mark < marks.length && marks[mark]!.end <= unit.start) mark++
    let canonical: Uint8Array = buffer.subarray(unit.start, unit.end)
    let isPlain = true
    if (mark < marks.length && marks[mark]!.start < unit.end) {
      canonical = without(canonical, marks.slice(mark), unit.start)
      isPlain = false
    }
    const unwrapped = unwrap(canonical, unit.role)
    if (unwrapped !== canonical) isPlain = false
    key = keyAfter(key, unwrapped)
    keys.push(key)
    plain.push(isPlain)
  }
  return { units: messages, keys, root, plain }
}

interface Mark {
  readonly start: number
  readonly end: number
}

/** More are no marks of a client: providers allow four. */
const mostMarks = 64

function marksOf(buffer: Buffer, dialect: string, from: number, to: number): Mark[] {
  const marks: Mark[] = []
  for (const name of members[dialect] ?? []) {
    for (let at = buffer.indexOf(name, from, 'latin1'); at >= 0 && at < to; at = buffer.indexOf(name, at + name.length, 'latin1')) {
      const mark = markAt(buffer, at, at + name.length, name === '"cachePoint"')
      if (mark) marks.push(mark)
      if (marks.length === mostMarks) break
    }
  }
  return marks.length > 1 ? marks.sort((x, y) => x.start - y.start) : marks
}

/** The member whose name lies at `[at, end)`, with its value and one comma; as a block with the braces around it. */
function markAt(buffer: Buffer, at: number, end: number, block: boolean): Mark | undefined {
  let to = spaces(buffer, end)
  if (buffer[to] !== 0x3a) return undefined
  to = valueEnd(buffer, spaces(buffer, to + 1))
  if (to < 0) return undefined
  let from = at
  if (block) {
    from = spacesBack(buffer, from)
    to = spaces(buffer, to)
    if (buffer[from - 1] !== 0x7b || buffer[to] !== 0x7d) return undefined
    from--
    to++
  }
  const before = spacesBack(buffer, from)
  if (buffer[before - 1] === 0x2c) return { start: before - 1, end: to }
  const after = spaces(buffer, to)
  return { start: from, end: buffer[after] === 0x2c ? spaces(buffer, after + 1) : to }
}

/** Longest value of a mark. */
const longestValue = 256

function valueEnd(buffer: Buffer, at: number): number {
  const limit = Math.min(buffer.length, at + longestValue)
  if (buffer[at] !== 0x7b) {
    let end = at
    while (end < limit && buffer[end] !== 0x2c && buffer[end] !== 0x7d && buffer[end] !== 0x5d) end++
    return end < limit ? end : -1
  }
  let depth = 0
  for (let i = at; i < limit; i++) {
    if (buffer[i] === 0x7b) depth++
    else if (buffer[i] === 0x7d && --depth === 0) return i + 1
  }
  return -1
}

function spaces(buffer: Buffer, at: number): number {
  while (isSpace(buffer[at])) at++
  return at
}
function spacesBack(buffer: Buffer, at: number): number {
  while (isSpace(buffer[at - 1])) at--
  return at
}
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** A message without the marks that begin inside of it. */
function without(unit: Uint8Array, marks: readonly Mark[], start: number): Uint8Array {
  const pieces: Uint8Array[] = []
  let from = 0
  for (const mark of marks) {
    if (mark.start - start >= unit.length) break
    if (mark.start - start < from) continue
    pieces.push(unit.subarray(from, mark.start - start))
    from = mark.end - start
  }
  pieces.push(unit.subarray(from))
  return Buffer.concat(pieces)
}

const head = '{"role":"'
const wrapped = ['","content":[{"type":"text","text":"', '", "content": [{"type": "text", "text": "'].map((text) => Buffer.from(text))
const between = ['"},{', '"}, {']

/** A message whose content is a list of one text, as the one whose content is that text. */
function unwrap(unit: Uint8Array, role: string): Uint8Array {
  const end = unit.length
  if (unit[end - 1] !== 0x7d || unit[end - 2] !== 0x5d || unit[end - 3] !== 0x7d || unit[end - 4] !== 0x22) return unit
  const roleEnd = (unit[8] === 0x20 ? 1 : 0) + head.length + role.length
  const form = wrapped.find((text) => stands(unit, roleEnd, text))
  if (!form) return unit
  const buffer = Buffer.from(unit.buffer, unit.byteOffset, end)
  if (between.some((text) => buffer.indexOf(text, roleEnd + form.length, 'latin1') >= 0)) return unit
  // `"role": "user", "content": ` stays, the brackets around the text go
  const list = roleEnd + form.indexOf(0x5b)
  const text = roleEnd + form.length - 1
  return Buffer.concat([unit.subarray(0, list), unit.subarray(text, end - 3), unit.subarray(end - 1)])
}

function stands(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false
  return true
}

/** Whether a message is the model's own: what stands before the last such has been sent before. */
export function isAnswer(role: string): boolean {
  return role === 'assistant' || role === 'model' || role === 'reasoning' || role.endsWith('_call')
}
