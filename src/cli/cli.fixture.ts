/** For tests of the command line: runs it in this process or as a subprocess, in a folder of its own. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { composition } from '../main.ts'
import { runCli } from './index.ts'

export const main = Bun.fileURLToPath(new URL('../main.ts', import.meta.url))

export interface Ran {
  readonly code: number | undefined
  readonly out: string
  readonly err: string
  readonly bytes: Uint8Array
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly terminal?: boolean
}

/** Runs a command line in this process. */
export async function cli(argv: readonly string[], { env = {}, terminal = false }: RunOptions = {}): Promise<Ran> {
  const chunks: Uint8Array[] = []
  let err = ''
  const code = await runCli(argv, composition, {
    env,
    output: {
      out: (text) => void chunks.push(typeof text === 'string' ? Buffer.from(text) : text),
      err: (text) => {
        err += text
      },
      terminal,
      color: false,
      errColor: false,
    },
  })
  const bytes = new Uint8Array(Buffer.concat(chunks))
  return { code, out: new TextDecoder().decode(bytes), err, bytes }
}

export interface Spawned {
  readonly process: Bun.ReadableSubprocess
  /** Resolves when standard output holds the text. @throws with all output when the process ends before. */
  said(text: string): Promise<string>
  /** The same for standard error. */
  complained(text: string): Promise<string>
}

/** Environment of subprocesses: what Bun needs, and no keys or proxies of the machine that runs the test. */
const quiet = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TMPDIR: tmpdir() }

/** Starts the real command line as a process. */
export function spawnCli(
  argv: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; stdin?: Uint8Array } = {},
): Spawned {
  const child = Bun.spawn([process.execPath, main, ...argv], {
    env: { ...quiet, ...options.env },
    cwd: options.cwd ?? tmpdir(),
    stdin: options.stdin ?? 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const out = watchText(child.stdout)
  const err = watchText(child.stderr)
  return { process: child, said: out, complained: err }
}

/** Runs the real command line as a process to its end. */
export async function cliProcess(argv: readonly string[], options: Parameters<typeof spawnCli>[1] = {}): Promise<Ran> {
  const child = Bun.spawn([process.execPath, main, ...argv], {
    env: { ...quiet, ...options.env },
    cwd: options.cwd ?? tmpdir(),
    stdin: options.stdin ?? 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [bytes, err, code] = await Promise.all([child.stdout.bytes(), child.stderr.text(), child.exited])
  return { code, out: new TextDecoder().decode(bytes), err, bytes }
}

function watchText(stream: ReadableStream<Uint8Array>): (text: string) => Promise<string> {
  let all = ''
  let over = false
  let waiting: (() => void)[] = []
  const wake = () => {
    for (const resume of waiting) resume()
    waiting = []
  }
  void (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      all += decoder.decode(chunk, { stream: true })
      wake()
    }
    over = true
    wake()
  })()
  return async (text) => {
    while (!all.includes(text)) {
      if (over) throw new Error(`the process ended without saying ${JSON.stringify(text)}; it said:\n${all}`)
      await new Promise<void>((resume) => waiting.push(resume))
    }
    return all
  }
}

export interface Folder {
  readonly path: string
  /** Writes a file in the folder, gives its path. */
  write(name: string, text: string | Uint8Array): Promise<string>
  file(name: string): string
  remove(): void
}

export function folder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'cli-test-'))
  const file = (name: string) => join(path, name)
  return {
    path,
    file,
    async write(name, text) {
      await mkdir(dirname(file(name)), { recursive: true })
      writeFileSync(file(name), text)
      return file(name)
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** A config with the demo model; `plugins` are lines of the list. */
export function config(plugins: string, more = ''): string {
  return `version: 1
server: { listen: "127.0.0.1:0", admin: "127.0.0.1:0" }
upstreams:
  demo: { dialect: openai, base_url: builtin:demo }
  real: { dialect: openai, base_url: https://api.example.com/v1, key: "\${env:REAL_KEY:-sk-real-upstream-key}" }
models:
  demo: { targets: [{ upstream: demo }] }
  big/one: { targets: [{ upstream: real, model: one }] }
${more}plugins:
${plugins}
`
}
