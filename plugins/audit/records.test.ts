/** `sink: records`: one row per exchange, whatever became of it; chained, durable, summed up, deleted from its beginning only. */

import { describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Principal, Session } from 'headgate/plugin'
import { exchanges } from './query.ts'
import { eachInItsFolder, folder, kit, rows, start, verified } from './records.fixture.ts'
import { deleteExchanges } from './retention.ts'
import type { ExchangeRow } from './row.ts'
import { detailOf, rowTold } from './told.ts'
import { usageBy } from './usage.ts'

eachInItsFolder()

describe('every exchange leaves one row', () => {
  test('finished, streamed, refused, answered by a plugin, failed, left, and of a route', async () => {
    await start()
    const ok = await kit.chat()
    await kit.chat({ stream: true })
    await kit.chat({}, { headers: { 'x-do': 'refuse' } })
    await kit.chat({}, { headers: { 'x-do': 'answer' } })
    await kit.fetch('/extra')
    kit.upstream({ status: 500, message: 'boom' })
    await kit.chat()
    kit.upstream({ text: ['one', 'two'], breakAfter: 2 })
    await kit.chat({ stream: true })
    kit.upstream(() => ({
      body: (async function* () {
        await new Promise(() => {})
        yield ''
      })(),
    }))
    const call = kit.start({ body: { stream: true } })
    call.abort()
    await call.outcome()
    const all = await rows(8)
    expect(all).toHaveLength(8)
    expect(new Set(all.map((r) => r.request_id)).size).toBe(8)
    expect(all.map((r) => [r.ending, Number(r.status), r.code, r.answered_by])).toEqual([
      ['finished', 200, null, null],
      ['finished', 200, null, null],
      ['refused', 429, 'rate_limited', 'below'],
      ['finished', 200, null, 'below'],
      ['finished', 200, null, null],
      ['failed', expect.any(Number), expect.any(String), null],
      ['failed', 200, expect.any(String), null],
      ['abandoned', 499, 'client_closed', null],
    ])
    expect(all.map((r) => r.seq)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n])
    expect(all[0]).toMatchObject({
      request_id: ok.id,
      caller: 'key_example',
      account: 'acct_example',
      tier: 'paid',
      session: 'ses_1',
      turn: 2n,
      operation: 'chat',
      dialect: 'openai-chat',
      model_asked: 'test-model',
      upstream: 'openai',
      attempts: 1n,
    })
    expect(await verified()).toMatchObject([{ rows: 8, first: 1, last: 8, problems: [] }])
  })

  test('a row tells the whole story, and remarks are rid of people', async () => {
    await start({ thread: 'th_audit_api_usage' })
    const { id } = await kit.chat(
      {},
      { headers: { 'x-do': 'edit', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } },
    )
    const [row] = await rows(1)
    expect(row).toMatchObject({ request_id: id, thread: 'th_audit_api_usage', trace_id: '0af7651916cd43dd8448eb211c80319c' })
    const { edits, verdicts, attempts, price } = detailOf(row!)
    expect(edits).toMatchObject({ first_byte: expect.any(Number), list: [{ plugin: 'below', what: 'set', where: '/temperature' }] })
    expect(verdicts).toContainEqual({ plugin: 'below', did: 'noted', detail: 'seen by mail of [email]' })
    expect(attempts).toMatchObject([{ upstream: 'openai', status: 200 }])
    expect(price).toEqual({ input: '3', output: '15' })
    expect(rowTold(row!)).toMatchObject({ endpoint: 'chat', model: 'test-model', end: 'finished', key: 'key_example' })
  })

  test('texts of clients come back as they were hashed: no NUL, no half of a pair', async () => {
    await start()
    const text = '{"model":"a\\u0000b\\ud800c","messages":[{"role":"user","content":"x"}]}'
    await kit.chat(text)
    await rows(1)
    expect(await verified()).toMatchObject([{ rows: 1, problems: [] }])
  })
})

describe('while the store is down', () => {
  test('records wait, and come in their order', async () => {
    await start()
    await kit.chat()
    await rows(1)
    kit.stores.records.down()
    for (let i = 0; i < 5; i++) expect((await kit.chat()).status).toBe(200)
    await kit.stores.records.up()
    await kit.chat()
    const all = await rows(7)
    expect(all.map((r) => r.seq)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n])
    expect(await verified()).toMatchObject([{ rows: 7, problems: [] }])
  })

  test('a gateway that starts without it keeps all', async () => {
    await start({}, { records: 'down' })
    for (let i = 0; i < 3; i++) expect((await kit.chat()).status).toBe(200)
    await kit.stores.records.up()
    expect(await rows(3)).toHaveLength(3)
    expect(await verified()).toMatchObject([{ rows: 3, problems: [] }])
  })
})

