import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Exchange, type Host, type Outcome, Principal, Session, type Slot, unknownUsage } from 'headgate/plugin'
import audit from './index.ts'
import { fieldNames } from './record.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-audit-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** Where lines wait while their file takes none. */
const spool = { spool: 'left/lines', spool_limit: 1_000_000 }
const host = (tasks: (() => Promise<void>)[] = []) =>
  ({
    log: { error: () => undefined, info: () => undefined },
    id: 'audit',
    counter: () => ({ add: () => undefined }),
    gauge: () => undefined,
    task: (_name: string, _every: number, run: () => Promise<void>) => void tasks.push(run),
    file: (path: string) => join(folder, path),
  }) as unknown as Host

const secret = 'sk-hg-should-never-be-seen'

/** An exchange that has secrets wherever the record must not look. */
function exchange(slots: ReadonlyMap<Slot<unknown>, unknown> = new Map()): Exchange {
  return {
    id: 'req_1',
    operation: 'chat',
    dialect: 'openai-chat',
    ip: '192.0.2.1',
    receivedAt: Date.parse('2026-01-02T03:04:05.678Z'),
    path: '/v1/chat/completions',
    headers: new Headers({ authorization: `Bearer ${secret}`, 'x-trace-id': 'trace-7' }),
    query: `key=${secret}`,
    request: { json: { messages: [secret] }, model: secret },
    peek: (slot: Slot<unknown>) => slots.get(slot),
  } as unknown as Exchange
}

const outcome: Outcome = {
  end: 'finished',
  status: 200,
  message: `Incorrect API key: ${secret}`,
  usage: {
    ...unknownUsage,
    source: 'reported',
    inputUncached: 10,
    cacheRead: 90,
    outputVisible: 5,
    raw: `{"note":"${secret}"}`,
  },
  attempts: [
    {
      upstream: 'a',
      model: 'm-1',
      url: `https://a/?key=${secret}`,
      startedAt: 1,
      endedAt: 11.26,
      status: 500,
      failure: 'status',
      message: secret,
    },
    {
      upstream: 'b',
      model: 'm-2',
      url: 'https://b/',
      startedAt: 12,
      endedAt: 30,
      status: 200,
      price: { input: 3_000_000n, output: 15_000_000n, cache_read: 300_000n },
      usage: { ...unknownUsage, source: 'reported', inputUncached: 10, cacheRead: 90, outputVisible: 5 },
    },
  ],
  modelAsked: 'm',
  modelServed: 'm-2-2026',
  upstream: 'b',
  stream: true,
  streamState: 'completed',
  bytesIn: 100,
  bytesOut: 2000,
  timings: { admittedAt: 0.04, bodyAt: 1, headAt: 15, firstContentAt: 20, endAt: 30.55 },
  verdicts: [{ plugin: 'x', hook: 'request', did: 'noted', detail: secret }],
}

/** Settles the exchanges, closes the plugin, and gives the file's lines. */
async function written(outcomes: readonly Outcome[], options: object = {}, x = exchange()): Promise<string[]> {
  const hooks = await audit.setup(host(), { file: 'logs/audit.jsonl', trace_headers: ['x-trace-id'], ...spool, ...options })
  for (const one of outcomes) await hooks.settle?.(x, one)
  await hooks.close?.()
  const text = await Bun.file(join(folder, 'logs/audit.jsonl')).text()
  expect(text === '' || text.endsWith('\n')).toBe(true)
  return text.split('\n').slice(0, -1)
}

test('an exchange of unknown cost is counted once, however many sinks record it', async () => {
  const counted: string[] = []
  const counting = { ...host(), counter: (name: string) => ({ add: () => void counted.push(name) }) } as unknown as Host
  const sinks = await Promise.all(
    ['one', 'two'].map((name) =>
      audit.setup(counting, { file: `logs/${name}.jsonl`, trace_headers: [], spool: `left/${name}`, spool_limit: 1 }),
    ),
  )
  const { price: _, ...unpriced } = outcome.attempts[1]!
  for (const one of [
    { ...outcome, attempts: [unpriced] },
    { ...outcome, attempts: [unpriced] },
  ])
    for (const sink of sinks) await sink.settle?.(exchange(), one)
  for (const sink of sinks) await sink.close?.()
  expect(counted.filter((name) => name === 'audit_cost_unknown')).toHaveLength(2)
})

