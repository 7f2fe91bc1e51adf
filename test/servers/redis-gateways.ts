/** Several gateways on one Redis, as real processes: exact limits across them, a start without Redis, its death and return. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { type GatewayProcess, runGateway, startGateway } from '../support/gateway.ts'
import { gatewayConfig } from '../support/gateway-config.ts'
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts'
import { until, within } from '../support/within.ts'

setDefaultTimeout(60_000)

/** Takes one of `limit` that never come back; says by the status whether it got it (the gate below admits with 409). */
const limiter = (limit: number) => `import { definePlugin } from 'headgate/plugin'
export default definePlugin({
  api: 1, name: 'limiter', summary: 'Counts', failure: 'closed',
  setup: (host) => ({
    async admit(x) {
      const [a, b] = await host.state.takeAll([
        { key: 'all', amount: 1, limit: ${limit}, window: 10 ** 12 },
        { key: 'bucket', amount: 1, limit: ${limit}, window: 10 ** 12, kind: 'bucket' },
      ])
      return a.taken && b.taken ? undefined : x.refuse('rate_limited')
    },
  }),
})
`
const gate = `import { definePlugin } from 'headgate/plugin'
export default definePlugin({
  api: 1, name: 'gate', summary: 'Admits', failure: 'closed',
  setup: () => ({ admit: (x) => x.refuse('conflict') }),
})
`
const admitted = 409
const password = 'a%b/sesame'

