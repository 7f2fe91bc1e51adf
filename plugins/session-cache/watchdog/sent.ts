/**
 * A prompt as it was seen, small enough to be kept, and what of it is still the same in the next one. Pure.
 *
 * The bytes are kept as long as there is room (nothing is copied for that): with them the first byte that differs is found. Hashes of the pieces
 * outlive them, and say which piece it was. Only pieces that were not there before are ever hashed.
 */

import type { PromptUnit } from 'headgate/plugin'

export interface SeenPrompt {
  readonly units: number
  /** Of the pieces in order; of very long histories the first ones only. */
  readonly hashes: BigUint64Array
  /** Bytes of all pieces. */
  readonly size: number
  /** Absent once there was no more room. */
  readonly kept?: { readonly body: Uint8Array; readonly units: readonly PromptUnit[] } | undefined
}

/** Where a prompt begins to differ from the one before it. */
export interface Change {
  /** Index of the piece. */
  readonly unit: number
  /** Offset in the body as it is now: of the first byte that differs, or of the piece. */
  readonly at: number
  readonly exact: boolean
  /** Bytes of the prompt before it. */
  readonly before: number
}

export const maxHashes = 512

/** How many leading pieces of an earlier prompt this one begins with, and where it differs; `change` is absent when it only goes on. */
export function compare(
  earlier: SeenPrompt,
  body: Uint8Array,
  units: readonly PromptUnit[],
): { readonly same: number; readonly change?: Change } {
  const { kept } = earlier
  let before = 0
  let same = 0
  if (kept) {
    same = equalUnits(kept.body, kept.units, body, units)
    for (let i = 0; i < same; i++) before += units[i]!.end - units[i]!.start
    if (same >= kept.units.length) return { same }
    const old = kept.units[same]!
    const now = units[same]
    if (!now) return { same, change: { unit: same, at: units.at(-1)?.end ?? 0, exact: true, before } }
    const common = commonBytes(kept.body.subarray(old.start, old.end), body.subarray(now.start, now.end))
    if (same === kept.units.length - 1 && isOnlyClosing(kept.body, old.start + common, old.end)) return { same }
    return { same, change: { unit: same, at: now.start + common, exact: true, before: before + common } }
  }
  const count = Math.min(earlier.hashes.length, units.length)
  for (; same < count; same++) {
    const unit = units[same]!
    if (hashOf(body, unit) !== earlier.hashes[same]) return { same, change: { unit: same, at: unit.start, exact: false, before } }
    before += unit.end - unit.start
  }
  if (units.length < earlier.units) return { same, change: { unit: same, at: units.at(-1)?.end ?? 0, exact: false, before } }
  return { same }
}

/** What is kept of a prompt. @param same so many leading pieces are those of `earlier` */
export function seen(body: Uint8Array, units: readonly PromptUnit[], earlier: SeenPrompt | undefined, same: number): SeenPrompt {
  const count = Math.min(units.length, maxHashes)
  const hashes = new BigUint64Array(count)
  const known = earlier ? Math.min(count, same, earlier.hashes.length) : 0
  if (earlier) hashes.set(earlier.hashes.subarray(0, known))
  for (let i = known; i < count; i++) hashes[i] = hashOf(body, units[i]!)
  let size = 0
  for (let i = 0; i < units.length; i++) size += units[i]!.end - units[i]!.start
  return { units: units.length, hashes, size, kept: { body, units } }
}

export function hashOf(body: Uint8Array, { start, end }: PromptUnit): bigint {
  return Bun.hash(body.subarray(start, end)) as bigint
}

/** How many leading pieces are the same. Histories lie one behind the other, so that one native comparison does for nearly all of them. */
function equalUnits(a: Uint8Array, aUnits: readonly PromptUnit[], b: Uint8Array, bUnits: readonly PromptUnit[]): number {
  const count = Math.min(aUnits.length, bUnits.length)
  let i = 0
  while (i < count && aUnits[i]!.kind !== 'message') {
    if (!equalUnit(a, aUnits[i]!, b, bUnits[i]!)) return i
    i++
  }
  if (i < count) {
    const last = count - 1
    const [aFrom, aTo, bFrom, bTo] = [aUnits[i]!.start, aUnits[last]!.end, bUnits[i]!.start, bUnits[last]!.end]
    if (bUnits[i]!.kind === 'message' && aTo - aFrom === bTo - bFrom && equal(a.subarray(aFrom, aTo), b.subarray(bFrom, bTo))) return count
  }
  while (i < count && equalUnit(a, aUnits[i]!, b, bUnits[i]!)) i++
  return i
}

function equalUnit(a: Uint8Array, aUnit: PromptUnit, b: Uint8Array, bUnit: PromptUnit): boolean {
  return (
    aUnit.kind === bUnit.kind &&
    aUnit.end - aUnit.start === bUnit.end - bUnit.start &&
    equal(a.subarray(aUnit.start, aUnit.end), b.subarray(bUnit.start, bUnit.end))
  )
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** How many leading bytes are the same. */
function commonBytes(a: Uint8Array, b: Uint8Array): number {
  const end = Math.min(a.length, b.length)
  let low = 0
  let high = end
  // the longest prefix that compares equal
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (equal(a.subarray(low, middle), b.subarray(low, middle))) low = middle
    else high = middle - 1
  }
  return low
}

/** What follows only closes the list of blocks and the message: the client went on with the same message. */
function isOnlyClosing(body: Uint8Array, at: number, end: number): boolean {
  let closed = false
  for (; at < end; at++) {
    const byte = body[at]
    if (byte === 0x5d) closed = true
    else if (byte !== 0x7d && byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false
  }
  return closed
}
