/** Issued keys across processes: two gateways and the command line on one SQLite file. Changes act everywhere within a second. */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import { bodyOf, call } from '../support/client.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { auditPlugin, gatewayConfig } from '../support/gateway-config.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(30_000)

const folder = mkdtempSync(join(tmpdir(), 'headgate-keys-'))
let upstream: BadUpstream
let one: GatewayProcess
let two: GatewayProcess
beforeAll(async () => {
  upstream = await startBadUpstream()
  const config = gatewayConfig({
    upstream: upstream.url,
    plugins: [auditPlugin, { use: 'auth', with: { store: 'records' } }, { use: 'router' }],
    more: { records: `sqlite:${join(folder, 'shared.db')}` },
  })
  one = await startGateway({ config })
  two = await startGateway({ config })
})
afterAll(async () => {
  await one?.stop()
  await two?.stop()
  await upstream.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function headgate(...argv: string[]) {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, '../../src/main.ts'), 'keys', ...argv, '--config', join(one.dir, 'gateway.yaml')],
    { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' } },
  )
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { out, err, code }
}

const statusOf = async (gateway: GatewayProcess, key: string, model = 'cat/known') =>
  (await call('openai', gateway.url, bodyOf(model, false), { authorization: `Bearer ${key}` })).status

/** Both gateways give this status within a second of now. */
async function within1s(key: string, status: number, model?: string) {
  const start = performance.now()
  for (const gateway of [one, two]) await until(1000, `status ${status}`, async () => (await statusOf(gateway, key, model)) === status)
  expect(performance.now() - start).toBeLessThan(1000)
}

test('made, changed, switched off and on, and revoked on the command line, seen by both', async () => {
  const made = await headgate(
    'create',
    '--name',
    'ann',
    '--tier',
    'paid',
    '--limit',
    '60/1m',
    '--cap',
    '12.50/month',
    '--messages',
    '100/day',
  )
  expect(made).toMatchObject({ code: 0, err: '' })
  const key = made.out.trim()
  expect(await statusOf(one, key)).toBe(200) // at once: an unknown key is looked up
  expect(await statusOf(two, key)).toBe(200)
  const [info] = JSON.parse((await headgate('list', '--json')).out) as [{ id: string; limits: unknown; caps: unknown }]
  expect(info).toMatchObject({
    limits: [{ window: 60_000, requests: 60 }],
    caps: [
      { per: 'month', usd: '12.50' },
      { per: 'day', messages: 100 },
    ],
  })
  expect(info).not.toHaveProperty('hash')
  expect((await headgate('show', info.id)).out).toMatch(/tier +paid[\s\S]*limits +60\/1m/)
  expect((await headgate('update', info.id, '--model', 'cat/other')).err).toContain('within a second')
  await within1s(key, 403)
  expect((await headgate('update', info.id, '--clear', 'models', '--disable')).code).toBe(0)
  await within1s(key, 401)
  expect((await headgate('update', info.id, '--enable')).code).toBe(0)
  await within1s(key, 200)
  expect((await headgate('revoke', key)).err).toContain(`${info.id} (ann) is revoked`)
  await within1s(key, 401)
  expect((await headgate('show', info.id)).code).toBe(1)
})

test('made at the admin API of one, good at the other; no file and no log holds its text', async () => {
  const response = await fetch(`${one.adminUrl}/keys`, { method: 'POST', body: JSON.stringify({ name: 'bob' }) })
  const { key, id } = (await response.json()) as { key: string; id: string }
  expect(await statusOf(two, key)).toBe(200)
  expect((await fetch(`${two.url}/v1/auth/key?key=${key}`)).status).toBe(200)
  await until(5000, 'audit of both', () => two.audit().length > 0 && one.audit().length > 0)
  const files = [folder, one.dir, two.dir].flatMap((dir) =>
    readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((f) => f.isFile())
      .map((f) => join(f.parentPath, f.name)),
  )
  expect(files.some((path) => path.endsWith('shared.db'))).toBe(true)
  expect(files.filter((path) => path.endsWith('audit.jsonl'))).toHaveLength(2)
  const all = Buffer.concat(files.map((path) => readFileSync(path)))
  expect(all.includes(id)).toBe(true)
  const texts = [all.toString('latin1'), one.out(), one.err(), two.out(), two.err()]
  for (const text of texts) expect(text).not.toContain(key.slice(14))
  const start = performance.now()
  expect((await fetch(`${one.adminUrl}/keys/${id}`, { method: 'DELETE' })).status).toBe(200)
  expect(await statusOf(one, key)).toBe(401) // where it was revoked: at once
  await until(1000, 'the other refuses it', async () => (await statusOf(two, key)) === 401)
  expect(performance.now() - start).toBeLessThan(1000)
})

test('what the command line can not do is one sentence', async () => {
  for (const [argv, said] of [
    [['revoke', 'key_nobody'], 'no key has this id'],
    [['update', 'key_nobody', '--tier', 'x'], 'no key has this id'],
    [['update', 'key_nobody'], 'say what to change'],
    [['create', '--limit', 'many'], '--limit "many" is not of the form 60/1m'],
    [['create', '--cap', '1/year'], '--cap "1/year" is not of the form'],
    [['create', '--kind', 'jwt'], '--kind must be one of: key, instance, self_host'],
    [['show'], 'name the key to show'],
  ] as const) {
    const { code, err } = await headgate(...argv)
    expect(code).not.toBe(0)
    expect(err).toContain(said)
    expect(err).not.toContain('bug')
  }
})
