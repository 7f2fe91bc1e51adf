/** `headgate explain` shows what will run; with a request, what would be sent to the byte, without consequences. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { cli, cliProcess, config, type Folder, folder } from './cli.fixture.ts'

let dir: Folder
let path: string
let key: string
let body: string

/** Wraps, edits, fails open and acts on the call: one of each. */
const busy = `import { definePlugin } from 'headgate/plugin'
export default definePlugin({ api: 1, name: 'busy', summary: 'Does a bit of everything', failure: 'open', setup: () => ({
  request(x) { x.request.set('/temperature', 0.5); x.note('looked') },
  async around(x, next) { return await next() },
  attempt(_x, call) { call.headers.set('x-org', 'acme') },
  settle() { throw new Error('settled in a rehearsal') },
}) })`
const broken = `import { definePlugin } from 'headgate/plugin'
export default definePlugin({ api: 1, name: 'broken', summary: 'Throws', failure: 'closed', setup: () => ({
  request(x) { x.request.set('/user', 'never'); throw new Error('out of order') },
}) })`

beforeAll(async () => {
  dir = folder()
  await dir.write('busy.ts', busy)
  await dir.write('broken.ts', broken)
  path = await dir.write(
    'gateway.yaml',
    config(`  - use: audit
    with: { file: ./audit.jsonl }
  - use: auth
    with: { keys_file: ./keys.json }
  - use: rate-limit
    with: { requests: 1, window: 1d }
    timeout: 250ms
  - use: ./broken.ts
    on_error: skip
    when: { header: { x-break: ["yes"] } }
  - use: ./busy.ts
    when: { model: ["big/*"] }
  - use: router`),
  )
  key = (await cli(['keys', 'create', '--config', path, '--name', 'ann', '--tier', 'paid'])).out.trim()
  body = await dir.write('body.json', '{"model" : "big/one","n":1.0,"messages":[{"role":"user","content":"h\\u0069"}]}')
})
afterAll(() => dir.remove())

const run = (...more: string[]) => cli(['explain', '--config', path, '--request', body, ...more])

describe('the plan', () => {
  test('order, hooks, failure modes and where they come from, conditions, passes', async () => {
    const { out, code } = await cli(['explain', '--config', path])
    expect(code).toBe(0)
    expect(out).toMatch(/3 +rate-limit +\d+ +refuse +250 ms \(yours\) +admit request reply settle/)
    expect(out).toMatch(/4 +broken +\.\/broken\.ts +\d+ +skip \(yours\) +5000 ms +request/)
    expect(out).toContain('only when header x-break: yes')
    expect(out).toMatch(/admit +↓ +auth > rate-limit\n/)
    expect(out).toMatch(/request +↓ +auth > rate-limit > broken > busy > router\n/)
    expect(out).toMatch(/around +↓ +busy > router\n/)
    expect(out).toMatch(/settle +↑ +router > busy > rate-limit > audit\n/)
    expect(out).not.toContain('audit.jsonl')
  })

  test('as JSON', async () => {
    const said = JSON.parse((await cli(['explain', '--config', path, '--json'])).out) as {
      plugins: { id: string; on_error: object; provides: string[] }[]
      passes: Record<string, string[]>
    }
    expect(said.plugins.map((p) => p.id)).toEqual(['audit', 'auth', 'rate-limit', 'broken', 'busy', 'router'])
    expect(said.plugins[3]!.on_error).toEqual({ mode: 'skip', from: 'config' })
    expect(said.plugins[1]!.provides).toEqual(['principal'])
    expect(said.passes.reply).toEqual(['rate-limit'])
  })

  test('of a broken config: the mistakes, exit code 1', async () => {
    const bad = await dir.write('bad.yaml', config('  - use: roter'))
    const { code, err, out } = await cli(['explain', '--config', bad])
    expect(code).toBe(1)
    expect(out).toBe('')
    expect(err).toContain('plugins[0].use')
  })
})

