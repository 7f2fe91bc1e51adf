/**
 * Where lines stand that are in the prompt already: an index from a line's text, less its number, to its places. It hangs on a history and grows with it.
 *
 * Only lines that say something are looked up; the others come along with the lines around them. Only the newest places of a line are looked at, so that a
 * text of equal lines costs no more than any other.
 */

import type { SeenText, TrimHistory } from '../trimmer.ts'
import { type Lines, linesOf } from './numbered-lines.ts'

/** One text of the history, as lines. */
export interface IndexedText extends Lines {
  readonly seen: SeenText
  /** The text of each line, less its number. */
  readonly bare: readonly string[]
  /** 1 where a line stands there itself. */
  readonly shown: Uint8Array
  /** Whether each number stands there once at most, and any does: then lines go by their numbers. */
  readonly byNumber: boolean
}

export interface Place {
  readonly text: IndexedText
  readonly line: number
}

const mostPlaces = 8
const nowhere: readonly Place[] = []
const fewestCharacters = 8

/** Whether a line is worth looking up. */
export function saysSomething(bare: string): boolean {
  let i = 0
  while (i < bare.length && bare.charCodeAt(i) <= 32) i++
  return bare.length - i >= fewestCharacters
}

/** The text of each line, less its number. */
export function bareLines({ lines, starts, formats }: Lines): readonly string[] {
  return formats.size === 0 ? lines : lines.map((line, i) => (starts[i]! > 0 ? line.slice(starts[i]!) : line))
}

const indexes = new WeakMap<readonly SeenText[], SeenLines>()

export function seenLines(history: TrimHistory): SeenLines {
  let index = indexes.get(history.seen)
  if (!index) indexes.set(history.seen, (index = new SeenLines()))
  index.update(history.seen)
  return index
}

/** Places of lines of texts that were added one after the other; let go in one piece when the last of them has left. */
interface Generation {
  /** Newest place of each line; the one before it is in `earlier`. */
  readonly newest: Map<string, number>
  readonly owners: IndexedText[]
  readonly lines: number[]
  readonly earlier: number[]
  /** Texts that were added, and those of them that have not left. */
  added: number
  live: number
}

const fewestOfGeneration = 32

export class SeenLines {
  private readonly texts = new Map<SeenText, IndexedText>()
  /** Oldest first. Nothing is ever indexed twice: nobody waits for that. */
  private readonly generations: Generation[] = []

  /** Places of a line that are still in the history, newest first. */
  places(bare: string): readonly Place[] {
    let found: Place[] | undefined
    for (let g = this.generations.length - 1; g >= 0; g--) {
      const { newest, owners, lines, earlier } = this.generations[g]!
      for (let at = newest.get(bare) ?? -1; at >= 0; at = earlier[at]!) {
        const text = owners[at]!
        // those before it are older still
        if (!this.texts.has(text.seen)) return found ?? nowhere
        found ??= []
        found.push({ text, line: lines[at]! })
        if (found.length === mostPlaces) return found
      }
    }
    return found ?? nowhere
  }

  /** A text of the history as lines. */
  text(seen: SeenText): IndexedText | undefined {
    return this.texts.get(seen)
  }

  update(seen: readonly SeenText[]): void {
    const first = seen[0]
    for (const known of this.texts.keys()) {
      if (known === first) break
      this.texts.delete(known)
      // the oldest text is of the oldest generation
      if (--this.generations[0]!.live === 0) this.generations.shift()
    }
    let from = seen.length
    while (from > 0 && !this.texts.has(seen[from - 1]!)) from--
    for (; from < seen.length; from++) this.add(seen[from]!)
  }

  private add(seen: SeenText): void {
    let generation = this.generations.at(-1)
    if (!generation || generation.added >= Math.max(fewestOfGeneration, this.texts.size)) {
      generation = { newest: new Map(), owners: [], lines: [], earlier: [], added: 0, live: 0 }
      this.generations.push(generation)
    }
    const { newest, owners, lines, earlier } = generation
    generation.added++
    generation.live++
    const text = indexText(seen)
    this.texts.set(seen, text)
    for (let line = 0; line < text.bare.length; line++) {
      const bare = text.bare[line]!
      if (text.shown[line] === 0 || !saysSomething(bare)) continue
      earlier.push(newest.get(bare) ?? -1)
      newest.set(bare, owners.length)
      owners.push(text)
      lines.push(line)
    }
  }
}

function indexText(seen: SeenText): IndexedText {
  const lines = linesOf(seen.text)
  const bare = bareLines(lines)
  const shown = new Uint8Array(bare.length)
  if (seen.shown) for (const [from, to] of seen.shown) shown.fill(1, from, to)
  else shown.fill(1)
  return { ...lines, seen, bare, shown, byNumber: numbersOnce(lines) }
}

function numbersOnce({ numbers, formats }: Lines): boolean {
  if (formats.size === 0) return false
  let last = 0
  for (const number of numbers) {
    if (number === 0) continue
    if (number <= last) return false
    last = number
  }
  return true
}
