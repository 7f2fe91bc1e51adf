/**
 * What is remembered of one message once it was seen: its results, and what stands in their place. Shapes, and how they are found in bytes again.
 */

import type { PromptUnit, RequestView } from 'headgate/plugin'
import type { CallFacts } from './facts.ts'

export type Saved = Readonly<Record<string, number>>

/** One text of a tool result. */
export interface TextRecord {
  /** Its name in the ledger: a hash of the text and of all that stands before it. */
  readonly id: string
  /** JSON pointer inside the message. */
  readonly pointer: string
  readonly facts: CallFacts
  readonly ordinal: number
  /** Answers of the model before it. */
  readonly turn: number
  readonly characters: number
  readonly lines: number
  /** It may never be changed: an error, a picture, too small or too large. */
  readonly fixed: boolean
  readonly masked: boolean
  /** Lines of it are there by reference. */
  readonly refers: boolean
  /** As it is sent, a JSON string; undefined when that is the client's own text. */
  readonly json: string | undefined
  /** Bytes of `json`. */
  readonly bytes: number
  /** Where the client's text lies: byte offsets inside the message; undefined where nothing is sent in its place. */
  at: { readonly start: number; readonly end: number } | undefined
  /** Tokens less by class; reckoned when somebody asks. */
  saved: Saved | (() => Saved)
}

export interface UnitRecord {
  readonly texts: readonly TextRecord[]
  /** Offsets are those of a message with these bytes: plain ones are the same whenever the key is. */
  plain: boolean
  hash: bigint
  /** When its texts were last put into the ledger; milliseconds since the epoch. */
  keptAt: number
  /** Bytes of memory, about. */
  readonly size: number
}

const none: readonly TextRecord[] = []
/** A message without results. */
export const emptyUnit = (): UnitRecord => ({ texts: none, plain: true, hash: 0n, keptAt: 0, size: 0 })

const perText = 400
export const sizeOfTexts = (texts: readonly TextRecord[]): number =>
  texts.reduce((sum, { json }) => sum + perText + 2 * (json?.length ?? 0), 0)

export function savedOf(text: TextRecord): Saved {
  if (typeof text.saved === 'function') text.saved = text.saved()
  return text.saved
}

/** Where the texts of a message lie in the bytes of this request. Looks only when that is not known: a cache mark that has moved moves them, too. */
export function locate(request: RequestView, unit: PromptUnit, record: UnitRecord, isPlain: boolean): void {
  if (record.plain && isPlain) return
  const hash = isPlain ? 0n : (Bun.hash.wyhash(request.borrowed.subarray(unit.start, unit.end)) as bigint)
  if (record.plain === isPlain && record.hash === hash) return
  for (const text of record.texts) if (text.json !== undefined) text.at = placeOf(request, unit, text.pointer)
  record.plain = isPlain
  record.hash = hash
}

/** @returns undefined when no string lies there */
export function placeOf(request: RequestView, unit: PromptUnit, pointer: string): TextRecord['at'] {
  const span = request.spanAt(unit.start, pointer)
  if (!span || request.borrowed[span.start] !== 0x22 || request.borrowed[span.end - 1] !== 0x22) return undefined
  return { start: span.start - unit.start, end: span.end - unit.start }
}
