/**
 * Lines that carry their number, as tools print files: `     1→text`, `1: text`, `00001| text`, `     1<tab>text`, `1. text`.
 *
 * A line counts as numbered only where several in a row count up: a lone `404: not found` is text. Pure, linear, without a regular expression.
 */

import { splitLines } from './split-lines.ts'

/** How a tool writes line numbers. */
export interface NumberFormat {
  /** Characters that a number takes with its padding. */
  readonly width: number
  readonly pad: ' ' | '0'
  readonly separator: string
}

/** A text as lines, each with its number where it has one. */
export interface Lines {
  readonly lines: readonly string[]
  /** Number of each line; 0 for none. */
  readonly numbers: Int32Array
  /** Where the text of each line begins. */
  readonly starts: Int32Array
  /** Format of each run of numbered lines, by the index of its first line. */
  readonly formats: ReadonlyMap<number, NumberFormat>
}

const arrow = 0x2192
const tab = 9
const colon = 58
const bar = 124
const dot = 46
const space = 32
const zero = 48
const mostPadding = 12
const mostDigits = 7
/** So many lines in a row have to count up, that their beginnings are line numbers. */
const fewest = 3

/** What the last {@link scan} found: fields instead of an object, for every line of every text goes through it. */
let number = 0
let digits = 0
let width = 0
let zeros = false
let separator = 0

/** Whether a line begins with what may be its number. */
function scan(line: string): boolean {
  let i = 0
  while (i < mostPadding && line.charCodeAt(i) === space) i++
  const padding = i
  let value = 0
  for (; i < padding + mostDigits; i++) {
    const c = line.charCodeAt(i)
    if (!(c >= zero && c <= 57)) break
    value = value * 10 + c - zero
  }
  if (i === padding || value === 0) return false
  separator = line.charCodeAt(i)
  if (separator !== arrow && separator !== tab && separator !== colon && separator !== bar && separator !== dot) return false
  if (separator === dot && line.charCodeAt(i + 1) !== space) return false
  zeros = line.charCodeAt(padding) === zero
  if (zeros && padding > 0) return false
  number = value
  width = i
  digits = digitsOf(value)
  return zeros || digits === i - padding
}

function digitsOf(value: number): number {
  let count = 1
  while (value >= 10) {
    value = Math.floor(value / 10)
    count++
  }
  return count
}

/** The beginning of a line of that number. */
export function prefixOf(line: number, format: NumberFormat): string {
  return String(line).padStart(format.width, format.pad) + format.separator
}

/** The number that a line begins with; 0 for none. */
export function numberOf(line: string): number {
  return scan(line) ? number : 0
}

/** The number of a line that is written `12<tab>text`, without padding; 0 for any other. */
export function tabbedNumber(line: string): number {
  return scan(line) && separator === tab && width === digits ? number : 0
}

/** The number that a line begins with, and how it is written, as far as one line can say. */
export function numberAt(line: string): { readonly number: number; readonly format: NumberFormat } | undefined {
  if (!scan(line)) return undefined
  const spaced = line.charCodeAt(width + 1) === space && (separator === colon || separator === bar || separator === dot)
  return {
    number,
    format: { width, pad: zeros ? '0' : ' ', separator: spaced ? `${String.fromCharCode(separator)} ` : String.fromCharCode(separator) },
  }
}

const kept: { readonly text: string; readonly lines: Lines }[] = []
const mostKept = 4

/** The last few answers are kept: classes run one after the other over the same text. */
export function linesOf(text: string): Lines {
  for (let i = kept.length - 1; i >= 0; i--) if (kept[i]!.text === text) return kept[i]!.lines
  const lines = readLines(text)
  if (kept.length === mostKept) kept.shift()
  kept.push({ text, lines })
  return lines
}

function readLines(text: string): Lines {
  const lines = splitLines(text)
  const numbers = new Int32Array(lines.length)
  const starts = new Int32Array(lines.length)
  const formats = new Map<number, NumberFormat>()
  for (let from = 0; from < lines.length; ) {
    if (!scan(lines[from]!)) {
      from++
      continue
    }
    const first = { number, width, zeros, separator }
    let spaced = true
    let to = from
    do {
      spaced &&= lines[to]!.charCodeAt(width + 1) === space
      starts[to] = width + 1
      to++
    } while (
      to < lines.length &&
      scan(lines[to]!) &&
      number === first.number + to - from &&
      separator === first.separator &&
      width === Math.max(digits, first.width) &&
      (zeros === first.zeros || digits >= first.width)
    )
    if (to - from < fewest) {
      starts.fill(0, from, to)
    } else {
      const written = String.fromCharCode(first.separator)
      spaced &&= first.separator === colon || first.separator === bar || first.separator === dot
      for (let i = from; i < to; i++) {
        numbers[i] = first.number + i - from
        if (spaced) starts[i]!++
      }
      formats.set(from, { width: first.width, pad: first.zeros ? '0' : ' ', separator: spaced ? `${written} ` : written })
    }
    from = to
  }
  return { lines, numbers, starts, formats }
}