describe('a request', () => {
  test('what only acts on the way up is left out too where its condition does not hold', async () => {
    await dir.write('up.ts', broken.replace("'broken'", "'up'").replace(/request\(x\).*/, 'reply() {},'))
    const conditional = await dir.write('up.yaml', config('  - use: ./up.ts\n    when: { stream: true }\n  - use: router'))
    const { out } = await cli(['explain', '--config', conditional, '--request', body])
    expect(out).toMatch(/up +left out: when stream: true/)
  })

  test('verdicts, target, edits with their offsets, masked headers', async () => {
    const { out, code } = await run('--key', key, '--header', 'OpenAI-Beta: x=1')
    expect(code).toBe(0)
    expect(out).toContain('"tier":"paid"')
    expect(out).toContain('target = real, model "one"')
    expect(out).toContain('edit: set /temperature')
    expect(out).toContain('note: looked')
    expect(out).toContain('bytes 11-19: "big/one" -> "one"')
    expect(out).toContain('changes of the call: header x-org')
    expect(out).toMatch(/busy +around +called next/)
    expect(out).toMatch(/audit +acts on the way up only/)
    expect(out).toMatch(/broken +left out: when header x-break: yes/)
    expect(out).toContain('POST https://api.example.com/v1/chat/completions')
    expect(out).toMatch(/authorization: +Bearer \*\*\*\n/)
    expect(out).toMatch(/openai-beta: +x=1\n/)
    expect(out).toMatch(/x-org: +acme\n/)
    expect(out).not.toContain(key)
    expect(out).not.toContain('sk-real-upstream-key')
  })

  test('F01 --body-only prints the bytes: edits spliced in, the rest as it came', async () => {
    const { bytes, code } = await run('--key', key, '--body-only')
    expect(code).toBe(0)
    expect(new TextDecoder().decode(bytes)).toBe(
      '{"model" : "one","n":1.0,"messages":[{"role":"user","content":"h\\u0069"}],"temperature":0.5}',
    )
  })

  test('--as needs no key text and leaves the keys file as it is', async () => {
    const before = readFileSync(dir.file('keys.json'), 'utf8')
    const [{ id }] = JSON.parse(before).keys as [{ id: string }]
    const { out, code } = await run('--as', id)
    expect(code).toBe(0)
    expect(out).toContain(`"id":"${id}"`)
    expect(readFileSync(dir.file('keys.json'), 'utf8')).toBe(before)
    const nobody = await run('--as', 'key_nobody')
    expect(nobody.code).toBe(1)
    expect(nobody.err).toContain(id)
  })

  test('without a key auth refuses, as it would: exit code 3, and what to do', async () => {
    const { out, code } = await run()
    expect(code).toBe(3)
    expect(out).toMatch(/auth +admit +refused: missing_api_key/)
    expect(out).toMatch(/router +not reached/)
    expect(out).toContain('The client gets 401')
    expect(out).toContain('--as <key id>')
  })

  test('limits are fresh each time, nothing is audited, no settle hook runs', async () => {
    for (let i = 0; i < 2; i++) expect(await run('--key', key)).toMatchObject({ code: 0, err: '' })
    expect(existsSync(dir.file('audit.jsonl'))).toBe(false)
  })

  test('a hook that fails open shows, and its edits do not', async () => {
    const { out, code } = await run('--key', key, '--header', 'x-break: yes')
    expect(code).toBe(0)
    expect(out).toMatch(/broken +request +failed-open: out of order/)
    expect(out).not.toContain('/user')
  })

  test('an unknown model is refused in the words that the client gets', async () => {
    const other = await dir.write('other.json', '{"model":"demmo"}')
    const { out, code } = await cli(['explain', '--config', path, '--request', other, '--key', key, '--json'])
    expect(code).toBe(3)
    const said = JSON.parse(out) as { outcome: string; answer: { status: number; by: string; body: string } }
    expect(said).toMatchObject({ outcome: 'refused', answer: { status: 404, by: 'router' } })
    expect(JSON.parse(said.answer.body)).toMatchObject({ error: { code: 'model_not_found' } })
  })

  test('what a plugin answers by itself is no refusal', async () => {
    await dir.write(
      'canned.ts',
      `import { definePlugin } from 'headgate/plugin'
       export default definePlugin({ api: 1, name: 'canned', summary: 's', failure: 'closed', setup: () => ({
         request: (x) => x.reply([{ type: 'start' }, { type: 'text', text: 'From the shelf', choice: 0 }, { type: 'stop', reason: 'end', raw: 'stop', choice: 0 }, { type: 'end' }]),
       }) })`,
    )
    const canned = await dir.write('canned.yaml', config('  - use: ./canned.ts\n  - use: router'))
    const { out, code } = await cli(['explain', '--config', canned, '--request', body])
    expect(code).toBe(0)
    expect(out).toContain('Answered by canned; nothing would be sent')
    expect(out).toContain('From the shelf')
  })

  test('a wrong path names the right ones', async () => {
    const { err, code } = await run('--path', '/v1/chat/completion')
    expect(code).toBe(1)
    expect(err).toContain('did you mean /v1/chat/completions?')
  })

  test.each([
    [['explain', '--key', 'x'], '--key goes with --request'],
    [['explain', '--request', 'f', '--key', 'x', '--as', 'y'], 'exclude each other'],
    [['explain', '--request', 'f', '--header', 'no colon'], 'is not "name: value"'],
    [['explain', '--request', 'f', '--path', 'v1'], '--path begins with /'],
  ])('%j', async (argv, message) => {
    const { code, err } = await cli(argv)
    expect(code).toBe(2)
    expect(err).toContain(message)
  })

  test('as a process: a large body through standard input comes out whole', async () => {
    const large = Buffer.from(`{"model":"demo","pad":"${'x'.repeat(3_000_000)}","messages":[]}`)
    const { bytes, code, err } = await cliProcess(
      ['explain', '--config', path, '--request', '-', '--body-only', '--header', `authorization: Bearer ${key}`],
      { stdin: large },
    )
    expect(err).toBe('')
    expect(code).toBe(0)
    expect(Buffer.compare(bytes, large)).toBe(0)
  })
})

test('a host is shown as it would be called, and nobody is asked for its credential', async () => {
  const hosted = `version: 1
upstreams:
  aws: { dialect: anthropic, host: bedrock, bedrock: { region: us-east-1, profile: not-on-this-machine } }
models: { claude: { targets: [{ upstream: aws, model: "eu.claude-v1:0" }] } }
plugins: [{ use: router }]
`
  const file = await dir.write('hosted.yaml', hosted)
  const asked = await dir.write('hosted.json', '{"model":"claude","max_tokens":5,"messages":[]}')
  const { out, code } = await cli(['explain', '--config', file, '--request', asked, '--path', '/v1/messages'])
  expect(code).toBe(0)
  expect(out).toContain('POST https://bedrock-runtime.us-east-1.amazonaws.com/model/eu.claude-v1%3A0/invoke')
  expect(out).toMatch(/authorization:\s+\*\*\*/)
  expect(out).toContain('{"max_tokens":5,"messages":[],"anthropic_version":"bedrock-2023-05-31"}')
})
