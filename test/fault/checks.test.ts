/**
 * Active checks and outliers on a running gateway: what is away is known before a request finds out, what is far worse than its peers is left out, and both
 * are seen in `/health`, `/providers` and the metrics. Real sockets, real time: short intervals.
 */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { sampleWhole } from '../support/sample-replies.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(30_000)

interface Server {
  readonly url: string
  /** What the check is answered with; 0 = never. */
  health: number
  /** Milliseconds before it answers a call. */
  lag: number
  failing: boolean
  looks: { readonly path: string; readonly key: string | null }[]
  calls: number
  stop(): Promise<void>
}

function startServer(): Server {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      if (request.method === 'GET') {
        made.looks.push({ path: pathname + search, key: request.headers.get('authorization') })
        if (made.health === 0) await new Promise(() => {})
        return new Response('', { status: made.health })
      }
      made.calls++
      if (made.lag > 0) await Bun.sleep(made.lag)
      if (made.failing) return new Response('{"error":{"message":"boom"}}', { status: 500 })
      return new Response(sampleWhole('openai-chat'), { headers: { 'content-type': 'application/json' } })
    },
  })
  const made: Server = { url: server.url.origin, health: 200, lag: 0, failing: false, looks: [], calls: 0, stop: () => server.stop(true) }
  return made
}

const servers: Server[] = []
let gateway: LocalGateway
let stopped = false

beforeAll(async () => {
  for (let i = 0; i < 4; i++) servers.push(startServer())
  const check = { path: '/healthz?deep=1', interval: '40ms', timeout: '250ms', fails: 2 }
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams: Object.fromEntries(servers.map(({ url }, i) => [`up${i}`, { dialect: 'openai', base_url: `${url}/v1`, key: `key-${i}` }])),
      models: {
        ordered: { targets: ['up0', 'up1'].map((upstream) => ({ upstream, model: 'ordered' })) },
        compared: { targets: ['up1', 'up2', 'up3'].map((upstream) => ({ upstream, model: 'compared' })) },
      },
      plugins: [
        { use: 'probe' },
        authPlugin,
        {
          use: 'router',
          with: {
            checks: { up0: check, up3: { ...check, status: [204] } },
            outliers: { enabled: true, interval: '50ms', minimum: 5, time: '600ms', max_share: 0.34 },
            breaker: { consecutive: 1000, error_rate: 1, minimum: 1000, window: '2s' },
            strategy: 'least_busy',
            providers_path: '/providers',
          },
        },
      ],
    }),
  )
})
afterAll(async () => {
  if (!stopped) await gateway.stop()
  for (const server of servers) await server.stop()
})

async function ask(model: string): Promise<readonly string[]> {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello!' }] }),
  })
  await response.text()
  expect(response.status).toBe(200)
  return (await gateway.outcome(response.headers.get('x-request-id')!)).attempts.map((a) => a.upstream)
}
const health = async () => {
  const response = await fetch(`${gateway.url}/health`)
  expect(response.status).toBe(200)
  return (await response.json()) as { status: string; upstreams: Record<string, string> }
}
const isWord = (name: string, word: string) => until(5000, `${name} is ${word}`, async () => (await health()).upstreams[name] === word)

test('who is checked is known before anybody calls; the check carries the own credential and accepts what it is told', async () => {
  servers[3]!.health = 204
  await isWord('up0', 'operational')
  await isWord('up3', 'operational')
  expect(await health()).toMatchObject({ status: 'ok', upstreams: { up1: 'unknown', up2: 'unknown' } })
  expect(servers[0]!.looks[0]).toEqual({ path: '/healthz?deep=1', key: 'Bearer key-0' })
  expect(servers[1]!.looks).toEqual([])
})

test.each([
  ['a status', 503],
  ['silence', 0],
  ['a redirect', 302],
] as const)('%s: down without a single call, left out, and up again', async (_name, status) => {
  servers[0]!.health = status
  await isWord('up0', 'down')
  const { calls } = servers[0]!
  for (let i = 0; i < 5; i++) expect(await ask('ordered')).toEqual(['up1'])
  expect(servers[0]!.calls).toBe(calls)
  expect(gateway.log()).toMatch(/upstream down.*upstream=up0/)
  servers[0]!.health = 200
  await isWord('up0', 'operational')
  const seen = new Set<string>()
  for (let i = 0; i < 20; i++) for (const name of await ask('ordered')) seen.add(name)
  expect(seen).toEqual(new Set(['up0', 'up1']))
})

test('one bad answer is none; the wrong good one is a bad one', async () => {
  servers[3]!.health = 200
  await isWord('up3', 'down')
  servers[3]!.health = 204
  await isWord('up3', 'operational')
})

test('one that is down is not called when the other fails', async () => {
  servers[0]!.health = 503
  await isWord('up0', 'down')
  servers[1]!.failing = true
  const { calls } = servers[0]!
  // up1 fails, up0 is down: it is not called, and the client gets the error of up1
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` },
    body: JSON.stringify({ model: 'ordered', messages: [] }),
  })
  expect(response.status).toBe(500)
  expect(servers[0]!.calls).toBe(calls)
  servers[1]!.failing = false
  servers[0]!.health = 200
  await isWord('up0', 'operational')
})

test('the outlier of three is left out for a while and comes back; the providers and metrics say so', async () => {
  servers[2]!.failing = true
  // 20 calls of the sick one, seen by no client
  await until(10_000, 'it is left out', async () => {
    await ask('compared')
    return gateway.log().includes('target left out')
  })
  const { calls } = servers[2]!
  for (let i = 0; i < 10; i++) expect(await ask('compared')).not.toContain('up2')
  expect(servers[2]!.calls).toBe(calls)
  expect(gateway.gateway.services.metrics.text()).toContain('headgate_router_ejected{upstream="up2",why="errors"} 1')
  expect(await health()).toMatchObject({ upstreams: { up2: 'down' } })
  const listed = (await (await fetch(`${gateway.url}/providers`, { headers: { authorization: `Bearer ${clientKey}` } })).json()) as {
    data: { name: string; status: string }[]
  }
  expect(listed.data.find((one) => one.name === 'up2')).toEqual({ name: 'up2', status: 'down' })
  servers[2]!.failing = false
  await until(10_000, 'it is called again', async () => (await ask('compared')).includes('up2'))
})

test('one that lags far behind its peers, too', async () => {
  // the failures of before are to be forgotten
  await Bun.sleep(2100)
  servers[3]!.lag = 400
  await until(15_000, 'it is left out', async () => {
    await Promise.all(Array.from({ length: 6 }, () => ask('compared')))
    return /target left out.*up3.*latency/.test(gateway.log())
  })
  servers[3]!.lag = 0
})

test('checks end with the gateway', async () => {
  const own = servers[0]!
  await gateway.stop()
  stopped = true
  const { length } = own.looks
  await Bun.sleep(200)
  expect(own.looks.length).toBe(length)
})

test('who does not want upstreams named where everybody reads says so', async () => {
  const own = await startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams: { secret: { dialect: 'openai', base_url: servers[0]!.url, key: 'k' } },
      models: { m: { targets: [{ upstream: 'secret', model: 'm' }] } },
      plugins: [authPlugin, { use: 'router', with: { health: false } }],
    }),
  )
  expect(await (await fetch(`${own.url}/health`)).json()).toEqual({ status: 'ok' })
  await own.stop()
})
