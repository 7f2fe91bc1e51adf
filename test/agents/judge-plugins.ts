/**
 * What `session`, `session-cache` and `tool-trim` must have done for an agent, and what they may not have changed.
 *
 * Compared is what the agent sent with what left, by readers that share nothing with the plugins but how a reference is spelled. Pure.
 */

import { isDeepStrictEqual } from 'node:util'
import { clientIds, usualPlaces } from '../../plugins/session/client-id.ts'
import { parseReference } from '../../plugins/tool-trim/classes/index.ts'
import { items, parsed, shape } from '../support/model/script.ts'
import type { Passed, Side } from './watch.ts'

/** Classes that lose nothing. */
const lossless: ReadonlySet<string> = new Set(['byte', 'void', 'ref', 'value'])
const marks = ['cache_control', 'prompt_cache_breakpoint'] as const

export interface Expected {
  /** Where the agent names its session, one of the places of `session`; undefined when it names none. */
  readonly id: string | undefined
}

/** Why it is not as it must be; empty when it is. @param passed all turns of a run, in order */
export function judgePlugins(passed: readonly Passed[], { id }: Expected): string {
  const loop = passed.filter(({ client }) => client.asked.tools.length > 0)
  const sessions = new Set(loop.map(({ session }) => session?.id))
  if (passed.some(({ sent }) => sent === undefined)) return 'a turn was not sent'
  if (sessions.size !== 1 || sessions.has(undefined)) return `the loop of ${loop.length} requests is ${sessions.size} sessions`
  const lanes = new Set(loop.map(({ session }) => session?.lane))
  if (lanes.size !== 1) return `the loop of ${loop.length} requests is ${lanes.size} lanes`
  const [place] = placesOf(passed)
  if (place !== id) return `the session is named by ${place ?? 'nothing'}, not by ${id ?? 'nothing'}`
  const named = passed.filter(({ session }) => session?.source === 'client').length
  if (id !== undefined && named !== passed.length) return `${named} of ${passed.length} requests were found by ${id}`
  if (id === undefined && named > 0) return `${named} of ${passed.length} requests name a session`
  const turns = loop.map(({ session }) => session!.turn)
  if (turns.some((turn, i) => i > 0 && turn <= turns[i - 1]!)) return `turns are counted ${turns.join(', ')}`
  // results in another order than their calls are not referred to
  if (trimmedTokens(passed) === 0 && !passed.some(({ client }) => outOfOrder(client.body)))
    return 'nothing was trimmed of a file that was read three times'
  return trimming(loop) || passed.map(changes).find(Boolean) || prefixes(loop) || ''
}

/** Places where all requests name their session, in the order in which it is looked for. */
export function placesOf(passed: readonly Passed[]): string[] {
  return usualPlaces.filter((place) => passed.every(({ headers, client }) => clientIds([place])(headers, () => client.body)))
}

/** Tokens that were trimmed in the last request. */
export function trimmedTokens(passed: readonly Passed[]): number {
  return Object.values(passed.findLast(({ trimmed }) => trimmed)?.trimmed ?? {}).reduce((sum, tokens) => sum + tokens, 0)
}

/** Whether a Messages request has the results of some turn in another order than its calls: agents send them as they finish. */
function outOfOrder(body: Record<string, unknown>): boolean {
  const blocks = items(body.messages).flatMap((message) => items(message.content))
  const calls = blocks.filter((block) => block.type === 'tool_use').map((block) => block.id)
  const results = blocks.filter((block) => block.type === 'tool_result').map((block) => block.tool_use_id)
  return results.some((id, i) => id !== calls[i])
}

/** Each result says what the agent's did, where references stand for the lines that they name. */
function trimming(loop: readonly Passed[]): string {
  const results: string[] = []
  for (const { client, sent, trimmed } of loop) {
    const lossy = Object.keys(trimmed ?? {}).filter((name) => !lossless.has(name))
    if (lossy.length > 0) return `trimmed with loss: ${lossy.join(', ')}`
    const [whole, short] = [client, sent!].map(({ asked }) => asked.results.map(plainResult)) as [string[], string[]]
    if (whole.length !== short.length) return `${short.length} results of ${whole.length} left`
    // what a reference names is what the model can see
    results.push(...short)
    const given: string[][] = []
    for (const text of short) {
      const all = expanded(text, results)
      if (typeof all === 'string') return all
      given.push(all.filter((line) => !codexHead.test(line)))
    }
    const asked = whole.map((text) => linesOf(text).filter((line) => !codexHead.test(line)))
    // a translation puts results in the order of their calls
    if (outOfOrder(client.body)) for (const list of [given, asked]) list.sort((a, b) => (a.join('\n') < b.join('\n') ? -1 : 1))
    for (const [i, wanted] of asked.entries()) {
      const got = given[i]!
      const at = wanted.findIndex((line, j) => line !== got[j])
      if (at >= 0 || got.length !== wanted.length)
        return `result ${i + 1} reads ${quoted(got[at] ?? got.length)} for ${quoted(wanted[at] ?? wanted.length)}`
    }
  }
  return ''
}

const codexHead = /^(Chunk ID: |Wall time: |Original token count: )/

/** Codex says this in a part of its own, before the part with the output; lines are counted in that one. */
const codexPart = /^Script completed\nWall time [\d.]+ seconds\nOutput:\n\n?/