describe.skipIf(redisMissing !== undefined)(redisMissing ?? 'gateways on one Redis', () => {
  let redis: RedisServer
  const gateways: GatewayProcess[] = []
  const configOf = (entry: object = {}) =>
    gatewayConfig({
      upstream: 'http://127.0.0.1:9',
      plugins: [{ use: './limiter.ts', ...entry }, { use: './gate.ts' }],
      more: { state: '${' + 'env:STATE_URL}' },
    })
  const optionsOf = (limit: number, entry?: object) => ({
    config: configOf(entry),
    files: { 'limiter.ts': limiter(limit), 'gate.ts': gate },
    env: { STATE_URL: redis.url },
  })
  const start = async (limit: number, entry?: object) => {
    const gateway = await startGateway(optionsOf(limit, entry))
    gateways.push(gateway)
    return gateway
  }
  const stopAll = async () => {
    for (const gateway of gateways.splice(0)) await gateway.stop()
  }
  const ask = async (gateway: GatewayProcess) => {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"model":"cat/known","messages":[]}',
    })
    await response.arrayBuffer()
    return response.status
  }
  const ready = async (gateway: GatewayProcess) => {
    const response = await fetch(`${gateway.adminUrl}/ready`)
    return { code: response.status, ...((await response.json()) as { status: string; problems?: Record<string, string> }) }
  }
  const readyAgain = (gateway: GatewayProcess) =>
    until(5000, 'the gateway has its Redis again', async () => (await ready(gateway)).status === 'ready')

  beforeAll(async () => {
    redis = await startRedis({ password })
  })
  afterAll(async () => {
    await stopAll()
    await redis.stop()
  })

  test('R allowed, three instances, 200 clients at once: R are admitted', async () => {
    const three = [await start(137), await start(137), await start(137)]
    const statuses = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => [await ask(three[i % 3]!), await ask(three[(i + 1) % 3]!)]),
    )
    const counts = new Map<number, number>()
    for (const status of statuses.flat()) counts.set(status, (counts.get(status) ?? 0) + 1)
    expect(Object.fromEntries(counts)).toEqual({ [admitted]: 137, 429: 263 })
    await stopAll()
  })

  test('a Redis that dies under load: failure modes decide, no instance restarts, nothing is admitted twice', async () => {
    await redis.cli('flushall')
    const limit = 3000
    const [strict, second, lenient] = [await start(limit), await start(limit), await start(limit, { on_error: 'skip' })]
    let over = false
    const counts = { admitted: 0, limited: 0, failed: 0, strange: [] as number[] }
    const client = async (gateway: GatewayProcess) => {
      while (!over) {
        const status = await ask(gateway)
        if (status === admitted) counts.admitted += 1
        else if (status === 429) {
          counts.limited += 1
          over = true
        } else if (status >= 500) {
          counts.failed += 1
          await Bun.sleep(10)
        } else counts.strange.push(status)
      }
    }
    const clients = Array.from({ length: 20 }, (_, i) => client([strict!, second!][i % 2]!))
    await until(10_000, 'load', () => counts.admitted > 300)
    await redis.kill()
    await until(5000, 'clients of a closed plugin are refused', () => counts.failed > 50)
    expect(await within(1500, 'a plugin that is skipped holds nobody up', ask(lenient!))).toBe(admitted)
    const told = await ready(strict!)
    expect(told).toMatchObject({ code: 200, status: 'degraded' })
    expect(told.problems?.state).toMatch(/^redis:\/\/\*\*\*@127\.0\.0\.1:\d+ can't be reached: /)
    await redis.restart()
    for (const gateway of [strict!, second!, lenient!]) await readyAgain(gateway)
    await within(30_000, 'the limit is reached', Promise.all(clients))
    expect(counts.strange).toEqual([])
    expect(counts.admitted).toBeLessThanOrEqual(limit)
    expect(counts.admitted).toBeGreaterThanOrEqual(limit - 20) // in flight when it died
    for (const gateway of [strict!, second!, lenient!]) {
      const log = gateway.out() + gateway.err()
      expect(log).not.toContain('sesame')
      expect(log.match(/can't be reached; trying again/g)).toHaveLength(1)
      expect(log).toContain('is back')
      expect(log.match(/hook admit failed/g)?.length ?? 0).toBeLessThanOrEqual(3)
    }
    await stopAll()
  })

  test('a Redis that is not there at the start: the gateway starts, says so, and finds it when it comes', async () => {
    await redis.kill()
    const gateway = await start(10)
    expect(await ready(gateway)).toMatchObject({ status: 'degraded', problems: { state: expect.stringContaining('ECONNREFUSED') } })
    expect(await ask(gateway)).toBeGreaterThanOrEqual(500)
    await redis.restart()
    await redis.cli('flushall')
    await readyAgain(gateway)
    expect(await ask(gateway)).toBe(admitted)
    const config = await (await fetch(`${gateway.adminUrl}/config`)).text()
    expect(config).toContain('redis://***@127.0.0.1')
    expect(config + gateway.out() + gateway.err()).not.toContain('sesame')
    expect(await gateway.stop()).toBe(0)
    gateways.length = 0
  })

  test('a reload keeps the connection while the URL is the same, and takes the other where it is not', async () => {
    await redis.cli('flushall')
    const gateway = await start(10)
    const names = async () => (await redis.cli('client', 'list')).split('\n').filter((line) => line.includes('name=headgate'))
    const reload = async () => await fetch(`${gateway.adminUrl}/reload`, { method: 'POST' })
    const [before] = await names()
    expect(await ask(gateway)).toBe(admitted)
    gateway.write('gateway.yaml', configOf({ timeout: '4s' }))
    expect((await reload()).status).toBe(200)
    expect((await names()).map((line) => line.split(' ')[0])).toEqual([before!.split(' ')[0]!])

    gateway.write('gateway.yaml', configOf().replace('env:STATE_URL}', 'env:STATE_URL}/3'))
    expect((await reload()).status).toBe(200)
    expect(await ask(gateway)).toBe(admitted)
    await until(2000, 'the old connection is closed', async () => {
      const now = await names()
      return now.length === 1 && now[0]!.includes(' db=3 ')
    })
    expect(await redis.cli('-n', '3', 'exists', 'headgate:{limiter}:b:bucket')).toBe('1')
    await stopAll()
  })

  test('TLS, with a certificate that the operator trusts', async () => {
    await redis.cli('flushall')
    const env = { STATE_URL: redis.tlsUrl, NODE_EXTRA_CA_CERTS: join(import.meta.dir, '../support/tls/cert.pem') }
    const gateway = await startGateway({ ...optionsOf(1), env })
    gateways.push(gateway)
    await readyAgain(gateway)
    expect([await ask(gateway), await ask(gateway)]).toEqual([admitted, 429])
    await stopAll()
  })

  test('a wrong scheme ends the start with a place and a way out', async () => {
    const options = { ...optionsOf(1), config: `version: 1\nstate: postgres://me:sesame@h/x\nplugins: []\n` }
    const { code, out, err } = await runGateway(options)
    expect(code).not.toBe(0)
    expect(out + err).toContain('gateway.yaml:2:8')
    expect(out + err).toContain('write memory, redis://host:6379 or rediss://host:6379')
    expect(out + err).not.toContain('sesame')
  })
})
