/** What is known of the prompt cache of an upstream's model: the data of `capability-data/prompt-cache.ts`, corrected by the operator, who wins. */

import type { CacheFacts, CacheFactsEdit } from '../plugin/cache-facts.ts'
import type { Capabilities } from './capability.ts'
import { cacheRules, unknownCache } from './capability-data/prompt-cache.ts'
import { modelName } from './model-name.ts'

/**
 * @param host kind of the host that wraps the dialect, else host name of the base URL
 * @param can what the model understands: a server that knows neither marks nor the key gets none, whatever its maker's own does
 */
export function cacheFactsOf(
  dialect: string,
  host: string,
  model: string,
  can: Pick<Capabilities, 'cacheKey' | 'cacheMarks'>,
  ...edits: readonly CacheFactsEdit[]
): CacheFacts {
  const name = modelName(model)
  let facts = unknownCache
  for (const { dialect: dialects, host: hosts, model: models, is } of cacheRules) {
    if (dialects && !dialects.test(dialect)) continue
    if (hosts && !hosts.test(host)) continue
    if (models && !models.test(name)) continue
    facts = { ...facts, ...is }
  }
  facts = { ...facts, key: can.cacheKey && /^openai-/.test(dialect) }
  for (const edit of edits) facts = { ...facts, ...edit }
  const { caching, marks } = facts
  if (marks === undefined || marks === 'prompt_cache_breakpoint' || can.cacheMarks) return facts
  return { ...facts, marks: undefined, maxMarks: 0, caching: caching === 'marks' ? 'none' : caching }
}
