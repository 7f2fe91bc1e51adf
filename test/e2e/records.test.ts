/** Durable records of a whole gateway: no file before one is needed, rows that outlive it, a start without its PostgreSQL. */

import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import { bodyOf, call } from '../support/client.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { authPlugin, gatewayConfig } from '../support/gateway-config.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(30_000)

let upstream: BadUpstream
beforeAll(async () => {
  upstream = await startBadUpstream()
})
afterAll(() => upstream.stop())

/** Writes a row per exchange; refuses while the table can't be read when asked to. */
const ledger = `import { definePlugin } from 'headgate/plugin'
export default definePlugin({
  api: 1, name: 'ledger', summary: 'Writes a row per exchange', failure: 'closed',
  async setup(host) {
    await host.records.migrate([{ id: '1', statements: ['CREATE TABLE ledger_row (id TEXT PRIMARY KEY, at BIGINT NOT NULL)'] }])
    return {
      async admit(x) { if (x.headers.has('x-strict')) await host.records.sql\`SELECT count(*) AS n FROM ledger_row\` },
      async settle(x) { await host.records.append('ledger_row', [{ id: x.id, at: BigInt(host.now()) }]) },
    }
  },
})
`
const configOf = (more: object, used = true) =>
  gatewayConfig({
    upstream: upstream.url,
    plugins: [authPlugin, ...(used ? [{ use: './ledger.ts' }] : []), { use: 'router' }],
    more: { ...more },
  })
const start = (more: object = {}, used = true) => startGateway({ config: configOf(more, used), files: { 'ledger.ts': ledger } })
const rows = (gateway: GatewayProcess) => {
  const db = new Database(join(gateway.dir, 'data', 'headgate.db'), { readonly: true })
  try {
    return db.query('SELECT id FROM ledger_row').all() as { id: string }[]
  } finally {
    db.close()
  }
}
const body = bodyOf('cat/known', false)
/** SIGTERM, and the folder stays. */
const end = async (gateway: GatewayProcess) => {
  gateway.signal('SIGTERM')
  expect(await gateway.exited).toBe(0)
}

test('a gateway whose plugins keep no records makes no file, nor does checking one whose plugins do', async () => {
  const without = await start({}, false)
  expect((await call('openai', without.url, body)).status).toBe(200)
  without.write('gateway.yaml', configOf({}))
  const check = Bun.spawnSync([
    process.execPath,
    join(import.meta.dir, '../../src/main.ts'),
    'check',
    '--config',
    join(without.dir, 'gateway.yaml'),
  ])
  expect(check.stdout.toString() + check.stderr.toString()).not.toContain('failed')
  expect(check.exitCode).toBe(0)
  const { dir } = without
  expect(existsSync(join(dir, 'data'))).toBe(false)
  await without.stop()
})

test('rows are in the file beside the config when the gateway has ended, also after kill -9', async () => {
  const gateway = await start()
  const ids = [await call('openai', gateway.url, body), await call('anthropic', gateway.url, body)].map((a) => a.id)
  await until(5000, 'both rows', () => rows(gateway).length === 2)
  await end(gateway)
  const again = await startGateway({ configPath: join(gateway.dir, 'gateway.yaml') })
  ids.push((await call('openai', again.url, body)).id)
  await until(5000, 'the third row', () => rows(gateway).length === 3)
  again.signal('SIGKILL')
  await again.exited
  expect(
    rows(gateway)
      .map((r) => r.id)
      .sort(),
  ).toEqual(ids.toSorted())
  await again.stop()
  await gateway.stop()
})

test('without its PostgreSQL a gateway starts, says so, spools, and hands the rows over later; the password is never printed', async () => {
  const records = 'postgres://gate:geheim-7@127.0.0.1:1/headgate'
  const gateway = await start({ records })
  const spool = join(gateway.dir, 'data', 'spool')
  expect(gateway.err()).toContain('the records store is down')
  const ready = await fetch(`${gateway.url}/ready`)
  expect(ready.status).toBe(200)
  expect(await ready.json()).toMatchObject({ status: 'degraded', problems: { records: expect.stringContaining('PostgreSQL') } })
  const { id, status } = await call('openai', gateway.url, body)
  expect(status).toBe(200)
  expect((await call('openai', gateway.url, body, { 'x-strict': '1' })).status).toBe(503)
  await until(5000, 'rows are spooled', () => existsSync(spool) && readdirSync(spool).length === 1)
  // a reload that changes nothing here keeps the store; one that names another replaces it
  gateway.write('gateway.yaml', configOf({ records, log: { level: 'debug' } }))
  await until(10_000, 'the reload', () => gateway.err().includes('config reloaded'))
  expect(gateway.err().split('the records store is down').length).toBe(2)
  await end(gateway)
  expect(gateway.err() + gateway.out()).not.toContain('geheim-7')
  gateway.write('gateway.yaml', configOf({}))
  const again = await startGateway({ configPath: join(gateway.dir, 'gateway.yaml') })
  await until(10_000, 'the spooled rows', () => rows(gateway).length === 2)
  expect(rows(gateway).map((r) => r.id)).toContain(id)
  await until(5000, 'an empty spool', () => readdirSync(spool).length === 0)
  await again.stop()
  await gateway.stop()
})
