/**
 * A snapshot: one config, built. Immutable; an exchange keeps the one it started with.
 *
 * A retired snapshot closes the instances that only it used, once its last exchange has settled.
 */

import type { GatewayConfig } from '../config/model.ts'
import { compilePlan, type HookTime, type Instance, type Plan } from '../pipeline/plan.ts'
import { shadowPlan } from '../pipeline/shadow-plan.ts'
import type { Catalog } from '../plugin/host.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import { type ErrorVoice, errorVoice } from '../upstream/error-voice.ts'
import type { BodyLimits } from './body.ts'
import { closeUnused, type LiveInstance } from './instances.ts'
import type { Apis } from './plugin-dialects.ts'

export interface Snapshot {
  readonly config: GatewayConfig
  readonly plan: Plan
  /** For copies of requests that plugins send elsewhere. Made when first asked for. */
  readonly shadowPlan: Plan
  /** What can be mounted and spoken to upstreams. */
  readonly apis: Apis
  readonly catalog: Catalog
  readonly upstreams: ReadonlyMap<string, UpstreamDefinition>
  /** Upstreams speak different dialects, so that a conversation may go from one to another. */
  readonly mixed: boolean
  readonly live: readonly LiveInstance[]
  readonly limits: BodyLimits
  /** How errors are spelled. */
  readonly errors: ErrorVoice
  /** Counts an exchange in; call `leave` once when it has settled. */
  enter(): void
  readonly leave: () => void
  /** Exchanges that use this snapshot. */
  readonly inflight: number
  /** Resolves when no exchange uses it any more and its own instances are closed. */
  retire(): Promise<void>
}

export function createSnapshot(
  config: GatewayConfig,
  apis: Apis,
  catalog: Catalog,
  instances: readonly Instance[],
  live: readonly LiveInstance[],
  upstreams: readonly UpstreamDefinition[],
  timed?: HookTime,
): Snapshot {
  let inflight = 0
  let shadows: Plan | undefined
  let retired: (() => void) | undefined
  for (const instance of live) instance.users++
  const leave = () => {
    if (--inflight === 0) retired?.()
  }
  return {
    config,
    apis,
    catalog,
    live,
    plan: compilePlan(instances, timed),
    upstreams: new Map(upstreams.map((u) => [u.name, u])),
    mixed: new Set(upstreams.map((u) => dialectsOf(u))).size > 1,
    errors: errorVoice(config.errors),
    limits: { size: config.server.body_limit, depth: config.server.max_depth },
    enter() {
      inflight++
    },
    leave,
    get shadowPlan() {
      return (shadows ??= shadowPlan(instances))
    },
    get inflight() {
      return inflight
    },
    async retire() {
      if (inflight > 0) await new Promise<void>((resolve) => (retired = resolve))
      for (const instance of live) instance.users--
      await closeUnused(live)
    },
  }
}

/** The dialects that an upstream is called in, as one text. */
function dialectsOf({ apis, operations }: UpstreamDefinition): string {
  return operations
    .filter((o) => apis.has(o.operation))
    .map((o) => o.dialect.name)
    .sort()
    .join(' ')
}
