/**
 * Decides for each result of a conversation, at its first sight, what stands in its place: pure in the messages before it and the policy, unless the
 * ledger says what was sent before; then that stands. Works message by message and lets others run in between.
 */

import { estimateBytes, estimateText, type Json, type PromptUnit, type RequestView } from 'headgate/plugin'
import { type Chain, isAnswer, keyAfter, keyBefore, keyText } from './chain.ts'
import { parseReference } from './classes/index.ts'
import { lineNumbers } from './classes/line-numbers.ts'
import { references } from './classes/references.ts'
import type { CallFacts } from './facts.ts'
import { argumentOf } from './facts.ts'
import { unpacked } from './ledger.ts'
import type { Marks } from './marks.ts'
import { fits, type Policy } from './policy.ts'
import { type Piece, type Result, readUnit } from './read-unit.ts'
import type { Reader, ReaderState } from './reader.ts'
import { emptyUnit, placeOf, type Saved, sizeOfTexts, type TextRecord, type UnitRecord } from './record.ts'
import type { Trim, TrimHistory } from './trimmer.ts'

/** A message that was read, with the names of its texts in the ledger. */
export interface ReadUnit {
  readonly pieces: readonly Piece[]
  readonly ids: readonly string[]
}

export interface Deciding {
  readonly request: RequestView
  readonly dialect: string
  readonly chain: Chain
  readonly policy: Policy
  readonly trim: Trim
  readonly reader: Reader
  readonly isOff: (tool: string) => boolean
  /** What was sent before, by the name in the ledger: JSON text as it is kept, or false for the client's own. */
  readonly sent: ReadonlyMap<string, Json>
  /** Results that are cleared. */
  readonly masked: ReadonlySet<string>
  /** Messages before this one stay as they are, unless something else was sent. */
  readonly floor: number
  /** Results with fewer tokens of prompt before them stay: the provider would cache nothing of a prompt that is shorter. */
  readonly minPrompt: number
  /** The only result of the messages from here on answers a call that was forced. */
  readonly forcedFrom: number
  /** Whether a message was changed by another plugin: it is left to it. */
  readonly isForeign: (unit: PromptUnit) => boolean
  readonly marks: Marks
  /** What happens from this message on has not been counted yet. */
  readonly countFrom: number
  readonly now: number
  readonly told: Told
}

/** What is counted. */
export interface Told {
  refused(trimmer: string): void
  mismatch(): void
  /** A file was given with references, or would have been; and it was read again. */
  referred(): void
  again(): void
}

/** Larger messages are not parsed: it would take longer than others may wait. */
const largestUnit = 4 * 1024 * 1024
/** So many characters are worked on before others get their turn. */
const atOnce = 128 * 1024
/** Beyond so many results and texts of one message the rest stays as it is. */
const mostTexts = 48

export async function yielding(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
}

/** The messages from `start` on, parsed. */
export async function readUnits(request: RequestView, dialect: string, chain: Chain, start: number): Promise<ReadUnit[]> {
  const read: ReadUnit[] = []
  let work = 0
  for (let i = start; i < chain.units.length; i++) {
    const unit = chain.units[i]!
    const size = unit.end - unit.start
    if (work > 0 && work + size > atOnce * 4) {
      await yielding()
      work = 0
    }
    work += size
    const pieces = size > largestUnit ? [] : readUnit(dialect, request.borrowed.subarray(unit.start, unit.end))
    read.push({ pieces, ids: idsOf(pieces, chain, i) })
  }
  return read
}

function idsOf(pieces: readonly Piece[], chain: Chain, index: number): string[] {
  const ids: string[] = []
  let key = keyBefore(chain, index)
  for (const piece of pieces) {
    if (piece.kind !== 'result') continue
    for (const { text } of piece.result.texts) {
      key = keyAfter(key, text)
      ids.push(keyText(key))
    }
  }
  return ids
}