describe('sums', () => {
  test('are exact before and after they are rolled up, also beyond 64 bits', async () => {
    await start()
    for (let i = 0; i < 4; i++) await kit.chat()
    await kit.chat({}, { headers: { 'x-do': 'refuse' } })
    const all = await rows(5)
    const { sql } = kit.stores.records
    const cost = all.reduce((sum, r) => sum + (r.cost ?? 0n), 0n)
    const usage = async () =>
      (await usageBy(sql, ['month', 'key', 'model'], {})).map(({ group, sums }) => [...group, sums.requests, sums.cost])
    const before = await usage()
    await kit.clock.advance(20_000)
    const [head] = await sql<{ rolled: bigint }>`SELECT rolled FROM audit_head`
    expect(head?.rolled).toBe(5n)
    expect(await usage()).toEqual(before)
    expect(before.map((line) => line[3])).toEqual([1n, 4n])
    expect((await usageBy(sql, [], {}))[0]!.sums).toMatchObject({ requests: 5n, refused: 1n, cost })
    const large = 9_000_000_000_000_000_000n
    await sql`UPDATE audit_daily SET cost = ${large}`
    expect((await usageBy(sql, [], {}))[0]!.sums.cost).toBe(2n * large)
    expect(await sql`SELECT cut FROM audit_daily GROUP BY cut HAVING sum(requests) <> ${5n}`).toEqual([])
  })

  test('by session are counted from the exchanges', async () => {
    await start()
    await kit.chat()
    await kit.chat({}, { slots: [[Session, { id: 'ses_2', turn: 1 }]] })
    await rows(2)
    const lines = await usageBy(kit.stores.records.sql, ['session'], {})
    expect(lines.map((l) => [l.group[0], l.sums.requests])).toEqual([
      ['ses_1', 1n],
      ['ses_2', 1n],
    ])
  })
})

test('what is older than is kept goes, and the rest still verifies', async () => {
  await start({ keep: '1h' })
  for (let i = 0; i < 3; i++) await kit.chat()
  await rows(3)
  await kit.clock.advance(3_500_000)
  for (let i = 0; i < 2; i++) await kit.chat()
  await rows(5)
  await kit.clock.advance(400_000)
  const { sql } = kit.stores.records
  for (let tries = 0; tries < 200; tries++) {
    if ((await sql`SELECT id FROM audit_exchange`).length === 2) break
    await Bun.sleep(5)
  }
  expect(await verified()).toMatchObject([{ rows: 2, first: 4, last: 5, problems: [] }])
  expect((await usageBy(sql, [], {}))[0]!.sums.requests).toBe(5n)
})

test('what zones lead to is found before it is entered in one, behind it, and from the middle of one on', async () => {
  await start()
  const { sql } = kit.stores.records
  const found = async (filter: object) => {
    const list: ExchangeRow[] = []
    for await (const row of exchanges(sql, { tier: 'paid', ...filter })) list.push(row)
    return list.length
  }
  await kit.chat()
  const [row] = await rows(1)
  expect(await found({})).toBe(1)
  await kit.clock.advance(5000)
  for (let tries = 0; tries < 500 && (await sql`SELECT zone FROM audit_zone`).length === 0; tries++) await Bun.sleep(5)
  const at = Number(row!.at)
  expect([
    await found({}),
    await found({ from: at }),
    await found({ from: at + 1 }),
    await found({ to: at }),
    await found({ to: at + 1 }),
  ]).toEqual([1, 1, 0, 0, 1])
  await kit.chat()
  await rows(2)
  expect(await found({})).toBe(2)
})

test('what is not in the sums yet stays, however old it is', async () => {
  await start()
  for (let i = 0; i < 3; i++) await kit.chat()
  await rows(3)
  await kit.clock.advance(2000) // the head is noted, and nothing rolled up
  const { records } = kit.stores
  for (let tries = 0; tries < 500 && (await records.sql`SELECT id FROM audit_head`).length === 0; tries++) await Bun.sleep(5)
  expect(await records.sql`SELECT rolled FROM audit_head`).toEqual([{ rolled: 0n }])
  const later = Date.now() + 1e12
  const all = { sql: records.sql, transaction: (run: (sql: typeof records.sql) => Promise<unknown>) => run(records.sql) } as never
  expect(await deleteExchanges(all, later, new AbortController().signal)).toBe(0)
  await records.sql`UPDATE audit_head SET rolled = 2`
  expect(await deleteExchanges(all, later, new AbortController().signal)).toBe(2)
})

