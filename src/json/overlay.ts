/**
 * The edits of one document as a tree over the spans of its source: only the containers on an edited path are indexed,
 * everything else stays a span and leaves byte for byte (hazard F01).
 *
 * Pointers address the document as edited so far, like the operations of a JSON Patch. The tree yields replacements in source
 * offsets; `document.ts` splices them. Keys are compared decoded, of duplicates the last is the member (JSON.parse), and an
 * edit of such a member removes the earlier ones, so that no reader can see a value that the edit was meant to replace.
 */

import { appendIndex, arrayIndex, formatPointer, PointerError, withRemoved, withSet } from './pointer.ts'
import { childSpans, rootSpan, spells } from './spans.ts'
import type { Json } from './value.ts'

/** A replacement of the source bytes `[start, end)`; an insertion when both are the same. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** A value that is not in the source: its JSON text and, when known, what that means. */
export interface Inserted {
  readonly text: string
  readonly value: Json
}

interface Entry {
  /** Name of an added member; null for those of the source. */
  readonly key: string | null
  readonly keyStart: number
  readonly keyEnd: number
  /** Span of the value in the source; -1 when added. */
  readonly start: number
  readonly end: number
  node: Container | Inserted | null
  removed: boolean
}

interface Container {
  readonly start: number
  /** What the source holds, in order. */
  readonly original: readonly Entry[]
  /** What there is now: the remaining originals, then what was added. */
  live: Entry[]
}

interface Step {
  readonly container: Container
  readonly child: Entry
  readonly token: string
}

const utf8 = new TextEncoder()

export class Overlay {
  readonly #source: Uint8Array
  readonly #root: Entry

  /** @param start offset behind a byte order mark. The source must have passed the scan. */
  constructor(source: Uint8Array, start: number) {
    this.#source = source
    this.#root = { key: null, keyStart: -1, keyEnd: -1, ...rootSpan(source, start), node: null, removed: false }
  }

  /** @throws PointerError when the parent does not exist, is no container, or the index is not usable. Nothing is changed then. */
  set(tokens: readonly string[], inserted: Inserted): void {
    const path: Step[] = []
    let entry = this.#root
    for (let depth = 0; depth < tokens.length; depth++) {
      if (isInserted(entry.node)) {
        inserted = insertedValue(withSet(entry.node.value, tokens, depth, inserted.value))
        break
      }
      const container = this.#open(entry)
      if (container === null) throw new PointerError(formatPointer(tokens), 'its parent is not an object or array')
      const child = this.#child(container, tokens[depth]!)
      if (child !== undefined) {
        path.push({ container, child, token: tokens[depth]! })
        entry = child
      } else if (depth === tokens.length - 1) {
        this.#append(container, tokens, inserted)
        this.#removeShadowed(path)
        return
      } else throw new PointerError(formatPointer(tokens), `there is no ${formatPointer(tokens.slice(0, depth + 1))}`)
    }
    entry.node = inserted
    this.#removeShadowed(path)
  }

  /** Nothing happens when there is no such value. At least one token. */
  remove(tokens: readonly string[]): void {
    const path: Step[] = []
    let entry = this.#root
    for (const token of tokens) {
      if (isInserted(entry.node)) {
        const value = withRemoved(entry.node.value, tokens, path.length)
        if (value === entry.node.value) return
        entry.node = insertedValue(value)
        this.#removeShadowed(path)
        return
      }
      const container = this.#open(entry)
      const child = container === null ? undefined : this.#child(container, token)
      if (container === null || child === undefined) return
      path.push({ container, child, token })
      entry = child
    }
    this.#removeShadowed(path)
    drop(path[path.length - 1]!.container, (other) => other === entry)
  }

  /** Replaces the value whose span in the source is exactly `[start, end)`. @throws RangeError when there is none, or no longer. */
  setSpan(start: number, end: number, inserted: Inserted): void {
    let entry = this.#root
    while (entry.start !== start || entry.end !== end) {
      const container = isInserted(entry.node) ? null : this.#open(entry)
      const child = container?.original.findLast((candidate) => candidate.start <= start)
      if (child === undefined || child.removed || child.end < end) {
        throw new RangeError(`bytes ${start} to ${end} are not a value of this document`)
      }
      entry = child
    }
    entry.node = inserted
  }

