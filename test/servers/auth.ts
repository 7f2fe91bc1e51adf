/** Issued keys of two gateways on one PostgreSQL: changes within a second, and what happens when it is killed, frozen and back. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import { bodyOf, call } from '../support/client.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { gatewayConfig } from '../support/gateway-config.ts'
import { type PostgresServer, postgresMissing, startPostgres } from '../support/postgres-server.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(60_000)

describe.skipIf(postgresMissing !== undefined)(postgresMissing ?? 'keys in PostgreSQL', () => {
  let postgres: PostgresServer
  let upstream: BadUpstream
  let one: GatewayProcess
  let two: GatewayProcess
  const configOf = (staleFor: string) =>
    gatewayConfig({
      upstream: upstream.url,
      plugins: [{ use: 'auth', with: { store: 'records', stale_for: staleFor } }, { use: 'router' }],
      more: { records: postgres.url },
    })
  beforeAll(async () => {
    postgres = await startPostgres()
    upstream = await startBadUpstream()
    one = await startGateway({ config: configOf('1h') })
    two = await startGateway({ config: configOf('3s') })
  })
  afterAll(async () => {
    await one?.stop()
    await two?.stop()
    await upstream?.stop()
    await postgres?.stop()
  })

  const ask = (gateway: GatewayProcess, key: string) =>
    call('openai', gateway.url, bodyOf('cat/known', false), { authorization: `Bearer ${key}` })
  const statusOf = async (gateway: GatewayProcess, key: string) => (await ask(gateway, key)).status
  const admin = async (gateway: GatewayProcess, method: string, path: string, body?: object) => {
    const response = await fetch(gateway.adminUrl + path, { method, ...(body && { body: JSON.stringify(body) }) })
    return { status: response.status, json: (await response.json()) as { key: string; id: string; tier?: string } }
  }
  const make = async () => (await admin(one, 'POST', '/keys', { name: 'test' })).json

  test('twenty keys made on one are good on the other at once; each is refused there within a second of its revocation', async () => {
    const delays: number[] = []
    for (let i = 0; i < 20; i++) {
      const { key, id } = await make()
      expect(await statusOf(two, key)).toBe(200)
      await admin(one, 'DELETE', `/keys/${id}`)
      const start = performance.now()
      expect(await statusOf(one, key)).toBe(401)
      await until(1000, 'the other refuses it', async () => (await statusOf(two, key)) === 401)
      delays.push(performance.now() - start)
    }
    delays.sort((a, b) => a - b)
    console.log(`revocation seen by the other gateway: median ${delays[10]!.toFixed(0)} ms, worst ${delays[19]!.toFixed(0)} ms`)
    expect(delays[19]).toBeLessThan(1000)
  })

  test('many changes of one key at once, on both: the last state is the same everywhere', async () => {
    const { key, id } = await make()
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) => admin(i % 2 ? one : two, 'PATCH', `/keys/${id}`, { tier: `t${i}` })),
    )
    expect(results.filter(({ status }) => status === 200).length).toBe(40)
    const last = (await admin(one, 'GET', `/keys/${id}`)).json.tier
    for (const gateway of [one, two])
      await until(1000, 'both have the last state', async () => {
        const response = await fetch(`${gateway.url}/v1/auth/key`, { headers: { authorization: `Bearer ${key}` } })
        return ((await response.json()) as { data: { tier: string } }).data.tier === last
      })
  })

  test('killed: known keys go on, unknown ones get 503, stale_for ends it; back: changes act again', async () => {
    const { key, id } = await make()
    expect(await statusOf(two, key)).toBe(200)
    await postgres.kill()
    let worst = 0
    const end = performance.now() + 2000
    while (performance.now() < end) {
      const start = performance.now()
      expect(await statusOf(one, key)).toBe(200)
      worst = Math.max(worst, performance.now() - start)
    }
    expect(worst).toBeLessThan(1000)
    const unknown = await ask(one, `sk-hg-${'x'.repeat(48)}`)
    expect([unknown.status, unknown.text.includes('store')]).toEqual([503, true])
    expect(await statusOf(one, 'sk-hg-mistyped')).toBe(401)
    await until(5000, 'a key is not trusted longer than stale_for', async () => (await statusOf(two, key)) === 503)
    expect((await admin(one, 'DELETE', `/keys/${id}`)).status).toBe(503)
    await postgres.start()
    await until(15_000, 'the key is trusted again', async () => (await statusOf(two, key)) === 200)
    await until(15_000, 'the key can be revoked', async () => (await admin(one, 'DELETE', `/keys/${id}`)).status === 200)
    await until(1000, 'both refuse it', async () => (await statusOf(one, key)) === 401 && (await statusOf(two, key)) === 401)
    expect(one.err().match(/store is down/g)?.length).toBeLessThanOrEqual(2)
  })

  test('frozen: known keys are not held up, unknown ones not for long', async () => {
    const { key } = await make()
    expect(await statusOf(one, key)).toBe(200)
    postgres.freeze()
    try {
      const start = performance.now()
      for (let i = 0; i < 20; i++) expect(await statusOf(one, key)).toBe(200)
      expect(performance.now() - start).toBeLessThan(2000)
      expect(await statusOf(one, `sk-hg-${'y'.repeat(48)}`)).toBe(503)
      expect(performance.now() - start).toBeLessThan(6000)
    } finally {
      postgres.thaw()
    }
  })
})