describe('bodies', () => {
  test('are kept redacted and cut, of requests and replies, and go before the records', async () => {
    await start({ bodies: { max_size: 300, keep: '1h', patterns: ['hush'] } }, { upstream: { text: ['write to bob@example.org'] } })
    const content = 'My key is sk-abcdefghijklmnop1234, card 4111 1111 1111 1111, hush, not 4111 1111 1111 1112'
    await kit.chat({ messages: [{ role: 'user', content: `${content} ${'x'.repeat(1000)}` }], stream: true })
    const [row] = await rows(1)
    const { sql } = kit.stores.records
    const read = async () => await sql<{ id: string; request: string; reply: string }>`SELECT id, request, reply FROM audit_body`
    for (let tries = 0; tries < 200 && (await read()).length === 0; tries++) await Bun.sleep(5)
    const [body] = await read()
    expect(body!.id).toBe(row!.id)
    expect(body!.request).toContain('My key is [key], card [card], [redacted], not 4111 1111 1111 1112')
    expect(body!.request).toHaveLength(300)
    expect(body!.reply).toBe('write to [email]')
    expect(detailOf(row!).bodies).toMatchObject({ request: { chars: 300 }, reply: { chars: 16 } })
    await kit.clock.advance(7_200_000)
    for (let tries = 0; tries < 200 && (await read()).length > 0; tries++) await Bun.sleep(5)
    expect(await read()).toEqual([])
    expect(await rows(1)).toHaveLength(1)
  })

  test('are not kept unless the operator says so, nor of those that were not drawn', async () => {
    await start({ bodies: { sample: 0 } })
    await kit.chat()
    await rows(1)
    expect(await kit.stores.records.sql`SELECT id FROM audit_body`).toEqual([])
  })
})

describe('GET /generation', () => {
  test('answers the key that made it, by path and by query, and nobody else', async () => {
    const caller = (id: string) => [[Principal, { ...Principal.example, id }]] as const
    await start({ generation_path: '/api/v1/generation' })
    const { id } = await kit.chat({}, { slots: caller('key_example') })
    const other = await kit.chat({}, { slots: caller('key_other') })
    await rows(2)
    const answer = await kit.fetch(`/api/v1/generation/${id}`)
    expect(answer.status).toBe(200)
    const { data } = (await answer.json()) as { data: Record<string, unknown> }
    expect(data).toMatchObject({ id, provider: 'openai', model: 'test-model', end: 'finished' })
    expect(data).not.toHaveProperty('verdicts')
    expect((await kit.fetch(`/api/v1/generation?id=${id}`)).status).toBe(200)
    const strange = await kit.fetch(`/api/v1/generation/${other.id}`)
    expect(strange.status).toBe(404)
    expect(await strange.text()).toBe(await (await kit.fetch('/api/v1/generation/req_none')).text())
    expect((await kit.fetch('/api/v1/generation')).status).toBe(400)
  })
})

test('the receipt is the request id, in a header of the operator', async () => {
  await start({ receipt_header: 'X-Syncropic-Request-ID' })
  const r = await kit.chat()
  expect(r.headers.get('x-syncropic-request-id')).toBe(r.id)
  const refused = await kit.chat({}, { headers: { 'x-do': 'refuse' } })
  expect(refused.headers.get('x-syncropic-request-id')).toBe(refused.id)
})

test('filters leave what they name, the newest first, page by page', async () => {
  await start()
  await kit.chat({}, { headers: { 'x-do': 'refuse', 'x-trace-id': 'tr-1' } })
  for (let i = 0; i < 3; i++) await kit.chat()
  await rows(4)
  const { sql } = kit.stores.records
  const ids = async (filter: Parameters<typeof exchanges>[1], limit?: number) => {
    const found: bigint[] = []
    for await (const row of exchanges(sql, filter, limit)) found.push(row.seq)
    return found
  }
  expect(await ids({})).toEqual([4n, 3n, 2n, 1n])
  expect(await ids({}, 2)).toEqual([4n, 3n])
  expect(await ids({ end: 'refused' })).toEqual([1n])
  expect(await ids({ traceId: 'tr-1' })).toEqual([1n])
  expect(await ids({ status: 200, caller: 'key_example', model: 'test-model', tier: 'paid' })).toEqual([4n, 3n, 2n])
  expect(await ids({ caller: 'nobody' })).toEqual([])
  expect(await ids({ minCost: 10n ** 18n })).toEqual([])
})

test('a file of exchanges under way is there while the plugin is, and gone after a clean end', async () => {
  await start()
  expect(readdirSync(join(folder, 'data'))).toHaveLength(1)
  await kit.chat()
  await rows(1)
  await kit.close()
  expect(readdirSync(join(folder, 'data'))).toEqual([])
})