/** The text that a tool gave, without what agents put around it: Codex that part, opencode on Gemini an object with a name. */
function plainResult(text: string): string {
  if (!text.startsWith('{"name":')) return text.replace(codexPart, '')
  const { content } = shape(parsed(text))
  return typeof content === 'string' ? content : text
}

/** Line numbers in one spelling. */
const linesOf = (text: string): string[] => text.split('\n').map((line) => line.replace(/^ *(\d+)(?:→|\t|[:|] ?)/, '$1\t'))

const quoted = (text: string | number): string => JSON.stringify(text).slice(0, 200)

function expanded(text: string, results: readonly string[]): string[] | string {
  const lines: string[] = []
  for (const line of text.split('\n')) {
    const reference = parseReference(line)
    if (!reference) {
      lines.push(...linesOf(line))
      continue
    }
    const { target, at, firstNumber } = reference
    const whole = target.from === 'result' ? results[target.ordinal - 1] : undefined
    if (whole === undefined) return `nobody can tell what ${line} stands for`
    const there = linesOf(whole)
    const numbered = there.findIndex((other) => other.startsWith(`${at}\t`))
    const from = at === undefined ? 0 : numbered >= 0 ? numbered : at - 1
    const taken = there.slice(from, from + reference.lines)
    if (taken.some((other) => parseReference(other))) return `${line} leads to another reference`
    if (taken.length !== reference.lines) return `${line} is longer than what it stands for`
    lines.push(
      ...taken.map((other, i) => (firstNumber === undefined ? other : `${firstNumber + i}\t${other.slice(other.indexOf('\t') + 1)}`)),
    )
  }
  return lines
}

/** An agent that sets marks: what leaves in its own dialect is its own, byte by byte, but the model and results that were trimmed. */
function changes({ client, sent }: Passed): string {
  if (!sent || sent.translated) return ''
  const own = marks.some((mark) => client.bytes.includes(`"${mark}"`))
  const [a, b] = [client, sent]
  if (a.units.length !== b.units.length) return `${b.units.length} units left for ${a.units.length}`
  const around = (side: Side) => {
    const pieces: Buffer[] = []
    let at = 0
    for (const { start, end } of [...side.units].sort((x, y) => x.start - y.start)) {
      pieces.push(side.bytes.subarray(at, start))
      at = end
    }
    return Buffer.concat([...pieces, side.bytes.subarray(at)]).toString()
  }
  const model = (text: string) => text.replace(/"model":\s*"[^"]*"/, '"model":""')
  if (own && model(around(a)) !== model(around(b))) return 'an agent with marks of its own got another envelope'
  for (const [i, { start, end }] of a.units.entries()) {
    const [from, to] = [a.bytes.subarray(start, end), b.bytes.subarray(b.units[i]!.start, b.units[i]!.end)]
    if (from.equals(to)) continue
    const [was, is] = [JSON.parse(from.toString()), JSON.parse(to.toString())] as const
    const different = differences(was, is, own)
    const other = different.find((text) => text === undefined || text.length < 500)
    if (other !== undefined || different.includes(undefined)) return `unit ${i} was changed: ${other?.slice(0, 100) ?? 'its shape'}`
  }
  return ''
}

/** Texts of `a` in whose place `b` has others; undefined for all else that differs. */
function differences(a: unknown, b: unknown, withMarks: boolean): (string | undefined)[] {
  if (typeof a === 'string' && typeof b === 'string') return a === b ? [] : [a]
  if (!withMarks && typeof a === 'string' && Array.isArray(b)) return differences([{ type: 'text', text: a }], b, withMarks)
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b ? [] : [undefined]
  const [x, y] = [a, b] as [Record<string, unknown>, Record<string, unknown>]
  const names = [...new Set([...Object.keys(x), ...Object.keys(y)])].filter((name) => withMarks || !marks.some((mark) => mark === name))
  return names.flatMap((name) => (name in x && name in y ? differences(x[name], y[name], withMarks) : [undefined]))
}

/** What the provider may have kept of a request stands in the next one, wherever the agent itself leaves it as it was. */
function prefixes(loop: readonly Passed[]): string {
  for (const [i, now] of loop.entries()) {
    const before = loop[i - 1]
    if (!before) continue
    if (!begins(before.client, now.client)) continue
    if (!begins(before.sent!, now.sent!)) return `request ${i + 1} does not begin with the one before it, which the agent's does`
  }
  return ''
}

/** How many of these turns begin with the turn before, as the agent sent them, of how many. */
export function warmTurns(passed: readonly Passed[]): string {
  const loop = passed.filter(({ client }) => client.asked.tools.length > 0)
  const warm = loop.filter((now, i) => i > 0 && begins(loop[i - 1]!.client, now.client)).length
  return `${warm}/${Math.max(0, loop.length - 1)}`
}

function begins(before: Side, now: Side): boolean {
  const [a, b] = [before, now].map(({ bytes, units }) =>
    units.map(({ start, end }) => plain(JSON.parse(bytes.subarray(start, end).toString()))),
  ) as [unknown[], unknown[]]
  return a.every((unit, i) => isDeepStrictEqual(unit, b[i]))
}

/** Without marks, and texts spelled as lists of blocks. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name]) => !marks.some((mark) => mark === name))
  return Object.fromEntries(
    entries.map(([name, inner]) => [
      name,
      name === 'content' && typeof inner === 'string' ? [{ type: 'text', text: inner }] : plain(inner),
    ]),
  )
}