/** Puts the records of the messages from `start` on behind `records`; gives the reader's state after message `root`. */
export async function decide(
  o: Deciding,
  read: readonly ReadUnit[],
  start: number,
  root: number,
  records: UnitRecord[],
): Promise<ReaderState | undefined> {
  const { chain, reader } = o
  let atRoot: ReaderState | undefined
  let work = 0
  for (const [k, { pieces, ids }] of read.entries()) {
    const index = start + k
    const unit = chain.units[index]!
    reader.begin(isAnswer(unit.role))
    const texts: TextRecord[] = []
    let next = 0
    for (const piece of pieces) {
      if (piece.kind === 'call') {
        if (reader.call(piece.call) && index >= o.countFrom) o.told.again()
      } else if (piece.kind === 'text') {
        reader.text(unit.role, piece.text)
      } else {
        const { ordinal, inOrder, ...facts } = reader.result(piece.result)
        for (const { pointer, text } of piece.result.texts) {
          if (work > 0 && work + text.length > atOnce) {
            await yielding()
            work = 0
          }
          work += Math.min(text.length, o.policy.maxResult)
          const fixed = next >= mostTexts || stays(o, piece.result, facts, text, index, unit)
          texts.push(decideText(o, { id: ids[next]!, pointer, text, facts, ordinal, inOrder, index, unit, fixed }))
          next++
        }
      }
    }
    const record = texts.length === 0 ? emptyUnit() : { texts, plain: true, hash: 0n, keptAt: o.now, size: sizeOfTexts(texts) }
    if (texts.length > 0 && !chain.plain[index]) {
      record.plain = false
      record.hash = Bun.hash.wyhash(o.request.borrowed.subarray(unit.start, unit.end)) as bigint
    }
    records.push(record)
    if (reader.before < o.minPrompt)
      reader.before += estimateBytes(o.request.borrowed, unit.start, Math.min(unit.end, unit.start + enough(o)))
    if (index === root) atRoot = reader.snapshot()
  }
  return atRoot
}

/** Bytes that are as many tokens as are asked for, whatever stands there. */
const enough = (o: Pick<Deciding, 'minPrompt'>): number => o.minPrompt * 16

/** Tokens of tools and system, as far as they matter. */
export function tokensOfLead(request: RequestView, minPrompt: number): number {
  let tokens = 0
  for (const { kind, start, end } of request.units) {
    if (kind === 'message' || tokens >= minPrompt) break
    tokens += estimateBytes(request.borrowed, start, Math.min(end, start + enough({ minPrompt })))
  }
  return tokens
}

function stays(o: Deciding, result: Result, facts: CallFacts, text: string, index: number, unit: PromptUnit): boolean {
  if (result.skip !== undefined && (result.skip !== 'marked' || o.policy.skipMarked)) return true
  return index >= o.forcedFrom || !fits(o.policy, text) || o.isOff(facts.tool) || o.isForeign(unit)
}

interface At {
  readonly id: string
  readonly pointer: string
  readonly text: string
  readonly facts: CallFacts
  readonly ordinal: number
  /** False: others may count it otherwise, so that nothing refers to it and it refers to nothing. */
  readonly inOrder: boolean
  readonly index: number
  readonly unit: PromptUnit
  readonly fixed: boolean
}

function decideText(o: Deciding, at: At): TextRecord {
  const { id, text, facts, ordinal, inOrder, index, fixed } = at
  const history = inOrder ? o.reader.history : nothingSeen
  const result = { text, ordinal, tool: facts.tool, kind: facts.kind, ...pathAndCommand(facts) }
  const asItIs = (): TextRecord => {
    if (inOrder && text.length <= o.policy.maxResult && !o.isForeign(at.unit)) o.reader.history.add({ ...result, from: 'result' })
    return recordOf(o, at, {})
  }
  if (fixed) return asItIs()
  if (o.masked.has(id)) return recordOf(o, at, { json: JSON.stringify(maskOf(facts, text)), masked: true })
  const sent = o.sent.get(id)
  const early = index < o.floor || o.reader.before < o.minPrompt
  if (early && (sent === undefined || sent === false)) return asItIs()
  const trimmed = o.trim(result, history)
  for (const name of trimmed.refused) o.told.refused(name)
  const json = trimmed.text === text ? undefined : JSON.stringify(trimmed.text)
  const kept = sent === undefined ? json : sent === false ? undefined : unpacked(sent)
  // what was sent stands; nothing may refer to a text of which only that is known
  if (kept !== json) {
    o.told.mismatch()
    return recordOf(
      o,
      at,
      kept === undefined ? {} : { json: kept, saved: () => ({ kept: estimateText(text) - estimateText(JSON.parse(kept) as string) }) },
    )
  }
  const refers = json !== undefined && trimmed.seen.shown !== undefined
  if (refers) {
    noteMarks(trimmed.text, history, o.marks)
    if (facts.read) {
      o.reader.refer(facts.read.path)
      if (index >= o.countFrom) o.told.referred()
    }
  }
  if (inOrder) o.reader.history.add(trimmed.seen)
  if (json === undefined) return recordOf(o, at, {})
  return recordOf(o, at, { json, refers, saved: () => trimmed.saved() as Saved })
}

