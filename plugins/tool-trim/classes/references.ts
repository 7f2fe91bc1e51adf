/**
 * `ref`: lines that stand in the prompt already are said to stand there. At least four in a row and 200 characters, or 400 characters of fewer lines; of
 * results, of what the model wrote into its calls, and of messages, as far back as the history reaches; never of a text that only refers itself.
 *
 * Numbers in front of lines may differ: a file read again after an edit has moved. The first line of numbered ones stays, so that the others can be counted.
 * Where lines there carry no numbers, the first one is quoted, and only one whose beginning stands there once will do: counting is not to be relied on.
 */

import type { SeenText, TrimHistory, Trimmer } from '../trimmer.ts'
import { type Lines, linesOf, numberAt, prefixOf } from './numbered-lines.ts'
import { nameable, parseReference, type Reference, readable, sameTarget, writeReference } from './reference-text.ts'
import { bareLines, type IndexedText, type SeenLines, saysSomething, seenLines } from './seen-lines.ts'

const fewestLines = 4
const fewestCharacters = 200
const fewLinesCharacters = 400
/** Characters of a line that is quoted, and of one that begins as another does. */
const quoted = 32
const longQuote = 60
/** A run is extended over so many lines before the one that was found. */
const farthestBack = 64

interface Run {
  readonly from: number
  readonly to: number
  readonly text: IndexedText
  /** Line there of `from`. */
  readonly at: number
  readonly characters: number
}

export const references: Trimmer = {
  name: 'references',
  class: 'ref',
  encode(result, history) {
    const index = seenLines(history)
    const here = linesOf(result.text)
    const bare = bareLines(here)
    const whole = wholeText(result.text, here, history)
    if (whole) return whole
    const out: string[] = []
    const named = new Map<IndexedText, boolean>()
    let done = 0
    let found = false
    for (let i = 0; i < bare.length; ) {
      const run = saysSomething(bare[i]!) ? longestRun(here, bare, i, done, index, history, named) : undefined
      if (!run) {
        i++
        continue
      }
      if (!worth(run)) {
        i = Math.max(i + 1, run.to)
        continue
      }
      for (let k = done; k < run.from; k++) out.push(here.lines[k]!)
      out.push(referenceTo(run, here, named))
      found = true
      done = i = run.to
    }
    if (!found) return undefined
    for (let k = done; k < bare.length; k++) out.push(here.lines[k]!)
    return out.join('\n')
  },
  decode(text, _, history) {
    const index = seenLines(history)
    const out: string[] = []
    for (const line of text.split('\n')) {
      const reference = parseReference(line)
      if (!reference) {
        out.push(line)
        continue
      }
      const seen = history.seen.findLast((one) => sameTarget(one, reference.target))
      const source = seen && index.text(seen)
      if (!source || !resolve(reference, source, out)) return undefined
    }
    return out.join('\n')
  },
}

/** Lines of the original that stand in a text themselves, of one that `references` made. */
export function shownLines(text: string): (readonly [number, number])[] {
  const shown: (readonly [number, number])[] = []
  let line = 0
  let from = 0
  for (const written of text.split('\n')) {
    const reference = parseReference(written)
    if (!reference) {
      line++
      continue
    }
    if (line > from) shown.push([from, line])
    from = line += reference.lines
  }
  if (line > from) shown.push([from, line])
  return shown
}

function worth({ from, to, characters }: Run): boolean {
  return characters >= (to - from >= fewestLines ? fewestCharacters : fewLinesCharacters)
}

/** A whole text again. */
function wholeText(text: string, here: Lines, history: TrimHistory): string | undefined {
  if (text.length < fewestCharacters) return undefined
  const seen = history.seen.findLast((one) => one.text === text)
  if (!seen || (seen.shown && !coversAll(seen.shown, here.lines.length)) || !addressable(seen, history)) return undefined
  const { from, ordinal, part } = seen
  return writeReference({ lines: here.lines.length, target: { from, ordinal, ...(part !== undefined && { part }) } }, seen, false)
}

function coversAll(shown: NonNullable<SeenText['shown']>, lines: number): boolean {
  return shown.length === 1 && shown[0]![0] === 0 && shown[0]![1] === lines
}

/** Whether its name leads to this text and no other. */
function addressable(seen: SeenText, history: TrimHistory): boolean {
  if (seen.part !== undefined && !nameable(seen.part)) return false
  return history.seen.findLast((one) => sameTarget(one, seen)) === seen
}

