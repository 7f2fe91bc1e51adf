/** What `serve` prints when it is up: where, what is on, which key to use, and a curl line that works when pasted. */

import { join, resolve } from 'node:path'
import type { Edge } from '../edge/serve.ts'
import type { Model } from '../plugin/host.ts'
import type { Gateway } from '../runtime/gateway.ts'
import type { FirstKey } from './first-key.ts'
import { projectRoot } from './root.ts'

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
    ...(config.mounts.some((m) => m.api === 'gemini') ? [`  Gemini     ${mountsOf(config.mounts, 'gemini', edge.url)}`] : []),
    `  docs       ${edge.url}/docs`,
    `  admin      ${edge.adminUrl ?? 'off'}`,
    `  plugins    ${plan.instances.map((i) => i.id).join(' > ') || '(none)'}`,
    `  upstreams  ${config.upstreams.map((u) => u.name).join(', ') || '(none)'}`,
    `  models     ${config.models.map((m) => m.id).join(', ') || '(none)'}`,
  ]
  const off = gateway.notes.length
  if (off > 0)
    lines.push(
      `  off        ${off} ${off === 1 ? 'upstream whose key is' : 'upstreams whose keys are'} not set: ${commandLine('check', configPath)}`,
    )
  if (firstKey) lines.push('', `  Your API key, shown once (its hash is in ${firstKey.file}):`, '', `    ${strong(firstKey.key)}`)
  const auth = config.plugins.find((p) => p.use === 'auth')
  const key = firstKey?.key ?? '$HEADGATE_KEY'
  const call = curlLine(edge.url, config.mounts, catalog.list(), auth && credential(auth.with?.headers, key))
  if (call !== undefined) {
    lines.push('', '  Try it:', '', `    ${call}`)
    if (auth && !firstKey)
      lines.push('', `  HEADGATE_KEY is one of your keys; a new one: export HEADGATE_KEY=$(${commandLine('keys create', configPath)})`)
  }
  return `${lines.join('\n')}\n\n`
}

/** A command about this config, as it is typed in the project's folder. */
export function commandLine(command: string, configPath: string): string {
  const file = resolve(configPath)
  if (file === join(projectRoot, 'config', 'gateway.yaml')) return `bun run headgate ${command}`
  return `bun run headgate ${command} --config ${/^[\w./:@+-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`}`
}

/** A call that works when pasted into a shell, in an API that is mounted and serves one of the models; undefined when none does. */
export function curlLine(
  url: string,
  mounts: readonly { readonly path: string; readonly api: string }[],
  models: readonly Model[],
  header: string | undefined,
): string | undefined {
  for (const api of ['openai', 'anthropic'] as const) {
    const mount = mounts.find((m) => m.api === api)
    const model = models.find((m) => m.targets.some((t) => t.dialect === api))
    if (!mount || !model) continue
    const path = `${mount.path === '/' ? '' : mount.path}${api === 'openai' ? '/chat/completions' : '/v1/messages'}`
    // double quotes: the shell is to fill in the variable
    const auth = header === undefined ? '' : ` -H "${header}"`
    const limit = api === 'openai' ? {} : { max_tokens: 1024 }
    const body = JSON.stringify({ model: model.id, ...limit, stream: true, messages: [{ role: 'user', content: 'Hello!' }] })
    return `curl -N ${url}${path}${auth} -H 'content-type: application/json' -d '${body.replaceAll("'", "'\\''")}'`
  }
  return undefined
}

/** The header that carries a key: a bearer token unless `auth` was told to look elsewhere only. */
function credential(names: unknown, key: string): string {
  const [first] = Array.isArray(names) && !names.some((name) => /^authorization$/i.test(String(name))) ? names : []
  return typeof first === 'string' ? `${first.toLowerCase()}: ${key}` : `authorization: Bearer ${key}`
}

function mountsOf(mounts: readonly { readonly path: string; readonly api: string }[], api: string, url: string): string {
  const found = mounts.filter((m) => m.api === api).map((m) => `base URL ${url}${m.path === '/' ? '' : m.path}`)
  return found.join(' or ') || 'not mounted'
}
