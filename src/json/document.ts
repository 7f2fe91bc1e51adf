/**
 * A request body: immutable bytes, a lazy view of their value, and recorded edits that are spliced in at the end.
 *
 * What no edit touches leaves byte for byte: number spellings, escapes, white space, key order, duplicate members (hazard F01).
 * Two ways to edit: by pointer (`set`, `remove`: an overlay tree, see `overlay.ts`), and by span (`setSpan`: a splice that needs
 * no tree, for the model of a request that nobody else changes). They compose in the order of the calls. Undo drops the last
 * entries of the record and replays the rest, so it needs no inverse operations.
 * A byte order mark is no part of the value: it stays when nothing was edited, and is dropped with the first edit (hazard A06).
 */

import { type Edit, type Inserted, Overlay } from './overlay.ts'
import { lookUp, PointerError, parsePointer, withRemoved, withSet } from './pointer.ts'
import { bodyStart, checkJson } from './scan.ts'
import { type Patch, patchOf } from './splice.ts'
import type { Json } from './value.ts'

export type { Edit } from './overlay.ts'
export { PointerError } from './pointer.ts'
export type { Json } from './value.ts'

/** The body is not JSON. `offset` is the byte of the first fault as far as it is known. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError'
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

/** A point in the record of edits to which `undo` returns. */
export interface Mark {
  readonly edits: number
  readonly last: unknown
  readonly value: Json | undefined
}

type Operation =
  | { readonly kind: 'set'; readonly tokens: readonly string[]; readonly inserted: Inserted }
  | { readonly kind: 'remove'; readonly tokens: readonly string[] }
  | { readonly kind: 'span'; readonly start: number; readonly end: number; readonly text: string }

export class JsonDocument {
  /** The body as received. Never changes; may not be written to. */
  readonly source: Uint8Array
  readonly #operations: Operation[] = []
  /** Built by the first edit by pointer; null while there are only edits by span. */
  #overlay: Overlay | null = null
  /** The edited value when known; an edit by span forgets it. */
  #value: Json | undefined
  #patch: Patch | null = null
  /** Where the last of the edits by span ends: one behind it overlaps none. */
  #spansEnd = 0
  #checked: boolean

  /** @param checked the bytes have passed `scanTopLevel` already. */
  constructor(bytes: Uint8Array, checked = false) {
    this.source = bytes
    this.#checked = checked
  }

  /**
   * The document's value with all edits; of duplicate members the last wins. The caller may not write to it. Later edits do not show in it.
   * @throws JsonSyntaxError when the source is not JSON or nested too deep.
   */
  get value(): Json {
    if (this.#value === undefined) {
      this.#check()
      try {
        this.#value = JSON.parse(new TextDecoder().decode(this.output())) as Json
      } catch (error) {
        throw new JsonSyntaxError(error instanceof Error ? error.message : String(error), stringFault(this.source))
      }
    }
    return this.#value
  }

  /** The value at a pointer as the document stands now; undefined when there is none. @throws PointerError when the pointer is malformed. */
  at(pointer: string): Json | undefined {
    return lookUp(this.value, parsePointer(pointer))
  }

  /**
   * Replaces the value at a pointer, adds an object member at the end, or appends to an array (`-` or its length).
   * @throws PointerError when the parent is missing or no container, or the index is not usable. Nothing is changed then.
   */
  set(pointer: string, value: Json): void {
    const text = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`cannot set ${pointer}: not a JSON value`)
    // what the text says, so that the view and the bytes agree whatever the caller does to its object later
    const inserted = { text, value: JSON.parse(text) as Json }
    const tokens = parsePointer(pointer)
    this.#tree().set(tokens, inserted)
    this.#operations.push({ kind: 'set', tokens, inserted })
    this.#patch = null
    if (this.#value !== undefined) this.#value = withSet(this.#value, tokens, 0, inserted.value)
  }

