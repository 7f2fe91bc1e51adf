/**
 * Where the pieces of a conversation lie in a request body, found without parsing it.
 *
 * A gateway sees the same history again with every turn, a little longer each time. Whoever wants to know what of it is new compares bytes, and for
 * that it is enough to know where each message begins and ends: one pass over the quotes of the body, a tenth of what parsing costs. Works on
 * bodies that were never checked: what is no conversation gives no units.
 */

import { memberSpans } from './member-spans.ts'
import { bodyStart } from './scan.ts'
import { type ChildSpan, childSpans, rootSpan, type Span, spells } from './spans.ts'

/** Top-level members that make up the prompt. Of several names the first that is there counts. */
export interface PromptLayout {
  readonly tools: readonly string[]
  readonly system: readonly string[]
  readonly messages: readonly string[]
  /** One tool or message that stands alone is a list of one. */
  readonly alone?: boolean
}

export interface PromptUnit extends Span {
  readonly kind: 'tools' | 'system' | 'message'
  /** Position in the list of messages; -1 for tools and system. */
  readonly message: number
  readonly role: string
}

const utf8 = new TextEncoder()
const roleKey = utf8.encode('role')
const typeKey = utf8.encode('type')
const plainRole = Buffer.from('"role":"')

/** The units of a body in the order of the prompt: tools, system, messages. None when the body is not shaped like that. */
export function promptUnits(bytes: Uint8Array, layout: PromptLayout): PromptUnit[] {
  const root = rootSpan(bytes, bodyStart(bytes))
  if (bytes[root.start] !== 0x7b) return []
  const members = memberSpans(bytes, root.start)
  const messages = memberNamed(bytes, members, layout.messages)
  if (!messages) return []
  const units: PromptUnit[] = []
  const tools = memberNamed(bytes, members, layout.tools)
  const isOne = (value: Span): boolean => layout.alone === true && bytes[value.start] === 0x7b
  if (tools && (bytes[tools.start] === 0x5b || isOne(tools)))
    units.push({ kind: 'tools', message: -1, role: '', start: tools.start, end: tools.end })
  const system = memberNamed(bytes, members, layout.system)
  // null is no prompt
  if (system && bytes[system.start] !== 0x6e)
    units.push({ kind: 'system', message: -1, role: 'system', start: system.start, end: system.end })
  const first = bytes[messages.start]
  if (first === 0x22) units.push({ kind: 'message', message: 0, role: 'user', start: messages.start, end: messages.end })
  else if (isOne(messages))
    units.push({ kind: 'message', message: 0, role: roleOf(bytes, messages), start: messages.start, end: messages.end })
  else if (messages.items) {
    let message = 0
    for (const item of messages.items) {
      // broken bytes: what follows has no meaning
      if (item.start < 0 || item.end <= item.start) break
      units.push({ kind: 'message', message, role: roleOf(bytes, item), start: item.start, end: item.end })
      message++
    }
  }
  return units
}

/** The value at a JSON pointer (RFC 6901) inside the value that begins at `start`; undefined when there is none. Of duplicate members the last counts. */
export function spanAt(bytes: Uint8Array, start: number, tokens: readonly string[]): Span | undefined {
  let span: Span | undefined
  let at = start
  for (const token of tokens) {
    const byte = bytes[at]
    if (byte === 0x7b) span = memberNamed(bytes, childSpans(bytes, at), [token])
    else if (byte === 0x5b && /^(0|[1-9]\d*)$/.test(token)) span = childSpans(bytes, at)[Number(token)]
    else return undefined
    if (!span) return undefined
    at = span.start
  }
  return span
}

function memberNamed<M extends ChildSpan>(bytes: Uint8Array, members: readonly M[], names: readonly string[]): M | undefined {
  for (const name of names) {
    const encoded = utf8.encode(name)
    for (let i = members.length - 1; i >= 0; i--) {
      const member = members[i]!
      if (spells(bytes, member.keyStart, member.keyEnd, name, encoded)) return member
    }
  }
  return undefined
}

/** The role of a message, or the type of an item that has none; empty when it has neither. */
function roleOf(bytes: Uint8Array, span: Span): string {
  if (bytes[span.start] === 0x22) return 'user'
  if (bytes[span.start] !== 0x7b) return ''
  // nearly every client writes it first, without spaces
  const early = plainWord(bytes, span.start + 1, plainRole)
  if (early !== undefined) return early
  // of its own bytes only: who looks for the next quote in all that follows does so again for every message
  const own = bytes.subarray(span.start, span.end)
  const members = childSpans(own, 0)
  const member = named(own, members, 'role', roleKey) ?? named(own, members, 'type', typeKey)
  return member ? wordAt(own, member) : ''
}

function named(bytes: Uint8Array, members: readonly ChildSpan[], key: string, encoded: Uint8Array): ChildSpan | undefined {
  for (let i = members.length - 1; i >= 0; i--) {
    const member = members[i]!
    if (spells(bytes, member.keyStart, member.keyEnd, key, encoded)) return member
  }
  return undefined
}

function wordAt(bytes: Uint8Array, span: Span): string {
  if (bytes[span.start] !== 0x22 || span.end - span.start > 66) return ''
  return Buffer.from(bytes.buffer, bytes.byteOffset + span.start + 1, span.end - span.start - 2).toString('latin1')
}

/** The short plain string that follows `key` at `at`; undefined when something else stands there. */
function plainWord(bytes: Uint8Array, at: number, key: Uint8Array): string | undefined {
  for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return undefined
  let end = at + key.length
  const limit = end + 40
  while (end < limit && bytes[end] !== 0x22) if (bytes[end++] === 0x5c) return undefined
  if (end === limit) return undefined
  return Buffer.from(bytes.buffer, bytes.byteOffset + at + key.length, end - at - key.length).toString('latin1')
}
