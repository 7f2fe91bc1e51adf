/**
 * A real redis-server for tests: on a free port, with its data in a folder of its own, that can be killed and started again.
 *
 * Owns the process and the folder; `stop` ends both. Every write is on disk before it is answered, so that a kill loses nothing.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rawServer } from './raw-server.ts'
import { until } from './within.ts'

export interface RedisServer {
  /** `redis://127.0.0.1:…`, with the password where there is one. */
  readonly url: string
  /** `rediss://localhost:…`, with the certificate of `tls/`, which only those trust who were told to. */
  readonly tlsUrl: string
  readonly port: number
  readonly pid: number
  /** Sends a signal: SIGSTOP makes it silent, SIGCONT lets it speak again. */
  signal(name: NodeJS.Signals): void
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port, with what it had written. */
  restart(): Promise<void>
  /** Runs redis-cli and gives what it prints. */
  cli(...args: readonly string[]): Promise<string>
  /** Ends the process and removes the folder. */
  stop(): Promise<void>
}

export interface RedisServerOptions {
  readonly password?: string
  /** False: only the port is chosen; `restart` starts it. */
  readonly start?: boolean
}

/** Why tests that need a server can't run here; undefined when they can. */
export const redisMissing =
  Bun.which('redis-server') === null
    ? 'no redis-server is installed. Get it with: apt-get install redis-server (Debian), brew install redis (macOS)'
    : undefined

/** Starts a server and waits until it answers. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const dir = mkdtempSync(join(tmpdir(), 'headgate-redis-'))
  const [port, tlsPort] = freePorts()
  const tls = join(import.meta.dir, 'tls')
  const credentials = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`
  const secret = options.password === undefined ? [] : ['--requirepass', options.password]
  const login = options.password === undefined ? [] : ['-a', options.password, '--no-auth-warning']
  let child: ReturnType<typeof spawn> | undefined
  const settings = {
    port,
    bind: '127.0.0.1',
    dir,
    save: '',
    appendonly: 'yes',
    appendfsync: 'always',
    loglevel: 'warning',
    daemonize: 'no',
    'tls-port': tlsPort,
    'tls-auth-clients': 'no',
    'tls-cert-file': join(tls, 'cert.pem'),
    'tls-key-file': join(tls, 'key.pem'),
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`])
  const spawn = () => Bun.spawn(['redis-server', ...args, ...secret], { stdout: 'ignore', stderr: 'ignore', stdin: 'ignore' })
  const cli = async (...args: readonly string[]) => {
    const run = Bun.spawn(['redis-cli', '-h', '127.0.0.1', '-p', `${port}`, ...login, ...args], { stdout: 'pipe', stderr: 'pipe' })
    const text = await new Response(run.stdout).text()
    await run.exited
    return text.trim()
  }
  const server: RedisServer = {
    url: `redis://${credentials}127.0.0.1:${port}`,
    tlsUrl: `rediss://${credentials}localhost:${tlsPort}`,
    port,
    get pid() {
      return child?.pid ?? 0
    },
    signal: (name) => void child?.kill(name),
    async kill() {
      child?.kill('SIGKILL')
      await child?.exited
      child = undefined
    },
    async restart() {
      child = spawn()
      const own = child
      await until(10_000, 'redis-server answers', async () => {
        if (own.exitCode !== null) throw new Error(`redis-server ended with exit code ${own.exitCode}`)
        return (await cli('ping')) === 'PONG'
      })
    },
    cli,
    async stop() {
      await server.kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  if (options.start !== false) await server.restart()
  return server
}

function freePorts(): [number, number] {
  const [one, two] = [rawServer(() => {}), rawServer(() => {})]
  const ports: [number, number] = [one.port, two.port]
  one[Symbol.dispose]()
  two[Symbol.dispose]()
  return ports
}
