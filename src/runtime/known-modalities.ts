/** What is known of what a model takes and gives, from its name, the dialect of its upstream and where that is. For lists; decides nothing. */

import type { UpstreamConfig } from '../config/model.ts'
import { capabilitiesOf } from '../dialect/capabilities.ts'
import type { Modalities, Target } from '../plugin/host.ts'

const dialects: Readonly<Record<string, string>> = { openai: 'openai-chat', anthropic: 'anthropic-messages', gemini: 'gemini-generate' }

/** Asked for one model at a time; of upstreams that speak a plugin's dialect nothing is known. */
export function knownModalities(upstreams: readonly UpstreamConfig[]): (target: Target) => Modalities | undefined {
  const byName = new Map(upstreams.map((upstream) => [upstream.name, upstream]))
  return ({ upstream: name, model }) => {
    const upstream = byName.get(name)
    const dialect = upstream && dialects[upstream.dialect]
    if (!upstream || dialect === undefined) return undefined
    if (/embed/i.test(model)) return { input: ['text'], output: ['embeddings'] }
    const { host, base_url: base, capabilities: given } = upstream
    const can = capabilitiesOf(dialect, host ?? (URL.canParse(base) ? new URL(base).hostname : base), model)
    const { images = can.images, documents = can.documents, audio = can.audio } = given ?? {}
    return { input: ['text', ...(images ? ['image'] : []), ...(documents ? ['file'] : []), ...(audio ? ['audio'] : [])], output: ['text'] }
  }
}