  /** The replacements that make the edited document, in order, not overlapping. */
  edits(): Edit[] {
    const edits: Edit[] = []
    collect(this.#root, edits)
    return edits
  }

  /** The container at an entry of the source, indexed on first use; null for a scalar. */
  #open(entry: Entry): Container | null {
    if (entry.node !== null) return entry.node as Container
    const first = this.#source[entry.start]
    if (first !== 0x7b && first !== 0x5b) return null
    const original = childSpans(this.#source, entry.start).map((span): Entry => ({ key: null, ...span, node: null, removed: false }))
    const container: Container = { start: entry.start, original, live: original.slice() }
    entry.node = container
    return container
  }

  #child(container: Container, token: string): Entry | undefined {
    if (this.#source[container.start] === 0x5b) {
      const index = arrayIndex(token)
      return index === -1 ? undefined : container.live[index]
    }
    const encoded = utf8.encode(token)
    return container.live.findLast((entry) => this.#isNamed(entry, token, encoded))
  }

  #isNamed(entry: Entry, key: string, encoded: Uint8Array): boolean {
    return entry.key === null ? spells(this.#source, entry.keyStart, entry.keyEnd, key, encoded) : entry.key === key
  }

  /** Removes the earlier duplicates of every member on an edited path. */
  #removeShadowed(path: readonly Step[]): void {
    for (const { container, child, token } of path) {
      if (this.#source[container.start] === 0x5b) continue
      const encoded = utf8.encode(token)
      drop(container, (entry) => entry !== child && this.#isNamed(entry, token, encoded))
    }
  }

  #append(container: Container, tokens: readonly string[], inserted: Inserted): void {
    const token = tokens[tokens.length - 1]!
    const isArray = this.#source[container.start] === 0x5b
    if (isArray) appendIndex(container.live.length, token, tokens)
    container.live.push({ key: isArray ? null : token, keyStart: -1, keyEnd: -1, start: -1, end: -1, node: inserted, removed: false })
  }
}

function isInserted(node: Container | Inserted | null): node is Inserted {
  return node !== null && 'text' in node
}

function insertedValue(value: Json): Inserted {
  return { text: JSON.stringify(value), value }
}

function drop(container: Container, which: (entry: Entry) => boolean): void {
  const kept = container.live.filter((entry) => !(which(entry) && (entry.removed = true)))
  if (kept.length !== container.live.length) container.live = kept
}

/** Depth of the recursion is that of the deepest edited pointer, at most what the scan accepts. */
function collect(entry: Entry, edits: Edit[]): void {
  const node = entry.node
  if (node === null) return
  if (isInserted(node)) {
    edits.push({ start: entry.start, end: entry.end, text: node.text })
    return
  }
  const added = node.live
    .filter((child) => child.start === -1)
    .map((child) => {
      const text = isInserted(child.node) ? child.node.text : ''
      return child.key === null ? text : `${JSON.stringify(child.key)}:${text}`
    })
    .join(',')
  // a removed run goes with the comma before it, or with the one behind it when no child remains before it
  let keptEnd = -1
  let runStart = -1
  let runEnd = -1
  for (const child of node.original) {
    if (child.removed) {
      if (runStart === -1) runStart = keptEnd === -1 ? startOf(child) : keptEnd
      runEnd = child.end
      continue
    }
    if (runStart !== -1) edits.push({ start: runStart, end: keptEnd === -1 ? startOf(child) : runEnd, text: '' })
    runStart = -1
    collect(child, edits)
    keptEnd = child.end
  }
  const text = added !== '' && keptEnd !== -1 ? `,${added}` : added
  if (runStart !== -1) edits.push({ start: runStart, end: runEnd, text })
  else if (text !== '') {
    const at = keptEnd === -1 ? node.start + 1 : keptEnd
    edits.push({ start: at, end: at, text })
  }
}

function startOf(entry: Entry): number {
  return entry.keyStart === -1 ? entry.start : entry.keyStart
}
