/** Which models a caller may use: by the globs of its key and by the tiers that a model is for. Said here once, for lists and for refusals alike. */

import { globMatcher } from './glob.ts'
import type { Model } from './host.ts'
import type { PrincipalValue } from './slots.ts'

/** Tells of each model whether `principal` may use it. Where nobody says who calls, all may be used. */
export function modelFilter(
  principal: Pick<PrincipalValue, 'models' | 'tier'> | undefined,
): (model: Pick<Model, 'id' | 'tiers'>) => boolean {
  if (!principal) return () => true
  const { models, tier } = principal
  const named = models && globMatcher(models)
  return ({ id, tiers }) => (named === undefined || named(id)) && isForTier(tiers, tier)
}

/** A model without tiers is for all; one with tiers is for callers of those. */
export function isForTier(tiers: readonly string[] | undefined, tier: string | undefined): boolean {
  return tiers === undefined || (tier !== undefined && tiers.includes(tier))
}
