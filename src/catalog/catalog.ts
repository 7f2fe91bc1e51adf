/**
 * The catalogue: which models there are, and where each is served.
 *
 * Exact ids win over globs, globs are tried in the operator's order. In a glob's targets one `*` stands for what matched.
 */

import { distance } from '../config/suggest.ts'
import type { Catalog, Model, Target } from '../plugin/host.ts'

/** Builds the catalogue. `dialectOf` names the API family that an upstream speaks. */
export function createCatalog(models: readonly Model[], dialectOf: (upstream: string) => string | undefined): Catalog {
  const exact = new Map<string, Model>()
  const globs: { before: string; after: string; model: Model }[] = []
  for (const model of models) {
    const known = { ...model, targets: model.targets.map((t) => withDialect(t, dialectOf)) }
    const star = model.id.indexOf('*')
    if (star < 0) exact.set(model.id, known)
    else globs.push({ before: model.id.slice(0, star), after: model.id.slice(star + 1), model: known })
  }
  const list = [...exact.values()]
  return {
    find(id) {
      const found = exact.get(id)
      if (found) return found
      for (const { before, after, model } of globs) {
        if (id.length <= before.length + after.length || !id.startsWith(before) || !id.endsWith(after)) continue
        const matched = id.slice(before.length, id.length - after.length)
        return { ...model, targets: model.targets.map((t) => ({ ...t, model: t.model.replace('*', () => matched) })) }
      }
      return undefined
    },
    list: () => list,
    similar: (id) => nearest(id, [...exact.keys(), ...globs.map((g) => g.model.id)]),
  }
}

function withDialect(target: Target, dialectOf: (upstream: string) => string | undefined): Target {
  const dialect = dialectOf(target.upstream)
  return dialect === undefined ? target : { ...target, dialect }
}

/** Up to three known ids that look like `id`. */
function nearest(id: string, known: readonly string[]): string[] {
  const wanted = id.slice(0, 100).toLowerCase()
  const limit = Math.max(2, Math.floor(wanted.length / 3))
  return known
    .map((k) => ({ k, d: k.toLowerCase().includes(wanted) && wanted.length > 2 ? 1 : distance(wanted, k.toLowerCase(), limit) }))
    .filter((c) => c.d <= limit)
    .sort((a, b) => a.d - b.d)
    .slice(0, 3)
    .map((c) => c.k)
}
