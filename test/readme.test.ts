/**
 * Runs the README: every command and every code block, in order, in a copy of the project, as a reader would.
 *
 * A block that is not recognised fails. Ports are free ones (HEADGATE_LISTEN, HEADGATE_ADMIN); the gateway started last is the one that clients
 * talk to. The test command itself is only compared, for it is what runs this file, and so is the bench.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { errorCatalogue } from '../src/errors.ts'
import { exchangeHooks } from '../src/plugin/hooks.ts'
import { type Block, blocksOf, tableBelow } from './readme-blocks.ts'
import { projectFiles, read, root } from './source-files.ts'

const readme = read('README.md')
const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts
/** Where the README says that the gateway is. */
const written = 'http://127.0.0.1:8787'

let copy = ''
let key = ''
let gateway: { readonly url: string; readonly adminUrl: string; stop(): Promise<void> } | undefined

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'headgate-readme-'))
  for (const path of projectFiles()) {
    mkdirSync(dirname(join(copy, path)), { recursive: true })
    cpSync(join(root, path), join(copy, path))
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
})

afterAll(async () => {
  await gateway?.stop()
  rmSync(copy, { recursive: true, force: true })
})

/** The environment of every command: no provider's key, free ports, this Bun first on the path. */
function environment(): Record<string, string> {
  const env: Record<string, string> = { HEADGATE_LISTEN: '127.0.0.1:0', HEADGATE_ADMIN: '127.0.0.1:0', HEADGATE_KEY: key, NO_COLOR: '1' }
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !/_API_KEY$|^HEADGATE_/.test(name)) env[name] ??= value
  }
  env.PATH = `${dirname(process.execPath)}:${env.PATH}`
  env.npm_config_prefer_offline = 'true'
  return env
}

/** Runs a command in the copy to its end. */
async function run(command: string): Promise<{ code: number; out: string }> {
  const child = Bun.spawn(['sh', '-c', command], { cwd: copy, env: environment(), stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { code, out: out + err }
}

/** Starts a gateway in the copy, in place of the one before, and learns its addresses and, if it makes one, its key. */
async function start(command: string): Promise<string> {
  await gateway?.stop()
  gateway = undefined
  // a process group of its own, for npx does not hand signals on
  const child = Bun.spawn(['sh', '-c', command], {
    cwd: copy,
    env: environment(),
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    detached: true,
  })
  let said = ''
  const errors = child.stderr.text()
  const reader = child.stdout.getReader()
  const text = new TextDecoder()
  while (!said.includes('Try it:') || !said.endsWith('\n\n')) {
    const { done, value } = await reader.read()
    if (done) throw new Error(`${command} ended: ${said}${await errors}`)
    said += text.decode(value, { stream: true })
  }
  reader.releaseLock()
  key = /^ {4}(sk-\S+)$/m.exec(said)?.[1] ?? key
  gateway = {
    url: /Headgate is up {2}(\S+)/.exec(said)![1]!,
    adminUrl: /admin +(\S+)/.exec(said)![1]!,
    async stop() {
      process.kill(-child.pid, 'SIGTERM')
      await child.exited
    },
  }
  return said
}

/** A command with the address of the running gateway, where it names one. */
const here = (text: string) => text.replaceAll(written, gateway?.url ?? written)

/** Runs one line of a `sh` block and judges it. */
async function runLine(line: string): Promise<void> {
  const [program] = line.split(' ')
  if (program === 'npx' && !Bun.which('npx')) return // a machine with Bun alone; the line for it is run as well
  const script = /^(?:npx -y bun@(\S+)|bun) (?:run )?(\S+)(.*)$/.exec(line)
  if (script?.[1] !== undefined) expect(script[1]).toBe(Bun.version)
  if (script?.[2] === 'test' && script[3] === '') return expectTestCommand(line)
  if (script?.[2] === 'start' || line.startsWith('bun run headgate serve')) {
    const said = await start(line)
    expect(said.trimStart()).toStartWith('Headgate is up')
    const curl = /^ {4}(curl .*)$/m.exec(said)![1]!
    const { code, out } = await run(curl)
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('data: [DONE]') })
    return
  }
  const { code, out } = await run(here(line))
  if (code !== 0) throw new Error(`${line}\nended with ${code}:\n${out}`)
  if (line.startsWith('curl')) expect(out).toContain('data: [DONE]')
  if (line.includes('keys create')) expect(out).toMatch(/sk-hg-\w{20,}/)
  if (line.includes('keys list')) expect(out).toContain('alice')
  if (line.includes('explain')) expect(out).toContain('router')
  if (line.includes('--request')) expect(out).toContain(readFileSync(join(copy, 'request.json'), 'utf8').trim())
}

/** The test command runs this file: here it is only held to package.json and `.ci/run`. */
function expectTestCommand(line: string): void {
  expect(line).toMatch(/ run test$/)
  expect(scripts.test).toContain('bun run check')
  expect(scripts.test).toContain('bun test')
  expect(read('.ci/run')).toMatch(/suite .* run test$/m)
}

/** What a block is, and how it is run. Throws for blocks that nothing is known of. */
function runnerOf(block: Block): () => Promise<void> {
  const { lang, text, mark } = block
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  if (lang === 'sh' && mark === undefined) {
    return async () => {
      for (const line of lines) await runLine(line)
    }
  }
  if (lang === 'text' && mark?.kind === 'picture') {
    return async () => {
      for (const hook of exchangeHooks) expect(text).toContain(hook)
    }
  }
  if (mark?.kind === 'file' && ['yaml', 'ts', 'json'].includes(lang)) return async () => void (await useFile(mark.value, text))
  if (mark?.kind === 'plugins' && lang === 'yaml') return () => takePlugins(mark.value, text)
  if (mark?.kind === 'error' && lang === 'json') return () => expectError(mark.value, JSON.parse(text))
  throw new Error(
    `README.md:${block.line}: nothing is known of this block (${lang || 'no language'}, ${mark?.kind ?? 'no comment above it'})`,
  )
}

