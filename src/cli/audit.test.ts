/** `headgate audit` and `headgate usage`: what is asked for is found, told in every form, and sums are exact. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { newChain } from '../../plugins/audit/chain.ts'
import type { RowBody } from '../../plugins/audit/row.ts'
import { openAudit } from '../../plugins/audit/tools.ts'
import { openRecords } from '../store/open-records.ts'
import { waterfall } from './audit-show.ts'
import { cli, config, type Folder, folder } from './cli.fixture.ts'
import { csvLine } from './output-form.ts'
import { rangeOf } from './time-range.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const noon = BigInt(Date.parse('2026-11-20T12:00:00Z'))
const row: RowBody = {
  thread: 'th_audit_api_usage',
  request_id: 'req_1',
  trace_id: 'trace-1',
  reply_id: 'chatcmpl-1',
  at: noon,
  ended_at: noon + 900n,
  caller: 'key_a',
  account: 'acct_1',
  tier: 'paid',
  end_user: null,
  session: 'ses_1',
  turn: 2n,
  operation: 'chat',
  dialect: 'openai-chat',
  model_asked: 'gpt-5',
  model_served: 'gpt-5-2026',
  upstream: 'openai',
  status: 200n,
  ending: 'finished',
  code: null,
  answered_by: null,
  stream: true,
  stream_state: 'completed',
  usage_source: 'reported',
  input: 10n,
  cache_read: 90n,
  cache_write: 0n,
  output: 5n,
  reasoning: 1n,
  cost: 73_750_000n,
  cost_least: null,
  saved: 1_000_000n,
  attempts: 2n,
  first_ms: 400n,
  total_ms: 900n,
  saved_gross: 1_200_000n,
  trim_saved: 400_000n,
  trimmed: 120n,
  cache_status: 'read',
  cache_attribution: 'client',
  response_saved: null,
  detail: JSON.stringify({
    ip: '192.0.2.1',
    path: '/v1/chat/completions',
    price: { input: '3' },
    edits: {
      count: 2,
      first_byte: 17,
      removed: 4096,
      added: 120,
      spans: [[17, 4096, 120]],
      list: [{ plugin: 'trim', what: 'text', where: '/messages/3' }],
    },
    dropped: ['seed'],
    attempts: [
      { upstream: 'azure', model: 'gpt-5', status: 500, failure: 'status', at: 1, ms: 99 },
      { upstream: 'openai', model: 'gpt-5', status: 200, at: 100, first_content: 400, ms: 800, cost_usd: '0.00007375' },
    ],
    timings: { admitted: 0.2, body: 0.5, head: 400, first_content: 400, end: 900 },
    bytes_in: 1000,
    verdicts: [{ plugin: 'rate-limit', did: 'noted', detail: '3 of 60' }],
  }),
}

let dir: Folder
let path: string
beforeEach(async () => {
  dir = folder()
  path = await dir.write('gateway.yaml', config('  - use: audit\n    with: { sink: records }\n  - use: router'))
  const store = openRecords('sqlite:./data/headgate.db', { folder: dir.path, spoolLimit: 0, log: quiet })
  const records = store.scoped('audit')
  await openAudit(records)
  const chain = newChain('inst1', undefined)
  const day = 86_400_000n
  const bodies: RowBody[] = [
    { ...row, request_id: 'req_0', at: noon - 30n * day, caller: 'key_b', cost: 9_223_372_036_854_775_807n },
    row,
    { ...row, request_id: 'req_2', at: noon + 1n, cost: null, cost_least: 5n, ending: 'failed', status: 502n, code: 'upstream_error' },
    {
      ...row,
      request_id: 'req_3',
      at: noon + 2n,
      caller: 'key_b',
      model_asked: '=HYPERLINK("x")',
      session: null,
      trace_id: null,
      cost: 9_223_372_036_854_775_807n,
    },
  ]
  await records.append('audit_instance', [{ id: 'inst1', plugin: 'audit', host: 'h', pid: 1n, started_at: noon }])
  await records.append(
    'audit_exchange',
    bodies.map((body) => chain.add(body)),
  )
  await store.close()
})
afterEach(() => dir.remove())

const audit = (...argv: string[]) => cli(['audit', ...argv, '--config', path])
const ids = async (...argv: string[]) =>
  (await audit('query', '-o', 'json', ...argv)).out
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { request_id: string }).request_id)

describe('query', () => {
  test('lists the newest first, by any filter and time', async () => {
    expect(await ids()).toEqual(['req_3', 'req_2', 'req_1', 'req_0'])
    expect(await ids('--limit', '1')).toEqual(['req_3'])
    expect(await ids('--key', 'key_a', '--end', 'finished')).toEqual(['req_1'])
    expect(await ids('--month', '2026-10')).toEqual(['req_0'])
    expect(await ids('--from', '2026-11-20', '--to', '2026-11-20', '--tier', 'paid', '--status', '200')).toEqual(['req_3', 'req_1'])
    expect(await ids('--trace', 'trace-1', '--code', 'upstream_error')).toEqual(['req_2'])
    expect(await ids('--thread', 'th_audit_api_usage', '--min-cost', '0.00007375', '--model', 'gpt-5', '--month', '2026-11')).toEqual([
      'req_1',
    ])
  })

  test('as a table and as CSV that no spreadsheet runs', async () => {
    const table = (await audit('query')).out
    expect(table).toMatch(/2026-11-20 12:00:00 +req_1 +key_a +paid +chat +gpt-5 +openai +200 +finished +100 +6 +0\.00007375 +900/)
    const csv = (await audit('query', '-o', 'csv')).out.split('\r\n')
    expect(csv).toHaveLength(6)
    expect(csv[1]).toContain(`"'=HYPERLINK(""x"")"`)
    expect(csvLine(['a,b', null, -5, '-5', '-x', 3n])).toBe(`"a,b",,-5,-5,'-x,3\r\n`)
  })

  test('says so when nothing fits, or an option is wrong', async () => {
    expect(await audit('query', '--key', 'nobody')).toMatchObject({ code: 0, out: '', err: 'No exchange fits.\n' })
    expect((await audit('query', '--end', 'lost')).code).toBe(2)
    expect((await audit('query', '--from', 'yesterday')).err).toContain('is no time')
    for (const time of ['2026-11-31', '2026-13', '2026-02-30T00:00:00Z']) expect((await audit('query', '--from', time)).code).toBe(2)
    expect((await audit('qurey')).err).toContain('did you mean query')
    expect((await audit('verify', '--key', 'x')).err).toContain('--key does not go with verify')
  })
})

describe('show', () => {
  test('tells the whole story, with times as a waterfall', async () => {
    const { out, code } = await audit('show', 'req_1')
    expect(code).toBe(0)
    for (const part of [
      '0.00007375 USD',
      'key_a',
      'trace trace-1',
      'rate-limit',
      '3 of 60',
      'from byte 17 of 1000 on',
      '4096 taken out, 120 put in',
      'at byte 17: 4096 became 120',
      "0.000001 USD by the provider's cache  (0.0000012 by reading alone)",
      '0.0000004 USD by trimming  120 tokens',
      'read  thanks to client',
      '/messages/3',
      'seed',
      'inst1.000000000002',
    ])
      expect(out).toContain(part)
    expect(out).toMatch(/azure gpt-5 +█+ +99 ms {2}500, status/)
    expect(out).toMatch(/openai gpt-5 +█{30,} +800 ms {2}200, first content at 400, 0\.00007375 USD/)
  })

  test('by id of the reply, trace or record; as JSON; an error when there is none', async () => {
    expect(JSON.parse((await audit('show', 'inst1.000000000001', '-o', 'json')).out)).toMatchObject({
      request_id: 'req_0',
      tokens_input: 100,
    })
    expect((await audit('show', 'chatcmpl-1')).out).toContain('req_3')
    const none = await audit('show', 'req_9', '--bodies')
    expect(none.code).toBe(1)
    expect(none.err).toContain('there is no exchange "req_9"')
  })

  test('bars begin and end where their times say', () => {
    const [a, b] = waterfall([
      { name: 'a', from: 0, to: 50, remark: '' },
      { name: 'b', from: 50, to: 100, remark: 'x' },
    ])
    expect(a).toBe(`a          ${'█'.repeat(22)}${' '.repeat(22)} 50 ms`)
    expect(b).toBe(`b          ${' '.repeat(22)}${'█'.repeat(22)} 50 ms  x`)
  })
})

test('verify: exit code 0 while all is as it was written, 1 with what is not', async () => {
  expect(await audit('verify')).toMatchObject({ code: 0, err: '4 records in 1 chains: all as they were written\n' })
  const { Database } = await import('bun:sqlite')
  const db = new Database(dir.file('data/headgate.db'))
  db.run("UPDATE audit_exchange SET tier = 'free' WHERE seq = 2")
  db.close()
  const { code, err } = await audit('verify')
  expect(code).toBe(1)
  expect(err).toContain('altered  inst1  row 2 is not as it was written (req_1)')
  expect(JSON.parse((await audit('verify', '-o', 'json')).out)).toMatchObject({ ok: false, rows: 4 })
})

describe('usage', () => {
  const usage = async (...argv: string[]) =>
    JSON.parse((await cli(['usage', ...argv, '-o', 'json', '--config', path])).out) as Record<string, unknown>[]

  test("a month's cost in one command, exact, with what is not known apart", async () => {
    expect(await usage('--month', '2026-11', '--key', 'key_a')).toEqual([
      {
        requests: 2,
        refused: 0,
        failed: 1,
        tokens_input: 200,
        tokens_cache_read: 180,
        tokens_cache_write: 0,
        tokens_output: 12,
        tokens_reasoning: 2,
        cost_usd: '0.00007375',
        cost_unknown: 1,
        cost_unknown_at_least_usd: '0.000000000005',
        cache_savings_usd: '0.000002',
        cache_savings_gross_usd: '0.0000024',
        trim_savings_usd: '0.0000008',
        trimmed_tokens: 240,
      },
    ])
  })

  test('sums beyond 64 bits are exact, whatever they are grouped by', async () => {
    expect((await usage())[0]).toMatchObject({ cost_usd: '18446744.073783301614' })
    expect((await usage('--by', 'key,session')).map((l) => [l.key, l.session, l.requests])).toEqual([
      ['key_a', 'ses_1', 2],
      ['key_b', '', 1],
      ['key_b', 'ses_1', 1],
    ])
    expect((await usage('--by', 'day')).map((l) => l.day)).toEqual(['2026-10-21', '2026-11-20'])
  })

  test('as a table; wrong groups are refused', async () => {
    expect((await cli(['usage', '--by', 'model', '--config', path])).out).toMatch(/^model +requests/)
    expect((await cli(['usage', '--by', 'colour', '--config', path])).err).toContain('there are day, month, key')
  })
})

test('a config without records says what to do', async () => {
  const plain = await dir.write('plain.yaml', config('  - use: audit\n  - use: router'))
  const { code, err } = await cli(['usage', '--config', plain])
  expect(code).toBe(1)
  expect(err).toContain('sink: records')
})

test('ranges: dates and months are whole, times ago count from now', () => {
  const now = Date.parse('2026-11-21T10:00:00Z')
  const range = (options: Record<string, string>) => rangeOf({ options }, now)
  expect(range({ month: '2026-12' })).toEqual({ from: Date.UTC(2026, 11, 1), to: Date.UTC(2027, 0, 1) })
  expect(range({ from: '2026-11-20', to: '2026-11-20' })).toEqual({ from: Date.UTC(2026, 10, 20), to: Date.UTC(2026, 10, 21) })
  expect(range({ from: '24h' })).toEqual({ from: now - 86_400_000 })
  expect(range({ from: '2026-11-20T08:00:00+02:00' })).toEqual({ from: Date.UTC(2026, 10, 20, 6) })
  for (const wrong of [{ month: '2026-13' }, { from: '2026-02-30T' }, { from: 'x' }, { month: '2026-11', from: '24h' }])
    expect(() => range(wrong as never)).toThrow()
})
