/** `headgate replay`: what another config would do otherwise with recorded requests, at their own times, without calling anybody. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { newChain } from '../../plugins/audit/chain.ts'
import type { RowBody } from '../../plugins/audit/row.ts'
import { openAudit } from '../../plugins/audit/tools.ts'
import { openRecords } from '../store/open-records.ts'
import { cli, config, type Folder, folder } from './cli.fixture.ts'
import { replayBody } from './replay-body.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const begin = Date.parse('2026-11-20T12:00:00Z')
let dir: Folder
let old: string
let key: string

const auth = '  - use: auth\n    with: { keys_file: ./data/keys.json, key_prefix: hg- }'
const audit = '  - use: audit\n    with: { sink: records }'

function rowAt(seconds: number, more: Partial<RowBody> = {}): RowBody {
  const at = BigInt(begin + seconds * 1000)
  return {
    thread: null,
    request_id: `req_${seconds}`,
    trace_id: null,
    reply_id: null,
    at,
    ended_at: at,
    caller: key,
    account: key,
    tier: null,
    end_user: null,
    session: null,
    turn: null,
    operation: 'chat',
    dialect: 'openai-chat',
    model_asked: 'big/one',
    model_served: 'one',
    upstream: 'real',
    status: 200n,
    ending: 'finished',
    code: null,
    answered_by: null,
    stream: false,
    stream_state: 'completed',
    usage_source: 'reported',
    input: 1000n,
    cache_read: 0n,
    cache_write: 0n,
    output: 100n,
    reasoning: 0n,
    cost: 5_000_000_000n,
    cost_least: null,
    saved: null,
    attempts: 1n,
    first_ms: null,
    total_ms: 5n,
    saved_gross: null,
    trim_saved: null,
    trimmed: null,
    cache_status: null,
    cache_attribution: null,
    response_saved: null,
    detail: JSON.stringify({
      path: '/v1/chat/completions',
      attempts: [{ upstream: 'real', model: 'one', status: 200, at: 0, ms: 5 }],
      timings: { end: 5 },
    }),
    ...more,
  }
}

async function record(...rows: RowBody[]): Promise<void> {
  const store = openRecords('sqlite:./data/headgate.db', { folder: dir.path, spoolLimit: 0, log: quiet })
  const records = store.scoped('audit')
  await openAudit(records)
  const chain = newChain('inst1', undefined)
  await records.append(
    'audit_exchange',
    rows.map((row) => chain.add(row)),
  )
  await store.close()
}

beforeEach(async () => {
  dir = folder()
  old = await dir.write('old.yaml', config(`${audit}\n${auth}\n  - use: router`))
  const made = await cli(['keys', 'create', '--name', 'ann', '--config', old])
  expect(made.code).toBe(0)
  const list = JSON.parse((await cli(['keys', 'list', '--json', '--config', old])).out) as { id: string }[]
  key = list[0]!.id
})
afterEach(() => dir.remove())

const replay = (path: string, ...argv: string[]) => cli(['replay', '--config', path, '--records', old, ...argv])

test('the same config differs in nothing', async () => {
  await record(rowAt(0), rowAt(1))
  const priced = (await Bun.file(old).text()).replace('model: one }] }', 'model: one }], price: { input: 3, output: 20 } }')
  const { code, out, err } = await replay(await dir.write('same.yaml', priced))
  expect({ code, out }).toEqual({ code: 0, out: '' })
  expect(err).toContain(
    '2 requests replayed, 0 with their bodies: 0 differ. Those whose cost is known in both would cost 0.01 USD instead of 0.01.',
  )
})

test('another route, another price: each is said', async () => {
  await record(rowAt(0))
  const text = (await Bun.file(old).text()).replace('model: one }] }', 'model: two }], price: { input: 1, output: 2 } }')
  const { code, out } = await replay(await dir.write('new.yaml', text), '-o', 'json')
  expect(code).toBe(1)
  expect(JSON.parse(out)).toEqual({
    request_id: 'req_0',
    key,
    model: 'big/one',
    before: 'real one',
    after: 'real two',
    cost_before: '0.005',
    cost_after: '0.0012',
  })
})

test('the same route at another price differs', async () => {
  await record(rowAt(0))
  const text = (await Bun.file(old).text()).replace('model: one }] }', 'model: one }], price: { input: 1, output: 2 } }')
  const { code, out } = await replay(await dir.write('new.yaml', text), '-o', 'json')
  expect(code).toBe(1)
  expect(JSON.parse(out)).toMatchObject({ before: 'real one', after: 'real one', cost_before: '0.005', cost_after: '0.0012' })
})

test('limits count by the times of the requests', async () => {
  await record(rowAt(0), rowAt(1), rowAt(2), rowAt(70))
  const text = config(`${audit}\n${auth}\n  - use: rate-limit\n    with: { requests: 2, window: 1m, by: key }\n  - use: router`)
  const path = await dir.write('new.yaml', text)
  const lines = (await replay(path, '-o', 'json')).out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { request_id: string; after: string })
  expect(lines.filter((l) => l.after !== 'real one').map((l) => [l.request_id, l.after])).toEqual([['req_2', 'refused by rate-limit']])
  expect((await replay(path)).out).toMatch(/1 +big\/one +real one +refused by rate-limit +req_2/)
})

test('callers whose keys stand in the config itself are known', async () => {
  await record(rowAt(0, { caller: 'written' }))
  const hash = new Bun.CryptoHasher('sha256').update('sk-anything').digest('hex')
  const own = `  - use: auth\n    with: { keys: [{ id: written, hash: ${hash}, tier: gold, expires: "2099-01-01" }] }`
  const path = await dir.write('own.yaml', config(`${audit}\n${own}\n  - use: router`))
  const { err } = await replay(path)
  expect(err).toContain('1 requests replayed, 0 with their bodies: 0 differ.')
  expect(err).not.toContain('left out')
})

test('callers that the config does not know are left out, and said: they would be refused', async () => {
  await record(rowAt(0, { caller: 'key_gone' }))
  const { code, err } = await replay(old)
  expect(code).toBe(1)
  expect(err).toContain('1 requests of key_gone were left out')
})

test('a kept body is replayed as it is; one that was cut is not', () => {
  const hint = { endpoint: 'chat', model: 'm', stream: true }
  const text = (kept?: string) => new TextDecoder().decode(replayBody(hint, kept)?.bytes)
  expect(text('{"model":"m","x":1}')).toBe('{"model":"m","x":1}')
  expect(JSON.parse(text('{"model":"m","mess'))).toEqual({ model: 'm', messages: [{ role: 'user', content: '.' }], stream: true })
  expect(replayBody({ ...hint, endpoint: 'count_tokens' }, undefined)).toBeUndefined()
})
