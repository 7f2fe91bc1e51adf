/** Issued keys in records: made, found, changed and revoked while the gateway runs, and what happens while the records are away. */

import { afterEach, describe, expect, test } from 'bun:test'
import { definePlugin, Principal, type PrincipalValue, type Records } from 'headgate/plugin'
import { type PluginKit, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import auth from './index.ts'
import { pollEvery } from './issued-keys.ts'
import { recordsKeyStore } from './key-records.ts'
import { type CreateKeyOptions, createKey } from './keys.ts'

let kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits) expect(await kit.close()).toBe(true)
  kits = []
})

const seen: (PrincipalValue | undefined)[] = []
const witness = definePlugin({
  api: 1,
  name: 'witness',
  summary: 'Sees who calls',
  failure: 'open',
  wants: [Principal],
  setup: () => ({ attempt: (x) => void seen.push(x.peek(Principal)) }),
})

async function started(config: Record<string, unknown> = {}, more: TestPluginOptions = {}) {
  const kit = await testPlugin(auth, { with: { store: 'records', ...config }, below: [witness], ...more })
  kits.push(kit)
  const { sql } = kit.stores.records
  const beside: Pick<Records, 'sql' | 'transaction'> = { sql, transaction: (run) => run(sql) }
  return {
    kit,
    /** The store as another process has it: this instance learns of changes by looking. */
    store: recordsKeyStore(beside as Records, 'auth', () => kit.clock.now),
    async admin(method: string, path: string, body?: unknown) {
      const response = await kit.admin(path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })
      return { status: response.status, json: (await response.json()) as Record<string, unknown> & { key: string; id: string } }
    },
    async ask(key: string) {
      seen.length = 0
      const { status, json, outcome } = await kit.chat(undefined, { headers: { authorization: `Bearer ${key}` } })
      return { status, code: outcome.code, message: (json as { error?: { message: string } }).error?.message, principal: seen[0] }
    },
    poll: () => kit.clock.advance(pollEvery),
  }
}

