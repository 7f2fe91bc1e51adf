/** Tokens of other issuers: every algorithm, every way of being refused, keys from the config and from a real JWKS server. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { definePlugin, Principal, type PrincipalValue } from 'headgate/plugin'
import { type PluginKit, testPlugin } from 'headgate/testkit'
import { exportJWK, exportSPKI, type GenerateKeyPairResult, generateKeyPair, type JWK, SignJWT } from 'jose'
import auth from './index.ts'
import { publicAlgorithms } from './jwt-config.ts'
import { refreshEvery } from './jwt-keys.ts'

const issuer = 'https://id.example.com'
const secret = 'a shared secret of at least 32 bytes, for tests'
/** The clock of the test kit: 2026-01-01. */
const start = Date.UTC(2026, 0, 1) / 1000

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) expect(await kit.close()).toBe(true)
})

const seen: { principal?: PrincipalValue | undefined } = {}
const witness = definePlugin({
  api: 1,
  name: 'witness',
  summary: 'Sees who calls',
  failure: 'open',
  wants: [Principal],
  setup: () => ({ attempt: (x) => void (seen.principal = x.peek(Principal)) }),
})

async function started(...issuers: Record<string, unknown>[]) {
  const kit = await testPlugin(auth, { with: { anonymous: true, jwt: issuers.map((i) => ({ issuer, ...i })) }, below: [witness] })
  kits.push(kit)
  return {
    kit,
    async ask(token: string, header = 'authorization') {
      seen.principal = undefined
      const value = header === 'authorization' ? `Bearer ${token}` : token
      const { status, outcome, json } = await kit.chat(undefined, { headers: { [header]: value } })
      return {
        status,
        code: outcome.code,
        message: (json as { error?: { message: string } }).error?.message,
        principal: seen.principal as PrincipalValue | undefined,
      }
    },
  }
}

interface Making {
  readonly alg?: string
  readonly kid?: string
  readonly claims?: Record<string, unknown>
}

function token(key: Parameters<SignJWT['sign']>[0], { alg = 'RS256', kid, claims = {} }: Making = {}): Promise<string> {
  return new SignJWT({ iss: issuer, sub: 'ann', exp: start + 600, ...claims }).setProtectedHeader({ alg, ...(kid && { kid }) }).sign(key)
}

const bytes = (text: string) => new TextEncoder().encode(text)
const pairs = new Map<string, GenerateKeyPairResult>()
beforeAll(async () => {
  for (const alg of publicAlgorithms) pairs.set(alg, await generateKeyPair(alg, { extractable: true }))
})
const pairOf = (alg: string) => pairs.get(alg)!
const jwkOf = async (alg: string, more: JWK = {} as JWK): Promise<JWK> => ({ ...(await exportJWK(pairOf(alg).publicKey)), ...more })

