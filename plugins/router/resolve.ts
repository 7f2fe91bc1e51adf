/**
 * From the model id that a client writes to a model of the catalogue.
 *
 * In this order: an alias of the operator's, an id of the catalogue (patterns included), `upstream/id` for an id that this upstream serves, and an id without
 * its first part (`claude-x` for `anthropic/claude-x`) where only one is meant.
 */

import type { Catalog, Model } from 'headgate/plugin'

export interface Resolved {
  readonly model: Model
  /** As the catalogue has it: what permissions speak of. A pattern's own id is not it. */
  readonly id: string
  /** The client wrote something else, and it is no alias of the operator's: that it may use this is yet to be seen. */
  readonly loose: boolean
  /** The client named the upstream with the model. */
  readonly provider?: string
}

/** The name of an upstream in the file: that of a key ends with its number. */
export function providerOf(upstream: string): string {
  const hash = upstream.indexOf('#')
  return hash < 0 ? upstream : upstream.slice(0, hash)
}

/** Finds the model that an id means; undefined when there is none. `names` = the aliases, none of which means another; `loose` = other spellings than the catalogue's are understood. */
export function resolveModel(
  asked: string,
  catalog: Pick<Catalog, 'find' | 'list'>,
  names: Readonly<Record<string, string>>,
  loose: boolean,
): Resolved | undefined {
  const id = Object.hasOwn(names, asked) ? names[asked]! : asked
  const exact = catalog.find(id)
  if (exact) return { model: exact, id, loose: false }
  if (!loose) return undefined
  const slash = id.indexOf('/')
  if (slash < 0) {
    const full = bareIds(catalog.list()).get(id)
    const model = full === undefined ? undefined : catalog.find(full)
    return model && { model, id: full!, loose: true }
  }
  const provider = id.slice(0, slash)
  const rest = id.slice(slash + 1)
  const model = catalog.find(rest)
  return model?.targets.some((target) => providerOf(target.upstream) === provider) ? { model, id: rest, loose: true, provider } : undefined
}

const known = new WeakMap<readonly Model[], ReadonlyMap<string, string>>()

/** Full ids by what stands behind their last slash; those that are meant by several are not there. Made once per catalogue. */
function bareIds(models: readonly Model[]): ReadonlyMap<string, string> {
  let found = known.get(models)
  if (found) return found
  const ids = new Map<string, string>()
  const several = new Set<string>()
  for (const { id } of models) {
    const bare = id.slice(id.lastIndexOf('/') + 1)
    if (bare === id) continue
    if (ids.has(bare)) several.add(bare)
    ids.set(bare, id)
  }
  for (const bare of several) ids.delete(bare)
  known.set(models, (found = ids))
  return found
}
