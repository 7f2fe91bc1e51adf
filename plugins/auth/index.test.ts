import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AdmitExchange, type Exchange, type Host, type PrincipalValue, type Refusal, StoreUnavailable } from 'headgate/plugin'
import auth from './index.ts'
import { fileKeyStore } from './key-store.ts'
import { addKeyToFile, createKey, hashKey, readKeys, removeKeyFromFile } from './keys.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-auth-'))
})
afterEach(() => rm(folder, { recursive: true }))

interface Sent {
  readonly query?: string
  readonly ip?: string
  /** The body's `models`. */
  readonly models?: unknown
}

/** The plugin, set up over a fake host; `look` is one run of its background task. */
async function started(options: Record<string, unknown> = {}) {
  const logged: string[] = []
  const log = (message: string, fields?: unknown) => logged.push(`${message} ${JSON.stringify(fields)}`)
  const clock = { now: Date.parse('2026-01-01T00:00:00Z') }
  let look: () => void | Promise<void> = () => undefined
  const host = {
    log: { debug: log, info: log, warn: log, error: log },
    now: () => clock.now,
    id: 'auth',
    file: (path: string) => join(folder, path),
    state: { setIfAbsent: async () => true },
    catalog: { tiered: false },
    admin: () => undefined,
    route: () => undefined,
    task: (_name: string, every: number, run: () => void | Promise<void>) => {
      expect(every).toBeLessThanOrEqual(1000)
      look = run
    },
  } as unknown as Host
  const config = {
    keys_file: 'keys.json',
    keys: [],
    key_prefix: 'sk-hg-',
    headers: ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'],
    query: ['key'],
    anonymous: false,
    store: 'file',
    stale_for: 3_600_000,
    cache: 100,
    jwt: [],
    end_user: false,
    info_paths: ['/v1/auth/key'],
    ...options,
  }
  const hooks = await auth.setup(host, config)
  return {
    logged,
    clock,
    look: async () => look(),
    /** Admits, then asks for a model; gives what was refused and who it was. */
    async send(headers: [string, string][] | Record<string, string>, model = 'm', more: Sent = {}) {
      let principal: PrincipalValue | undefined
      const x = {
        headers: new Headers(headers),
        query: more.query ?? '',
        ip: more.ip ?? '192.0.2.1',
        state: auth.state?.(),
        request: { model, at: (pointer: string) => (pointer === '/models' ? more.models : undefined) },
        put: (_slot: unknown, value: PrincipalValue) => {
          principal = value
        },
        refuse: (code: string, more: object) => ({ type: 'refusal', code, ...more }),
      } as unknown as Exchange
      const refusal = ((await hooks.admit?.(x as AdmitExchange)) ?? (await hooks.request?.(x))) as Refusal | undefined
      return { principal, refusal }
    },
  }
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

async function withKey(options: Partial<Parameters<typeof createKey>[0]> = {}) {
  const made = createKey({ name: 'test', ...options })
  await addKeyToFile(join(folder, 'keys.json'), made.record)
  return made
}

describe('a known key', () => {
  test.each([
    ['bearer', (key: string) => ({ authorization: `Bearer ${key}` })],
    ['bearer in small letters', (key: string) => ({ authorization: `bearer ${key}` })],
    ['bearer with more blanks', (key: string) => ({ authorization: `Bearer   ${key} ` })],
    ['x-api-key', (key: string) => ({ 'x-api-key': key })],
    ['api-key', (key: string) => ({ 'api-key': key })],
    ['x-goog-api-key', (key: string) => ({ 'x-goog-api-key': key })],
    ['two headers that agree', (key: string) => ({ 'x-api-key': key, authorization: `Bearer ${key}` })],
    ['an empty header beside it', (key: string) => ({ 'x-api-key': '', authorization: `Bearer ${key}` })],
  ])('is admitted: %s', async (_name, headers) => {
    const { key, record } = await withKey({ account: 'acct_1', tier: 'paid', tags: ['a'] })
    const { principal, refusal } = await (await started()).send(headers(key))
    expect(refusal).toBeUndefined()
    expect(principal).toEqual({ id: record.id, name: 'test', kind: 'key', account: 'acct_1', tier: 'paid', tags: ['a'] })
  })

  test('pays for itself when no account is set', async () => {
    const { key, record } = await withKey()
    expect((await (await started()).send(bearer(key))).principal?.account).toBe(record.id)
  })

  test('of the config is found by the hash of its whole text', async () => {
    const gate = await started({ keys: [{ id: 'ci', hash: hashKey('', 'sk-any-key-text').toUpperCase(), tier: 'paid' }] })
    expect((await gate.send(bearer('sk-any-key-text'))).principal).toMatchObject({ id: 'ci', account: 'ci', tier: 'paid' })
    expect((await gate.send(bearer('sk-any-key-tex'))).refusal?.code).toBe('invalid_api_key')
  })

  test('stays valid after key_prefix was changed', async () => {
    const old = await withKey({ keyPrefix: 'sk-a-longer-one-' })
    const young = await withKey({ keyPrefix: '' })
    const gate = await started({ key_prefix: 'sk-x-' })
    expect((await gate.send(bearer(old.key))).principal?.id).toBe(old.record.id)
    expect((await gate.send(bearer(young.key))).principal?.id).toBe(young.record.id)
  })

  test('is refused from the moment it expires', async () => {
    const { key, record } = await withKey({ expires: '2026-01-02' })
    const gate = await started()
    gate.clock.now = Date.parse('2026-01-01T23:59:59.999Z')
    expect((await gate.send(bearer(key))).refusal).toBeUndefined()
    gate.clock.now += 1
    const { refusal, principal } = await gate.send(bearer(key))
    expect(refusal).toMatchObject({ code: 'expired_api_key', headers: { 'www-authenticate': 'Bearer' } })
    expect(refusal?.message).toContain(`${record.id} expired at 2026-01-02T00:00:00.000Z`)
    expect(principal).toBeUndefined()
  })
})

describe('refused', () => {
  const cases: [string, (key: string) => [string, string][], string, RegExp][] = [
    ['no header at all', () => [], 'missing_api_key', /No API key\. Send it as/],
    ['empty bearer', () => [['authorization', 'Bearer ']], 'missing_api_key', /authorization header is there, but/],
    ['empty x-api-key', () => [['x-api-key', '']], 'missing_api_key', /x-api-key header is there, but/],
    ['another scheme', (key) => [['authorization', `Basic ${key}`]], 'invalid_api_key', /another scheme/],
    ['no scheme', (key) => [['authorization', key]], 'invalid_api_key', /another scheme or none/],
    ['scheme run together', (key) => [['authorization', `Bearer${key}`]], 'invalid_api_key', /another scheme or none/],
    [
      'two authorization headers',
      (key) => [
        ['authorization', `Bearer ${key}`],
        ['authorization', `Bearer ${key}`],
      ],
      'invalid_api_key',
      /more than once/,
    ],
    [
      'two x-api-key headers, the first empty',
      (key) => [
        ['x-api-key', ''],
        ['x-api-key', key],
      ],
      'invalid_api_key',
      /more than once/,
    ],
    [
      'headers that disagree',
      (key) => [
        ['authorization', `Bearer ${key}`],
        ['x-api-key', `${key}x`],
      ],
      'invalid_api_key',
      /authorization header and the x-api-key header carry different/,
    ],
    ['too long', (key) => [['x-api-key', key + 'x'.repeat(600)]], 'invalid_api_key', /too long/],
    ['with a blank', (key) => [['x-api-key', `${key} x`]], 'invalid_api_key', /characters that no key has/],
    ['not ASCII', (key) => [['x-api-key', `${key}\u00e9`]], 'invalid_api_key', /characters that no key has/],
    ['unknown', () => [['authorization', `Bearer ${createKey({ name: 'other' }).key}`]], 'invalid_api_key', /not known here/],
    [
      'of another service',
      () => [['authorization', 'Bearer sk-proj-abc']],
      'invalid_api_key',
      /another service\. Keys made here begin with sk-hg-\./,
    ],
    ['right prefix, wrong secret', (key) => [['authorization', `Bearer ${key.slice(0, -1)}-`]], 'invalid_api_key', /not known here/],
    ['one character more', (key) => [['authorization', `Bearer ${key}0`]], 'invalid_api_key', /not known here/],
    ['the public prefix alone', (key) => [['authorization', `Bearer ${key.slice(0, 14)}`]], 'invalid_api_key', /not known here/],
  ]
  test.each(cases)('%s', async (_name, headers, code, message) => {
    const { key } = await withKey()
    const gate = await started()
    const { refusal, principal } = await gate.send(headers(key))
    expect(refusal?.code).toBe(code as Refusal['code'])
    expect(refusal?.message).toMatch(message)
    expect(refusal?.headers).toEqual({ 'www-authenticate': 'Bearer' })
    expect(principal).toBeUndefined()
    expect(JSON.stringify(refusal) + gate.logged.join()).not.toContain(key.slice(8))
  })
})

describe('models of a key', () => {
  test('are globs, checked when the body is read', async () => {
    const { key, record } = await withKey({ models: ['anthropic/*', 'gpt-5'] })
    const gate = await started()
    for (const model of ['anthropic/claude', 'anthropic/', 'gpt-5', '']) {
      expect((await gate.send(bearer(key), model)).refusal).toBeUndefined()
    }
    for (const model of ['gpt-5-mini', 'x/anthropic/claude', 'Anthropic/claude']) {
      const { refusal } = await gate.send(bearer(key), model)
      expect(refusal).toMatchObject({ code: 'permission_denied', param: 'model' })
      expect(refusal?.message).toBe(`The API key ${record.id} may not use the model "${model}". It may use: anthropic/*, gpt-5.`)
    }
  })

  test('hold for the models that a request would fall back to', async () => {
    const { key } = await withKey({ models: ['anthropic/*'] })
    const gate = await started()
    expect((await gate.send(bearer(key), 'anthropic/a', { models: ['anthropic/b'] })).refusal).toBeUndefined()
    for (const model of ['anthropic/a', '']) {
      const { refusal } = await gate.send(bearer(key), model, { models: ['anthropic/b', 'gpt-5'] })
      expect(refusal).toMatchObject({ code: 'permission_denied', message: expect.stringContaining('the model "gpt-5"') })
    }
    expect((await gate.send(bearer(key), 'anthropic/a', { models: 'gpt-5' })).refusal).toBeUndefined() // no list: it means nothing
  })

  test('an empty list allows none', async () => {
    const { key } = await withKey({ models: [] })
    expect((await (await started()).send(bearer(key))).refusal?.code).toBe('permission_denied')
  })
})

describe('anonymous', () => {
  test('admits who has no key, and still refuses a wrong one', async () => {
    const gate = await started({ anonymous: true })
    expect((await gate.send({})).principal).toMatchObject({ account: 'anonymous', kind: 'anonymous', tier: 'anonymous' })
    expect((await gate.send({ authorization: 'Bearer' })).principal?.kind).toBe('anonymous')
    expect((await gate.send(bearer('sk-hg-nope'))).refusal?.code).toBe('invalid_api_key')
    expect((await gate.send({ authorization: 'Basic eA==' })).refusal?.code).toBe('invalid_api_key')
  })

  test('has no state of the request before it', async () => {
    const { key } = await withKey({ models: ['a'] })
    const gate = await started({ anonymous: true })
    await gate.send(bearer(key), 'b')
    expect((await gate.send({}, 'b')).refusal).toBeUndefined()
  })
})

describe('keys of the config', () => {
  const key = { id: 'a', hash: '0'.repeat(64) }
  test.each([
    [{ keys: [key, { ...key, id: 'b' }] }, 'a and b have the same hash'],
    [{ keys: [key, { ...key, hash: '1'.repeat(64) }] }, 'two API keys have the id a'],
    [{ keys: [{ ...key, limits: [{ window: 60_000 }] }] }, 'keys[0].limits must be'],
    [{ keys: [{ ...key, limits: [{ window: 0, requests: 1 }] }] }, 'keys[0].limits must be'],
    [{ keys: [{ ...key, caps: [{ per: 'day' }] }] }, 'keys[0].caps must be'],
    [{ anonymous: { by: 'ip', tier: 'a', account: 'a', tags: [], limits: [{ window: 1 }] } }, 'anonymous.limits must be'],
  ])('%j, which would restrict nobody or somebody else, stop the start', async (options, message) => {
    await expect(started(options)).rejects.toThrow(message)
  })
})

describe('the keys file', () => {
  const path = () => join(folder, 'keys.json')

  test('must exist when there is no other way in', async () => {
    await expect(started()).rejects.toThrow(/no API keys: .*keys\.json does not exist.*headgate keys create/)
    await started({ anonymous: true })
    await started({ keys: [{ id: 'a', hash: '0'.repeat(64) }] })
  })

  test.each([
    ['{', /is not JSON/],
    ['[]', /no list "keys"/],
    ['{"version":2,"keys":[]}', /another version/],
    ['{"version":1,"keys":[{"id":"a"}]}', /keys\[0\]\.name must be a text/],
  ])('stops the start when it is broken: %s', async (text, message) => {
    await writeFile(path(), text)
    await expect(started()).rejects.toThrow(message)
  })

  test('is refused as a whole when two keys are the same, or a date is none', async () => {
    const { record } = await withKey()
    const write = (keys: unknown[]) => writeFile(path(), JSON.stringify({ version: 1, keys }))
    await write([record, record])
    await expect(started()).rejects.toThrow(/keys\[1\] has the same id/)
    await write([{ ...record, expires: 'tomorrow' }])
    await expect(started()).rejects.toThrow(/keys\[0\]\.expires/)
    await write([{ ...record, hash: 'short' }])
    await expect(started()).rejects.toThrow(/keys\[0\]\.hash/)
  })

  test('is read again when it has changed: new keys are let in, revoked ones are not', async () => {
    const one = await withKey()
    const gate = await started()
    const two = await withKey()
    expect((await gate.send(bearer(two.key))).refusal?.code).toBe('invalid_api_key')
    await gate.look()
    expect((await gate.send(bearer(two.key))).principal?.id).toBe(two.record.id)
    expect(await removeKeyFromFile(path(), one.record.id)).toBe(true)
    await gate.look()
    expect((await gate.send(bearer(one.key))).refusal?.code).toBe('invalid_api_key')
    expect((await gate.send(bearer(two.key))).principal?.id).toBe(two.record.id)
    expect(gate.logged).toHaveLength(2)
  })

  test('keeps the old keys when it breaks or goes, and says so once', async () => {
    const { key, record } = await withKey()
    const gate = await started()
    await writeFile(path(), '{"version":1,')
    for (let i = 0; i < 3; i++) await gate.look()
    expect(gate.logged).toHaveLength(1)
    expect(gate.logged[0]).toContain('is not JSON')
    await rm(path())
    for (let i = 0; i < 3; i++) await gate.look()
    expect(gate.logged).toHaveLength(2)
    expect((await gate.send(bearer(key))).principal?.id).toBe(record.id)
  })

  test('appears later', async () => {
    const gate = await started({ anonymous: true })
    const { key, record } = await withKey()
    await gate.look()
    expect((await gate.send(bearer(key))).principal?.id).toBe(record.id)
  })

  test('holds no key, is readable by its owner only, and is left whole by writers', async () => {
    const made = [await withKey(), await withKey()]
    const text = await Bun.file(path()).text()
    for (const { key } of made) expect(text).not.toContain(key.slice(14))
    expect((await stat(path())).mode & 0o777).toBe(0o600)
    expect(await readKeys(path())).toEqual(made.map(({ record }) => record))
    expect(await removeKeyFromFile(path(), 'key_nobody')).toBe(false)
    await expect(addKeyToFile(path(), made[0]!.record)).rejects.toThrow(/same id/)
    expect(await readdir(folder)).toEqual(['keys.json'])
  })

  test('has one writer at a time, for whom others wait', async () => {
    const made = Array.from({ length: 6 }, () => createKey({ name: 'n' }).record)
    await Promise.all(made.map((record) => addKeyToFile(path(), record)))
    expect((await readKeys(path())).length).toBe(6)
    await writeFile(`${path()}.new`, '')
    await expect(withKey()).rejects.toThrow(/another process is changing the keys/)
    // so that the admin API answers with that sentence
    const { record } = createKey({ name: 'n' })
    const added = fileKeyStore(path()).add(record)
    await expect(added).rejects.toBeInstanceOf(StoreUnavailable)
    await expect(added).rejects.toThrow(/another process is changing the keys/)
  })
})

test('keys are long, random and of the promised form', () => {
  const made = Array.from({ length: 200 }, () => createKey({ name: 'n', keyPrefix: 'sk-sr-' }))
  for (const { key, record } of made) {
    expect(key).toMatch(/^sk-sr-[0-9A-Za-z]{48}$/)
    expect(key.startsWith(record.prefix)).toBe(true)
    expect(record.hash).toBe(hashKey(record.salt, key))
  }
  expect(new Set(made.map(({ record }) => record.prefix)).size).toBe(200)
  expect(new Set(made.flatMap(({ key }) => [...key.slice(6)])).size).toBe(62)
})
