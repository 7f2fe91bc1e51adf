// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/** `headgate check` says all that is wrong at once, with places, and leaves every file as it is. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { cli, cliProcess, config, type Folder, folder } from './cli.fixture.ts'

let dir: Folder
beforeEach(() => {
  dir = folder()
})
afterEach(() => dir.remove())

test('mistakes of the file, of a plugin, of a missing plugin and of slots come at once, each with its place', async () => {
  await dir.write(
    'needs.ts',
    `import { definePlugin, Session } from 'headgate/plugin'
     export default definePlugin({ api: 1, name: 'needs', summary: 's', needs: [Session], failure: 'open', setup: () => ({}) })`,
  )
  const path = await dir.write(
    'gateway.yaml',
    config(
      `  - use: rate-limit
    with: { requests: many, windw: 1m }
  - use: ./absent.ts
  - use: ./needs.ts
  - use: router`,
      'sever: {}\n',
    ),
  )
  const { code, out } = await cli(['check', '--config', path])
  expect(code).toBe(1)
  expect(out).toContain(`${path}:9:1  sever`)
  expect(out).toContain('did you mean')
  expect(out).toContain(`${path}:12:23  plugins[0].with.requests`)
  expect(out).toContain('plugins[0].with.windw')
  expect(out).toContain('plugins[1].use  there is no file')
  expect(out).toContain('needs session')
  expect(out).toContain('is looked at once the file itself is right')
  expect(out).toContain('5 errors. The gateway would not start.')
})

test('advice about the order comes along with mistakes in plugins; nothing is said that only a whole list could show', async () => {
  const path = await dir.write(
    'gateway.yaml',
    config(`  - use: auth
    with: { anonymous: true }
  - use: rate-limit
    with: { requests: many }
  - use: audit
    with: { file: ./audit.jsonl }
  - use: roter`),
  )
  const { code, out } = await cli(['check', '--config', path])
  expect(code).toBe(1)
  expect(out).toContain('plugins[1].with.requests')
  expect(out).toContain('plugins[3].use')
  expect(out).toContain('`audit` stands below `auth`')
  expect(out).not.toContain('every request will fail')
})

test('warnings and advice are no failure', async () => {
  const path = await dir.write('gateway.yaml', config('  - use: router'))
  const { code, out } = await cli(['check', '--config', path])
  expect(out).toContain('nothing here says who is calling')
  expect(out).toContain(': good, 1 plugin, 1 piece of advice')
  expect(code).toBe(0)
})

test('no keys file yet is advice: the first start makes one; check makes none, and no audit file either', async () => {
  const path = await dir.write(
    'gateway.yaml',
    config(`  - use: audit
    with: { file: ./data/audit.jsonl }
  - use: auth
    with: { keys_file: ./data/keys.json }
  - use: router`),
  )
  const scratch = dirname(await dir.write('scratch/.keep', ''))
  const { code, out } = await cliProcess(['check', '--config', path], { env: { TMPDIR: scratch } })
  expect(code).toBe(0)
  expect(out).toContain(`there are no API keys yet: ${dir.file('data/keys.json')} does not exist`)
  expect(existsSync(dir.file('data'))).toBe(false)
  expect(readdirSync(scratch)).toEqual(['.keep'])
})

test('a broken keys file is an error that names the file itself, not its copy', async () => {
  const keys = await dir.write('keys.json', '{')
  const path = await dir.write('gateway.yaml', config(`  - use: auth\n    with: { keys_file: ./keys.json }\n  - use: router`))
  const { code, out } = await cli(['check', '--config', path])
  expect(code).toBe(1)
  expect(out).toContain(`${keys}: is not JSON`)
})

test('what was left out is listed; --json has it all', async () => {
  const path = await dir.write(
    'gateway.yaml',
    config('  - use: router').replace(
      'models:',
      '  gone: { dialect: openai, base_url: https://x.example/v1, key: "${env:NOT_SET_HERE}", optional: true }\nmodels:',
    ),
  )
  expect((await cli(['check', '--config', path])).out).toContain('upstream gone is off')
  const { out, code } = await cli(['check', '--config', path, '--json'])
  const said = JSON.parse(out) as { ok: boolean; diagnostics: { line: number; severity: string }[]; notes: string[] }
  expect(code).toBe(0)
  expect(said.ok).toBe(true)
  expect(said.notes[0]).toContain('NOT_SET_HERE')
  expect(said.diagnostics.map((d) => d.severity)).toEqual(['advice'])
})

test('a secret in the environment is not printed, wherever it ends up', async () => {
  const plugin = `import { definePlugin, Type } from 'headgate/plugin'
    export default definePlugin({ api: 1, name: 'leaky', summary: 's', failure: 'open', config: Type.Object({ token: Type.String() }),
      setup(_h, c) { throw new Error('bad token ' + c.token) } })`
  await dir.write('leaky.ts', plugin)
  const path = await dir.write('gateway.yaml', config('  - use: ./leaky.ts\n    with: { token: "${env:LEAKY_TOKEN}" }\n  - use: router'))
  for (const flag of [[], ['--json']]) {
    const { out, err, code } = await cli(['check', '--config', path, ...flag], { env: { LEAKY_TOKEN: 'tok-1234567890' } })
    expect(code).toBe(1)
    expect(out + err).toContain('bad token ***')
    expect(out + err).not.toContain('tok-1234567890')
  }
})

test('as a process: HEADGATE_CONFIG relative to the working directory, no colours in a pipe, a missing file is one sentence', async () => {
  await dir.write('sub/gateway.yaml', config('  - use: router'))
  const good = await cliProcess(['check'], { cwd: dir.path, env: { HEADGATE_CONFIG: 'sub/gateway.yaml' } })
  expect(good.code).toBe(0)
  expect(good.out).toContain('sub/gateway.yaml: good')
  expect(good.out).not.toContain('\x1b')
  expect(good.err).toBe('')
  const missing = await cliProcess(['check', '--config', 'nowhere.yaml'], { cwd: dir.path })
  expect(missing.code).toBe(1)
  expect(missing.out).toContain('nowhere.yaml:1:1  the file does not exist')
})

test('overview, help of a command, mistakes in the command line', async () => {
  expect(await cli(['--help'])).toMatchObject({ code: 0, err: '' })
  expect((await cli(['help', 'check'])).out).toContain('Usage: headgate check')
  expect((await cli(['chekc'])).err).toContain('did you mean check?')
  expect((await cli(['chekc'])).code).toBe(2)
  expect((await cli([])).code).toBe(2)
  const wrong = await cli(['check', '--jsn'])
  expect(wrong.code).toBe(2)
  expect(wrong.err).toContain('did you mean --json?')
  expect((await cli(['--version'])).out).toMatch(/^headgate \d+\.\d+\.\d+ {2}bun /)
})

test('a plugin file that does not parse is a diagnostic', async () => {
  writeFileSync(dir.file('bad.ts'), 'export default {{')
  const path = await dir.write('gateway.yaml', config('  - use: ./bad.ts\n  - use: router'))
  const { code, out } = await cli(['check', '--config', path])
  expect(code).toBe(1)
  expect(out).toContain('plugins[0].use  loading it failed')
})
