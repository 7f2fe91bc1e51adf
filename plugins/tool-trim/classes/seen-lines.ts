/**
 * Where lines stand that are in the prompt already: an index from a line's text, less its number, to its places. It hangs on a history and grows with it.
 *
 * Only lines that say something are looked up; the others come along with the lines around them. A line keeps its newest places only, so that a text of equal
 * lines costs no more than any other.
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

export interface SeenLines {
  /** Places of a line, newest last; some may have left the history. */
  places(bare: string): readonly Place[] | undefined
  /** Whether a text is still there. */
  has(text: IndexedText): boolean
}

const mostPlaces = 8
const fewestCharacters = 8

/** Whether a line is worth looking up. */
export function saysSomething(bare: string): boolean {
  return bare.length >= fewestCharacters && bare.trim().length >= fewestCharacters
}

interface Index extends SeenLines {
  update(history: TrimHistory): void
}

const indexes = new WeakMap<readonly SeenText[], Index>()

export function seenLines(history: TrimHistory): SeenLines {
  let index = indexes.get(history.seen)
  if (!index) indexes.set(history.seen, (index = newIndex()))
  index.update(history)
  return index
}

function newIndex(): Index {
  const places = new Map<string, Place[]>()
  const texts = new Map<SeenText, IndexedText>()
  let dropped = 0
  const add = (seen: SeenText) => {
    const text = indexText(seen)
    texts.set(seen, text)
    for (let line = 0; line < text.bare.length; line++) {
      const bare = text.bare[line]!
      if (text.shown[line] === 0 || !saysSomething(bare)) continue
      const known = places.get(bare)
      if (!known) places.set(bare, [{ text, line }])
      else {
        if (known.length === mostPlaces) known.shift()
        known.push({ text, line })
      }
    }
  }
  return {
    update({ seen }) {
      const first = seen[0]
      for (const known of texts.keys()) {
        if (known === first) break
        texts.delete(known)
        dropped++
      }
      if (dropped > texts.size + 32) {
        // what is gone still takes room: begin anew
        texts.clear()
        places.clear()
        dropped = 0
      }
      let from = seen.length
      while (from > 0 && !texts.has(seen[from - 1]!)) from--
      for (; from < seen.length; from++) add(seen[from]!)
    },
    places: (bare) => places.get(bare),
    has: (text) => texts.has(text.seen),
  }
}

function indexText(seen: SeenText): IndexedText {
  const lines = linesOf(seen.text)
  const bare = lines.lines.map((line, i) => (lines.starts[i]! > 0 ? line.slice(lines.starts[i]!) : line))
  const shown = new Uint8Array(bare.length)
  if (seen.shown) for (const [from, to] of seen.shown) shown.fill(1, from, to)
  else shown.fill(1)
  return { ...lines, seen, bare, shown, byNumber: numbersOnce(lines.numbers) }
}

function numbersOnce(numbers: Int32Array): boolean {
  let last = 0
  for (const number of numbers) {
    if (number === 0) continue
    if (number <= last) return false
    last = number
  }
  return last > 0
}

/** A text of the history as lines, however it was found. */
export function indexedText(history: TrimHistory, wanted: (seen: SeenText) => boolean): IndexedText | undefined {
  const seen = history.seen.findLast(wanted)
  return seen && indexText(seen)
}