describe('the admin API', () => {
  test('makes a key that works at once, and shows it this once', async () => {
    const { kit, admin, ask } = await started({ tier: 'paid' })
    const limits = [{ window: 60_000, requests: 60 }]
    const caps = [{ per: 'month', usd: '12.50' }]
    const made = await admin('POST', '/keys', {
      name: 'ann',
      account: 'acme',
      tags: ['a'],
      limits: [{ window: '1m', requests: 60 }],
      caps,
      models: ['test-*'],
    })
    expect(made.status).toBe(201)
    expect(made.json.key).toMatch(/^sk-hg-[0-9A-Za-z]{48}$/)
    const { status, principal } = await ask(made.json.key)
    expect(status).toBe(200)
    expect(principal).toEqual({
      id: made.json.id,
      kind: 'key',
      name: 'ann',
      account: 'acme',
      tier: 'paid',
      tags: ['a'],
      models: ['test-*'],
      limits,
      caps,
    } as PrincipalValue)
    for (const path of ['/keys', `/keys/${made.json.id}`]) {
      const text = JSON.stringify((await admin('GET', path)).json)
      expect(text).toContain(made.json.id)
      expect(text).not.toContain(made.json.key.slice(14))
      expect(text).not.toMatch(/"(hash|salt|key)"/)
    }
    const rows = await kit.stores.records.sql`SELECT * FROM auth_key`
    const stored = JSON.stringify([rows, kit.logs], (_, value) => (typeof value === 'bigint' ? String(value) : value))
    expect(stored).toContain(made.json.id)
    expect(stored).not.toContain(made.json.key)
    expect(stored).not.toContain(made.json.key.slice(14))
  })

  test('changes and takes away single fields; switches a key off and on', async () => {
    const { admin, ask } = await started()
    const { key, id } = (await admin('POST', '/keys', { name: 'ann', tier: 'paid', models: ['other'] })).json
    expect(await ask(key)).toMatchObject({ status: 403, code: 'permission_denied' })
    expect((await admin('PATCH', `/keys/${id}`, { models: null, tier: 'free' })).json).toMatchObject({ name: 'ann', tier: 'free' })
    expect(await ask(key)).toMatchObject({ status: 200, principal: { tier: 'free', name: 'ann' } })
    await admin('PATCH', `/keys/${id}`, { disabled: true })
    expect(await ask(key)).toMatchObject({ status: 401, code: 'invalid_api_key', message: expect.stringContaining('switched off') })
    await admin('PATCH', `/keys/${id}`, { disabled: false })
    expect((await ask(key)).status).toBe(200)
    await admin('PATCH', `/keys/${id}`, { expires: '2026-01-01T00:00:00Z' })
    expect(await ask(key)).toMatchObject({ status: 401, code: 'expired_api_key' })
  })

  test('revokes for ever, and keeps neither hash nor name', async () => {
    const { kit, admin, ask } = await started()
    const { key, id } = (await admin('POST', '/keys', { name: 'ann' })).json
    expect((await ask(key)).status).toBe(200)
    expect(await admin('DELETE', `/keys/${id}`)).toMatchObject({ status: 200, json: { revoked: true } })
    expect(await ask(key)).toMatchObject({ status: 401, code: 'invalid_api_key' })
    for (const [method, path] of [
      ['DELETE', `/keys/${id}`],
      ['GET', `/keys/${id}`],
      ['PATCH', `/keys/${id}`],
    ])
      expect((await admin(method!, path!, method === 'PATCH' ? {} : undefined)).status).toBe(404)
    expect((await admin('GET', '/keys')).json).toEqual({ keys: [], next: null } as never)
    expect(await kit.stores.records.sql`SELECT hash, salt, fields FROM auth_key`).toEqual([{ hash: '', salt: '', fields: '{}' }])
  })

  test('gives pages in the order in which keys were made, and those of an account', async () => {
    const { kit, admin } = await started()
    const ids: string[] = []
    for (let i = 0; i < 5; i++) {
      ids.push((await admin('POST', '/keys', { name: `${i}`, account: i % 2 ? 'odd' : 'even' })).json.id)
      if (i !== 2) await kit.clock.advance(1000) // two in the same millisecond
    }
    const found: string[] = []
    let after = ''
    for (let page = 0; page < 5; page++) {
      const { keys, next } = (await admin('GET', `/keys?limit=2${after && `&after=${after}`}`)).json as unknown as {
        keys: { id: string }[]
        next: string | null
      }
      found.push(...keys.map((k) => k.id))
      if (next === null) break
      after = encodeURIComponent(next)
    }
    expect(found.length).toBe(5)
    expect(new Set(found)).toEqual(new Set(ids))
    expect(found.slice(0, 2)).toEqual(ids.slice(0, 2))
    const odd = (await admin('GET', '/keys?account=odd')).json as unknown as { keys: { name: string }[] }
    expect(odd.keys.map((k) => k.name)).toEqual(['1', '3'])
  })

  const mistakes: [unknown, RegExp][] = [
    [[], /must be an object/],
    [{ nmae: 'x' }, /no field "nmae"; there are: name/],
    [{ tier: 1 }, /tier must be a text/],
    [{ tags: 'a' }, /tags must be a list/],
    [{ expires: 'soon' }, /expires must be/],
    [{ expires: '2027-02-30' }, /expires must be a day that exists/],
    [{ limits: [{ window: 0, requests: 1 }] }, /limits must be/],
    [{ limits: [{ window: 'soon', requests: 1 }] }, /limits must be/],
    [{ limits: [null] }, /limits must be/],
    [{ limits: [{ window: 60_000 }] }, /limits must be/],
    [{ caps: [{ per: 'month', usd: 12.5 }] }, /caps must be/],
    [{ caps: [{ per: 'year', usd: '1' }] }, /caps must be/],
    [{ kind: 'jwt' }, /kind must be/],
    [{ name: 'x'.repeat(201) }, /name must be/],
    [{ id: 'key_mine' }, /no field "id"/],
  ]
  test.each(mistakes)('refuses %j', async (body, message) => {
    const { admin } = await started()
    const { status, json } = await admin('POST', '/keys', body)
    expect(status).toBe(400)
    expect((json.error as { message: string }).message).toMatch(message)
    expect((await admin('GET', '/keys')).json.keys).toEqual([])
  })

  test('works on the keys file as well', async () => {
    const folder = `${process.env.TMPDIR ?? '/tmp'}/headgate-auth-${crypto.randomUUID()}`
    const { admin, ask } = await started({ store: 'file', anonymous: true }, { folder })
    const { key, id } = (await admin('POST', '/keys', { name: 'ann', caps: [{ per: 'day', messages: 100 }] })).json
    expect(await ask(key)).toMatchObject({ status: 200, principal: { id, caps: [{ per: 'day', messages: 100 }] } })
    await admin('PATCH', `/keys/${id}`, { disabled: true, name: null })
    expect(await ask(key)).toMatchObject({ status: 401, message: expect.stringContaining('switched off') })
    await admin('DELETE', `/keys/${id}`)
    expect(await ask(key)).toMatchObject({ status: 401, message: expect.stringContaining('not known') })
    await Bun.$`rm -r ${folder}`.quiet()
  })
})

