/** What is known of the prompt cache of a model before a call of it is made, in the first dialect of its upstream. A call says it for its own. */

import { cacheFactEdits } from '../config/cache-facts.ts'
import type { UpstreamConfig } from '../config/model.ts'
import { cacheFactsOf } from '../dialect/cache-facts.ts'
import { capabilitiesOf } from '../dialect/capabilities.ts'
import type { CacheFacts } from '../plugin/cache-facts.ts'
import { globMatcher } from '../plugin/glob.ts'
import { capabilityEdit } from './define-upstream.ts'

const dialects: Readonly<Record<string, string>> = { openai: 'openai-chat', anthropic: 'anthropic-messages', gemini: 'gemini-generate' }
const maxKept = 1000

/** Asked for one model at a time; of upstreams that speak a plugin's dialect nothing is known. Answers are kept. */
export function knownCaches(upstreams: readonly UpstreamConfig[]): (upstream: string, model: string) => CacheFacts | undefined {
  const byName = new Map(upstreams.map((upstream) => [upstream.name, upstream]))
  const kept = new Map<string, CacheFacts>()
  return (name, model) => {
    const upstream = byName.get(name)
    const dialect = upstream && dialects[upstream.dialect]
    if (!upstream || dialect === undefined) return undefined
    const key = `${name} ${model}`
    const known = kept.get(key)
    if (known) return known
    const { host, base_url: base } = upstream
    const place = host ?? (URL.canParse(base) ? new URL(base).hostname : base)
    const edits = cacheFactEdits(upstream.prompt_cache_facts).filter(([glob]) => globMatcher([glob])(model))
    const can = capabilitiesOf(dialect, place, model, capabilityEdit(upstream.capabilities))
    const facts = cacheFactsOf(dialect, place, model, can, ...edits.map(([, edit]) => edit))
    if (kept.size >= maxKept) kept.clear()
    kept.set(key, facts)
    return facts
  }
}
