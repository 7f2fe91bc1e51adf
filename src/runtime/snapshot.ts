/**
 * A snapshot: one config, built. Immutable; an exchange keeps the one it started with.
 *
 * A retired snapshot closes the instances that only it used, once its last exchange has settled.
 */

import type { GatewayConfig, UpstreamConfig } from '../config/model.ts'
import type { CapabilityEdit } from '../dialect/capability.ts'
import { compilePlan, type Instance, type Plan } from '../pipeline/plan.ts'
import type { Catalog } from '../plugin/host.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import { ownHeaders } from '../upstream/headers.ts'
import { parseUrl } from '../upstream/http/origin.ts'
import type { BodyLimits } from './body.ts'
import { closeUnused, type LiveInstance } from './instances.ts'
import { defaultApis } from './route.ts'

export interface Snapshot {
  readonly config: GatewayConfig
  readonly plan: Plan
  readonly catalog: Catalog
  readonly upstreams: ReadonlyMap<string, UpstreamDefinition>
  /** Upstreams speak different dialects, so that a conversation may go from one to another. */
  readonly mixed: boolean
  readonly live: readonly LiveInstance[]
  readonly limits: BodyLimits
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
  catalog: Catalog,
  instances: readonly Instance[],
  live: readonly LiveInstance[],
  demoUrl: string | undefined,
): Snapshot {
  let inflight = 0
  let retired: (() => void) | undefined
  for (const instance of live) instance.users++
  const leave = () => {
    if (--inflight === 0) retired?.()
  }
  const upstreams = config.upstreams.map((u) => defineUpstream(u, demoUrl))
  return {
    config,
    catalog,
    live,
    plan: compilePlan(instances),
    upstreams: new Map(upstreams.map((u) => [u.name, u])),
    mixed: new Set(upstreams.map((u) => [...u.apis].sort().join(' '))).size > 1,
    limits: { size: config.server.body_limit, depth: config.server.max_depth },
    enter() {
      inflight++
    },
    leave,
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

/** The base URL that means the model inside this process. */
export const demoBase = 'builtin:demo'

function defineUpstream(u: UpstreamConfig, demoUrl: string | undefined): UpstreamDefinition {
  const baseUrl = u.base_url === demoBase ? `${demoUrl ?? 'http://127.0.0.1:9'}${u.dialect === 'openai' ? '/v1' : ''}` : u.base_url
  const { origin, path } = parseUrl(baseUrl)
  const headers: [string, string][] = Object.entries(u.headers).map(([name, value]) => [name.toLowerCase(), value])
  if (u.key !== undefined && u.auth === 'bearer') headers.push(['authorization', `Bearer ${u.key}`])
  if (u.key !== undefined && u.auth === 'x-api-key') headers.push(['x-api-key', u.key])
  return {
    name: u.name,
    family: u.dialect,
    origin,
    basePath: path === '/' ? '' : path.replace(/\/$/, ''),
    baseUrl,
    headers: ownHeaders(headers),
    ownKey: u.key !== undefined,
    timeouts: { connect: u.timeouts.connect, firstByte: u.timeouts.first_byte, idle: u.timeouts.idle, total: u.timeouts.total },
    onDisconnect: u.on_disconnect,
    apis: new Set(u.apis ?? defaultApis(u.dialect, origin.hostname)),
    onDrop: u.on_drop,
    can: capabilityEdit(u.capabilities),
  }
}

/** The config's names are snake_case, those of the code camelCase. */
function capabilityEdit(given: UpstreamConfig['capabilities'] = {}): CapabilityEdit {
  const edit: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) edit[name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())] = value
  return edit as CapabilityEdit
}
