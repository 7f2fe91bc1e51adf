/**
 * How a reference reads: one line in square brackets that says which lines stand where.
 *
 * `[lines 41-80: same as lines 38-77 of tool result #12 (Read src/a.ts)]` stands for lines that carry numbers, `[40 lines: same as …]` for others, and
 * `[same as tool result #12 (Read src/a.ts), all 57 lines]` for a whole result. A statement about text, never an instruction. Pure.
 */

import type { SeenText } from '../trimmer.ts'

/** A text of the history, as a reference names it. */
export interface Target {
  readonly from: SeenText['from']
  readonly ordinal: number
  readonly part?: string
}

export interface Reference {
  /** How many lines it stands for; `numbers` when they carry their numbers, the first of them given. */
  readonly lines: number
  readonly firstNumber?: number
  readonly target: Target
  /** The first line there, from 1, by its number if lines there go by numbers; absent = all of that text. */
  readonly at?: number
}

const name = String.raw`[\w.:-]{1,64}`
const target = String.raw`(?:(?:tool )?result #(\d{1,6})|your (?:${name} )?call #(\d{1,6})|(${name}) message before tool result #(\d{1,6}))`
/** In brackets: what was read or run, or the argument of a call. */
const about = String.raw`(?: \((?:(${name})(?:: [^()\n]{0,100})?|[^()\n]{0,140})\))?`
const pattern = new RegExp(
  String.raw`^\[(?:lines (\d{1,7})-(\d{1,7}): |(\d{1,7}) lines?: )?same as (?:lines? (\d{1,7})(?:-\d{1,7})? of )?${target}${about}(?:, from "[^"\n]{0,60}")?(?:, all (\d{1,7}) lines?)?\]$`,
)

/** What a line says as a reference; undefined when it is none. */
export function parseReference(line: string): Reference | undefined {
  if (line.charCodeAt(0) !== 91 || line.length > 400 || !line.endsWith(']')) return undefined
  const m = pattern.exec(line)
  if (!m) return undefined
  const [, first, last, count, at, result, call, role, before, part, all] = m
  const firstNumber = first === undefined ? undefined : Number(first)
  const lines = firstNumber !== undefined ? Number(last) - firstNumber + 1 : Number(count ?? all ?? 0)
  if (lines < 1) return undefined
  const from = result !== undefined ? 'result' : call !== undefined ? 'call' : 'message'
  const ordinal = Number(result ?? call ?? before)
  const named = from === 'call' ? part : role
  const whole = at === undefined && firstNumber === undefined
  return {
    lines,
    ...(firstNumber !== undefined && { firstNumber }),
    target: { from, ordinal, ...(named !== undefined && { part: named }) },
    ...(!whole && { at: at === undefined ? firstNumber! : Number(at) }),
  }
}

/** @param quote beginning of the first line there, for texts whose lines carry no numbers
 *  @param brief whether the same text was named before */
export function writeReference(reference: Reference, seen: SeenText, brief: boolean, quote?: string): string {
  const { lines, firstNumber, at } = reference
  const where = nameOf(seen, brief)
  if (at === undefined) return `[same as ${where}, all ${lines} ${lines === 1 ? 'line' : 'lines'}]`
  const here = firstNumber === undefined ? `${lines} ${lines === 1 ? 'line' : 'lines'}` : `lines ${firstNumber}-${firstNumber + lines - 1}`
  const there = at === firstNumber ? '' : lines === 1 ? `line ${at} of ` : `lines ${at}-${at + lines - 1} of `
  return `[${here}: same as ${there}${where}${quote ? `, from "${quote}"` : ''}]`
}

function nameOf({ from, tool, ordinal, part, path, command }: SeenText, brief: boolean): string {
  if (from === 'message') return `${part} message before tool result #${ordinal}`
  const what = brief ? '' : readable(path === undefined ? (command ?? '') : tail(path))
  if (from === 'call') {
    const about = part === undefined ? '' : what === '' ? ` (${part})` : ` (${part}: ${what})`
    return `your ${!brief && nameable(tool) ? `${tool} ` : ''}call #${ordinal}${about}`
  }
  if (brief) return `result #${ordinal}`
  const about = [nameable(tool) ? tool : '', what].filter((text) => text !== '').join(' ')
  return `tool result #${ordinal}${about === '' ? '' : ` (${about})`}`
}

/** Whether a name may stand in a reference as it is. */
export function nameable(text: string): boolean {
  const { length } = text
  if (length === 0 || length > 64) return false
  // by hand: as a regular expression this took a quarter of all the time of trimming
  for (let i = 0; i < length; i++) {
    const c = text.charCodeAt(i)
    const letter = (c >= 97 && c <= 122) || (c >= 65 && c <= 90)
    if (!letter && !(c >= 48 && c <= 58) && c !== 95 && c !== 46 && c !== 45) return false
  }
  return true
}

/** The last two parts of a path. */
function tail(path: string): string {
  return path.split('/').slice(-2).join('/')
}

/** One line without brackets and quotes, cut to what tells it apart. */
export function readable(text: string, most = 48): string {
  const line = text
    .replace(/[^ -!#-'*-Z\\^-~\u00a0-\u2027\u202a-\ud7ff\ue000-\uffff]+/g, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
  return line.length > most ? line.slice(0, most).trimEnd() : line
}

export function sameTarget(seen: SeenText, target: Target): boolean {
  return seen.from === target.from && seen.ordinal === target.ordinal && seen.part === target.part
}
