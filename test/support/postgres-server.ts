/**
 * A real PostgreSQL of the test's own: initdb in a temporary folder, a free port, ended and removed by `stop`.
 *
 * PostgreSQL refuses to run as root, so as root it runs as the user `postgres` (Debian's package makes it). Owns the processes that it
 * starts and no others.
 */

import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './within.ts'

export interface PostgresServer {
  /** postgres://… of the database `headgate`, made anew for each server. */
  readonly url: string
  /** Ends it as a power cut would, with all connections: kill -9. */
  kill(): Promise<void>
  /** Stops it from answering without closing anything (SIGSTOP), and lets it go on. */
  freeze(): void
  thaw(): void
  /** Starts it again on the same port and data. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** The folder of `initdb` and `postgres`, or undefined where PostgreSQL is not installed. */
function postgresBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [...versions.map((v) => join(debian, v, 'bin')), '/usr/local/bin', '/usr/bin', '/opt/homebrew/bin']
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))))
}

/** What is missing to start one; undefined when nothing is. */
export const postgresMissing = postgresBinaries() ? undefined : 'skipped: PostgreSQL is not installed (apt-get install postgresql)'

/** Starts a server; about a second and a half. @throws Error with its log when it does not start */
export async function startPostgres(): Promise<PostgresServer> {
  const binaries = postgresBinaries()
  if (binaries === undefined) throw new Error(postgresMissing)
  const folder = mkdtempSync(join(tmpdir(), 'headgate-postgres-'))
  const asUser = asPostgres(folder)
  const data = join(folder, 'data')
  const run = (...command: string[]) => Bun.spawnSync([...asUser, ...command], { cwd: folder, stdout: 'pipe', stderr: 'pipe' })
  const made = run(join(binaries, 'initdb'), '-D', data, '-U', 'headgate', '-A', 'trust', '-E', 'UTF8', '--no-sync')
  if (made.exitCode !== 0) throw new Error(`initdb failed: ${made.stderr}`)
  const port = await freePort()
  const url = `postgres://headgate@127.0.0.1:${port}/postgres`
  const log = join(folder, 'log')
  let child: ReturnType<typeof Bun.spawn> | undefined

  const postmaster = () => {
    const file = join(data, 'postmaster.pid')
    return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : undefined
  }
  const signal = (name: NodeJS.Signals, pids: readonly number[]) => {
    for (const pid of pids) {
      try {
        process.kill(pid, name)
      } catch {
        // gone already
      }
    }
  }
  const family = () => {
    const pid = postmaster()
    return pid === undefined ? [] : [pid, ...childrenOf(pid)]
  }
  const start = async () => {
    const flags = ['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`, '-c', 'max_connections=60']
    const settings = ['-c', 'shared_buffers=32MB', '-c', 'log_min_messages=fatal', '-c', 'wal_level=minimal', '-c', 'max_wal_senders=0']
    child = Bun.spawn([...asUser, join(binaries, 'postgres'), '-D', data, '-p', String(port), ...flags, ...settings], {
      cwd: folder,
      stdin: 'ignore',
      stdout: Bun.file(log),
      stderr: Bun.file(log),
    })
    await until(20_000, 'PostgreSQL takes connections', async () => {
      if (child?.exitCode !== null) throw new Error(`PostgreSQL ended: ${readFileSync(log, 'utf8')}`)
      return run(join(binaries, 'pg_isready'), '-h', '127.0.0.1', '-p', String(port), '-q').exitCode === 0
    })
  }
  await start()
  return {
    url,
    start,
    async kill() {
      signal('SIGKILL', family())
      await child?.exited
    },
    freeze: () => signal('SIGSTOP', family()),
    thaw: () => signal('SIGCONT', family()),
    async stop() {
      signal('SIGKILL', family())
      await child?.exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** What to put before a command so that it does not run as root; the folder is made that user's. */
function asPostgres(folder: string): string[] {
  if (process.getuid?.() !== 0) return []
  const found = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  if (!found) throw new Error('there is no user postgres to run the server as')
  const [, user, group] = found
  chownSync(folder, Number(user), Number(group))
  return ['setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups']
}

function childrenOf(pid: number): number[] {
  const children = `/proc/${pid}/task/${pid}/children`
  if (existsSync(children)) return readFileSync(children, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  const listed = Bun.spawnSync(['ps', '-o', 'pid=', '--ppid', String(pid)], { stdout: 'pipe' })
  return listed.stdout.toString().trim().split(/\s+/).filter(Boolean).map(Number)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
