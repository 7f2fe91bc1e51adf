/**
 * The chain of a request: one hash for the conversation up to each of its messages, over the client's bytes.
 *
 * Two requests whose chains have a value in common begin with the same messages. Left out is what clients change without meaning another
 * conversation: cache marks, the two spellings of a plain text (a string, or a list of one text), and reminders, which are system messages in the middle of
 * a history. What stands before the conversation (tools, system, leading system messages) has a hash of its own, the shape. Pure; nothing is parsed.
 */

import type { PromptUnit } from 'headgate/plugin'
import { type Cut, cacheMarks, without } from './cache-marks.ts'

export interface Chain {
  /** By number of units: the conversation up to there. As many as there are units, and one. */
  readonly hashes: readonly bigint[]
  /** Numbers of units after which a client may have waited for an answer, ascending; the last is the whole request. */
  readonly ends: readonly number[]
  /** Of `ends` the first: the request that began the conversation ended there. */
  readonly opening: number
  /** The model has said something in it. */
  readonly answered: boolean
  /** How often the model's answers begin after a number of units. */
  answersAfter(units: number): number
  /** Number of units with which the answer is over that begins after so many. */
  answerEnd(units: number): number
  /** Tools and system. */
  readonly shape: bigint
  /** Units that are tools, system or leading system messages. */
  readonly lead: number
}

/**
 * The chain of a request.
 * @param seed tells callers apart: chains of two seeds have nothing in common
 * @param dialect of the client: it says which cache marks there can be
 */
export function chainOf(bytes: Uint8Array, units: readonly PromptUnit[], seed: bigint, dialect = ''): Chain {
  const cuts = cutsOf(bytes, units, dialect)
  const hashes: bigint[] = [seed]
  const ends: number[] = []
  const answers: number[] = []
  let shape = seed
  let lead = 0
  let hash = seed
  let wasAnswer = false
  for (const [i, unit] of units.entries()) {
    const isSystem = unit.kind !== 'message' || unit.role === 'system' || unit.role === 'developer'
    if (isSystem) {
      if (lead === i) {
        shape = hashOf(bytes, unit, cuts, shape)
        lead = i + 1
      }
    } else {
      const isAnswer = saidByModel(unit.role)
      if (isAnswer && !wasAnswer) answers.push(i)
      // an answer of several messages may be several answers
      if (isAnswer && i > lead) ends.push(i)
      wasAnswer = isAnswer
      hash = hashOf(bytes, unit, cuts, hash)
    }
    hashes.push(hash)
  }
  ends.push(units.length)
  return {
    hashes,
    ends,
    opening: ends[0]!,
    answered: answers.length > 0,
    answerEnd: (from) => {
      let end = from
      while (end < units.length && saidByModel(units[end]!.role)) end++
      return end
    },
    answersAfter: (from) => answers.filter((at) => at >= from).length,
    shape,
    lead,
  }
}

/** A message, or an item of the Responses API, that the model made. */
function saidByModel(role: string): boolean {
  return (
    role === 'assistant' ||
    role === 'model' ||
    role === 'reasoning' ||
    role === 'item_reference' ||
    role.endsWith('_call') ||
    role === 'compaction'
  )
}

const roleSalts = new Map<string, bigint>()
function saltOf(role: string): bigint {
  let salt = roleSalts.get(role)
  if (salt === undefined) {
    if (roleSalts.size > 200) roleSalts.clear()
    salt = Bun.hash(`role ${role}`) as bigint
    roleSalts.set(role, salt)
  }
  return salt
}

function hashOf(bytes: Uint8Array, unit: PromptUnit, cuts: readonly Cut[], seed: bigint): bigint {
  const { start, end, role } = unit
  const inside = cuts.length === 0 ? cuts : cutsWithin(cuts, start, end)
  if (inside.length === 0) return hashOfBare(bytes, start, end, role, seed)
  const bare = without(bytes, start, end, inside)
  return hashOfBare(bare, 0, bare.length, role, seed)
}

/** Of cuts in order those inside a unit. */
function cutsWithin(cuts: readonly Cut[], start: number, end: number): readonly Cut[] {
  let low = 0
  let high = cuts.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (cuts[middle]!.from < start) low = middle + 1
    else high = middle
  }
  let last = low
  while (last < cuts.length && cuts[last]!.to <= end) last++
  return cuts.slice(low, last)
}

function hashOfBare(bytes: Uint8Array, start: number, end: number, role: string, seed: bigint): bigint {
  const [from, to] = plainText(bytes, start, end, role)
  // of a plain text the role is not among the bytes
  return Bun.hash(bytes.subarray(from, to), from === start ? seed : BigInt.asUintN(64, seed + saltOf(role))) as bigint
}

const asText = Buffer.from('","content":"')
const asList = Buffer.from('","content":[{"type":"text","text":"')
const listEnd = Buffer.from('"}]}')
const roleKey = Buffer.from('{"role":"')

/** The text of a message that is nothing else, whichever of the two ways it is spelled in; else all of it. */
function plainText(bytes: Uint8Array, start: number, end: number, role: string): readonly [number, number] {
  const at = start + roleKey.length + role.length
  if (at > end || !stands(bytes, start, roleKey)) return [start, end]
  if (stands(bytes, at, asText)) {
    if (bytes[end - 2] === 0x22 && bytes[end - 1] === 0x7d) return [at + asText.length, end - 2]
  } else if (stands(bytes, at, asList) && stands(bytes, end - listEnd.length, listEnd)) return [at + asList.length, end - listEnd.length]
  return [start, end]
}

function stands(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false
  return true
}

/** A line at the head of Claude Code's system prompt that changes without a reason in the conversation. */
const billing = Buffer.from('x-anthropic-billing-header:')

/** It stands in the first text of the system prompt. */
const headLength = 2000

/** What is left out of the hashes, in order: marks, and the line that changes. Bodies have tools and system before the messages or behind them. */
function cutsOf(bytes: Uint8Array, units: readonly PromptUnit[], dialect: string): readonly Cut[] {
  const last = units.at(-1)
  if (!last) return []
  // tools and system come first in the list, so that the third is a message at the latest
  const [one, two = last, three = last] = units as readonly [PromptUnit, ...PromptUnit[]]
  const start = Math.min(one.start, two.start, three.start)
  const end = Math.max(one.end, two.end, last.end)
  const cuts = cacheMarks(bytes, start, end, dialect)
  const system = units.find(({ kind }) => kind !== 'tools')
  if (!system) return cuts
  const head = Buffer.from(bytes.buffer, bytes.byteOffset + system.start, Math.min(system.end - system.start, headLength))
  const at = head.indexOf(billing) + system.start
  if (at >= system.start) {
    const quote = head.indexOf(0x22, at - system.start) + system.start
    if (quote > at) {
      cuts.push({ from: at, to: quote })
      cuts.sort((a, b) => a.from - b.from)
    }
  }
  return cuts
}
