/** Calls that a plugin makes for somebody who was admitted before, and endpoints that ask for no credential. */

import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { definePlugin, Principal, type PrincipalValue } from 'headgate/plugin'
import { testPlugin } from 'headgate/testkit'
import auth from './index.ts'

const keyOf = (id: string) => `sk-hg-${id}-0123456789abcdef0123456789abcdef`
const key = (id: string, more: object = {}) => ({ id, hash: createHash('sha256').update(keyOf(id)).digest('hex'), ...more })

/** `POST /call` makes a call for the principal of its body; `GET /open` and `GET /who` tell who asks. */
const caller = () => {
  const seen: (PrincipalValue | undefined)[] = []
  const plugin = definePlugin({
    api: 1,
    name: 'caller',
    summary: 'Calls for others',
    wants: [Principal],
    failure: 'closed',
    setup(host) {
      host.route({
        method: 'POST',
        path: '/call',
        summary: 'Calls',
        open: true,
        async handler(request) {
          const { principal, model = 'test-model' } = (await request.json()) as { principal?: PrincipalValue; model?: string }
          const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hi' }] })
          const headers = { 'content-type': 'application/json' }
          return await host.call(new Request('http://x/v1/chat/completions', { method: 'POST', headers, body }), { principal, once: 'one' })
        },
      })
      for (const path of ['/open', '/who'])
        host.route({
          method: 'GET',
          path,
          summary: 'Who',
          open: path === '/open',
          handler: (_r, _p, call) => Response.json({ id: call.principal?.id ?? null }),
        })
      return {
        request(x) {
          if (x.inner) seen.push(x.peek(Principal))
          if (x.inner) x.note(`${x.inner.plugin} ${x.inner.once}`)
        },
      }
    },
  })
  return { plugin, seen }
}
const principal = (id: string, more: Partial<PrincipalValue> = {}): PrincipalValue => ({ id, account: id, kind: 'key', tags: [], ...more })

async function start(keys: readonly object[], more: object = {}) {
  const { plugin, seen } = caller()
  const kit = await testPlugin(auth, { with: { keys, ...more }, below: [plugin] })
  const call = async (who: PrincipalValue | undefined, model?: string) => {
    const response = await kit.fetch('/call', { method: 'POST', body: JSON.stringify({ principal: who, model }) })
    const body = (await response.json()) as { error?: { code: string; message: string } }
    return response.status === 200 ? 200 : [response.status, body.error?.code]
  }
  return { kit, seen, call }
}

test('a key that is good is called for with what it may now, not with what it might when it submitted', async () => {
  const { kit, seen, call } = await start([key('a', { tier: 'gold', account: 'acme' })])
  expect(await call(principal('a', { tier: 'lead', limits: [{ window: 1, requests: 1 }] }))).toBe(200)
  expect(seen).toMatchObject([{ id: 'a', tier: 'gold', account: 'acme' }])
  expect(seen[0]!.limits).toBeUndefined()
  await kit.close()
})

test('a key that is revoked, or expired, is called for no more; models that it may not use stay refused', async () => {
  const { kit, seen, call } = await start([key('old', { expires: '2001-01-01' }), key('narrow', { models: ['other'] })])
  expect(await call(principal('gone'))).toEqual([401, 'invalid_api_key'])
  expect(await call(principal('old'))).toEqual([401, 'expired_api_key'])
  expect(await call(principal('narrow'))).toEqual([403, 'permission_denied'])
  expect(await call(undefined)).toEqual([401, 'invalid_api_key'])
  expect(seen).toEqual([])
  await kit.close()
})

test('who came without a key of ours is who was admitted then', async () => {
  const { kit, seen, call } = await start([key('a')])
  expect(await call(principal('sub', { kind: 'jwt', models: ['test-*'] }))).toBe(200)
  expect(await call(principal('sub', { kind: 'jwt', models: ['other'] }))).toEqual([403, 'permission_denied'])
  expect(await call(principal('anon_1', { kind: 'anonymous' }))).toBe(200)
  expect(seen.map((who) => who?.id)).toEqual(['sub', 'anon_1'])
  await kit.close()
})

test('an open endpoint answers whoever comes, and knows those who say who they are', async () => {
  const { kit } = await start([key('a')])
  const who = async (path: string, authorization?: string) => {
    const response = await kit.fetch(path, authorization === undefined ? {} : { headers: { authorization } })
    return response.status === 200 ? ((await response.json()) as { id: string | null }).id : response.status
  }
  expect([await who('/open'), await who('/open', `Bearer ${keyOf('a')}`)]).toEqual([null, 'a'])
  expect([await who('/open', 'Bearer sk-hg-made-up'), await who('/open', 'Basic x')]).toEqual([null, null])
  expect([await who('/who'), await who('/who', `Bearer ${keyOf('a')}`), await who('/who', 'Bearer sk-hg-made-up')]).toEqual([401, 'a', 401])
  await kit.close()
})

test('models that are for some tiers are refused to others, by whatever name they are asked for', async () => {
  const kit = await testPlugin(auth, {
    with: { keys: [key('gold', { tier: 'gold' }), key('none')], anonymous: true },
    models: { 'test-model': { targets: [{ upstream: 'openai' }], tiers: ['gold', 'lead'] }, free: { targets: [{ upstream: 'openai' }] } },
  })
  const ask = async (as: string | undefined, body: Record<string, unknown> = {}) => {
    const { outcome } = await kit.chat(body, as === undefined ? {} : { headers: { authorization: `Bearer ${keyOf(as)}` } })
    return outcome.code ?? 'ok'
  }
  expect([await ask('gold'), await ask('none'), await ask(undefined)]).toEqual(['ok', 'permission_denied', 'permission_denied'])
  expect([await ask('none', { model: 'free' }), await ask('none', { model: 'free', models: ['test-model'] })]).toEqual([
    'ok',
    'permission_denied',
  ])
  await kit.close()
})