  /** Removes the value at a pointer and all duplicates of the member; nothing happens when there is none. @throws PointerError for the whole document. */
  remove(pointer: string): void {
    const tokens = parsePointer(pointer)
    if (tokens.length === 0) throw new PointerError(pointer, 'the whole document cannot be removed')
    this.#tree().remove(tokens)
    this.#operations.push({ kind: 'remove', tokens })
    this.#patch = null
    if (this.#value !== undefined) this.#value = withRemoved(this.#value, tokens, 0)
  }

  /**
   * Replaces a value by its span in the source, without looking at the rest; `json` must be one JSON value.
   * `[start, end)` must be exactly the span of a value, as `scanTopLevel` reports it: that is only checked when there are edits by pointer too.
   * @throws RangeError when it overlaps another such span, or the value there is gone.
   */
  setSpan(start: number, end: number, json: string): void {
    if (!(start >= 0 && start < end && end <= this.source.length)) throw new RangeError(`no bytes ${start} to ${end} in this document`)
    if (this.#overlay !== null) this.#overlay.setSpan(start, end, parsed(json))
    else if (start < this.#spansEnd && this.#operations.some((other) => other.kind === 'span' && overlaps(other, start, end))) {
      throw new RangeError(`bytes ${start} to ${end} overlap an earlier replacement`)
    }
    this.#operations.push({ kind: 'span', start, end, text: json })
    this.#spansEnd = Math.max(this.#spansEnd, end)
    this.#patch = null
    this.#value = undefined
  }

  /** Byte offset in the source of the first difference; everything before it leaves as it came. -1 when nothing was edited. */
  get firstEdit(): number {
    return this.#operations.length === 0 ? -1 : this.#effective().firstEdit
  }

  /** Remembers the edits so far. */
  mark(): Mark {
    return { edits: this.#operations.length, last: this.#operations.at(-1), value: this.#value }
  }

  /** Undoes all edits after the mark; nothing happens when they are undone already. */
  undo(mark: Mark): void {
    if (this.#operations.length <= mark.edits) return
    this.#operations.length = mark.edits
    this.#value = this.#operations.at(-1) === mark.last ? mark.value : undefined
    this.#overlay = null
    this.#patch = null
  }

  /** The edited document; the source itself when no byte differs. */
  output(): Uint8Array {
    return this.#operations.length === 0 ? this.source : this.#effective().output()
  }

  /** What was replaced where, in source offsets, in order. */
  edits(): readonly Edit[] {
    return this.#operations.length === 0 ? [] : this.#effective().edits
  }

  #effective(): Patch {
    if (this.#patch !== null) return this.#patch
    const edits = this.#operations.every((operation) => operation.kind === 'span') ? this.#spans() : this.#tree().edits()
    this.#patch = patchOf(this.source, bodyStart(this.source), edits)
    return this.#patch
  }

  /** The replacements when all edits are by span: the last of each span. */
  #spans(): Edit[] {
    const spans = new Map<number, Edit>()
    for (const operation of this.#operations) if (operation.kind === 'span') spans.set(operation.start, operation)
    return [...spans.values()].sort((a, b) => a.start - b.start)
  }

  #tree(): Overlay {
    if (this.#overlay !== null) return this.#overlay
    this.#check()
    const overlay = new Overlay(this.source, bodyStart(this.source))
    for (const operation of this.#operations) {
      if (operation.kind === 'set') overlay.set(operation.tokens, operation.inserted)
      else if (operation.kind === 'remove') overlay.remove(operation.tokens)
      else overlay.setSpan(operation.start, operation.end, parsed(operation.text))
    }
    this.#overlay = overlay
    return overlay
  }

  #check(): void {
    if (this.#checked) return
    const problem = checkJson(this.source)
    if (problem !== null) throw new JsonSyntaxError(problem.message, problem.offset)
    this.#checked = true
  }
}

function parsed(text: string): Inserted {
  return { text, value: JSON.parse(text) as Json }
}

function overlaps(other: { start: number; end: number }, start: number, end: number): boolean {
  return other.start < end && start < other.end && !(other.start === start && other.end === end)
}

/** Offset of the first byte that may not stand in a string: a control character, or the backslash of a bad escape. */
function stringFault(bytes: Uint8Array): number {
  let inside = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === 0x22) inside = !inside
    else if (inside && byte < 0x20) return at
    else if (inside && byte === 0x5c) {
      const length = escapeLength(bytes, at)
      if (length === 0) return at
      at += length - 1
    }
  }
  return 0
}

function escapeLength(bytes: Uint8Array, at: number): number {
  const kind = String.fromCharCode(bytes[at + 1]!)
  if (kind !== 'u') return '"\\/bfnrt'.includes(kind) ? 2 : 0
  return /^[0-9a-fA-F]{4}$/.test(String.fromCharCode(...bytes.subarray(at + 2, at + 6))) ? 6 : 0
}
