/**
 * What a model of a configured upstream understands: one place that says by which name the upstream's peculiarities are known.
 *
 * Goes through all rules at each call. Who asks for every exchange keeps the answer.
 */

import { capabilitiesOf } from '../dialect/capabilities.ts'
import type { Capabilities } from '../dialect/capability.ts'
import type { UpstreamDefinition } from './definition.ts'

/** Capabilities of a model, by its id at the upstream, in one of the upstream's dialects. */
export function capabilitiesAt({ can, host, origin }: UpstreamDefinition, dialect: string, model: string): Capabilities {
  return capabilitiesOf(dialect, host?.name ?? origin.hostname, model, can)
}
