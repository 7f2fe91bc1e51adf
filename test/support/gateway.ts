/**
 * The real gateway as a subprocess: `bun src/main.ts serve` with a config of the test's own, in a folder of its own.
 *
 * Owns the process and the folder; `stop` ends both. Everything it knows of the gateway it reads as an operator would: from what is
 * printed, from the audit file, from /proc.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './within.ts'

export interface GatewayProcess {
  /** Public listener, without a trailing slash. */
  readonly url: string
  readonly adminUrl: string
  readonly pid: number
  /** Folder of gateway.yaml and what it names. */
  readonly dir: string
  /** What was printed so far. */
  out(): string
  err(): string
  /** Writes a file into the folder, gateway.yaml included. */
  write(name: string, text: string): void
  /** Lines of `audit.jsonl`. */
  audit(): AuditLine[]
  /** The audit line of a request id, as soon as it is there. */
  settled(id: string): Promise<AuditLine>
  /** Resident memory in bytes. */
  rss(): number
  signal(name: NodeJS.Signals): void
  readonly exited: Promise<number>
  /** SIGTERM, then the exit code. Removes the folder. */
  stop(): Promise<number>
}

export interface AuditLine {
  readonly id: string
  readonly ip?: string
  readonly status: number
  readonly end: string
  readonly code?: string
  readonly by?: string
  readonly stream_state: string
  readonly usage: { readonly source: string; readonly input_uncached?: number; readonly output_visible?: number }
  readonly attempts: readonly { readonly failure?: string; readonly status?: number }[]
}

export interface GatewayOptions {
  /** Text of gateway.yaml, which is put into the folder. */
  readonly config?: string
  /** A config file elsewhere, instead. */
  readonly configPath?: string
  /** More files of the folder. */
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
}

const root = join(import.meta.dir, '../..')

/**
 * Starts a gateway on free ports and waits until it has said where it listens.
 * @throws Error with what it printed when it ends instead.
 */
export async function startGateway(options: GatewayOptions): Promise<GatewayProcess> {
  const { dir, child, output } = spawn(options)
  const { exited } = child
  let gone = false
  void exited.then(() => {
    gone = true
  })
  const found = await until(15_000, 'the gateway says where it listens', () => {
    const public_ = /Headgate is up\S* {2}(\S+)/.exec(output.out)
    const admin = /admin\s+(http\S+)/.exec(output.out)
    if (public_ && admin) return { url: public_[1]!, adminUrl: admin[1]! }
    if (gone) throw new Error(`the gateway ended: ${output.out}${output.err}`)
    return undefined
  })
  const audit = (): AuditLine[] => {
    try {
      return readFileSync(join(dir, 'audit.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as AuditLine)
    } catch {
      return []
    }
  }
  return {
    ...found,
    pid: child.pid,
    dir,
    out: () => output.out,
    err: () => output.err,
    write: (name, text) => writeFileSync(join(dir, name), text),
    audit,
    settled: (id) => until(5000, `the audit line of ${id}`, () => audit().find((line) => line.id === id)),
    rss: () => rssOf(child.pid),
    signal: (name) => child.kill(name),
    exited,
    async stop() {
      if (!gone) child.kill('SIGTERM')
      const code = await exited
      rmSync(dir, { recursive: true, force: true })
      return code
    },
  }
}

/** Runs a gateway that is expected to end by itself: what it printed and its exit code. */
export async function runGateway(options: GatewayOptions): Promise<{ code: number; out: string; err: string }> {
  const { dir, child, output, ended } = spawn(options)
  const code = await child.exited
  await ended
  rmSync(dir, { recursive: true, force: true })
  return { code, ...output }
}

function spawn(options: GatewayOptions) {
  const dir = mkdtempSync(join(tmpdir(), 'headgate-e2e-'))
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(dir, name), text)
  const path = options.configPath ?? join(dir, 'gateway.yaml')
  if (options.config !== undefined) writeFileSync(path, options.config)
  const args = ['--config', path, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...(options.args ?? [])]
  const child = Bun.spawn([process.execPath, join(root, 'src/main.ts'), 'serve', ...args], {
    cwd: dir,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...options.env },
  })
  const output = { out: '', err: '' }
  const collect = async (stream: ReadableStream<Uint8Array>, name: 'out' | 'err') => {
    const decoder = new TextDecoder()
    for await (const bytes of stream) output[name] += decoder.decode(bytes, { stream: true })
  }
  const ended = Promise.all([collect(child.stdout, 'out'), collect(child.stderr, 'err')])
  return { dir, child, output, ended }
}

/** Resident memory of a process in bytes; Linux only. */
export function rssOf(pid: number): number {
  const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(kb![1]) * 1024
}
