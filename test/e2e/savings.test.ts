/**
 * What was saved, told by real records of a real gateway: agents over HTTP, a provider whose bills the test sets, and figures reckoned by hand from the
 * bills; the same by the command line, by headers, and by the session's endpoint.
 */

import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messages, numbered, read, run, type Step, source } from '../../plugins/tool-trim/conversation.fixture.ts'
import { cli } from '../../src/cli/cli.fixture.ts'
import { type Edge, serveEdge } from '../../src/edge/serve.ts'
import { composition } from '../../src/main.ts'
import { parseUsd } from '../../src/plugin/money.ts'
import { Gateway } from '../../src/runtime/gateway.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(60_000)

/** What the provider bills next; undefined: it says nothing. */
interface Bill {
  readonly plain: number
  readonly read: number
  readonly written: number
}

let folder: string
let config: string
let bill: Bill | undefined
let provider: ReturnType<typeof Bun.serve>
let gateway: Gateway | undefined
let edge: Edge | undefined
let count = 0

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-savings-'))
  config = join(folder, 'gateway.yaml')
  bill = { plain: 100, read: 10_000, written: 500 }
  provider = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { stream } = (await request.json()) as { stream?: boolean }
      const usage = bill && {
        input_tokens: bill.plain,
        cache_read_input_tokens: bill.read,
        cache_creation_input_tokens: bill.written,
        output_tokens: 20,
      }
      const content = [{ type: 'text', text: 'Done.' }]
      const message = { id: `msg_${++count}`, type: 'message', role: 'assistant', model: 'm', content, stop_reason: 'end_turn', usage }
      return stream ? streamed(message) : Response.json(message)
    },
  })
})
afterEach(async () => {
  await stop()
  await provider.stop(true)
  rmSync(folder, { recursive: true, force: true })
})

