/** What became of a prompt in the provider's cache, in one word. Pure. */

import type { Usage } from './outcome.ts'
import type { PromptCacheValue } from './slots.ts'

/**
 * `hit`: what was expected was read, or something where nothing was known. `partial`: half of it or more. `miss`: less, though it should have been warm.
 * `cold`: there was nothing to read. `off`: nothing is cached.
 */
export type PromptCacheStatus = 'hit' | 'partial' | 'miss' | 'cold' | 'off'

/** The status of a reply; undefined when its usage is not known. */
export function promptCacheStatus(cache: PromptCacheValue | undefined, usage: Usage | undefined): PromptCacheStatus | undefined {
  if (!usage || usage.source === 'unknown') return undefined
  const { cacheRead } = usage
  const written = usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther
  const expected = cache?.expected ?? 0
  if (expected > 0) return cacheRead >= expected * 0.9 ? 'hit' : cacheRead >= expected * 0.5 ? 'partial' : 'miss'
  if (cacheRead > 0) return 'hit'
  return written > 0 || (cache !== undefined && cache.attribution !== 'none') ? 'cold' : 'off'
}
