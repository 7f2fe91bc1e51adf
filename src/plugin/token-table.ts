/**
 * The table that turns bytes of text into tokens: for each state of the scan and each byte, what it weighs and which state follows.
 *
 * Built once from the rules below. With it the scan is two look-ups and an addition for every byte there can be, so that its time depends on the
 * length of its input and on nothing else: no text can make it slow. A state is the run that the scan is in:
 *
 *     none ──letter──▶ word 1 … 15 ──▶      ──digit──▶ 1st, 2nd, 3rd of a group ──▶      ──space──▶ one, several
 *       └──first byte of a character──▶ its other bytes ──▶ none     └──`\` in a string of JSON──▶ what is escaped ──▶ …
 *
 * Between the strings of JSON there is one state. A text that is no JSON is all inside, and has no escapes.
 */

import {
  longWord,
  perBroken,
  perDigitGroup,
  perExcessLetter,
  perMarkedLetter,
  perPunctuation,
  perPunctuationRun,
  perSpaceRun,
  perStructure,
  perVietnameseLetter,
  perWesternLetter,
  perWord,
  scripts,
} from './token-weights.ts'

/** The run that a state stands for. */
interface Run {
  /** Letters of the word, at most one more than `longWord`. */
  readonly letters: number
  readonly lower: boolean
  /** Digits of the group, 1 to 3. */
  readonly digits: number
  /** 1, or 2 for several. */
  readonly spaces: number
  readonly punctuation: boolean
}
const none: Run = { letters: 0, lower: false, digits: 0, spaces: 0, punctuation: false }

/** Where a state is, besides the run. `bytes`: so many of a character are to come; `hex`: so many digits of an escape. */
type Place =
  | { readonly at: 'text' }
  | { readonly at: 'lead'; readonly lead: number }
  | { readonly at: 'bytes'; readonly left: number }
  | { readonly at: 'escape' }
  | { readonly at: 'page'; readonly high: number }
  | { readonly at: 'hex'; readonly left: number }
  | { readonly at: 'structure' }
const text: Place = { at: 'text' }
const utf8 = new TextEncoder()

interface State {
  readonly place: Place
  readonly run: Run
}

export interface TokenTable {
  /** State that a scan begins in. */
  readonly start: number
  /** By `state << 8 | byte`: the weight of this byte, and the state that follows, shifted by 8. */
  readonly weights: Float64Array
  readonly next: Uint16Array
  /** By state: what is still to be counted when the text ends there. */
  readonly rest: Float64Array
}

/** @param json the bytes are JSON: only what stands in strings is text, and it is escaped */
export function buildTokenTable(json: boolean): TokenTable {
  const states: State[] = []
  const known = new Map<number, number>()
  const idOf = (state: State): number => {
    const key = keyOf(state)
    const id = known.get(key) ?? states.push(state) - 1
    known.set(key, id)
    return id
  }
  const start = idOf({ place: json ? { at: 'structure' } : text, run: none })
  const weights = new Float64Array(mostStates * 256)
  const next = new Uint16Array(mostStates * 256)
  // states are found while they are walked
  for (let id = 0; id < states.length; id++) {
    const state = states[id]!
    const { at } = state.place
    const row = id << 8
    const first = new Int32Array(256).fill(-1)
    for (let byte = 0; byte < 256; byte++) {
      const kind = kindOf(at, byte)
      const like = first[kind]!
      if (like >= 0) {
        weights[row + byte] = weights[like]!
        next[row + byte] = next[like]!
        continue
      }
      first[kind] = row + byte
      const [weight, to] = step(state, byte, json)
      weights[row + byte] = weight
      next[row + byte] = idOf(to) << 8
    }
  }
  if (states.length > mostStates) throw new Error(`${states.length} states do not fit`)
  const used = states.length * 256
  const rest = new Float64Array(states.length)
  for (const [id, { run }] of states.entries()) rest[id] = pending(run)
  return { start: start << 8, weights: weights.slice(0, used), next: next.slice(0, used), rest }
}
/** As many as fit into 16 bits with a byte beside them. */
const mostStates = 256

type Step = readonly [weight: number, to: State]

