/**
 * Where the pieces of the prompt lie in the body of an upstream call, without looking at it again: from where they lay in the body as received, and from what
 * was changed in that. Pure.
 */

import type { PromptUnit } from '../json/prompt-units.ts'
import type { BodyChange } from '../plugin/request.ts'

/** The units after the changes, which are in order; undefined where the changes may have added or removed some. */
export function movedUnits(source: Uint8Array, units: readonly PromptUnit[], changes: readonly BodyChange[]): PromptUnit[] | undefined {
  if (changes.length === 0) return [...units]
  const inOrder = units.map((unit, index) => ({ unit, index })).sort((a, b) => a.unit.start - b.unit.start)
  const moved: PromptUnit[] = new Array(units.length)
  let shift = 0
  let next = 0
  let before: PromptUnit | undefined
  for (const { unit, index } of inOrder) {
    for (; next < changes.length && changes[next]!.end <= unit.start; next++) {
      const change = changes[next]!
      // an insertion right at the unit is no part of it
      if (!isApart(source, change, before, unit)) return undefined
      shift += grown(change)
    }
    const start = unit.start + shift
    for (; next < changes.length && changes[next]!.start < unit.end; next++) {
      const change = changes[next]!
      if (change.start < unit.start || change.end > unit.end) return undefined
      shift += grown(change)
    }
    moved[index] = { ...unit, start, end: unit.end + shift }
    before = unit
  }
  for (; next < changes.length; next++) if (!isApart(source, changes[next]!, before, undefined)) return undefined
  return moved
}

function grown({ start, end, bytes }: BodyChange): number {
  return bytes - (end - start)
}

/** Whether a change between two units is outside the lists that hold them: else it may have made or removed a unit. */
function isApart(source: Uint8Array, change: BodyChange, before: PromptUnit | undefined, after: PromptUnit | undefined): boolean {
  if (before?.kind === 'message' && after?.kind === 'message') return false
  if (before?.kind === 'message') return has(source, before.end, change.start, 0x5d)
  if (after?.kind === 'message') return has(source, change.end, after.start, 0x5b)
  return before !== undefined || after !== undefined
}

function has(source: Uint8Array, start: number, end: number, byte: number): boolean {
  const at = source.indexOf(byte, start)
  return at >= 0 && at < end
}
