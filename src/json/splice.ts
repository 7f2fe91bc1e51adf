/**
 * Puts replacements into bytes: one allocation, the untouched runs copied as they are.
 *
 * Replacements that change nothing are dropped here, so that "edited" means that some byte differs.
 */

import type { Edit } from './overlay.ts'

/** The effective replacements of one document, ready to be written. */
export interface Patch {
  readonly edits: readonly Edit[]
  /** Offset in the source of the first difference; -1 when there is none. */
  readonly firstEdit: number
  /** The source itself when there is no difference; otherwise a new array, made on the first call. */
  output(): Uint8Array
}

const utf8 = new TextEncoder()

/**
 * @param start bytes of a byte order mark at the start of the source; it is dropped when anything else is edited (hazard A06).
 * @param edits in order, not overlapping.
 */
export function patchOf(source: Uint8Array, start: number, edits: readonly Edit[]): Patch {
  const effective: Edit[] = []
  const lengths: number[] = []
  let firstEdit = -1
  let total = source.length
  for (const edit of edits) {
    const length = Buffer.byteLength(edit.text)
    const same = commonPrefix(source, edit, length, firstEdit === -1)
    if (same === length && length === edit.end - edit.start) continue
    if (firstEdit === -1) firstEdit = edit.start + same
    effective.push({ start: edit.start, end: edit.end, text: edit.text })
    lengths.push(length)
    total += length - (edit.end - edit.start)
  }
  if (firstEdit !== -1 && start > 0) {
    effective.unshift({ start: 0, end: start, text: '' })
    lengths.unshift(0)
    firstEdit = 0
    total -= start
  }
  let output: Uint8Array | null = firstEdit === -1 ? source : null
  return {
    edits: effective,
    firstEdit,
    output() {
      output ??= splice(source, effective, lengths, total)
      return output
    },
  }
}

function splice(source: Uint8Array, edits: readonly Edit[], lengths: readonly number[], total: number): Uint8Array {
  // every byte is written below; large memory need not be cleared first, which would cost as much as the copy
  const output = total < 16384 ? new Uint8Array(total) : new Uint8Array(Buffer.allocUnsafeSlow(total).buffer)
  let from = 0
  let to = 0
  for (const [index, edit] of edits.entries()) {
    output.set(source.subarray(from, edit.start), to)
    to += edit.start - from
    utf8.encodeInto(edit.text, output.subarray(to, to + lengths[index]!))
    to += lengths[index]!
    from = edit.end
  }
  output.set(source.subarray(from), to)
  return output
}

/** How many first bytes of the text equal those it replaces; only looked at when the answer can matter. */
function commonPrefix(source: Uint8Array, edit: Edit, length: number, first: boolean): number {
  const replaced = edit.end - edit.start
  if (!first && length !== replaced) return 0
  const text = utf8.encode(edit.text)
  const limit = Math.min(length, replaced)
  let same = 0
  while (same < limit && text[same] === source[edit.start + same]) same++
  return same
}