/** Writes a file of the README; configs are checked, clients are run. Plugins and their tests are run by the blocks that follow. */
async function useFile(name: string, text: string): Promise<void> {
  writeFileSync(join(copy, name), text)
  if (name.endsWith('.yaml')) {
    const { code, out } = await run(`bun run headgate check --config ${name}`)
    if (code !== 0) throw new Error(out)
  }
  if (name.endsWith('-client.ts')) {
    writeFileSync(join(copy, name), here(text))
    const { code, out } = await run(`bun ${name}`)
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('demo model') })
    writeFileSync(join(copy, name), text)
  }
}

/** Puts a plugin list into a config of the README. The running gateway must take it in: a topic is refused soon after. */
async function takePlugins(name: string, text: string): Promise<void> {
  const config = readFileSync(join(copy, name), 'utf8')
  const added = config.slice(0, config.indexOf('\nplugins:') + 1) + text
  writeFileSync(join(copy, name), added)
  const { code, out } = await run(`bun run headgate check --config ${name}`)
  if (code !== 0) throw new Error(out)
  const ask = (content: string) => call('/v1/chat/completions', { model: 'demo', messages: [{ role: 'user', content }] })
  const until = performance.now() + 15_000
  let answer = await ask('Tell me about salaries')
  while (answer.status === 200 && performance.now() < until) {
    await Bun.sleep(100)
    answer = await ask('Tell me about salaries')
  }
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({ error: { code: 'content_filter', message: 'We do not talk about salaries here.' } })
  const fine = await ask('Tell me about boats')
  expect({ status: fine.status, by: fine.headers.get('x-asked-by') }).toEqual({ status: 200, by: 'first' })
}

/** Makes the error that a block shows, and compares. `…` in the block stands for anything. */
async function expectError(what: string, shown: { request_id?: string }): Promise<void> {
  const anthropic = what.startsWith('anthropic')
  expect(what).toEndWith('an unknown model')
  const body = { model: 'dmeo', max_tokens: 16, messages: [{ role: 'user', content: 'Hello!' }] }
  const answer = await call(anthropic ? '/v1/messages' : '/v1/chat/completions', body)
  expect(answer.status).toBe(404)
  expect(answer.headers.get('x-request-id')).toStartWith('req_')
  expect(await answer.json()).toEqual({ ...shown, ...(anthropic && { request_id: expect.stringMatching(/^req_/) }) })
}

function call(path: string, body?: object, method = body ? 'POST' : 'GET', base = gateway!.url): Promise<Response> {
  return fetch(base + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
}

describe('README.md, in order', () => {
  for (const block of blocksOf(readme)) {
    const title = block.mark ? `${block.mark.kind} ${block.mark.value}`.trim() : block.text.trim().split('\n')[0]
    // a block of an unknown kind throws inside its test
    test(`line ${block.line}: ${title}`, () => runnerOf(block)(), 60_000)
  }

  test('the endpoints of the table answer', async () => {
    const said = 'Hello!'
    const body = { model: 'demo', max_tokens: 16, messages: [{ role: 'user', content: said }], input: said, prompt: said }
    const rows = tableBelow(readme, '### Endpoints')
    expect(rows.length).toBeGreaterThan(5)
    for (const row of rows) {
      const [method, path] = row.split(' ') as [string, string]
      const answer = await call(path, method === 'POST' ? body : undefined, method)
      await answer.bytes()
      expect(`${row} ${answer.status}`).toBe(`${row} 200`)
    }
    const admin = [.../The admin listener answers (.*)\./.exec(readme)![1]!.matchAll(/`(GET|POST) (\S+)`/g)]
    expect(admin.length).toBe(5)
    for (const [, method, path] of admin) {
      const answer = await call(path!, undefined, method, gateway!.adminUrl)
      await answer.bytes()
      expect(`${path} ${answer.status}`).toBe(`${path} 200`)
    }
  })

  test('the table of commands says what the command line says', async () => {
    const { out } = await run('bun run headgate --help')
    const told = [...out.matchAll(/^ {2}([a-z-]+) {2,}(.+)$/gm)].map(([, name, summary]) => `${name} | ${summary}`)
    const rows = [...readme.matchAll(/^\| `([a-z-]+)` +\| ([^|]+?) +\|$/gm)].map(([, name, summary]) => `${name} | ${summary}`)
    expect(told.length).toBeGreaterThan(3)
    expect(rows.filter((row) => told.includes(row))).toEqual(told)
  })

  test('the codes that OpenAI clients see under another name are named', () => {
    const text = readme.slice(readme.indexOf('### Refusals'), readme.indexOf('## Performance')).replaceAll('\n', ' ')
    const told = [...text.matchAll(/`([a-z_]+)` → `([a-z_]+)`/g)].map(([, code, shown]) => `${code} ${shown}`)
    const other = Object.entries(errorCatalogue).filter(([code, entry]) => entry.openai[1] !== code)
    expect(told.toSorted()).toEqual(other.map(([code, entry]) => `${code} ${entry.openai[1]}`).toSorted())
  })

  test('commands inside sentences exist, and so do linked files', () => {
    for (const [, script] of readme.matchAll(/`bun run ([a-z]+)`/g)) expect(Object.keys(scripts)).toContain(script!)
    const files = projectFiles()
    for (const [, link] of readme.matchAll(/\]\(((?!https?:|#)[^)]+)\)/g))
      expect(files.some((f) => f === link || f.startsWith(`${link}/`))).toBe(true)
  })
})
