/** A gateway over a folder of plugin files, without sockets. */

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { families } from '../../src/dialect/family.ts'
import type { Plugin } from '../../src/plugin/index.ts'
import { Gateway, type GatewayOptions } from '../../src/runtime/gateway.ts'
import { InferenceExchange } from '../../src/runtime/handle.ts'
import { responseOrigins } from '../../src/runtime/response-origins.ts'
import type { UpstreamScript } from '../../src/testkit/index.ts'
import { scriptedTransport } from '../../src/testkit/scripted-transport.ts'
import { plug } from './plug.ts'

export interface Folder {
  readonly path: string
  /** Writes a file, always with a new modification time. */
  write(name: string, text: string): string
  remove(): void
}

export function tempFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'headgate-plugins-'))
  let time = Math.floor(Date.now() / 1000) - 100_000
  return {
    path,
    write(name, text) {
      const file = join(path, name)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
      utimesSync(file, ++time, time)
      return file
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** Source of a plugin that marks replies: `x-mark: <mark>`, and tells `globalThis.__closed` when it is closed. */
export function marker(mark: string, more = ''): string {
  return `import { definePlugin } from 'headgate/plugin'
${more}
export default definePlugin({
  api: 1, name: 'marker', summary: 'Marks', failure: 'closed',
  setup: () => ({
    reply: (_x, reply) => reply.headers.append('x-mark', ${mark}),
    settle: () => { (globalThis.__seen ??= []).push('settle ' + ${mark}) },
    close: () => { (globalThis.__seen ??= []).push('close ' + ${mark}) },
  }),
})
`
}

export interface Running {
  readonly gateway: Gateway
  /** Sets the plugin list of the config. */
  list(entries: readonly object[]): void
  /** Sets the upstream of the config. */
  upstream(definition: object): void
  /** Reloads; gives the mistakes. */
  reload(): Promise<string[]>
  send(body?: object): Promise<Response>
  script(script: UpstreamScript): void
}

/** Starts a gateway; `builtins` are plugins by name. A router comes last. @throws Error with the mistakes */
export async function gatewayIn(
  folder: string,
  entries: readonly object[],
  builtins: Readonly<Record<string, Plugin>> = {},
  options: Partial<GatewayOptions> = {},
): Promise<Running> {
  const transport = scriptedTransport({})
  const router = plug('router', { request: (x) => x.setTarget({ upstream: 'openai', model: x.request.model }) })
  let list = entries
  let upstream: object = { dialect: 'openai', base_url: 'http://upstream.test/v1' }
  const gateway = new Gateway({
    configPath: join(folder, 'gateway.yaml'),
    configText: () =>
      JSON.stringify({
        version: 1,
        upstreams: { openai: upstream },
        plugins: [...list, { use: 'router' }],
      }),
    env: {},
    builtins: Object.fromEntries(Object.entries({ router, ...builtins }).map(([name, p]) => [name, () => Promise.resolve({ default: p })])),
    startDemo: () => Promise.reject(new Error('no demo here')),
    log: { write: () => {} },
    transport,
    ...options,
  })
  const reload = async () => {
    const { ok, diagnostics } = await gateway.reload()
    return ok ? [] : diagnostics.filter((d) => d.severity === 'error').map((d) => `${d.path}: ${d.message}`)
  }
  const mistakes = await reload()
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'))
  let count = 0
  return {
    gateway,
    reload,
    list: (next) => {
      list = next
    },
    upstream: (next) => {
      upstream = next
    },
    script: (script) => transport.script(script),
    send(body = {}) {
      const [spec] = families.openai.operations
      const headers = { 'content-type': 'application/json' }
      const request = new Request('http://gateway.test/v1/chat/completions', {
        method: 'POST',
        headers,
        body: JSON.stringify({ model: 'm', messages: [], ...body }),
      })
      const { method, signal } = request
      const about = {
        id: `req_${++count}`,
        operation: spec!.operation,
        dialect: spec!.dialect.name,
        method,
        path: '/v1/chat/completions',
        query: '',
      }
      const services = {
        transport: gateway.transport,
        log: gateway.log,
        now: gateway.services.now,
        stopping: gateway.stopping,
        origins: responseOrigins(gateway.services.state, gateway.log),
      }
      return new InferenceExchange(
        gateway.snapshot,
        services,
        spec!,
        { ...about, headers: request.headers, signal, peer: () => '' },
        request,
        () => {},
      ).run()
    },
  }
}
