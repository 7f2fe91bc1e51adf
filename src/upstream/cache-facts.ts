/**
 * What is known of the prompt cache of a configured upstream's model: one place that says by which name its peculiarities are known.
 *
 * Kept by upstream, dialect and model, for it is asked for with every call.
 */

import { cacheFactsOf } from '../dialect/cache-facts.ts'
import type { CacheFacts } from '../plugin/cache-facts.ts'
import { globMatcher } from '../plugin/glob.ts'
import { capabilitiesAt } from './capabilities.ts'
import type { UpstreamDefinition } from './definition.ts'

const known = new WeakMap<UpstreamDefinition, Map<string, CacheFacts>>()
const maxKnown = 1000

export function cacheFactsAt(upstream: UpstreamDefinition, dialect: string, model: string): CacheFacts {
  const key = `${dialect} ${model}`
  let models = known.get(upstream)
  if (!models) known.set(upstream, (models = new Map()))
  let facts = models.get(key)
  if (!facts) {
    const edits = (upstream.cacheFacts ?? []).filter(([glob]) => globMatcher([glob])(model)).map(([, edit]) => edit)
    const host = upstream.host?.name ?? upstream.origin.hostname
    facts = cacheFactsOf(dialect, host, model, capabilitiesAt(upstream, dialect, model), ...edits)
    if (models.size >= maxKnown) models.clear()
    models.set(key, facts)
  }
  return facts
}