function step(state: State, byte: number, json: boolean): Step {
  const { place, run } = state
  switch (place.at) {
    case 'text':
      return json ? inString(run, byte) : inText(run, byte)
    case 'lead':
      // what follows is no second byte: the character is broken
      if (!isMore(byte)) return plus(perBroken, step({ place: text, run: none }, byte, json))
      return second(place.lead, run, byte)
    case 'bytes':
      if (!isMore(byte)) return step({ place: text, run }, byte, json)
      return [0, { place: place.left > 1 ? { at: 'bytes', left: place.left - 1 } : text, run }]
    case 'escape':
      return escaped(run, byte)
    case 'page':
      return place.high < 0 ? [0, { place: { at: 'page', high: hexOf(byte) }, run }] : page(place.high * 16 + hexOf(byte))
    case 'hex':
      return [0, { place: place.left > 1 ? { at: 'hex', left: place.left - 1 } : text, run: none }]
    case 'structure':
      return outside(byte)
  }
}

/** A byte inside a string of JSON. */
function inString(run: Run, byte: number): Step {
  if (byte === 0x22) return [pending(run), { place: { at: 'structure' }, run: none }]
  if (byte === 0x5c) return [0, { place: { at: 'escape' }, run }]
  return inText(run, byte)
}

/** A byte between the strings of JSON: numbers and words count as text, the rest as one run of structure. */
function outside(byte: number): Step {
  if (byte === 0x22) return [perStructure, { place: text, run: none }]
  const isDigit = byte >= 0x30 && byte <= 0x39
  const weight = isDigit ? perDigitGroup / 3 : isAlphanumeric(byte) ? perWord / 4 : byte >= 0x80 ? perBroken / 3 : 0
  return [weight, { place: { at: 'structure' }, run: none }]
}

/** A byte of plain text. */
function inText(run: Run, byte: number): Step {
  const lower = byte >= 0x61 && byte <= 0x7a
  if (lower || (byte >= 0x41 && byte <= 0x5a)) return letter(run, lower)
  if (byte >= 0x30 && byte <= 0x39) {
    const opens = run.digits === 0 || run.digits === 3
    const weight = (opens ? perDigitGroup : 0) + (run.digits === 0 && run.spaces > 0 ? perSpaceRun : 0)
    return [weight, { place: text, run: { ...none, digits: opens ? 1 : run.digits + 1 } }]
  }
  if (byte <= 0x20) return space(run, byte === 0x0a)
  if (byte < 0x80) return punctuation(run)
  return lead(run, byte)
}

function letter(run: Run, lower: boolean, extra = 0): Step {
  const begins = run.letters === 0
  const camel = !begins && !lower && run.lower
  const letters = Math.min(camel || begins ? 1 : run.letters + 1, longWord + 1)
  const weight = extra + (begins || camel ? perWord : 0) + pending(run) + (letters > longWord && !begins ? perExcessLetter : 0)
  return [weight, { place: text, run: { ...none, letters, lower } }]
}

function space(run: Run, newline: boolean): Step {
  return [0, { place: text, run: { ...none, spaces: run.spaces > 0 || newline ? 2 : 1 } }]
}

function punctuation(run: Run): Step {
  const weight = perPunctuation + (run.punctuation ? 0 : perPunctuationRun) + pending(run)
  return [weight, { place: text, run: { ...none, punctuation: true } }]
}

/** The first byte of a character beyond ASCII. */
function lead(run: Run, byte: number): Step {
  const before = pending(run)
  if (byte < 0xc2 || byte > 0xf4) return [before + perBroken, { place: text, run: none }]
  // letters of Latin words: the run goes on, and is paid for where it begins
  if (byte >= 0xc3 && byte <= 0xc8) {
    const [weight, to] = letter(run, true, byte === 0xc3 || byte === 0xc6 ? perWesternLetter : perMarkedLetter)
    return [weight, { place: { at: 'bytes', left: 1 }, run: to.run }]
  }
  if (byte < 0xe0) return [before + weightOf(byte, 0x80), { place: { at: 'bytes', left: 1 }, run: none }]
  const word = byte === vietnamese && run.letters > 0
  return [before, { place: { at: 'lead', lead: leadClass(byte) }, run: word ? run : none }]
}

/** Of first bytes with the same scripts the lowest: there are but so many states. */
function leadClass(byte: number): number {
  if (byte > 0xe4 && byte <= 0xe9) return 0xe5
  if (byte > 0xeb && byte <= 0xed) return 0xeb
  return Math.min(byte, 0xf1)
}

