/**
 * The upstreams of a config as calls need them: parsed URLs, headers made once, and the host where one wraps the dialect.
 *
 * Hosts are loaded only when a config names one: most do not, and start-up is measured.
 */

import { cacheFactEdits } from '../config/cache-facts.ts'
import type { UpstreamConfig } from '../config/model.ts'
import type { CapabilityEdit } from '../dialect/capability.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import { ownHeaders } from '../upstream/headers.ts'
import type { UpstreamHost } from '../upstream/host/host.ts'
import { parseUrl } from '../upstream/http/origin.ts'
import type { Apis } from './plugin-dialects.ts'
import { defaultApis, everyApi } from './route.ts'

/** What hosts and URLs depend on besides the config. */
export interface UpstreamWorld {
  readonly apis: Apis
  readonly demoUrl: string | undefined
  /** Where credentials are looked for. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Nothing is sent and nobody is asked for a credential (`check`, `explain`). */
  readonly rehearsal: boolean
}

/** @throws TypeError when a header of an upstream can't be sent */
export async function defineUpstreams(configs: readonly UpstreamConfig[], world: UpstreamWorld): Promise<UpstreamDefinition[]> {
  const hosts = configs.some((u) => u.host !== undefined) ? await hostMaker(world) : undefined
  return configs.map((u) => defineUpstream(u, world, hosts?.(u)))
}

async function hostMaker({ env, now, rehearsal }: UpstreamWorld): Promise<(u: UpstreamConfig) => UpstreamHost | undefined> {
  const [{ createHost }, { surroundings }] = await Promise.all([
    import('../upstream/host/create.ts'),
    import('../upstream/credential/surroundings.ts'),
  ])
  const around = surroundings(env, now)
  return ({ host, key, auth, azure, vertex, bedrock }) => {
    if (host === undefined) return undefined
    const keyed = key !== undefined && auth !== 'none'
    const made = createHost({ host, keyed, ...(azure && { azure }), ...(vertex && { vertex }), ...(bedrock && { bedrock }) }, around)
    return rehearsal && !keyed ? { ...made, authorize: () => ({ set: [['authorization', '***']] }) } : made
  }
}

/** The base URL that means the model inside this process. */
export const demoBase = 'builtin:demo'

function defineUpstream(u: UpstreamConfig, { apis, demoUrl }: UpstreamWorld, host: UpstreamHost | undefined): UpstreamDefinition {
  const api = apis.get(u.dialect)! // the config was checked against these names
  const baseUrl = u.base_url === demoBase ? `${demoUrl ?? 'http://127.0.0.1:9'}${u.dialect === 'openai' ? '/v1' : ''}` : u.base_url
  const { origin, path } = parseUrl(baseUrl)
  const headers: [string, string][] = Object.entries(u.headers).map(([name, value]) => [name.toLowerCase(), value])
  if (u.key !== undefined && u.auth !== 'none') headers.push(u.auth === 'bearer' ? ['authorization', `Bearer ${u.key}`] : [u.auth, u.key])
  return {
    name: u.name,
    family: api.family,
    operations: api.operations,
    origin,
    basePath: path === '/' ? '' : path.replace(/\/$/, ''),
    baseUrl,
    headers: ownHeaders(headers),
    ownKey: u.key !== undefined || host !== undefined,
    timeouts: {
      connect: u.timeouts.connect,
      firstByte: u.timeouts.first_byte,
      firstToken: u.timeouts.first_token,
      idle: u.timeouts.idle,
      total: u.timeouts.total,
    },
    onDisconnect: u.on_disconnect,
    apis: new Set(u.apis ?? (u.base_url === demoBase ? everyApi(api) : defaultApis(api, origin.hostname))),
    onDrop: u.on_drop,
    autoCache: u.prompt_cache === 'auto',
    cacheFacts: cacheFactEdits(u.prompt_cache_facts),
    host,
    can: { ...api.capabilities, ...capabilityEdit(u.capabilities) },
  }
}

/** The config's names are snake_case, those of the code camelCase. */
export function capabilityEdit(given: UpstreamConfig['capabilities'] = {}): CapabilityEdit {
  const edit: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) edit[name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())] = value
  return edit as CapabilityEdit
}