describe('what another process changes', () => {
  const other = async (store: Awaited<ReturnType<typeof started>>['store'], options: Partial<CreateKeyOptions> = {}) => {
    const made = createKey({ name: 'other', ...options })
    await store.add(made.record)
    return made
  }

  test('acts at the next look: changed, revoked, made', async () => {
    const { store, ask, poll } = await started()
    const { key, record } = await other(store)
    expect(await ask(key)).toMatchObject({ status: 200, principal: { id: record.id } }) // found without waiting for a look
    await store.change(record.id, { tier: 'paid' })
    await poll()
    expect((await ask(key)).principal?.tier).toBe('paid')
    await store.revoke(record.id)
    expect((await ask(key)).status).toBe(200) // bounded: it is not asked for each request
    await poll()
    expect((await ask(key)).status).toBe(401)
    expect(pollEvery).toBeLessThanOrEqual(500)
  })

  test('a key that was asked for before it was there is known at the next look', async () => {
    const { store, ask, poll } = await started()
    const made = createKey({ name: 'later' })
    expect((await ask(made.key)).status).toBe(401)
    await store.add(made.record)
    await poll()
    expect((await ask(made.key)).status).toBe(200)
  })

  test('keys of another instance of the plugin are not keys of this one', async () => {
    const { kit, ask } = await started()
    const { sql } = kit.stores.records
    const staff = recordsKeyStore(
      { sql, transaction: (run: (q: typeof sql) => unknown) => run(sql) } as unknown as Records,
      'staff',
      Date.now,
    )
    expect((await ask((await other(staff)).key)).status).toBe(401)
  })
})

describe('while the records are away', () => {
  test('known keys are good for stale_for, unknown ones are refused with 503, and all is well afterwards', async () => {
    const { kit, store, admin, ask, poll } = await started({ stale_for: '10m' })
    const { key, id } = (await admin('POST', '/keys', { name: 'ann' })).json
    const unknown = createKey({ name: 'unknown' })
    kit.stores.records.down()
    expect((await ask(key)).status).toBe(200)
    const refused = await ask(unknown.key)
    expect(refused).toMatchObject({ status: 503, code: 'store_unavailable' })
    expect((await ask('sk-hg-mistyped')).status).toBe(401) // no key at all: nobody need be asked
    await kit.clock.advance(9 * 60_000)
    expect((await ask(key)).status).toBe(200)
    await kit.clock.advance(2 * 60_000)
    expect(await ask(key)).toMatchObject({ status: 503, code: 'store_unavailable' })
    await store.change(id, { tier: 'new' })
    await store.add(unknown.record)
    await kit.stores.records.up()
    await poll()
    expect(await ask(key)).toMatchObject({ status: 200, principal: { tier: 'new' } })
    expect((await ask(unknown.key)).status).toBe(200)
    expect(kit.logs.filter((l) => l.component === 'auth' && l.level === 'error').length).toBeLessThanOrEqual(2)
  })

  test('a gateway that starts without them knows its keys when they come', async () => {
    const { kit, ask, poll, store } = await started({}, { records: 'down' })
    const made = createKey({ name: 'early' })
    expect((await ask(made.key)).status).toBe(503)
    await kit.stores.records.up()
    await store.add(made.record)
    await poll()
    expect((await ask(made.key)).status).toBe(200)
  })
})
