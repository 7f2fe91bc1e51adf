/** What `serve` prints when it is up: where, what is on, which key to use, and a curl line that works when pasted. */

import type { Edge } from '../edge/serve.ts'
import type { Gateway } from '../runtime/gateway.ts'
import type { FirstKey } from './first-key.ts'

export interface BannerOptions {
  readonly gateway: Gateway
  readonly edge: Edge
  readonly configPath: string
  readonly firstKey: FirstKey | undefined
  readonly color: boolean
}

export function banner({ gateway, edge, configPath, firstKey, color }: BannerOptions): string {
  const strong = (text: string) => (color ? `\x1b[1m${text}\x1b[0m` : text)
  const { config, plan, catalog } = gateway.snapshot
  const lines = [
    `${strong('Headgate is up')}  ${edge.url}`,
    '',
    `  config     ${configPath}`,
    `  OpenAI     ${mountsOf(config.mounts, 'openai', edge.url)}`,
    `  Anthropic  ${mountsOf(config.mounts, 'anthropic', edge.url)}`,
    `  docs       ${edge.url}/docs`,
    `  admin      ${edge.adminUrl ?? 'off'}`,
    `  plugins    ${plan.instances.map((i) => i.id).join(' > ') || '(none)'}`,
    `  upstreams  ${config.upstreams.map((u) => u.name).join(', ') || '(none)'}`,
    `  models     ${config.models.map((m) => m.id).join(', ') || '(none)'}`,
  ]
  const off = gateway.notes.length
  if (off > 0)
    lines.push(`  off        ${off} ${off === 1 ? 'upstream' : 'upstreams'} whose key is not in the environment: headgate check says which`)
  const usesAuth = config.plugins.some((p) => p.use === 'auth')
  const model = catalog.list()[0]?.id ?? 'demo'
  const base = config.mounts.find((m) => m.api === 'openai')
  if (firstKey) lines.push('', `  Your API key, shown once (its hash is in ${firstKey.file}):`, '', `    ${strong(firstKey.key)}`)
  if (base) {
    const key = firstKey?.key ?? '$HEADGATE_KEY'
    const auth = usesAuth ? ` -H 'authorization: Bearer ${key}'` : ''
    const quote = firstKey ? auth : auth.replaceAll("'", '"')
    lines.push(
      '',
      '  Try it:',
      '',
      `    curl -N ${edge.url}${base.path === '/' ? '' : base.path}/chat/completions${quote} -H 'content-type: application/json' -d '{"model":"${model}","stream":true,"messages":[{"role":"user","content":"Hello!"}]}'`,
    )
    if (usesAuth && !firstKey) lines.push('', '  HEADGATE_KEY is one of your keys; make one with: bun run headgate keys create')
  }
  return `${lines.join('\n')}\n\n`
}

function mountsOf(mounts: readonly { readonly path: string; readonly api: string }[], api: string, url: string): string {
  const found = mounts.filter((m) => m.api === api).map((m) => `base URL ${url}${m.path === '/' ? '' : m.path}`)
  return found.join(' or ') || 'not mounted'
}
