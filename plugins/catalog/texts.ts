/**
 * One text per model, made once and kept until something of it changes: the catalogue (a reload), a price that comes into force, a model's end.
 */

import type { Catalog, Host, Model } from 'headgate/plugin'

export interface ModelText {
  readonly model: Model
  readonly text: string
}

/** @param tell what is told of a model; undefined leaves it out */
export function modelTexts(
  host: Pick<Host, 'catalog' | 'now'>,
  tell: (model: Model, catalog: Catalog, now: number) => object | undefined,
): () => readonly ModelText[] {
  let made: { readonly catalog: Catalog; readonly from: number; readonly until: number; readonly texts: readonly ModelText[] } | undefined
  return () => {
    const { catalog } = host
    const now = host.now()
    if (made && made.catalog === catalog && now >= made.from && now < made.until) return made.texts
    const texts = catalog.list().flatMap((model) => {
      const told = tell(model, catalog, now)
      return told ? [{ model, text: JSON.stringify(told) }] : []
    })
    made = { catalog, from: now, until: nextChange(catalog, now), texts }
    return texts
  }
}

/** When a price comes into force next, or a model ends. */
function nextChange(catalog: Catalog, now: number): number {
  let next = Number.POSITIVE_INFINITY
  const note = (at: number | undefined) => {
    if (at !== undefined && at > now && at < next) next = at
  }
  for (const { price, deprecation, targets } of catalog.list()) {
    note(deprecation?.sunset)
    for (const { from } of price ?? []) note(from)
    for (const target of targets) for (const { from } of target.price ?? []) note(from)
  }
  return next
}