describe('a line', () => {
  test('tells of work beside the reply that is billed apart (E04)', async () => {
    const extra = [
      { kind: 'compaction', usage: { ...unknownUsage, source: 'reported' as const, inputUncached: 300, outputVisible: 20 } },
      { kind: 'advisor', model: 'other', usage: { ...unknownUsage, source: 'reported' as const, inputUncached: 4 } },
    ]
    const [line] = await written([{ ...outcome, usage: { ...outcome.usage, extra } }])
    expect(JSON.parse(line!).usage).toMatchObject({
      input_uncached: 10,
      extra: [
        { kind: 'compaction', input_uncached: 300, output_visible: 20 },
        { kind: 'advisor', model: 'other', input_uncached: 4 },
      ],
    })
  })

  test('says who, what, where, how it ended and what it used', async () => {
    const x = exchange(
      new Map<Slot<unknown>, unknown>([
        [Principal, { ...Principal.example, tier: 'paid' }],
        [Session, { id: 'ses_1', turn: 3 }],
      ]),
    )
    const [line] = await written([outcome], {}, x)
    expect(JSON.parse(line!)).toEqual({
      time: '2026-01-02T03:04:05.678Z',
      id: 'req_1',
      trace_id: 'trace-7',
      principal: 'key_example',
      account: 'acct_example',
      tier: 'paid',
      session: 'ses_1',
      turn: 3,
      ip: '192.0.2.1',
      operation: 'chat',
      path: '/v1/chat/completions',
      dialect: 'openai-chat',
      model_asked: 'm',
      model_served: 'm-2-2026',
      upstream: 'b',
      status: 200,
      end: 'finished',
      stream: true,
      stream_state: 'completed',
      usage: {
        source: 'reported',
        input_uncached: 10,
        cache_read: 90,
        cache_write_5m: 0,
        cache_write_1h: 0,
        cache_write_other: 0,
        output_visible: 5,
        reasoning: 0,
      },
      cost_usd: '0.000132',
      attempts: [
        { upstream: 'a', model: 'm-1', status: 500, failure: 'status', at: 1, ms: 10.3 },
        { upstream: 'b', model: 'm-2', status: 200, at: 12, ms: 18, cost_usd: '0.000132' },
      ],
      latency_ms: 31,
      verdicts: [{ plugin: 'x', hook: 'request', did: 'noted', detail: '[key]' }],
      timings: { admitted: 0, body: 1, head: 15, first_content: 20, end: 30.6 },
      bytes_in: 100,
      bytes_out: 2000,
    })
  })

  test('holds nothing of headers, body, query, urls, or sentences of others', async () => {
    const [line] = await written([outcome])
    expect(line).not.toContain(secret)
  })

  test('of a refused exchange leaves out what is not known, and makes no zeros of it', async () => {
    const refused: Outcome = {
      end: 'refused',
      status: 401,
      code: 'invalid_api_key',
      by: 'auth',
      usage: unknownUsage,
      attempts: [],
      stream: false,
      streamState: 'none',
      bytesIn: 0,
      bytesOut: 90,
      timings: { endAt: 1 },
      verdicts: [],
    }
    const record = JSON.parse((await written([refused]))[0]!)
    expect(record).toMatchObject({ end: 'refused', code: 'invalid_api_key', by: 'auth', attempts: [], timings: { end: 1 } })
    expect(record.usage).toEqual({ source: 'unknown' })
    for (const name of ['principal', 'session', 'model_asked', 'upstream']) expect(record).not.toHaveProperty(name)
  })

  test('of a translated request names what the upstream could not be told', async () => {
    const [line, plain] = await written([{ ...outcome, dropped: ['seed', 'tools[2]'] }, outcome])
    expect(JSON.parse(line!).dropped).toEqual(['seed', 'tools[2]'])
    expect(JSON.parse(plain!)).not.toHaveProperty('dropped')
  })

  test('of an unknown cost says so, and what is missing', async () => {
    const [, answered] = outcome.attempts
    const { price: _, ...unpriced } = answered!
    const { price: __, usage: ___, ...silent } = answered!
    const records = (
      await written([
        { ...outcome, attempts: [unpriced] },
        { ...outcome, attempts: [{ ...silent, firstContentAt: 20 }] },
        { ...outcome, attempts: [silent] },
      ])
    ).map((line) => JSON.parse(line))
    expect(records.map((r) => [r.cost_usd, r.cost_missing])).toEqual([
      ['unknown', ['price']],
      ['unknown', ['usage']],
      ['0', undefined],
    ])
  })

  test('stays one line, of bounded size, whatever a client calls its model', async () => {
    const lines = await written([{ ...outcome, modelAsked: '\n\r\u2028"'.repeat(100_000) }])
    expect(lines).toHaveLength(1)
    expect(lines[0]!.length).toBeLessThan(3000)
    JSON.parse(lines[0]!)
  })

  test('has only the fields that were asked for, in that order', async () => {
    expect(await written([outcome], { fields: ['end', 'id', 'tier'] })).toEqual(['{"end":"finished","id":"req_1"}'])
    const all = (await written([outcome], { fields: [...fieldNames] }))[1]!
    expect((await written([outcome]))[2]!).toBe(all)
  })
})

