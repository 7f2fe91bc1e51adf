/**
 * The catalogue: which models there are, where each is served, and what it costs there.
 *
 * Exact ids win over globs, globs are tried in the operator's order. In a glob's targets one `*` stands for what matched. A target's own
 * price wins over its model's, and that over the price list.
 */

import type { ListedModel } from '../config/price-schema.ts'
import { distance } from '../config/suggest.ts'
import type { Catalog, Modalities, Model, Target } from '../plugin/host.ts'
import { type PriceList, priceAt } from '../plugin/price.ts'
import { createPriceBook, type PriceBook } from './prices.ts'

interface Glob {
  readonly before: string
  readonly after: string
  readonly model: Model
}

const noPrices: PriceList = []
/** Models of globs that are kept for the next request. */
const maxMade = 1000
const longestMade = 200

const onlyText: Modalities = { input: ['text'], output: ['text'] }

/**
 * Builds the catalogue. `dialectOf` names the API family that an upstream speaks; `list` is the price list; `known` says what is known of what a
 * target's model takes and gives, `promptCache` what is known of its provider's cache, `parameters` what requests may say to it.
 */
export function createCatalog(
  models: readonly Model[],
  dialectOf: (upstream: string) => string | undefined,
  list: readonly ListedModel[] = [],
  known: (target: Target) => Modalities | undefined = () => undefined,
  promptCache: Catalog['promptCache'] = () => undefined,
  parameters: Catalog['parameters'] = () => undefined,
): Catalog {
  const book = createPriceBook(list)
  const exact = new Map<string, Model>()
  const globs: Glob[] = []
  for (const model of models) {
    const targets = model.targets.map((target) => withDialect(target, dialectOf))
    const star = model.id.indexOf('*')
    if (star < 0) exact.set(model.id, priced({ ...model, targets }, model.id, book))
    else globs.push({ before: model.id.slice(0, star), after: model.id.slice(star + 1), model: { ...model, targets } })
  }
  /** What globs stood for; clients choose the ids. */
  const made = new Map<string, Model>()
  const listed = [...exact.values()]
  const own = ownPrices(listed)
  return {
    find(id) {
      const found = exact.get(id) ?? made.get(id)
      if (found) return found
      for (const { before, after, model } of globs) {
        if (id.length <= before.length + after.length || !id.startsWith(before) || !id.endsWith(after)) continue
        const matched = id.slice(before.length, id.length - after.length)
        const own = priced(
          { ...model, targets: model.targets.map((t) => ({ ...t, model: t.model.replace('*', () => matched) })) },
          id,
          book,
        )
        if (made.size >= maxMade) made.clear()
        if (id.length <= longestMade) made.set(id, own)
        return own
      }
      return undefined
    },
    list: () => listed,
    modalities: ({ modalities, targets: [first] }) => modalities ?? (first && known(first)) ?? onlyText,
    tiered: models.some(({ tiers }) => tiers !== undefined),
    similar: (id) => nearest(id, [...exact.keys(), ...globs.map((g) => g.model.id)]),
    price(upstream, model, at) {
      const list = own.get(upstream)?.get(model) ?? globPrice(globs, upstream, model) ?? book.find(model)?.price
      return list && priceAt(list, at)
    },
    promptCache,
    parameters,
  }
}

function withDialect(target: Target, dialectOf: (upstream: string) => string | undefined): Target {
  const dialect = dialectOf(target.upstream)
  return dialect === undefined ? target : { ...target, dialect }
}

/** A model with what the price list says where the operator says nothing. `id` is the model's id, without a star. */
function priced(model: Model, id: string, book: PriceBook): Model {
  const listed = book.find(model.targets[0]?.model ?? id, id)
  const targets = model.targets.map((target) => {
    const found = book.find(target.model, id)
    const price = target.price ?? model.price ?? found?.price ?? noPrices
    const most = model.maxOutput ?? found?.maxOutput ?? listed?.maxOutput
    return { ...target, price, ...(most !== undefined && { maxOutput: most }) }
  })
  const price = model.price ?? targets[0]?.price
  const context = model.context ?? listed?.context
  const maxOutput = model.maxOutput ?? listed?.maxOutput
  return {
    ...model,
    targets,
    ...(price !== undefined && price.length > 0 && { price }),
    ...(context !== undefined && { context }),
    ...(maxOutput !== undefined && { maxOutput }),
  }
}

/** The prices of targets, by upstream and by the model's name there. The first target of a name counts. */
function ownPrices(models: readonly Model[]): ReadonlyMap<string, ReadonlyMap<string, PriceList>> {
  const all = new Map<string, Map<string, PriceList>>()
  for (const { targets } of models) {
    for (const { upstream, model, price } of targets) {
      if (!price || price.length === 0) continue
      const known = all.get(upstream) ?? new Map<string, PriceList>()
      all.set(upstream, known)
      if (!known.has(model)) known.set(model, price)
    }
  }
  return all
}

/** The price that the operator gave a glob whose target at this upstream can have this name. */
function globPrice(globs: readonly Glob[], upstream: string, name: string): PriceList | undefined {
  for (const { model } of globs) {
    for (const target of model.targets) {
      const price = target.price ?? model.price
      if (price && target.upstream === upstream && fits(target.model, name)) return price
    }
  }
  return undefined
}

function fits(pattern: string, name: string): boolean {
  const star = pattern.indexOf('*')
  if (star < 0) return pattern === name
  return name.length >= pattern.length && name.startsWith(pattern.slice(0, star)) && name.endsWith(pattern.slice(star + 1))
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
