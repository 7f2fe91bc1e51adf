/** `headgate keys`: a key is shown once and alone to a script, listed without secrets, and gone when revoked. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { cli, cliProcess, config, type Folder, folder } from './cli.fixture.ts'

let dir: Folder
let path: string
const auth = '  - use: auth\n    with: { keys_file: ./data/keys.json, key_prefix: hg- }\n  - use: router'
beforeEach(async () => {
  dir = folder()
  path = await dir.write('gateway.yaml', config(auth))
})
afterEach(() => dir.remove())

const keys = (...argv: string[]) => cli(['keys', ...argv, '--config', path])

test('create, in a script: the key and nothing else; in a terminal: with words', async () => {
  const script = await keys('create', '--name', 'ann')
  expect(script).toMatchObject({ code: 0, err: '' })
  expect(script.out).toMatch(/^hg-[0-9A-Za-z]{48}\n$/)
  const terminal = await cli(['keys', 'create', '--config', path], { terminal: true })
  expect(terminal.out).toContain('shown once')
  expect(readFileSync(dir.file('data/keys.json'), 'utf8')).not.toContain(script.out.trim())
})

test('all that a key may carry arrives, repeated options in order', async () => {
  await keys(
    'create',
    '--name',
    'ann',
    '--tier',
    'paid',
    '--account',
    'acme',
    '--tag',
    'a',
    '--tag',
    'b',
    '--model',
    'gpt-*',
    '--expires',
    '30d',
  )
  const [key] = JSON.parse((await keys('list', '--json')).out) as [Record<string, unknown>]
  expect(key).toMatchObject({ name: 'ann', tier: 'paid', account: 'acme', tags: ['a', 'b'], models: ['gpt-*'] })
  const days = (Date.parse(String(key.expires)) - Date.now()) / 86_400_000
  expect(days).toBeGreaterThan(29.9)
  expect(days).toBeLessThanOrEqual(30)
  expect(key).not.toHaveProperty('hash')
  expect(key).not.toHaveProperty('salt')
  expect((await keys('list')).out).toMatch(/key_\w+ +hg-\w+ +ann +acme +paid +a,b +gpt-\*/)
})

test('revoke by id, by prefix, or by the whole key when that was pasted', async () => {
  for (const pick of ['id', 'prefix', 'key'] as const) {
    const key = (await keys('create')).out.trim()
    const [record] = JSON.parse((await keys('list', '--json')).out) as [{ id: string; prefix: string }]
    const { code, err } = await keys('revoke', pick === 'key' ? key : record[pick])
    expect(code).toBe(0)
    expect(err).toContain(`${record.id} is revoked`)
    expect(err).not.toContain(key)
    expect((await keys('list', '--json')).out).toBe('[]\n')
  }
})

test('revoking what is not there fails and points to the nearest, never repeating what was pasted', async () => {
  await keys('create')
  const [{ id }] = JSON.parse((await keys('list', '--json')).out) as [{ id: string }]
  const near = await keys('revoke', `${id.slice(0, -1)}_`)
  expect(near.code).toBe(1)
  expect(near.err).toContain(`did you mean ${id}?`)
  const secret = `hg-${'z'.repeat(60)}`
  const pasted = await keys('revoke', secret)
  expect(pasted.code).toBe(1)
  expect(pasted.err).not.toContain(secret)
})

test.each([
  [[], 'say what to do'],
  [['craete'], 'did you mean create?'],
  [['list', '--name', 'x'], '--name goes with create and update'],
  [['revoke'], 'name the key to revoke'],
  [['list', 'x'], 'unexpected argument'],
  [['create', '--expires', 'tomorrow'], '--expires "tomorrow" is neither'],
  [['create', '--expires', '2001-01-01'], 'is over already'],
])('keys %j is a usage error', async (argv, message) => {
  const { code, err } = await keys(...argv)
  expect(code).toBe(2)
  expect(err).toContain(message)
  expect(existsSync(dir.file('data'))).toBe(false)
})

test('a config without auth, with a broken file, or with two of them', async () => {
  path = await dir.write('none.yaml', config('  - use: router'))
  expect((await keys('create')).err).toContain('has no usable `auth` plugin')
  path = await dir.write('wrong.yaml', config('  - use: auth\n    with: { keys_fil: x }\n  - use: router'))
  expect((await keys('create')).code).toBe(1)
  path = await dir.write(
    'two.yaml',
    config(`  - use: auth\n    with: { keys_file: a.json }\n  - use: auth\n    id: staff\n    with: { keys_file: b.json }`),
  )
  expect((await keys('create')).err).toContain('(auth, staff)')
  expect((await keys('create', '--plugin', 'staff')).code).toBe(0)
  expect(existsSync(dir.file('b.json'))).toBe(true)
  expect(existsSync(dir.file('a.json'))).toBe(false)
})