describe('the file', () => {
  test('has one line per settled exchange, appended to what was there', async () => {
    expect(await written(Array.from({ length: 500 }, () => outcome))).toHaveLength(500)
    expect(await written([outcome])).toHaveLength(501)
  })

  test('may be renamed while in use: the next lines make a new one', async () => {
    const hooks = await audit.setup(host(), { file: 'audit.jsonl', trace_headers: [], ...spool })
    const path = join(folder, 'audit.jsonl')
    await rename(path, `${path}.1`)
    await hooks.settle?.(exchange(), outcome)
    await hooks.close?.()
    expect((await Bun.file(path).text()).split('\n')).toHaveLength(2)
    expect(await Bun.file(`${path}.1`).text()).toBe('')
  })

  test('that cannot be written stops the start', async () => {
    await mkdir(join(folder, 'audit.jsonl'))
    await expect(Promise.resolve(audit.setup(host(), { file: 'audit.jsonl', trace_headers: [], ...spool }))).rejects.toThrow(/EISDIR/)
  })

  test('that fails later is told by health; lines wait on the disk, and come when it is back', async () => {
    const tasks: (() => Promise<void>)[] = []
    const hooks = await audit.setup(host(tasks), { file: 'sub/audit.jsonl', trace_headers: [], ...spool })
    expect(await hooks.health?.()).toBeUndefined()
    await rm(join(folder, 'sub'), { recursive: true })
    await hooks.settle?.(exchange(), outcome)
    for (let tries = 0; tries < 500 && (await hooks.health?.()) === undefined; tries++) await Bun.sleep(5)
    expect(await hooks.health?.()).toMatch(/^audit lines cannot be written to .*; they wait on the disk$/)
    await mkdir(join(folder, 'sub'))
    for (const task of tasks) await task()
    expect(await hooks.health?.()).toBeUndefined()
    expect((await Bun.file(join(folder, 'sub/audit.jsonl')).text()).split('\n')).toHaveLength(2)
    await hooks.close?.()
  })
})

test('without a file, lines go to standard output, and a reader that left does no harm', async () => {
  const script = `
    import audit from ${JSON.stringify(join(import.meta.dir, 'index.ts'))}
    const hooks = await audit.setup({
      id: 'audit', log: { error: console.error, info() {} }, counter: () => ({ add() {} }), gauge() {}, task() {}, file: () => process.env.SPOOL,
    }, { trace_headers: [], spool: 'left', spool_limit: 10_000_000 })
    const x = { id: 'req_1', operation: 'chat', dialect: 'd', ip: '', receivedAt: 0, peek() {} }
    const o = { end: 'finished', usage: { source: 'unknown' }, attempts: [], verdicts: [], timings: { endAt: 1 } }
    for (let i = 0; i < 5000; i++) await hooks.settle(x, o)
    await hooks.close()
  `
  const run = async (command: string) => {
    const child = Bun.spawn(['sh', '-c', command], {
      cwd: import.meta.dir,
      env: { ...process.env, SCRIPT: script, SPOOL: join(folder, 'lines'), BUN: process.execPath },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    return { out: await child.stdout.text(), error: await child.stderr.text(), code: await child.exited }
  }
  const whole = await run('"$BUN" -e "$SCRIPT"')
  expect(whole.error).toBe('')
  expect(whole.out.trimEnd().split('\n')).toHaveLength(5000)
  const left = await run('{ "$BUN" -e "$SCRIPT"; echo "code $?" >&2; } | true')
  expect(left.error).toContain('they wait on the disk')
  expect(left.error).not.toContain('lost')
  expect(left.error).toContain('code 0')
})