function recordOf(
  o: Deciding,
  { id, pointer, text, facts, ordinal, unit, fixed }: At,
  made: { readonly json?: string; readonly masked?: boolean; readonly refers?: boolean; readonly saved?: () => Saved },
): TextRecord {
  const { json, masked = false, refers = false } = made
  const at = json === undefined ? undefined : placeOf(o.request, unit, pointer)
  const mask = masked ? () => ({ 'cold-mask': tokensOf(text) - estimateText(json!) }) : undefined
  return {
    id,
    pointer,
    facts,
    ordinal,
    turn: o.reader.turn,
    characters: text.length,
    lines: linesIn(text),
    fixed,
    masked,
    refers,
    json,
    bytes: json === undefined ? 0 : Buffer.byteLength(json),
    at,
    saved: made.saved ?? mask ?? nothing,
  }
}

/** Tokens of a text. Line numbers are counted too low, and too high where they are written shorter: the truth lies between. */
function tokensOf(text: string): number {
  const plain = estimateText(text)
  const shorter = lineNumbers.encode({ text, tool: '', kind: 'file', ordinal: 0 }, { seen: [] })
  return shorter === undefined || !lineNumbers.saved ? plain : (plain + estimateText(shorter) + lineNumbers.saved(text, shorter)) / 2
}

const nothingSeen: TrimHistory = Object.freeze({ seen: [] })
const nothing: Saved = Object.freeze({})

function pathAndCommand({ path, command }: CallFacts): { path?: string; command?: string } {
  return { ...(path !== undefined && { path }), ...(command !== undefined && { command }) }
}

/** What stands in the place of a result that was cleared. */
export function maskOf(facts: CallFacts, text: string): string {
  const lines = linesIn(text)
  const what = [facts.tool || 'a tool', argumentOf(facts)].filter((word) => word !== '').join(' ')
  return `[result of ${what}, ${lines} ${lines === 1 ? 'line' : 'lines'}, cleared; run it again if needed]`
}

export function linesIn(text: string): number {
  let lines = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < text.length - 1; at = text.indexOf('\n', at + 1)) lines++
  return lines
}

/** Remembers what each reference stands for, as text without line numbers: a model that writes one into a file means that. */
function noteMarks(sent: string, history: TrimHistory, marks: Marks): void {
  const lines = sent.split('\n')
  for (const [i, line] of lines.entries()) {
    if (line.charCodeAt(0) !== 91 || !parseReference(line)) continue
    const before = i > 0 ? `${lines[i - 1]}\n` : ''
    const facts = { tool: '', kind: 'file', ordinal: 0 } as const
    const meant = references.decode(before + line, facts, history)?.slice(before.length)
    if (meant !== undefined) marks.add(line, withoutNumbers(meant))
  }
}

function withoutNumbers(text: string): string {
  const lines = text.split('\n')
  const numbered = lines.map((line) => /^ {0,12}(\d{1,7})(?:→|\t|: ?|\| ?)/.exec(line))
  const counts = numbered.every((m, i) => m && (i === 0 || Number(m[1]) === Number(numbered[i - 1]![1]) + 1))
  return counts ? lines.map((line, i) => line.slice(numbered[i]![0].length)).join('\n') : text
}