test('a place that cannot be written is one sentence; the rest of the config may be broken', async () => {
  await dir.write('data', 'a file where the folder should be')
  const { code, err } = await keys('create')
  expect(code).toBe(1)
  expect(err).toStartWith('headgate keys: the keys file ')
  expect(err.trim().split('\n')).toHaveLength(1)
  path = await dir.write('half.yaml', config(auth.replace('./data/', './'), 'sever: {}\n'))
  expect((await keys('create')).code).toBe(0)
})

test('as a process: KEY=$(headgate keys create) holds the key', async () => {
  const { out, err, code } = await cliProcess(['keys', 'create', '--config', path])
  expect(code).toBe(0)
  expect(err).toBe('')
  expect(out).toMatch(/^hg-[0-9A-Za-z]{48}\n$/)
})

test('limits are listed as they are written', async () => {
  for (const limit of ['5/1d', '6/2h', '7/90s', '8/250ms']) await keys('create', '--limit', limit)
  const { out } = await keys('list')
  for (const limit of ['5/1d', '6/2h', '7/90s', '8/250ms']) expect(out).toContain(` ${limit} `)
})

test('keys in records: the same words in another place, and explain runs as their holder', async () => {
  const records = 'records: "sqlite:./keys.db"\n'
  path = await dir.write('records.yaml', config('  - use: auth\n    with: { store: records, key_prefix: hg- }\n  - use: router', records))
  const key = (await keys('create', '--name', 'ann', '--account', 'acme', '--kind', 'self_host')).out.trim()
  expect(key).toMatch(/^hg-[0-9A-Za-z]{48}$/)
  const [info] = JSON.parse((await keys('list', '--account', 'acme', '--json')).out) as [{ id: string; prefix: string }]
  expect(info).toMatchObject({ name: 'ann', kind: 'self_host' })
  expect((await keys('list', '--account', 'other', '--json')).out).toBe('[]\n')
  expect(existsSync(dir.file('data/keys.json'))).toBe(false)
  const request = await dir.write('request.json', '{"model":"demo","messages":[]}')
  const ran = await cli(['explain', '--config', path, '--request', request, '--as', info.id])
  expect([ran.code, ran.err]).toEqual([0, ''])
  expect(ran.out).toMatch(/auth +admit +/)
  expect((await cli(['explain', '--config', path, '--request', request, '--as', 'key_no'])).err).toContain(info.id)
  expect((await keys('update', info.prefix, '--tier', 'gold', '--expires', '30d')).code).toBe(0)
  expect((await keys('list')).out).toMatch(/ann +self_host +acme +gold/)
  expect((await keys('revoke', info.id)).code).toBe(0)
  expect((await keys('list')).err).toContain('There are no keys in sqlite:./keys.db')
})

test('keys in records that can not be reached: one sentence, no password', async () => {
  const records = 'records: "postgres://me:geheim-7@127.0.0.1:1/x"\n'
  path = await dir.write('away.yaml', config('  - use: auth\n    with: { store: records }\n  - use: router', records))
  const { code, err } = await keys('list')
  expect(code).toBe(1)
  expect(err).toContain('postgres://***@127.0.0.1:1/x can not be read or changed')
  expect(err).not.toContain('geheim-7')
  expect(err.trim().split('\n')).toHaveLength(1)
  path = await dir.write('memory.yaml', config('  - use: auth\n    with: { store: records }\n  - use: router', 'records: memory\n'))
  expect((await keys('list')).err).toContain('use its admin API')
})

test('what is wrong with a field is said with what would be right', async () => {
  for (const date of ['2027-02-30', '2027-02-30T12:00:00Z', 'soon']) {
    const { code, err } = await keys('create', '--expires', date)
    expect([code, err]).toEqual([2, expect.stringContaining('neither a date that exists')])
  }
  expect((await keys('create', '--kind', 'zz')).err).toContain('--kind must be one of: key, instance, self_host')
  expect((await keys('list')).err).toContain('There are no keys in')
})

test('an account without keys is not a place without keys', async () => {
  await keys('create', '--account', 'acme')
  const { err } = await keys('list', '--account', 'zz')
  expect(err).toContain('The account "zz" has no keys')
  expect(err).not.toContain('Make one')
})
