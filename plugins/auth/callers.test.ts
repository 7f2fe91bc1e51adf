/** Who callers are: without a key, by end user, by key in the query; and what they may learn about themselves. */

import { afterEach, describe, expect, test } from 'bun:test'
import { definePlugin, Principal, type PrincipalValue } from 'headgate/plugin'
import { type PluginKit, type SendOptions, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import { anonymousCallers, networkOf } from './anonymous.ts'
import auth from './index.ts'
import { createKey, hashKey } from './keys.ts'

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) expect(await kit.close()).toBe(true)
})

const { key } = createKey({ name: 'a' })
const known = { id: 'ci', hash: hashKey('', key), name: 'CI' }

async function started(config: Record<string, unknown>, more: TestPluginOptions = {}) {
  const seen: { principal?: PrincipalValue | undefined } = {}
  const witness = definePlugin({
    api: 1,
    name: 'witness',
    summary: 'Sees who calls',
    failure: 'open',
    wants: [Principal],
    setup: () => ({ attempt: (x) => void (seen.principal = x.peek(Principal)) }),
  })
  const kit = await testPlugin(auth, { with: config, below: [witness], ...more })
  kits.push(kit)
  return {
    kit,
    async ask(options: SendOptions = {}) {
      seen.principal = undefined
      const result = await kit.send(options)
      return { ...result, code: result.outcome.code, principal: seen.principal as PrincipalValue | undefined }
    },
  }
}

