/** `headgate serve` as an operator meets it: starts, failed starts, reloads, stops. Real processes and sockets. */

import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cliProcess, config, type Folder, folder, type Spawned, spawnCli } from './cli.fixture.ts'

// each test starts processes, and waits for a watch that looks once a second
setDefaultTimeout(30_000)

let dir: Folder
let path: string
let running: Spawned[] = []
const auth = '  - use: auth\n    with: { keys_file: ./data/keys.json }\n  - use: router'

beforeEach(async () => {
  dir = folder()
  path = await dir.write('gateway.yaml', config(auth))
})
afterEach(async () => {
  for (const { process } of running) {
    process.kill('SIGKILL')
    await process.exited
  }
  running = []
  dir.remove()
})

/** Starts and waits for the banner. */
async function up(args: readonly string[] = [], env: Record<string, string> = {}) {
  const spawned = spawnCli(['serve', '--config', path, ...args], { env, cwd: dir.path })
  running.push(spawned)
  const banner = await spawned.said('\n\n')
  const url = /Headgate is up {2}(http:\/\/\S+)/.exec(banner)?.[1] ?? ''
  return { ...spawned, url, banner: await spawned.said('Try it:').then(() => spawned.said('\n\n')) }
}

/** Runs the banner's curl line in a shell. */
async function paste(banner: string, env: Record<string, string> = {}): Promise<string> {
  const line = banner.split('\n').find((one) => one.trim().startsWith('curl ')) ?? 'false'
  const child = Bun.spawn(['sh', '-c', line], { env: { PATH: process.env.PATH ?? '', ...env }, stdout: 'pipe', stderr: 'ignore' })
  return await child.stdout.text()
}

describe('start', () => {
  test('the first shows a key and a line that works when pasted; the second shows none, and its line takes $HEADGATE_KEY', async () => {
    const first = await up()
    const full = await first.said('-d ')
    const key = /sk-hg-\w+/.exec(full)?.[0] ?? ''
    expect(key).toHaveLength(54)
    expect(await paste(await first.said('"Hello!"}]}\''))).toContain('data: [DONE]')
    first.process.kill('SIGTERM')
    expect(await first.process.exited).toBe(0)

    const second = await up()
    const again = await second.said('HEADGATE_KEY is one of your keys')
    expect(again).not.toContain('sk-hg-')
    expect(await paste(again, { HEADGATE_KEY: key })).toContain('data: [DONE]')
    expect(await paste(again)).toContain('invalid_api_key')
  })

  test('HEADGATE_LISTEN and HEADGATE_ADMIN are taken; the command line wins', async () => {
    writeFileSync(path, config(auth).replace('"127.0.0.1:0"', '"127.0.0.1:1"'))
    const { said } = await up(['--listen', '127.0.0.1:0'], { HEADGATE_LISTEN: '127.0.0.1:2', HEADGATE_ADMIN: 'off' })
    expect(await said('plugins')).toMatch(/admin +off/)
  })

  test('a model whose id holds quotes gives a line that can be pasted still', async () => {
    writeFileSync(
      path,
      config('  - use: router').replace(
        '  demo: { targets: [{ upstream: demo }] }',
        `  "it's \\"it\\"": { targets: [{ upstream: demo, model: demo }] }`,
      ),
    )
    const { said } = await up()
    expect(await paste(await said('Hello!"}]}\''))).toContain('data: [DONE]')
  })
})

describe('a start that fails leaves no key behind that nobody has seen', () => {
  test.each([
    ['a taken port', () => ['--listen', `127.0.0.1:${taken.port}`], 1, 'cannot listen on 127.0.0.1:'],
    ['a wrong address', () => ['--listen', 'here'], 2, '--listen: "here" is not a listen address'],
  ])('%s', async (_name, args, code, message) => {
    const ran = await cliProcess(['serve', '--config', path, ...args()])
    expect(ran.code).toBe(code)
    expect(ran.err).toContain(message)
    expect(ran.err).not.toContain('    at ')
    expect(existsSync(dir.file('data/keys.json'))).toBe(false)
  })

  test('a plugin that cannot be set up', async () => {
    await dir.write(
      'bad.ts',
      `import { definePlugin } from 'headgate/plugin'
      export default definePlugin({ api: 1, name: 'bad', summary: 's', failure: 'open', setup() { throw new Error('no') } })`,
    )
    writeFileSync(path, config(`${auth}\n  - use: ./bad.ts`))
    const ran = await cliProcess(['serve', '--config', path])
    expect(ran.code).toBe(1)
    expect(ran.err).toContain('setting it up failed: no')
    expect(ran.err).toContain('The gateway was not started.')
    expect(existsSync(dir.file('data/keys.json'))).toBe(false)
  })

  test('a place for keys that cannot be written says so, with the line of the config', async () => {
    await dir.write('data', 'a file where the folder should be')
    const ran = await cliProcess(['serve', '--config', path])
    expect(ran.code).toBe(1)
    expect(ran.err).toContain('the first API key cannot be written to')
    expect(ran.err).toContain(`${path}:`)
  })
})

