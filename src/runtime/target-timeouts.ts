/** An upstream with the limits of one target: what the config says of a model or a target wins over what it says of their upstream. */

import type { Target, TargetTimeouts } from '../plugin/host.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'

/** Made once per upstream and set of limits, for others keep what they know of an upstream by its identity. */
const known = new WeakMap<UpstreamDefinition, WeakMap<TargetTimeouts, UpstreamDefinition>>()

/** The upstream as calls of this target see it: itself where the target has no limits of its own. */
export function withTimeouts(upstream: UpstreamDefinition, { timeouts }: Target): UpstreamDefinition {
  if (timeouts === undefined) return upstream
  let made = known.get(upstream)
  if (!made) known.set(upstream, (made = new WeakMap()))
  let own = made.get(timeouts)
  if (!own) made.set(timeouts, (own = { ...upstream, timeouts: { ...upstream.timeouts, ...timeouts } }))
  return own
}