describe('a token is let in', () => {
  test.each(['HS256', 'HS384', 'HS512'])('signed with %s', async (alg) => {
    const gate = await started({ keys: [{ secret: secret.repeat(2) }] })
    expect(await gate.ask(await token(bytes(secret.repeat(2)), { alg }))).toMatchObject({
      status: 200,
      principal: { id: 'jwt:ann', kind: 'jwt', account: 'jwt:ann', tags: [], expiresAt: (start + 600) * 1000 },
    })
  })

  test.each([...publicAlgorithms])('signed with %s, the key as PEM and as JWK', async (alg) => {
    const { privateKey, publicKey } = pairOf(alg)
    for (const key of [{ pem: await exportSPKI(publicKey) }, { jwk: await jwkOf(alg) }]) {
      const gate = await started({ keys: [key] })
      expect(await gate.ask(await token(privateKey, { alg }))).toMatchObject({ status: 200, principal: { id: 'jwt:ann' } })
    }
  })

  test('in any header that may carry a key, also when it is long', async () => {
    const gate = await started({ keys: [{ secret }] })
    const long = await token(bytes(secret), { alg: 'HS256', claims: { note: 'x'.repeat(4000) } })
    for (const header of ['authorization', 'x-api-key']) expect((await gate.ask(long, header)).status).toBe(200)
  })

  test('and says by its claims who calls, nested ones and odd names too', async () => {
    const gate = await started({
      keys: [{ secret }],
      kind: 'instance',
      id_prefix: 'id/',
      tier: 'free',
      claims: {
        id: 'uid',
        account: 'org.id',
        tier: 'https://example.com/tier',
        tags: 'scope',
        user: 'email',
        models: 'models',
        name: 'name',
      },
    })
    const claims = {
      uid: 17,
      org: { id: 'acme' },
      'https://example.com/tier': 'paid',
      scope: 'a b',
      email: 'ann@example.com',
      models: ['test-*'],
      name: 'Ann',
    }
    const made = await gate.ask(await token(bytes(secret), { alg: 'HS256', claims }))
    expect(made.principal).toEqual({
      id: 'id/17',
      kind: 'instance',
      account: 'acme',
      tier: 'paid',
      tags: ['a', 'b'],
      user: 'ann@example.com',
      models: ['test-*'],
      name: 'Ann',
      expiresAt: (start + 600) * 1000,
    })
    const plain = await gate.ask(await token(bytes(secret), { alg: 'HS256', claims: { uid: 'x' } }))
    expect(plain.principal).toEqual({
      id: 'id/x',
      kind: 'instance',
      account: 'id/x',
      tier: 'free',
      tags: [],
      expiresAt: (start + 600) * 1000,
    })
    const limited = await gate.ask(await token(bytes(secret), { alg: 'HS256', claims: { ...claims, models: 'other' } }))
    expect(limited).toMatchObject({ status: 403, code: 'permission_denied' })
  })

  test('within the leeway of its times, and once verified until it has expired', async () => {
    const gate = await started({ keys: [{ secret }], leeway: '30s' })
    const made = await token(bytes(secret), { alg: 'HS256', claims: { nbf: start + 20 } })
    expect((await gate.ask(made)).status).toBe(200)
    await gate.kit.clock.advance(629_000)
    expect((await gate.ask(made)).status).toBe(200)
    await gate.kit.clock.advance(1_001)
    expect(await gate.ask(made)).toMatchObject({ status: 401, code: 'expired_api_key' })
  })

  test('self-host tokens have their tier; two issuers stand beside each other', async () => {
    const other = 'https://customer.example.net'
    const gate = await started(
      { keys: [{ secret }] },
      { issuer: other, keys: [{ jwk: await jwkOf('EdDSA') }], kind: 'self_host', id_prefix: 'self:' },
    )
    const { privateKey } = pairOf('EdDSA')
    expect((await gate.ask(await token(privateKey, { alg: 'EdDSA', claims: { iss: other } }))).principal).toMatchObject({
      id: 'self:ann',
      kind: 'self_host',
      tier: 'self-host',
    })
    expect((await gate.ask(await token(bytes(secret), { alg: 'HS256' }))).principal?.id).toBe('jwt:ann')
    // signed by the one, in the name of the other
    expect(await gate.ask(await token(privateKey, { alg: 'EdDSA' }))).toMatchObject({ status: 401, code: 'invalid_signature' })
  })
})

