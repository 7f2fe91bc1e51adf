/**
 * Whether a body carries cache marks, in any dialect. A client that knows marks knows its own prompt better: one mark anywhere, and nothing is added.
 *
 * Bytes are searched natively; only a piece in which the name of a mark stands as a key is parsed, because arguments and schemas of tools may have
 * members of that name too. Pure.
 */

import type { PromptUnit } from 'headgate/plugin'
import { bufferOf, keyBetween } from './json-bytes.ts'

const namesOf: Readonly<Record<string, readonly string[]>> = {
  'anthropic-messages': ['cache_control'],
  'openai-chat': ['cache_control', 'prompt_cache_breakpoint', 'prompt_cache_options'],
  'openai-responses': ['cache_control', 'prompt_cache_breakpoint', 'prompt_cache_options'],
  'bedrock-converse': ['cachePoint'],
}
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
  }
  return false
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

/** Whether the request has a member of this name outside its prompt. Looks at no message. */
export function hasMember(body: Uint8Array, units: readonly PromptUnit[], name: string): boolean {
  const quoted = Buffer.from(JSON.stringify(name))
  const inOrder = [...units].sort((a, b) => a.start - b.start)
  return between(inOrder, body.length).some(([start, end]) => keyBetween(body, quoted, start, end) >= 0)
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