/** The longest run of lines around line `i`, none before `done`, that stands somewhere. */
function longestRun(
  here: Lines,
  bare: readonly string[],
  i: number,
  done: number,
  index: SeenLines,
  history: TrimHistory,
  named: Map<IndexedText, boolean>,
): Run | undefined {
  let best: Run | undefined
  for (const { text, line } of index.places(bare[i]!)) {
    if (best && best.text === text && line - best.at === i - best.from) continue
    if (!named.has(text)) {
      if (!addressable(text.seen, history)) continue
      named.set(text, false)
    }
    const run = runAt(here, bare, i, done, text, line)
    // one without characters cannot be named: it says how far there is nothing to be had
    if (run && (!best || run.characters > best.characters || (run.characters === best.characters && run.to > best.to))) best = run
  }
  return best
}

function runAt(here: Lines, bare: readonly string[], i: number, done: number, text: IndexedText, line: number): Run | undefined {
  const numbered = here.numbers[i]! > 0
  const fits = (k: number, q: number): boolean =>
    text.shown[q] === 1 && bare[k] === text.bare[q] && here.numbers[k]! > 0 === numbered && (!text.byNumber || text.numbers[q]! > 0)
  const follows = (numbers: Int32Array, k: number): boolean => numbers[k]! === 0 || numbers[k]! === numbers[k - 1]! + 1
  if (text.byNumber && text.numbers[line] === 0) return undefined
  let to = i + 1
  let q = line + 1
  while (
    to < bare.length &&
    q < text.bare.length &&
    fits(to, q) &&
    follows(here.numbers, to) &&
    (!text.byNumber || follows(text.numbers, q))
  ) {
    to++
    q++
  }
  let from = i
  let at = line
  const least = Math.max(done, i - farthestBack)
  while (from > least && at > 0 && fits(from - 1, at - 1) && follows(here.numbers, from) && (!text.byNumber || follows(text.numbers, at))) {
    from--
    at--
  }
  // the line before has to stand there and say how numbers are written
  while (from < to && ((numbered && (here.formats.has(from) || !tellsFormat(here, from - 1))) || !tellsPlace(text, at))) {
    from++
    at++
  }
  let characters = 0
  for (let k = from; k < to; k++) characters += here.lines[k]!.length + 1
  return { from, to, text, at, characters }
}

/** Whether the number of a line, read without the lines around it, is written as it is in them: a space behind `1:` may belong to the text. */
function tellsFormat({ lines, starts }: Lines, i: number): boolean {
  const format = numberAt(lines[i]!)?.format
  return format !== undefined && format.width + format.separator.length === starts[i]
}

/** Whether a reader finds a line of that text: by its number, or by its beginning. */
function tellsPlace(text: IndexedText, line: number): boolean {
  return text.byNumber || quotesOf(text)[line]! > 0
}

const quotes = new WeakMap<IndexedText, Uint8Array>()

/** For each line of a text so many characters of it as stand there at the beginning of no other line; 0 where none will do: nobody counts to line 1330. */
function quotesOf(text: IndexedText): Uint8Array {
  let found = quotes.get(text)
  if (found) return found
  found = new Uint8Array(text.bare.length)
  for (const length of [longQuote, quoted]) {
    const places = new Map<string, number>()
    for (const [line, bare] of text.bare.entries()) {
      if (!saysSomething(bare)) continue
      const beginning = bare.slice(0, 200).trim().slice(0, length)
      places.set(beginning, places.has(beginning) ? -1 : line)
    }
    for (const line of places.values()) if (line >= 0) found[line] = length
  }
  quotes.set(text, found)
  return found
}

function referenceTo({ from, to, text, at }: Run, here: Lines, named: Map<IndexedText, boolean>): string {
  const { seen } = text
  const brief = named.get(text) === true
  named.set(text, true)
  const numbered = here.numbers[from]! > 0
  const target = { from: seen.from, ordinal: seen.ordinal, ...(seen.part !== undefined && { part: seen.part }) }
  const reference: Reference = {
    lines: to - from,
    ...(numbered && { firstNumber: here.numbers[from]! }),
    target,
    at: text.byNumber ? text.numbers[at]! : at + 1,
  }
  return writeReference(reference, seen, brief, text.byNumber ? undefined : readable(text.bare[at]!, quotesOf(text)[at]!))
}

/** Puts the lines that a reference stands for behind `out`; false when there are none such. */
function resolve({ lines, firstNumber, at }: Reference, source: IndexedText, out: string[]): boolean {
  if (at === undefined) {
    if (source.lines.length !== lines || out.length > 0) return false
    for (const line of source.lines) out.push(line)
    return true
  }
  const first = source.byNumber ? source.numbers.indexOf(at) : at - 1
  if (first < 0 || first + lines > source.bare.length) return false
  const before = firstNumber === undefined ? undefined : numberAt(out.at(-1) ?? '')
  if (firstNumber !== undefined && before?.number !== firstNumber - 1) return false
  for (let k = 0; k < lines; k++) {
    if (source.shown[first + k] === 0) return false
    out.push(before ? prefixOf(firstNumber! + k, before.format) + source.bare[first + k]! : source.bare[first + k]!)
  }
  return true
}