describe('a token is refused', () => {
  const rsaPem = async () => await exportSPKI(pairOf('RS256').publicKey)
  const cases: [string, (key: Uint8Array) => Promise<string> | string, string, RegExp][] = [
    [
      'another secret',
      () => token(bytes('another secret of at least 32 bytes!'), { alg: 'HS256' }),
      'invalid_signature',
      /signature of the token/,
    ],
    [
      'changed claims',
      async (key) => {
        const [head, , signature] = (await token(key, { alg: 'HS256' })).split('.')
        const claims = Buffer.from(JSON.stringify({ iss: issuer, sub: 'root', exp: start + 600, aud: 'gate' })).toString('base64url')
        return `${head}.${claims}.${signature}`
      },
      'invalid_signature',
      /signature of the token/,
    ],
    ['expired', (key) => token(key, { alg: 'HS256', claims: { exp: start - 60, aud: 'gate' } }), 'expired_api_key', /has expired/],
    ['not valid yet', (key) => token(key, { alg: 'HS256', claims: { nbf: start + 60, aud: 'gate' } }), 'invalid_api_key', /not valid yet/],
    ['another audience', (key) => token(key, { alg: 'HS256', claims: { aud: 'other' } }), 'invalid_api_key', /audience/],
    ['no audience', (key) => token(key, { alg: 'HS256' }), 'invalid_api_key', /no claim aud/],
    [
      'another issuer',
      (key) => token(key, { alg: 'HS256', claims: { iss: 'https://evil.example' } }),
      'invalid_api_key',
      /issuer is not one/,
    ],
    ['no issuer', (key) => token(key, { alg: 'HS256', claims: { iss: undefined } }), 'invalid_api_key', /issuer is not one/],
    ['no end', (key) => token(key, { alg: 'HS256', claims: { exp: undefined, aud: 'gate' } }), 'invalid_api_key', /no claim exp/],
    ['an end that no date is', (key) => token(key, { alg: 'HS256', claims: { exp: 1e300, aud: 'gate' } }), 'invalid_api_key', /in seconds/],
    ['no subject', (key) => token(key, { alg: 'HS256', claims: { sub: undefined, aud: 'gate' } }), 'invalid_api_key', /no claim sub/],
    [
      'a subject that is no text',
      (key) => token(key, { alg: 'HS256', claims: { sub: { a: 1 } as never, aud: 'gate' } }),
      'invalid_api_key',
      /claim sub/,
    ],
    [
      'models that are no list',
      (key) => token(key, { alg: 'HS256', claims: { models: { a: 1 }, aud: 'gate' } }),
      'invalid_api_key',
      /claim models/,
    ],
    [
      'alg: none',
      () => {
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
        return `${part({ alg: 'none' })}.${part({ iss: issuer, sub: 'root', exp: start + 600, aud: 'gate' })}.`
      },
      'invalid_signature',
      /no signature that counts/,
    ],
    ['not a token', () => 'eyJhbGciOiJIUzI1NiJ9.e30x.c2ln', 'invalid_api_key', /malformed/],
    ['three words', () => 'eyJ.eyJ.eyJ', 'invalid_api_key', /malformed/],
  ]
  test.each(cases)('%s', async (_name, make, code, message) => {
    const gate = await started({ keys: [{ secret }, { pem: await rsaPem() }], audience: ['gate'], claims: { models: 'models' } })
    const made = await make(bytes(secret))
    const { status, principal, ...refused } = await gate.ask(made)
    expect(refused.code).toBe(code)
    expect(refused.message).toMatch(message)
    expect([status, principal]).toEqual([401, undefined])
    const said = JSON.stringify([refused, gate.kit.logs])
    for (const part of made.split('.')) if (part.length > 10) expect(said).not.toContain(part)
  })

  test('alg confusion: a public key is no secret, and a secret verifies nothing else', async () => {
    const pem = await rsaPem()
    const forged = await token(bytes(pem), { alg: 'HS256' })
    for (const keys of [[{ pem }], [{ pem }, { secret }]]) {
      const gate = await started({ keys })
      expect(await gate.ask(forged)).toMatchObject({ status: 401, code: 'invalid_signature' })
    }
    // the same by hand, in case a library would not sign so
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: issuer, sub: 'root', exp: start + 600 })}`
    const gate = await started({ keys: [{ pem }] })
    expect((await gate.ask(`${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`)).status).toBe(401)
  })

  test('algorithms that the operator does not want', async () => {
    const gate = await started({ keys: [{ secret }], algorithms: ['HS512'] })
    expect((await gate.ask(await token(bytes(secret), { alg: 'HS256' }))).code).toBe('invalid_signature')
    expect((await gate.ask(await token(bytes(secret.repeat(2)), { alg: 'HS512' }))).code).toBe('invalid_signature')
    expect((await gate.ask(await token(bytes(secret), { alg: 'HS512' }))).status).toBe(200)
  })

  test('keys that are no tokens are looked up as keys', async () => {
    const gate = await started({ keys: [{ secret }] })
    expect(await gate.ask('sk-hg-unknown')).toMatchObject({ code: 'invalid_api_key', message: expect.stringContaining('not known here') })
  })
})

describe('a config', () => {
  const wrong: [string, () => Record<string, unknown>[] | Promise<Record<string, unknown>[]>, RegExp][] = [
    ['without keys', () => [{}], /neither jwks_url nor keys/],
    ['with a short secret', () => [{ keys: [{ secret: 'short' }] }], /keys\[0\].*too short/],
    ['with two kinds of key in one', async () => [{ keys: [{ secret, jwk: await jwkOf('ES256') }] }], /one of secret, pem and jwk/],
    ['with a broken PEM', () => [{ keys: [{ pem: 'nonsense' }] }], /no public key/],
    ['with algorithms that fit no key', () => [{ keys: [{ secret }], algorithms: ['RS256'] }], /no key for the algorithms RS256/],
    ['with one issuer twice', () => [{ keys: [{ secret }] }, { keys: [{ secret }], id_prefix: 'x:' }], /stands in jwt twice/],
    ['with subjects that meet', () => [{ keys: [{ secret }] }, { issuer: 'b', keys: [{ secret }] }], /same id_prefix/],
  ]
  test.each(wrong)('%s does not start', async (_name, issuers, message) => {
    await expect(started(...(await issuers()))).rejects.toThrow(message)
  })
})

describe('published keys', () => {
  let keys: JWK[] = []
  let reads = 0
  let broken = false
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch() {
      reads++
      return broken ? new Response('no', { status: 503 }) : Response.json({ keys })
    },
  })
  afterAll(() => server.stop(true))
  afterEach(() => {
    keys = []
    reads = 0
    broken = false
  })
  const jwks_url = `http://127.0.0.1:${server.port}/keys`
  const signed = (alg: string, kid?: string) => token(pairOf(alg).privateKey, { alg, ...(kid !== undefined && { kid }) })

  test('are read when first needed, once for many', async () => {
    keys = [await jwkOf('RS256', { kid: 'one' } as JWK)]
    const gate = await started({ jwks_url })
    expect(reads).toBe(0)
    const made = await signed('RS256', 'one')
    const all = await Promise.all(Array.from({ length: 20 }, () => gate.ask(made)))
    expect(all.every(({ status }) => status === 200)).toBe(true)
    expect(reads).toBe(1)
  })

  test('change: a new one is found at once, strangers cause one read in a while, an old one is forgotten', async () => {
    keys = [await jwkOf('RS256', { kid: 'one' } as JWK)]
    const gate = await started({ jwks_url })
    const old = await signed('RS256', 'one')
    expect((await gate.ask(old)).status).toBe(200)
    await gate.kit.clock.advance(60_000)
    keys = [await jwkOf('ES256', { kid: 'two' } as JWK)]
    expect((await gate.ask(await signed('ES256', 'two'))).status).toBe(200)
    expect(reads).toBe(2)
    expect(await gate.ask(old)).toMatchObject({ status: 401, code: 'invalid_signature' }) // and not from memory
    for (let i = 0; i < 10; i++) await gate.ask(await signed('ES256', `made-up-${i}`))
    expect(reads).toBe(2)
    keys = []
    await gate.kit.clock.advance(refreshEvery)
    expect(reads).toBe(3)
    expect((await gate.ask(await signed('ES256', 'two'))).status).toBe(401)
  })

  test('stay good while the issuer is away; before they were read, nobody is called a liar', async () => {
    broken = true
    const gate = await started({ jwks_url })
    keys = [await jwkOf('EdDSA', { kid: 'one' } as JWK)]
    const made = await signed('EdDSA', 'one')
    expect((await gate.ask(made)).status).toBe(503)
    broken = false
    expect((await gate.ask(made)).status).toBe(503) // not asked again for each request
    await gate.kit.clock.advance(1000)
    expect((await gate.ask(made)).status).toBe(200)
    broken = true
    await gate.kit.clock.advance(refreshEvery * 1.5)
    const later = await token(pairOf('EdDSA').privateKey, { alg: 'EdDSA', kid: 'one', claims: { exp: start + 6000 } })
    expect((await gate.ask(later)).status).toBe(200)
    const errors = gate.kit.logs.filter((l) => l.level === 'error' && String(l.message).includes('keys of a token issuer'))
    expect(errors).toHaveLength(2)
  })

  test('that are secrets, or for encryption, verify nothing', async () => {
    keys = [
      { kty: 'oct', k: Buffer.from(secret).toString('base64url'), kid: 'one' },
      await jwkOf('RS256', { kid: 'two', use: 'enc' } as JWK),
      { nonsense: true } as never,
    ]
    const gate = await started({ jwks_url })
    expect((await gate.ask(await token(bytes(secret), { alg: 'HS256', kid: 'one' }))).code).toBe('invalid_signature')
    expect((await gate.ask(await signed('RS256', 'two'))).code).toBe('invalid_signature')
  })

  test('of an RSA key too small to be safe are not used', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    keys = [{ ...(publicKey.export({ format: 'jwk' }) as JWK), kid: 'small' }]
    const gate = await started({ jwks_url })
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const text = `${part({ alg: 'RS256', kid: 'small' })}.${part({ iss: issuer, sub: 'ann', exp: start + 600 })}`
    const signature = sign('sha256', Buffer.from(text), privateKey)
    expect((await gate.ask(`${text}.${signature.toString('base64url')}`)).status).toBe(401)
  })
})
