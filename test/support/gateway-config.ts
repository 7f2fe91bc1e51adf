/**
 * Configs for gateways under test: two upstreams, one per API family, on servers of the test's own.
 *
 * Written as JSON, which is YAML. Clients ask for `cat/<name>`; the upstream is asked for `<prefix><name>`, so that every call has its
 * model spliced.
 */

/** The key that clients use, and its hash for the `auth` plugin. */
export const clientKey = 'sk-hg-e2e-0123456789abcdef0123456789abcdef'
const clientKeyHash = new Bun.CryptoHasher('sha256').update(clientKey).digest('hex')

/** The gateway's own keys at its upstreams. */
export const upstreamKeys = { openai: 'sk-upstream-openai-secret', anthropic: 'sk-upstream-anthropic-secret' } as const

export interface Timeouts {
  readonly connect?: string
  readonly first_byte?: string
  readonly idle?: string
  readonly total?: string
}

export interface ConfigOptions {
  /** `http://127.0.0.1:<port>` of the server that plays both providers. */
  readonly upstream: string
  /** What replaces `cat/` in a model's name at the upstream. */
  readonly prefix?: string
  readonly timeouts?: Timeouts
  readonly onDisconnect?: 'cancel' | 'drain'
  readonly server?: Readonly<Record<string, unknown>>
  /** Own keys are sent unless false. */
  readonly keys?: boolean
  /** Replaces the plugin list; default: audit to `./audit.jsonl`, auth, router. */
  readonly plugins?: readonly object[]
  /** More members of the file. */
  readonly more?: Readonly<Record<string, unknown>>
}

export const auditPlugin = { use: 'audit', with: { file: './audit.jsonl' } }
export const authPlugin = { use: 'auth', with: { keys: [{ id: 'e2e', hash: clientKeyHash }] } }

/** One call per request: what a single upstream does is seen as it is. */
export const routerPlugin = { use: 'router', with: { fallback: false } }

/** The text of a gateway.yaml. */
export function gatewayConfig(o: ConfigOptions): string {
  const common = { ...(o.timeouts && { timeouts: o.timeouts }), on_disconnect: o.onDisconnect ?? 'cancel' }
  const key = (value: string) => (o.keys === false ? {} : { key: value })
  const model = `${o.prefix ?? ''}*`
  return JSON.stringify(
    {
      version: 1,
      server: { drain: '10s', ...o.server },
      upstreams: {
        openai: { dialect: 'openai', base_url: `${o.upstream}/v1`, ...key(upstreamKeys.openai), ...common },
        anthropic: { dialect: 'anthropic', base_url: o.upstream, ...key(upstreamKeys.anthropic), ...common },
      },
      models: {
        'cat/known': {
          targets: [
            { upstream: 'openai', model: 'known' },
            { upstream: 'anthropic', model: 'known' },
          ],
        },
        'cat/*': {
          targets: [
            { upstream: 'openai', model },
            { upstream: 'anthropic', model },
          ],
        },
      },
      plugins: o.plugins ?? [auditPlugin, authPlugin, routerPlugin],
      ...o.more,
    },
    null,
    2,
  )
}
