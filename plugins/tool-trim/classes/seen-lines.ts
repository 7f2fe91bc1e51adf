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

export class SeenLines {
  /** Newest place of each line; the one before it is in `earlier`. */
  private readonly newest = new Map<string, number>()
  private readonly texts = new Map<SeenText, IndexedText>()
  private owners: IndexedText[] = []
  private lines: number[] = []
  private earlier: number[] = []
  private dropped = 0

  /** Places of a line that are still in the history, newest first. */
  places(bare: string): readonly Place[] {
    const newest = this.newest.get(bare)
    if (newest === undefined) return nowhere
    const found: Place[] = []
    for (let at = newest; at >= 0 && found.length < mostPlaces; at = this.earlier[at]!) {
      const text = this.owners[at]!
      // those before it are older still
      if (!this.texts.has(text.seen)) break
      found.push({ text, line: this.lines[at]! })
    }
    return found
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
      this.dropped++
    }
    if (this.dropped > this.texts.size + 32) {
      // what is gone still takes room: begin anew
      this.texts.clear()
      this.newest.clear()
      this.owners = []
      this.lines = []
      this.earlier = []
      this.dropped = 0
    }
    let from = seen.length
    while (from > 0 && !this.texts.has(seen[from - 1]!)) from--
    for (; from < seen.length; from++) this.add(seen[from]!)
  }

  private add(seen: SeenText): void {
    const text = indexText(seen)
    this.texts.set(seen, text)
    for (let line = 0; line < text.bare.length; line++) {
      const bare = text.bare[line]!
      if (text.shown[line] === 0 || !saysSomething(bare)) continue
      this.earlier.push(this.newest.get(bare) ?? -1)
      this.newest.set(bare, this.owners.length)
      this.owners.push(text)
      this.lines.push(line)
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
