/**
 * Where the pieces of the prompt lie in the body of an upstream call, without looking at it again: from where they lay in the body as received, and from what
 * was changed in that. Pure.
 */

import type { PromptUnit } from '../json/prompt-units.ts'
import type { BodyChange } from '../plugin/request.ts'

/**
 * The units after the changes, which are in order, with the roles that they had. Undefined where the changes may have added, removed or replaced some: outside
 * the pieces only another model is known to be harmless.
 */
export function movedUnits(source: Uint8Array, units: readonly PromptUnit[], changes: readonly BodyChange[]): PromptUnit[] | undefined {
  if (changes.length === 0) return [...units]
  const inOrder = units.map((unit, index) => ({ unit, index })).sort((a, b) => a.unit.start - b.unit.start)
  const moved: PromptUnit[] = new Array(units.length)
  let shift = 0
  let next = 0
  for (const { unit, index } of inOrder) {
    for (; next < changes.length && changes[next]!.end <= unit.start; next++) {
      const change = changes[next]!
      if (!isModel(source, change)) return undefined
      shift += grown(change)
    }
    const start = unit.start + shift
    for (; next < changes.length && changes[next]!.start < unit.end; next++) {
      const change = changes[next]!
      // inside, and not all of it
      if (change.start <= unit.start || change.end > unit.end) return undefined
      shift += grown(change)
    }
    moved[index] = { ...unit, start, end: unit.end + shift }
  }
  for (; next < changes.length; next++) if (!isModel(source, changes[next]!)) return undefined
  return moved
}

function grown({ start, end, bytes }: BodyChange): number {
  return bytes - (end - start)
}

/** Whether it is the name of the model, a string, that leaves as another. */
function isModel(source: Uint8Array, { start, end, bytes }: BodyChange): boolean {
  if (start === end || bytes === 0 || source[start] !== 0x22) return false
  const before = Buffer.from(source.buffer, source.byteOffset + Math.max(0, start - 16), Math.min(16, start)).toString('latin1')
  return /"model"\s*:\s*$/.test(before)
}
