/**
 * Lists of a Gemini request: one value alone is taken for a list of one, as Google's servers do and its own samples for curl write it
 * (`"contents": {"parts": {"text": …}}`).
 *
 * All that reads a request does so through these functions, so that no reader sees less of it than another. What stands alone has no index in pointers.
 */

import type { Json } from '../../plugin/request.ts'

const nothing: readonly Json[] = []
const noStep: readonly number[] = []

/** The items of a list, or the one value that stands for it; none of null. */
export function itemsOf(value: Json | undefined): readonly Json[] {
  if (Array.isArray(value)) return value
  return value === undefined || value === null ? nothing : [value]
}

/** The end of the pointer to an item: nothing when `list` is one alone. */
export function indexPointer(list: Json | undefined, i: number): string {
  return Array.isArray(list) ? `/${i}` : ''
}

/** The same as keys of a path. */
export function indexPath(list: Json | undefined, i: number): readonly number[] {
  return Array.isArray(list) ? [i] : noStep
}