/** First byte of Vietnamese letters, among others. */
const vietnamese = 0xe1

function second(first: number, run: Run, byte: number): Step {
  const left = first >= 0xf0 ? 2 : 1
  if (first === vietnamese && byte >= 0xb8 && byte <= 0xbb) {
    const [weight, to] = letter(run, true, perVietnameseLetter)
    return [weight, { place: { at: 'bytes', left }, run: to.run }]
  }
  return [weightOf(first, byte), { place: { at: 'bytes', left }, run: none }]
}

/** The byte behind a backslash. */
function escaped(run: Run, byte: number): Step {
  if (byte === 0x75) return [pending(run), { place: { at: 'page', high: -1 }, run: none }]
  if (byte === 0x6e) return space(run, true)
  if (isWhiteEscape(byte)) return space(run, false)
  return punctuation(run)
}

/** The first two digits of `\uXXXX` are known: they tell the script. */
function page(high: number): Step {
  const to: State = { place: { at: 'hex', left: 2 }, run: none }
  if (high === 0) return [0.5, to]
  // the second half of a pair, which the first has paid for
  if (high >= 0xdc && high <= 0xdf) return [0, to]
  if (high >= 0xd8 && high <= 0xdb) return [weightOf(0xf0, 0x9f), to]
  const [first, other] = utf8.encode(String.fromCharCode(high * 256 + 0x80))
  return [weightOf(first!, other!), to]
}

/** What white space before something weighs that is not part of a word. */
function pending(run: Run): number {
  return run.spaces > 1 ? perSpaceRun : 0
}

function weightOf(first: number, other: number): number {
  for (const {
    lead: [from, to],
    second: range,
    weight,
  } of scripts) {
    if (first >= from && first <= to && (!range || (other >= range[0] && other <= range[1]))) return weight
  }
  return perMarkedLetter
}

/** Bytes of one kind do the same in states of one place: there, one stands for all. */
function kindOf(at: Place['at'], byte: number): number {
  if (at === 'escape') return byte === 0x75 || byte === 0x6e ? byte : isWhiteEscape(byte) ? 0x74 : 0
  if (at === 'page') return hexOf(byte)
  return at !== 'lead' && isMore(byte) ? 0x80 : kinds[byte]!
}
const kinds = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0xc0) return byte < 0xc2 || byte > 0xf4 ? 0xc0 : leadKind(byte)
  if (byte >= 0x80 || byte === 0x22 || byte === 0x5c || byte === 0x0a) return byte
  if (byte <= 0x20) return 0
  if (byte >= 0x61 && byte <= 0x7a) return 0x61
  if (byte >= 0x41 && byte <= 0x5a) return 0x41
  return byte >= 0x30 && byte <= 0x39 ? 0x30 : 0x21
})
/** The lowest first byte that begins characters of the same weights. */
function leadKind(byte: number): number {
  if (byte >= 0xe0) return leadClass(byte)
  if (byte <= 0xc8) return byte === 0xc7 || byte === 0xc8 || byte === 0xc5 ? 0xc4 : byte
  return scripts.find(({ lead: [from, to] }) => byte >= from && byte <= to)?.lead[0] ?? byte
}

/** What tells a state from all others. */
function keyOf({ place, run }: State): number {
  const where = place.at === 'lead' ? place.lead : place.at === 'page' ? place.high + 1 : 'left' in place ? place.left : 0
  const within = run.letters + (run.lower ? 16 : 0) + run.digits * 32 + run.spaces * 128 + (run.punctuation ? 512 : 0)
  return (places.indexOf(place.at) * 256 + where) * 1024 + within
}
const places: readonly Place['at'][] = ['text', 'lead', 'bytes', 'escape', 'page', 'hex', 'structure']

function plus(weight: number, [more, to]: Step): Step {
  return [weight + more, to]
}
/** `\t`, `\r`, `\f` and `\b`. */
function isWhiteEscape(byte: number): boolean {
  return byte === 0x74 || byte === 0x72 || byte === 0x66 || byte === 0x62
}
function isMore(byte: number): boolean {
  return byte >= 0x80 && byte < 0xc0
}
function isAlphanumeric(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
}
/** A digit's value; 0 for what is none. */
function hexOf(byte: number): number {
  const value = Number.parseInt(String.fromCharCode(byte), 16)
  return Number.isNaN(value) ? 0 : value
}
