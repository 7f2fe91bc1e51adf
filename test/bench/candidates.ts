/**
 * What is measured: the floor, the gateway, and on demand other proxies. Each can be started afresh any number of times.
 *
 * Owns how each is started and addressed. A request reaches a mode of the mock by path (direct, floor, nginx), by model
 * (the gateway) or by header (Portkey).
 */

import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { scripts } from '../../package.json'
import { type Started, start, stop } from './processes.ts'
import { type Mode, modelOf, modes } from './replies.ts'

export interface Address {
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Running {
  readonly pid: number
  address(mode: Mode): Address
  stop(): Promise<void>
}

export interface Candidate {
  readonly name: string
  /** File with the output of its last start, for finding out why it does not answer. */
  readonly log?: string
  /** Starts it; it need not be ready when this returns. */
  start(): Running
}

/** What every candidate needs to know. */
export interface Site {
  readonly mockPort: number
  /** A temporary folder. */
  readonly folder: string
}

export const projectRoot = resolve(import.meta.dir, '../..')

/** A port that was free a moment ago. */
export function freePort(): number {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const port = server.port
  server.stop(true)
  return port
}

const bearer = { authorization: 'Bearer sk-none' }

function running(started: Started, address: (mode: Mode) => Address): Running {
  return { pid: started.pid, address, stop: () => stop(started) }
}

/** The mock itself, without anything between. */
export function direct(site: Site): Candidate {
  const address = (mode: Mode): Address => ({ port: site.mockPort, path: `/${mode}/v1/chat/completions`, headers: bearer })
  return { name: 'direct', start: () => ({ pid: 0, address, stop: async () => {} }) }
}

export function floor(site: Site, name = 'floor'): Candidate {
  return {
    name,
    start() {
      const port = freePort()
      const command = ['bun', join(import.meta.dir, 'floor.ts'), String(site.mockPort), String(port)]
      const started = start(command, 'measured', { env: { BUN_CONFIG_MAX_HTTP_REQUESTS: '20000' } })
      return running(started, (mode) => ({ port, path: `/${mode}/v1/chat/completions`, headers: bearer }))
    },
  }
}

/**
 * The gateway with auth, rate limit, router and audit on.
 * @param command how to start it, `{config}` and `{port}` stand for its config file and public port.
 */
export function gateway(site: Site, command: string, name = 'gateway'): Candidate {
  const folder = join(site.folder, name.replaceAll(' ', '-'))
  mkdirSync(folder)
  const key = writeKey(join(folder, 'keys.json'))
  const config = join(folder, 'gateway.yaml')
  const log = join(folder, 'gateway.log')
  writeFileSync(config, gatewayConfig({ ...site, folder }))
  return {
    name,
    log,
    start() {
      const port = freePort()
      const words = command.split(' ').map((word) => word.replaceAll('{config}', config).replaceAll('{port}', String(port)))
      const started = start(words, 'measured', { cwd: projectRoot, output: Bun.file(log) })
      const headers = { authorization: `Bearer ${key}` }
      return running(started, () => ({ port, path: '/v1/chat/completions', headers }))
    },
  }
}

/** As `bun start` runs it: from one bundle, which `bun run build` makes, with its settings of the allocator. */
export const gatewayCommand = `env ${scripts.start.split(' && ').at(-1)} --config {config} --listen 127.0.0.1:{port} --admin 127.0.0.1:0`
/** The same from its sources, for the cold start. */
export const sourceCommand = gatewayCommand.replace('dist/main.js', 'src/main.ts')

function gatewayConfig({ mockPort, folder }: Site): string {
  const upstreams = modes.map(
    (mode) => `  ${mode}: { dialect: openai, base_url: "http://127.0.0.1:${mockPort}/${mode}/v1", key: sk-upstream }`,
  )
  const models = modes.map((mode) => `  ${modelOf(mode)}: { targets: [{ upstream: ${mode}, model: mock-1-${mode} }] }`)
  return `version: 1
upstreams:
${upstreams.join('\n')}
models:
${models.join('\n')}
plugins:
  - use: audit
    with: { file: ${join(folder, 'audit.jsonl')} }
  - use: auth
    with: { keys_file: ${join(folder, 'keys.json')} }
  - use: rate-limit
    with: { requests: 1000000000, window: 1m, by: key }
  - use: router
`
}

/** Writes a keys file with one key and gives the key. */
function writeKey(file: string): string {
  const prefix = 'sk-hg-bench000'
  const key = prefix + randomBytes(20).toString('hex')
  const salt = randomBytes(16).toString('hex')
  const hash = createHash('sha256')
    .update(salt + key)
    .digest('hex')
  const record = { id: 'key_bench', name: 'bench', prefix, salt, hash, created: new Date().toISOString() }
  writeFileSync(file, JSON.stringify({ version: 1, keys: [record] }))
  return key
}

/** nginx as a reverse proxy, if there is one: the limit. */
export function nginx(site: Site): Candidate | undefined {
  const binary = process.env.HEADGATE_BENCH_NGINX ?? Bun.which('nginx')
  if (binary === null) return undefined
  return {
    name: 'nginx',
    start() {
      const port = freePort()
      const folder = join(site.folder, `nginx-${port}`)
      mkdirSync(folder, { recursive: true })
      const config = join(folder, 'nginx.conf')
      writeFileSync(config, nginxConfig(site.mockPort, port, folder))
      const started = start([binary, '-c', config, '-p', folder, '-e', join(folder, 'error.log')], 'measured')
      return running(started, (mode) => ({ port, path: `/${mode}/v1/chat/completions`, headers: bearer }))
    },
  }
}

function nginxConfig(mockPort: number, port: number, folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${folder}/${name};`)
  return `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log crit;
events { worker_connections 16384; }
http {
${temporary.join('\n')}
  access_log off; keepalive_requests 1000000; client_max_body_size 32m; client_body_buffer_size 1m;
  upstream mock { server 127.0.0.1:${mockPort}; keepalive 512; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
  }
}
`
}

const portkeyVersion = '1.15.2'

/** `@portkey-ai/gateway` from npm, installed into the temporary folder. Undefined when that fails (no network, no npm). */
export async function portkey(site: Site): Promise<Candidate | undefined> {
  const folder = join(site.folder, 'portkey')
  mkdirSync(folder, { recursive: true })
  // From 1.19 on, @hono/node-server makes each of its streamed replies a 500 ("immutable"); the package itself allows ^1.3.3.
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, overrides: { '@hono/node-server': '1.13.8' } }))
  const install = Bun.spawn(['npm', 'install', '--silent', '--no-audit', '--no-fund', `@portkey-ai/gateway@${portkeyVersion}`], {
    cwd: folder,
    stdout: 'ignore',
    stderr: 'ignore',
  })
  if ((await install.exited) !== 0) return undefined
  return {
    name: 'portkey',
    start() {
      const port = freePort()
      const command = ['node', 'node_modules/@portkey-ai/gateway/build/start-server.js', `--port=${port}`, '--headless']
      const started = start(command, 'measured', { cwd: folder, env: { NODE_ENV: 'production' } })
      return running(started, (mode) => ({
        port,
        path: '/v1/chat/completions',
        headers: { ...bearer, 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `http://127.0.0.1:${site.mockPort}/${mode}/v1` },
      }))
    },
  }
}
