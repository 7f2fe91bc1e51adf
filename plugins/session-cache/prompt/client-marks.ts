/**
 * Whether a body carries cache marks, in any dialect. A client that knows marks knows its own prompt better: one mark anywhere, and nothing is added.
 *
 * Bytes are searched natively; only a piece in which the name of a mark stands as a key, or may stand in escapes, is parsed, because arguments and schemas of
 * tools may have members of that name too. Pure.
 */

import type { PromptUnit } from 'headgate/plugin'
import { bufferOf, keyBetween } from './json-bytes.ts'

const namesOf: Readonly<Record<string, readonly string[]>> = {
  'anthropic-messages': ['cache_control'],
  'openai-chat': ['cache_control', 'prompt_cache_breakpoint', 'prompt_cache_options'],
  'openai-responses': ['cache_control', 'prompt_cache_breakpoint', 'prompt_cache_options'],
  'bedrock-converse': ['cachePoint'],
}
const escaping = Buffer.from('\\u00')
const quotedNames = new Map([...new Set(Object.values(namesOf).flat())].map((name) => [name, Buffer.from(JSON.stringify(name))] as const))
/** Bytes of the shortest name in quotes that is ever looked for, and more than a comma with its white space usually has. */
const shortest = 8
/** Pieces of one body that are parsed to see what the name is of; more of them are no accident. */
const maxParsed = 64

/**
 * @param known so many units at the beginning of the list have been looked at before, and nothing was there
 * @param marking the client is known to mark: then the name alone will do
 */
export function hasMarks(body: Uint8Array, units: readonly PromptUnit[], dialect: string, known = 0, marking = false): boolean {
  const names = namesOf[dialect]
  if (!names) return false
  const bytes = bufferOf(body)
  const skipped = units.slice(0, known).sort((a, b) => a.start - b.start)
  let parsed = 0
  for (const [start, end] of between(skipped, bytes.length)) {
    for (const name of names) {
      const quoted = quotedNames.get(name)!
      for (let at = keyBetween(bytes, quoted, start, end); at >= 0; at = keyBetween(bytes, quoted, at + 1, end)) {
        if (marking) return true
        const unit = units.find((u) => u.start <= at && at < u.end)
        // outside the prompt it is a member of the request itself
        if (!unit || ++parsed > maxParsed || marked(bytes, unit, names)) return true
        at = unit.end - 1
      }
    }
    for (let at = escapedName(bytes, start, end); at >= 0 && parsed < maxParsed; ) {
      const unit = units.find((u) => u.start <= at && at < u.end)
      parsed++
      if (!unit || marked(bytes, unit, names)) return true
      at = escapedName(bytes, unit.end, end)
    }
  }
  return false
}

/** Where a letter or `_` is spelled `\u00…`, which only somebody does who hides a name; -1 when nowhere. */
function escapedName(bytes: Buffer, start: number, end: number): number {
  const range = bytes.subarray(start, end)
  for (let at = range.indexOf(escaping); at >= 0; at = range.indexOf(escaping, at + escaping.length)) {
    const [high, low] = [range[at + 4], range[at + 5]]
    if (!(high === 0x36 || high === 0x37 || (high === 0x35 && (low === 0x66 || low === 0x46)))) continue
    let slashes = 1
    while (range[at - slashes] === 0x5c) slashes++
    if (slashes % 2 === 1) return start + at
  }
  return -1
}

/** The ranges of a body that are not skipped; those to skip in the order of the bytes. */
function between(skipped: readonly PromptUnit[], length: number): [start: number, end: number][] {
  const ranges: [number, number][] = []
  let from = 0
  for (const { start, end } of skipped) {
    // between two messages of a list there is a comma, and no member
    if (start - from >= shortest) ranges.push([from, start])
    from = Math.max(from, end)
  }
  if (length - from >= shortest) ranges.push([from, length])
  return ranges
}

/** Whether the request has a member of this name outside its prompt, or one that hides its name. Looks at no message. */
export function hasMember(body: Uint8Array, units: readonly PromptUnit[], name: string): boolean {
  const quoted = Buffer.from(JSON.stringify(name))
  const inOrder = [...units].sort((a, b) => a.start - b.start)
  const bytes = bufferOf(body)
  return between(inOrder, body.length).some(
    ([start, end]) => keyBetween(bytes, quoted, start, end) >= 0 || escapedName(bytes, start, end) >= 0,
  )
}

function marked(bytes: Buffer, unit: PromptUnit, names: readonly string[]): boolean {
  try {
    return holdsMark(JSON.parse(bytes.toString('utf8', unit.start, unit.end)), names, 0)
  } catch {
    return true // broken: not ours to touch
  }
}

/** Marks stand on messages, blocks, blocks inside results, and tools; not in arguments or schemas. */
function holdsMark(value: unknown, names: readonly string[], depth: number): boolean {
  if (typeof value !== 'object' || value === null || depth > 6) return false
  if (Array.isArray(value)) return value.some((item) => holdsMark(item, names, depth + 1))
  if (names.some((name) => Object.hasOwn(value, name))) return true
  const { content, function: called, tools, toolResult } = value as Record<string, unknown>
  return [content, called, tools, toolResult].some((inner) => holdsMark(inner, names, depth + 1))
}