function streamed(message: object): Response {
  const events: readonly ({ readonly type: string } & Readonly<Record<string, unknown>>)[] = [
    { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Done.' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 20 } },
    { type: 'message_stop' },
  ]
  const text = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
  return new Response(text, { headers: { 'content-type': 'text/event-stream' } })
}

async function stop(): Promise<void> {
  await edge?.stop(1000)
  await gateway?.close(1000)
  edge = undefined
  gateway = undefined
}

/** USD per million tokens: picodollars per token are these times a million. */
const price = { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 }

async function start(control: number): Promise<void> {
  const target = (model: string) => [{ upstream: 'claude', model }]
  writeFileSync(
    config,
    JSON.stringify({
      version: 1,
      upstreams: { claude: { dialect: 'anthropic', base_url: provider.url.origin, key: 'k' } },
      models: { priced: { targets: target('m'), price }, free: { targets: target('n') } },
      plugins: [
        { use: 'audit', with: { sink: 'records' } },
        {
          use: 'cost-headers',
          with: { headers: { trim_savings_usd: 'x-trim', trimmed_tokens: 'x-trimmed', cache_savings_usd: 'x-saved' } },
        },
        { use: 'session', with: { secret: 'of the test' } },
        { use: 'session-cache', with: { response: { header: 'x-cache' }, prompt: { hold: 0 } } },
        { use: 'tool-trim', with: { control_share: control, min_prompt: 0 } },
        { use: 'router' },
      ],
    }),
  )
  gateway = new Gateway({
    configPath: config,
    env: {},
    builtins: composition.builtins,
    startDemo: () => Promise.reject(new Error('no demo here')),
    log: { write: () => {} },
  })
  const built = await gateway.reload()
  expect(built.diagnostics.filter((d) => d.severity === 'error')).toEqual([])
  edge = serveEdge(gateway, { host: '127.0.0.1', port: 0 }, { host: '127.0.0.1', port: 0 })
}

const file = numbered(source(60))
const steps = (turns: number): Step[] =>
  Array.from({ length: turns }, (_, i) => ({ say: `Step ${i}`, calls: [read('src/a.ts', file), run(`ls ${i}`, source(10, `o${i}`))] }))

async function ask(
  session: string,
  given: readonly Step[],
  more: { model?: string; headers?: Record<string, string>; body?: object } = {},
) {
  const response = await fetch(`${edge!.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', 'x-session-id': session, ...more.headers },
    body: JSON.stringify({ model: more.model ?? 'priced', max_tokens: 9, messages: messages(given), ...more.body }),
  })
  expect([response.status, await response.text()]).toEqual([200, expect.any(String)])
  return response.headers
}

type Told = Record<string, unknown>
interface Savings {
  readonly lines: readonly Told[]
  readonly control_arm: Told & { readonly why: string }
  readonly sticky_routing: Told
}
async function savings(...argv: string[]): Promise<Savings> {
  const { out, err, code } = await cli(['savings', '--config', config, '-o', 'json', ...argv])
  expect([code, err]).toEqual([0, ''])
  return JSON.parse(out) as Savings
}

describe('one gateway, an agent and others', () => {
  /** Three turns of an agent, one answer given again, one without a price, one without a usage, and one that wrote more than it read. */
  async function traffic() {
    await start(0)
    const headers: Headers[] = []
    for (let turns = 1; turns <= 3; turns++) headers.push(await ask('agent', steps(turns)))
    bill = { plain: 0, read: 0, written: 1000 }
    headers.push(await ask('writer', steps(0), { body: { system: 'Only once.' } }))
    bill = { plain: 1000, read: 0, written: 0 }
    const again = { headers: { 'x-cache': 'on' }, body: { temperature: 0 } }
    await ask('asker', steps(0), again)
    expect((await ask('asker', steps(0), again)).get('x-cache')).toBe('hit')
    bill = { plain: 7, read: 900, written: 0 }
    await ask('stranger', steps(0), { model: 'free' })
    bill = undefined
    await ask('silent', steps(0), { body: { system: 'Say nothing.' } })
    return headers
  }

  test('the figures are those of the bills, and what can not be measured stands apart', async () => {
    const headers = await traffic()
    const {
      lines: [line],
      control_arm,
      sticky_routing,
    } = await savings()
    // three times 10,000 read at 0.3 for 3 and 500 written at 3.75 for 3; once 1000 written and nothing read
    const gross = 3n * 10_000n * 2_700_000n
    const net = gross - 3n * 500n * 750_000n - 1000n * 750_000n
    expect(line).toMatchObject({
      requests: 8,
      cache_savings_usd: '0.079125',
      cache_savings_gross_usd: '0.081',
      response_cache_hits: 1,
      // 1000 plain and 20 of output: what the call cost that was not made again
      response_savings_usd: '0.0033',
      not_measurable: 2,
      not_measurable_price: 1,
      not_measurable_usage: 1,
      responses_not_measurable: 0,
      cost_unknown: 2,
    })
    expect(net).toBe(79_125_000_000n)
    expect(gross).toBe(81_000_000_000n)
    const trim = headers.reduce((sum, h) => sum + parseUsd(h.get('x-trim') ?? '0'), 0n)
    const tokens = headers.reduce((sum, h) => sum + Number(h.get('x-trimmed') ?? 0), 0)
    expect(tokens).toBeGreaterThan(1000)
    // all of it stood where the provider read from its cache, at a tenth of the list price
    expect(trim).toBe(BigInt(tokens) * 300_000n)
    expect(parseUsd(line!.trim_savings_usd as string)).toBe(trim)
    expect(line!.trimmed_tokens).toBe(tokens)
    // 3 × (300 + 3000 + 1875) + 3750 + 3000 + 5 × 300 of output, in millionths
    const cost = 3n * (300n + 3000n + 1875n) + 3750n + 3000n + 5n * 300n
    expect(parseUsd(line!.cost_usd as string)).toBe(cost * 1_000_000n)
    const saved = net + trim + 3_300_000_000n
    expect(parseUsd(line!.savings_usd as string)).toBe(saved)
    // what the two cost at least that are not known is known to be nothing
    expect(parseUsd(line!.without_usd as string)).toBe(cost * 1_000_000n + saved)
    expect(line!.share_saved).toBeCloseTo(Number(saved) / Number(cost * 1_000_000n + saved), 4)
    expect(line!.cache_hit_share).toBeCloseTo(30_900 / (30_900 + 300 + 1500 + 1000 + 1000 + 7), 4)
    expect(control_arm).toMatchObject({ measurable: false, why: expect.stringContaining('control_share') })
    expect(sticky_routing).toMatchObject({ measurable: false })
  })

  test('all of a group that is not measurable is told as that, not as nothing', async () => {
    await traffic()
    const { lines } = await savings('--by', 'model')
    expect(lines).toMatchObject([
      { model: 'free', cache_savings_usd: null, trim_savings_usd: null, savings_usd: null, share_saved: null, not_measurable_price: 1 },
      { model: 'priced', cache_savings_usd: '0.079125', not_measurable_usage: 1, not_measurable_price: 0 },
    ])
    const table = (await cli(['savings', '--config', config, '--by', 'model'])).out
    expect(table).toMatch(/^free +.*unknown/m)
    expect(table).toContain(
      'Not measurable: 2 of 7 answered exchanges, 1 because the provider did not tell the whole usage, 1 because a price is not known.',
    )
    expect(table).toContain('Sticky routing: not measurable')
    expect(table).toContain('Control arm: not measurable: no session of this time was left alone')
    const csv = (await cli(['savings', '--config', config, '--by', 'model', '-o', 'csv'])).out.split('\r\n')
    expect(csv[0]).toStartWith('model,requests,cost_usd')
    expect(csv[1]).toStartWith('free,1,,1,,,,')
  })

  test('kept sums and exchanges that are not in them yet tell the same, by everything', async () => {
    await traffic()
    const groups = [
      '',
      'day',
      'month',
      'key,account',
      'model,upstream',
      'session',
      'attribution',
      'class',
      'session,class',
      'day,attribution',
    ]
    const asked = async () => await Promise.all(groups.map((by) => savings('--by', by)))
    const before = await asked()
    await stop()
    // what is not in the sums yet a gateway that begins would enter
    const { openRecordsBeside } = await import('../../src/store/open-records.ts')
    const quiet = { debug() {}, info() {}, warn() {}, error() {} }
    const store = openRecordsBeside('sqlite:./data/headgate.db', { folder, log: quiet })
    const records = store.scoped('audit')
    const { rollUp } = await import('../../plugins/audit/daily.ts')
    const heads = await records.sql<{ id: string; rolled: bigint }>`SELECT id, rolled FROM audit_head`
    for (const { id, rolled } of heads) await rollUp(records, id, rolled, Date.now())
    const [kept] = await records.sql<{
      n: bigint
      calls: bigint
    }>`SELECT sum(requests) AS n, sum(calls) AS calls FROM audit_daily WHERE cut = 'all'`
    expect(kept).toEqual({ n: 8n, calls: 7n })
    await store.close()
    expect(await asked()).toEqual(before)
    const money = (lines: readonly Told[], name: string) => lines.reduce((sum, l) => sum + parseUsd((l[name] as string | null) ?? '0'), 0n)
    const [all] = before
    for (const [i, { lines }] of before.entries()) {
      const classes = groups[i]!.includes('class')
      expect(lines.length).toBeGreaterThan(0)
      expect(money(lines, 'trim_savings_usd')).toBe(money(all!.lines, 'trim_savings_usd'))
      if (!classes) expect(money(lines, 'savings_usd')).toBe(money(all!.lines, 'savings_usd'))
    }
    expect(before[7]!.lines.map((l) => l.class)).toContain('ref')
    expect(before[6]!.lines.map((l) => l.attribution)).toContain('gateway')
  })

  test('one session: as its endpoint tells it', async () => {
    await traffic()
    const list = (await until(5000, 'the sessions', async () => {
      const { data } = (await (await fetch(`${edge!.adminUrl}/v1/sessions`)).json()) as { data: { id: string; turns: number }[] }
      return data.length >= 5 ? data : undefined
    })) as { id: string; turns: number }[]
    for (const { id } of list) {
      const told = (await (await fetch(`${edge!.adminUrl}/v1/sessions/${id}`)).json()) as {
        savings: Record<string, unknown>
        spend_usd: string
        requests: { from_response_cache: number }
      }
      const [line] = (await savings('--session', id)).lines
      expect({
        cache_net_usd: line!.cache_savings_usd ?? '0',
        cache_gross_usd: line!.cache_savings_gross_usd ?? '0',
        trim_usd: line!.trim_savings_usd ?? '0',
        trimmed_tokens: line!.trimmed_tokens,
      }).toEqual({
        cache_net_usd: told.savings.cache_net_usd as string,
        cache_gross_usd: told.savings.cache_gross_usd as string,
        trim_usd: told.savings.trim_usd as string,
        trimmed_tokens: told.savings.trimmed_tokens as number,
      })
      expect(line!.cost_usd ?? '0').toBe(told.spend_usd)
      expect(line!.response_cache_hits).toBe(told.requests.from_response_cache)
    }
  })

  test('`audit show` says what trimming did, by class', async () => {
    const headers = await traffic()
    const { out } = await cli(['audit', 'show', headers[2]!.get('x-request-id')!, '--config', config])
    expect(out).toMatch(/trim +.*ref \d+.*tokens, \d+ of them new/)
    const told = JSON.parse((await cli(['audit', 'show', headers[2]!.get('x-request-id')!, '--config', config, '-o', 'json'])).out) as {
      trim: { arm: string; new_tokens: number; classes: Record<string, number> }
      trimmed_tokens: number
    }
    expect(told.trim.arm).toBe('trimmed')
    expect(Object.values(told.trim.classes).reduce((a, b) => a + b, 0)).toBe(told.trimmed_tokens)
    expect(told.trim.new_tokens).toBeLessThan(told.trimmed_tokens)
  })
})

test('answers given again: what their call cost at the price of now, whole and as a stream, kept or awaited; unknown is not nothing', async () => {
  await start(0)
  bill = { plain: 1000, read: 0, written: 0 }
  const again = (text: string, more: object = {}) => ({ headers: { 'x-cache': 'on' }, body: { temperature: 0, system: text, ...more } })
  await ask('a', steps(0), again('stream', { stream: true }))
  await ask('a', steps(0), again('stream', { stream: true }))
  const both = await Promise.all([ask('a', steps(0), again('together')), ask('a', steps(0), again('together'))])
  expect(both.map((headers) => headers.get('x-cache')).sort()).toEqual(['joined', 'miss'])
  bill = undefined
  await ask('a', steps(0), again('unknown'))
  expect((await ask('a', steps(0), again('unknown'))).get('x-cache')).toBe('hit')
  expect((await savings()).lines).toMatchObject([
    { requests: 6, response_cache_hits: 3, response_savings_usd: '0.0066', responses_not_measurable: 1, not_measurable_usage: 1 },
  ])
  bill = { plain: 1000, read: 0, written: 0 }
  await ask('b', steps(0), { model: 'free', ...again('free') })
  await ask('b', steps(0), { model: 'free', ...again('free') })
  const { lines } = await savings('--model', 'free')
  // no tokens of a cache: what the prompt cache saved is nothing, and known to be so; what the answer would have cost is not
  expect(lines).toMatchObject([{ response_cache_hits: 1, response_savings_usd: null, responses_not_measurable: 1, not_measurable: 0 }])
  expect((await cli(['savings', '--config', config])).out).toContain('Not measurable: 2 of 4 answers given again')
})

test('the control arm: cost per token sent and turns per session, with an interval; too few sessions are no measure', async () => {
  await start(50)
  const sessions = 90
  const arms = { trimmed: { n: 0, turns: 0, tokens: 0 }, control: { n: 0, turns: 0, tokens: 0 } }
  for (let s = 0; s < sessions; s++) {
    if (s === 12) {
      const { control_arm } = await savings()
      expect(control_arm).toMatchObject({
        measurable: false,
        why: expect.stringMatching(/^\d+ control sessions? of known cost; at least 30/),
      })
    }
    const turns = 2 + (s % 2)
    const all: Headers[] = []
    for (let t = 1; t <= turns; t++) all.push(await ask(`s${s}`, steps(t)))
    const tokens = all.reduce((sum, h) => sum + Number(h.get('x-trimmed') ?? 0), 0)
    const arm = tokens > 0 ? arms.trimmed : arms.control
    arm.n++
    arm.turns += turns
    arm.tokens += tokens
  }
  expect(Math.min(arms.trimmed.n, arms.control.n)).toBeGreaterThan(30)
  const { control_arm, lines } = await savings()
  // every call is billed the same: what the trimmed ones sent more is what the ratio is below one
  const sent = { trimmed: arms.trimmed.turns * 10_600 + arms.trimmed.tokens, control: arms.control.turns * 10_600 }
  const ratio = arms.trimmed.turns / sent.trimmed / (arms.control.turns / sent.control)
  const told = control_arm as unknown as Record<'cost_per_token_sent' | 'turns_per_session', { ratio: number; low: number; high: number }>
  expect(control_arm).toMatchObject({
    measurable: true,
    confidence: 0.95,
    trimmed: { sessions: arms.trimmed.n },
    control: { sessions: arms.control.n, usd_per_million_tokens_sent: 0.5165 },
    left_out: { cost_unknown: 0, both_arms: 0 },
  })
  expect(told.cost_per_token_sent.ratio).toBeCloseTo(ratio, 3)
  expect(told.cost_per_token_sent.high).toBeLessThan(1)
  expect(told.cost_per_token_sent.low).toBeLessThanOrEqual(told.cost_per_token_sent.ratio)
  const turns = arms.trimmed.turns / arms.trimmed.n / (arms.control.turns / arms.control.n)
  expect(told.turns_per_session.ratio).toBeCloseTo(turns, 3)
  expect(told.turns_per_session.low).toBeLessThan(turns)
  expect(told.turns_per_session.high).toBeGreaterThan(turns)
  expect(lines[0]!.requests).toBe(arms.trimmed.turns + arms.control.turns)
  // the same the next time
  expect((await savings()).control_arm).toEqual(control_arm)
  const table = (await cli(['savings', '--config', config])).out
  expect(table).toMatch(
    /Control arm: trimmed sessions cost 0\.\d+ \(95 %: 0\.\d+ to 0\.\d+\) times as much per token sent as those left alone/,
  )
  // a control session is told as one
  const { out } = await cli(['audit', 'query', '--config', config, '-o', 'json'])
  const records = out
    .split('\n')
    .filter(Boolean)
    .map((l) => JSON.parse(l) as { request_id: string; trim: { arm: string } })
  const left = records.find((r) => r.trim.arm === 'control')!
  expect((await cli(['audit', 'show', left.request_id, '--config', config])).out).toContain('left alone to compare with (control arm)')
})
