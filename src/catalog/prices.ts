/**
 * The price book: what the price list says of a model, by the name that a provider gives it.
 *
 * Exact ids win over globs, globs are tried in the order of the list; a star may stand for nothing. Answers are kept, so that the ids of globs cost a walk once.
 */

import type { ListedModel } from '../config/price-schema.ts'

export interface PriceBook {
  /** The first of these names that is listed: exactly if one is, else by a glob. */
  find(...names: readonly string[]): ListedModel | undefined
}

/** Names that answers are kept for: clients choose some of them. */
const maxKept = 2000
const longestKept = 200

export function createPriceBook(list: readonly ListedModel[]): PriceBook {
  const exact = new Map<string, ListedModel>()
  const globs: { readonly before: string; readonly after: string; readonly listed: ListedModel }[] = []
  for (const listed of list) {
    const star = listed.id.indexOf('*')
    if (star < 0) exact.set(listed.id, listed)
    else globs.push({ before: listed.id.slice(0, star), after: listed.id.slice(star + 1), listed })
  }
  const kept = new Map<string, ListedModel | undefined>()
  const byGlob = (name: string): ListedModel | undefined => {
    if (kept.has(name)) return kept.get(name)
    const found = globs.find(
      ({ before, after }) => name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after),
    )?.listed
    if (kept.size >= maxKept) kept.clear()
    if (name.length <= longestKept) kept.set(name, found)
    return found
  }
  return {
    find(...names) {
      for (const name of names) {
        const found = exact.get(name)
        if (found) return found
      }
      if (globs.length === 0) return undefined
      for (const name of names) {
        const found = byGlob(name)
        if (found) return found
      }
      return undefined
    },
  }
}
