/**
 * Audit records of two gateways on one PostgreSQL: asked for with the same words as on SQLite, and whole after an outage under load.
 *
 * HEADGATE_AUDIT_OUTAGE sets its seconds (5 by default).
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { ask, auditConfig, headgate, startQuickUpstream } from '../support/audit-load.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { type PostgresServer, postgresMissing, startPostgres } from '../support/postgres-server.ts'
import { until } from '../support/within.ts'

const outage = Number(process.env.HEADGATE_AUDIT_OUTAGE ?? 5) * 1000
setDefaultTimeout(90_000 + outage)

describe.skipIf(postgresMissing !== undefined)(postgresMissing ?? 'a real PostgreSQL', () => {
  let server: PostgresServer
  let upstream: Bun.Server<undefined>
  beforeAll(async () => {
    server = await startPostgres()
    upstream = startQuickUpstream()
  }, 60_000)
  afterAll(async () => {
    await upstream.stop(true)
    await server.stop()
  })

  test('killed under load: no request fails, no record is lost or doubled, all chains verify, sums are exact', async () => {
    const config = auditConfig(upstream, { thread: 'th_audit_api_usage', bodies: { sample: 0.1 } }, { records: server.url })
    const gateways: GatewayProcess[] = [await startGateway({ config }), await startGateway({ config })]
    const statuses = new Map<string, number>()
    let on = true
    const client = async (n: number) => {
      for (let i = 0; on; i++) {
        const answer = await ask(gateways[n % 2]!.url, i % 2 === 0)
        statuses.set(answer?.id ?? `none-${n}-${i}`, answer?.whole ? answer.status : 0)
        await Bun.sleep(5)
      }
    }
    const clients = Array.from({ length: 12 }, (_, n) => client(n))
    await Bun.sleep(1500)
    await server.kill()
    await Bun.sleep(outage)
    expect([...statuses.values()].filter((status) => status !== 200)).toEqual([])
    await server.start()
    await Bun.sleep(1500)
    on = false
    await Promise.all(clients)
    expect([...statuses.values()].filter((status) => status !== 200)).toEqual([])
    const dir = gateways[0]!.dir
    const listed = async () => {
      const { out, err, code } = await headgate(dir, 'audit', 'query', '-o', 'json', '--thread', 'th_audit_api_usage')
      if (code !== 0) throw new Error(err)
      return out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { request_id: string; end: string; tokens_input: number })
    }
    const rows = await until(30_000, 'all records', async () => {
      const found = await listed()
      return found.length >= statuses.size && found
    })
    expect(rows.map((r) => r.request_id).sort()).toEqual([...statuses.keys()].sort())
    expect(new Set(rows.map((r) => r.end))).toEqual(new Set(['finished']))
    const usage = await headgate(dir, 'usage', '--by', 'key', '-o', 'json')
    expect(JSON.parse(usage.out)).toMatchObject([
      { key: 'e2e', requests: rows.length, tokens_input: rows.length * 11, tokens_output: rows.length * 3 },
    ])
    await Bun.sleep(6000) // the sums are rolled up every five seconds
    expect((await headgate(dir, 'usage', '--by', 'key', '-o', 'json')).out).toBe(usage.out)
    expect((await headgate(dir, 'usage', '--by', 'month,model,tier,session', '-o', 'csv')).code).toBe(0)
    const verify = await headgate(dir, 'audit', 'verify')
    expect(verify.err).toContain('2 chains: all as they were written')
    const show = await headgate(dir, 'audit', 'show', rows[0]!.request_id)
    expect(show.out).toContain('finished')
    expect(show.code).toBe(0)
    console.log(`${rows.length} exchanges over an outage of ${outage / 1000} s: none failed, none lost`)
    for (const gateway of gateways) await gateway.stop()
  })
})
