/** Who calls, as a whole gateway sees it: the address behind proxies, the models that a caller may see, what a route is told. */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { gatewayConfig } from '../support/gateway-config.ts'

setDefaultTimeout(30_000)

const key = 'sk-hg-callers-0123456789abcdef0123456789abcdef'
const hash = new Bun.CryptoHasher('sha256').update(key).digest('hex')
const whoami = `import { definePlugin } from 'headgate/plugin'
export default definePlugin({
  api: 1, name: 'whoami', summary: 'Says who calls', failure: 'closed',
  setup(host) {
    host.route({ method: 'GET', path: '/whoami', summary: 'Who calls', handler: (_r, _p, call) => Response.json({ id: call.id, who: call.principal?.id }) })
    return { reply: (x, reply) => reply.headers.set('x-seen-ip', x.ip) }
  },
})
`
const configOf = (server: object = {}) =>
  gatewayConfig({
    upstream: 'http://127.0.0.1:9',
    plugins: [
      { use: 'auth', with: { keys: [{ id: 'ci', hash, models: ['other', 'cat/k*'] }] } },
      { use: './whoami.ts' },
      { use: 'router' },
    ],
    more: { server: { ...server } },
  })

let gateway: GatewayProcess
beforeAll(async () => {
  gateway = await startGateway({ config: configOf({ trusted_proxies: ['127.0.0.0/8'] }), files: { 'whoami.ts': whoami } })
})
afterAll(() => gateway.stop())
const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(gateway.url + path, { headers: { authorization: `Bearer ${key}`, ...headers } })

test('a route is told who calls, and under which id', async () => {
  const response = await get('/whoami')
  expect(await response.json()).toEqual({ id: response.headers.get('x-request-id'), who: 'ci' })
  expect((await fetch(`${gateway.url}/whoami`)).status).toBe(401)
})

test('the model list holds what the caller may use, and no other is told of', async () => {
  expect(((await (await get('/v1/models')).json()) as { data: { id: string }[] }).data.map((m) => m.id)).toEqual(['cat/known'])
  expect((await get('/v1/models/cat%2Fknown')).status).toBe(200)
  expect((await get('/v1/models/cat/kitten')).status).toBe(200)
  const other = await get('/v1/models/cat/other')
  expect(other.status).toBe(404)
  expect(await other.text()).not.toContain('Did you mean "cat/other"')
})

test('the address is that which a trusted proxy tells, from the next reload on', async () => {
  const told = { 'x-forwarded-for': '6.6.6.6, 2001:DB8::9' }
  expect((await get('/whoami', told)).headers.get('x-seen-ip')).toBe('2001:db8::9')
  expect((await get('/whoami')).headers.get('x-seen-ip')).toBe('127.0.0.1')
  gateway.write('gateway.yaml', configOf())
  expect((await fetch(`${gateway.adminUrl}/reload`, { method: 'POST' })).status).toBe(200)
  expect((await get('/whoami', told)).headers.get('x-seen-ip')).toBe('127.0.0.1')
  gateway.write('gateway.yaml', configOf({ trusted_proxies: ['10.0.0.0/33'] }))
  const wrong = await fetch(`${gateway.adminUrl}/reload`, { method: 'POST' })
  expect(wrong.status).toBe(422)
  expect(await wrong.text()).toContain('is no address or network')
})