describe('while it runs', () => {
  const models = async (url: string) => {
    const list = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] }
    return list.data.map((m) => m.id)
  }
  const open = '  - use: router'

  test('SIGHUP reloads without the watch; remarks on it are told', async () => {
    writeFileSync(path, config(open))
    const { url, process, complained } = await up(['--no-watch'])
    expect(await models(url)).toContain('big/one')
    writeFileSync(path, config(open).replace('big/one', 'big/two'))
    process.kill('SIGHUP')
    await complained('config reloaded')
    expect(await models(url)).toContain('big/two')
  })

  test('a broken file, then none at all: the config before stays in force and the reason is told; a good one is taken', async () => {
    writeFileSync(path, config(open))
    const { url, complained } = await up()
    writeFileSync(path, config('  - use: roter'))
    expect(await complained('the one before stays in force')).toContain('plugins[0].use')
    expect(await models(url)).toContain('big/one')
    rmSync(path)
    await complained('the file does not exist')
    expect(await models(url)).toContain('big/one')
    writeFileSync(path, config(open).replace('big/one', 'big/two').replace('127.0.0.1:0', '127.0.0.1:4'))
    await complained('config reloaded')
    expect(await models(url)).toContain('big/two')
    await complained('listen and admin addresses change at the next start only')
  })

  test('a plugin that does not load is tried again once its file is mended, without touching the config', async () => {
    writeFileSync(path, config(open))
    const { complained } = await up()
    const plugin = (setup: string) => `import { definePlugin } from 'headgate/plugin'
      export default definePlugin({ api: 1, name: 'mine', summary: 's', failure: 'open', setup() { ${setup} } })`
    await dir.write('mine.ts', plugin("throw new Error('not yet')"))
    writeFileSync(path, config(`  - use: ./mine.ts\n${open}`))
    await complained('setting it up failed: not yet')
    await dir.write('mine.ts', plugin('return {}'))
    await complained('config reloaded')
  })

  test('SIGTERM lets an open stream finish and exits with 0', async () => {
    writeFileSync(path, config(open))
    const { url, process } = await up()
    const body = JSON.stringify({ model: 'demo', stream: true, messages: [{ role: 'user', content: 'Hello!' }] })
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const reader = response.body!.getReader()
    const first = await reader.read()
    process.kill('SIGTERM')
    let text = new TextDecoder().decode(first.value)
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      text += new TextDecoder().decode(value)
    }
    expect(text).toEndWith('data: [DONE]\n\n')
    expect(await process.exited).toBe(0)
  })

  test('behind a proxy without a limit of its own, the start warns', async () => {
    writeFileSync(path, config(open))
    const { complained } = await up([], { HTTPS_PROXY: 'http://127.0.0.1:9' })
    await complained('at most 256 upstream calls')
  })
})

const taken = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('') })
taken.unref()

test('the config that comes with Headgate starts with nothing but Bun', async () => {
  for (const name of ['gateway.yaml', 'models.yaml']) {
    await dir.write(`config/${name}`, readFileSync(new URL(`../../config/${name}`, import.meta.url), 'utf8'))
  }
  path = dir.file('config/gateway.yaml')
  const { said } = await up(['--listen', '127.0.0.1:0', '--admin', 'off'])
  const banner = await said('"Hello!"}]}\'')
  expect(banner).toMatch(/\d+ upstreams whose keys are not set/)
  expect(await paste(banner)).toContain('data: [DONE]')
})