describe('without a key', () => {
  test('callers are told apart by address, and no address shows', async () => {
    const { kit, ask } = await started({ anonymous: true })
    const first = (await ask({ ip: '192.0.2.1' })).principal!
    expect(first).toMatchObject({ kind: 'anonymous', tier: 'anonymous', account: 'anonymous', tags: [] })
    expect(first.id).toMatch(/^anon_[0-9a-f]{20}$/)
    expect((await ask({ ip: '192.0.2.1' })).principal?.id).toBe(first.id)
    expect((await ask({ ip: '192.0.2.2' })).principal?.id).not.toBe(first.id)
    const [a, b, c] = [
      await ask({ ip: '2001:db8:1:2::1' }),
      await ask({ ip: '2001:db8:1:2:ffff::9' }),
      await ask({ ip: '2001:db8:1:3::1' }),
    ]
    expect(a.principal!.id).toBe(b.principal!.id)
    expect(a.principal!.id).not.toBe(c.principal!.id)
    expect(JSON.stringify([first, kit.logs])).not.toContain('192.0.2')
  })

  test('they have the tier, models, limits and caps that the operator gives them', async () => {
    const caps = [{ per: 'day', messages: 100 }]
    const { ask } = await started({
      anonymous: { tier: 'guest', account: 'house', tags: ['g'], models: ['other'], limits: [{ window: '1m', requests: 5 }], caps },
    })
    const refused = await ask()
    expect(refused).toMatchObject({ status: 403, code: 'permission_denied' })
    expect(refused.body).toContain('They may use: other.')
    const allowed = await started({ anonymous: { tier: 'guest', limits: [{ window: '1m', requests: 5 }], caps } })
    expect((await allowed.ask()).principal).toMatchObject({ tier: 'guest', limits: [{ window: 60_000, requests: 5 }], caps } as object)
  })

  test('a key that is wrong is refused all the same', async () => {
    const { ask } = await started({ anonymous: true })
    expect(await ask({ headers: { authorization: 'Bearer sk-hg-wrong' } })).toMatchObject({ status: 401, code: 'invalid_api_key' })
    expect(await ask({ query: 'key=wrong' })).toMatchObject({ status: 401, code: 'invalid_api_key' })
  })

  test('ids are the same wherever the secret is, and others elsewhere', async () => {
    const idOf = async (secret?: string) => (await (await started({ anonymous: secret ? { secret } : true })).ask()).principal!.id
    const secret = 'a secret of some length'
    expect(await idOf(secret)).toBe(await idOf(secret))
    expect(await idOf(secret)).not.toBe(await idOf(`${secret}!`))
    expect(await idOf()).not.toBe(await idOf())
  })

  test('the secret in shared state outlives a reload', async () => {
    const { kit, ask } = await started({ anonymous: true })
    const before = (await ask()).principal!.id
    expect(await kit.reload({ fresh: true })).toEqual([])
    expect((await ask()).principal!.id).toBe(before)
    const without = await started({ anonymous: true }, { state: 'down' })
    expect((await without.ask()).status).toBe(200)
    expect(JSON.stringify(without.kit.logs)).toContain('for this process only')
  })

  test('by the user that the request names, whatever the address; else by address', async () => {
    const { ask } = await started({ anonymous: { by: 'user' } })
    const named = await ask({ body: { user: 'bob' }, ip: '192.0.2.1' })
    expect(named.principal).toMatchObject({ user: 'bob', kind: 'anonymous' })
    expect((await ask({ body: { user: 'bob' }, ip: '192.0.2.2' })).principal?.id).toBe(named.principal!.id)
    expect((await ask({ body: { user: 'eve' } })).principal?.id).not.toBe(named.principal!.id)
    expect((await ask()).principal).not.toHaveProperty('user')
  })

  test('the callers that are kept ready are bounded', () => {
    const callers = anonymousCallers({ by: 'ip', tier: 't', account: 'a', tags: [] }, 's')
    const first = callers.at('10.0.0.1')
    expect(callers.at('10.0.0.1')).toBe(first)
    for (let i = 0; i < 10_000; i++) callers.at(`10.1.${i >> 8}.${i & 255}`)
    expect(callers.at('10.0.0.1')).not.toBe(first)
    expect(callers.at('10.0.0.1').principal.id).toBe(first.principal.id)
  })

  test.each([
    ['1.2.3.4', '1.2.3.4'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', 'unknown'],
  ])('the network of %j is %s', (ip, network) => expect(networkOf(ip)).toBe(network))
})

describe('the end user', () => {
  const bearer = { authorization: `Bearer ${key}` }

  test('is read from the body only where the operator asks for it', async () => {
    expect((await (await started({ keys: [known] })).ask({ headers: bearer, body: { user: 'bob' } })).principal).not.toHaveProperty('user')
    const { ask } = await started({ keys: [known], end_user: true })
    expect((await ask({ headers: bearer, body: { user: 'bob' } })).principal).toMatchObject({ id: 'ci', user: 'bob' })
    expect((await ask({ headers: bearer, body: { user: 'bob', safety_identifier: 'ann' } })).principal?.user).toBe('ann')
    const messages = await ask({ headers: bearer, dialect: 'anthropic-messages', body: { metadata: { user_id: 'eve' } } })
    expect(messages.principal?.user).toBe('eve')
    for (const user of [17, '', 'x'.repeat(300), 'a\u0000b'])
      expect((await ask({ headers: bearer, body: { user } })).principal).not.toHaveProperty('user')
  })
})

describe('a key in the query', () => {
  test('lets in as in a header, is never forwarded, and may not contradict one', async () => {
    const { kit, ask } = await started({ keys: [known] })
    const made = await ask({ query: `alt=sse&key=${key}`, dialect: 'anthropic-messages' })
    expect(made).toMatchObject({ status: 200, principal: { id: 'ci' } })
    expect(made.sent[0]!.url).not.toContain(key)
    expect(made.sent[0]!.url).toContain('alt=sse')
    expect(await ask({ query: `key=${key}`, headers: { 'x-goog-api-key': key } })).toMatchObject({ status: 200 })
    const other = await ask({ query: `key=${key}x`, headers: { 'x-goog-api-key': key } })
    expect(other).toMatchObject({ status: 401, code: 'invalid_api_key' })
    expect(other.body).toContain('The x-goog-api-key header and the query parameter key carry different API keys')
    expect((await ask({ query: `key=${key}&key=${key}x` })).status).toBe(401)
    expect((await ask({ query: 'key=' })).code).toBe('missing_api_key')
    expect((await ask({ query: `monkey=${key}` })).code).toBe('missing_api_key')
    expect(JSON.stringify(kit.logs)).not.toContain(key)
  })

  test('is not read where the operator takes none', async () => {
    const { ask } = await started({ keys: [known], query: [] })
    expect((await ask({ query: `key=${key}` })).code).toBe('missing_api_key')
  })
})

describe('kinds of keys', () => {
  test.each([
    ['key', undefined],
    ['instance', undefined],
    ['self_host', 'self-host'],
  ])('%s', async (kind, tier) => {
    const { ask } = await started({ keys: [{ ...known, kind }] })
    const { principal } = await ask({ headers: { authorization: `Bearer ${key}` } })
    expect([principal?.kind, principal?.tier]).toEqual([kind as 'key', tier])
  })
})

describe('what a caller learns about its key', () => {
  test('everything that restricts it, never the key', async () => {
    const caps = [{ per: 'month', usd: '5' }]
    const limits = [{ window: '1m', requests: 60 }]
    const own = { ...known, tier: 'paid', account: 'acme', tags: ['a'], models: ['test-*'], limits, caps, expires: '2027-01-01' }
    const { kit } = await started({ keys: [own] })
    const response = await kit.fetch('/v1/auth/key', { headers: { authorization: `Bearer ${key}` } })
    expect(await response.json()).toEqual({
      data: {
        id: 'ci',
        name: 'CI',
        kind: 'key',
        account: 'acme',
        tier: 'paid',
        tags: ['a'],
        models: ['test-*'],
        limits: [{ window_seconds: 60, requests: 60 }],
        caps,
        expires_at: '2027-01-01T00:00:00.000Z',
      },
    })
    expect((await kit.fetch('/v1/auth/key')).status).toBe(401)
  })

  test('where the operator wants it', async () => {
    const { kit } = await started({ anonymous: true, info_paths: ['/api/v1/auth/key', '/v1/key'] })
    for (const path of ['/api/v1/auth/key', '/v1/key'])
      expect(((await (await kit.fetch(path)).json()) as { data: { kind: string } }).data.kind).toBe('anonymous')
    await expect(kit.fetch('/v1/auth/key')).rejects.toThrow('no plugin serves')
  })
})
