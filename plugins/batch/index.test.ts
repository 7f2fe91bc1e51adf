/** The pure parts of batches, and what of their life needs no sockets: leases, retention, limits of what is kept. */

import { describe, expect, test } from 'bun:test'
import { Principal } from 'headgate/plugin'
import { testPlugin } from 'headgate/testkit'
import { boundedBody, linesOf } from './bodies.ts'
import { exactJson } from './exact-json.ts'
import batch, { batchWith } from './index.ts'
import { intake, isProblem, pathOf } from './intake.ts'
import { ownerOf } from './owner.ts'
import { verdictOf } from './replies.ts'
import { anthropicLine, openaiLine } from './result-line.ts'

describe('JSON that is written again as it was', () => {
  test.each([
    '{"a":12345678901234567890}',
    '{"a":1e3,"b":[1E-7,0.10,1.0,-0,2.50]}',
    '{"a":0.1,"b":"1e3 and 0.10","c":{"d":null,"e":true}}',
    '{"z":1,"a":{"10":1,"text":"é\\n"}}',
  ])('%s', (text) => {
    expect(JSON.stringify(exactJson(text))).toBe(text)
  })
  test('what is no JSON is an error', () => expect(() => exactJson('{"a":1e')).toThrow(SyntaxError))
})

describe('lines of pieces', () => {
  const all = async (...pieces: (string | Uint8Array)[]) => {
    const source = (async function* () {
      for (const piece of pieces) yield typeof piece === 'string' ? Buffer.from(piece) : piece
    })()
    const lines: string[] = []
    for await (const line of linesOf(source)) lines.push(line)
    return lines
  }
  test('breaks anywhere, none at the end, CRLF, empty lines', async () => {
    expect(await all('a\nb', 'c\r', '\n\nd')).toEqual(['a', 'bc', '', 'd'])
    expect(await all('one\n')).toEqual(['one'])
    expect(await all()).toEqual([])
  })
  test('a letter of several bytes between two pieces, and a mark of UTF-8 at the beginning', async () => {
    const bytes = Buffer.from('\ufeffé😀\nx')
    for (let cut = 0; cut <= bytes.length; cut++) expect(await all(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(['é😀', 'x'])
  })
})

test('a body is read no further than it may go', async () => {
  let pulled = 0
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++
        controller.enqueue(new Uint8Array(1000))
      },
    })
  expect(await boundedBody(endless(), 2500, null)).toBeUndefined()
  expect(pulled).toBeLessThan(6)
  expect(await boundedBody(endless(), 2500, '2501')).toBeUndefined()
  expect(await boundedBody(new Response('abc').body as ReadableStream<Uint8Array>, 3, '3')).toEqual(new Uint8Array([97, 98, 99]))
  expect(await boundedBody(null, 3, null)).toHaveLength(0)
})

test('paths of requests, however clients call them', () => {
  for (const url of ['/v1/chat/completions', '/chat/completions', 'chat/completions', '/api/v1/chat/completions'])
    expect(pathOf(url, '/api/v1')).toBe('/api/v1/chat/completions')
  expect([pathOf('/v1/embeddings', ''), pathOf('/v1/files', '/v1'), pathOf('/v1/../admin', '/v1')]).toEqual([
    '/embeddings',
    undefined,
    undefined,
  ])
})

test('the first problem of a submission, by field and line', () => {
  const check = intake(3)
  const line = (more: object, no = 7) =>
    check.openaiLine(
      JSON.stringify({ custom_id: `c${no}`, method: 'POST', url: '/v1/embeddings', body: { model: 'm' }, ...more }),
      no,
      '/v1/embeddings',
      '/v1',
    )
  expect(line({}, 1)).toEqual({ custom_id: 'c1', path: '/v1/embeddings', body: '{"model":"m"}' })
  const problem = (more: object) => {
    const found = line(more)
    if (!isProblem(found)) throw new Error('no problem')
    return [found.code, found.param, found.line]
  }
  expect(problem({ custom_id: 5 })).toEqual(['missing_required_parameter', 'custom_id', 7])
  expect(problem({ custom_id: '' })).toEqual(['invalid_custom_id', 'custom_id', 7])
  expect(problem({ custom_id: 'c1' })).toEqual(['duplicate_custom_id', 'custom_id', 7])
  expect(problem({ method: 'GET' })).toEqual(['invalid_method', 'method', 7])
  expect(problem({ body: [] })).toEqual(['invalid_request', 'body', 7])
  expect(problem({ body: { stream: true } })).toEqual(['invalid_request', 'body.stream', 7])
  line({}, 2)
  line({}, 3)
  expect(problem({ custom_id: 'c4' })).toEqual(['too_many_requests', '', 7])
})

test('whose a batch is', () => {
  const key = { id: 'k', account: 'acme', kind: 'key', tags: [] } as const
  expect(ownerOf(key, 'account')).toMatchObject({ caller: 'key k', shared: 'acme', sees: 'acme' })
  expect(ownerOf(key, 'key').sees).not.toBe('acme')
  // all callers without a key have one account, and each is alone
  const anonymous = { id: 'anon_1', account: 'anonymous', kind: 'anonymous', tags: [] } as const
  const owner = ownerOf(anonymous, 'account')
  expect([owner.shared, owner.sees === '', owner.caller]).toEqual(['', false, 'anonymous anon_1'])
  expect(ownerOf(undefined, 'account').sees).not.toBe('')
})

test('what a reply means', async () => {
  const of = async (status: number, body = '{}', headers: Record<string, string> = {}) => {
    const verdict = await verdictOf(new Response(body, { status, headers: { 'x-request-id': 'req_1', ...headers } }))
    return 'settle' in verdict ? [verdict.settle.outcome, verdict.settle.status] : ['again', verdict.counts, verdict.wait]
  }
  expect(await of(200)).toEqual(['succeeded', 200])
  expect(await of(402)).toEqual(['errored', 402])
  expect(await of(429, '{}', { 'retry-after': '7' })).toEqual(['again', false, 7000])
  expect(await of(503)).toEqual(['again', true, undefined])
  expect(await of(408)).toEqual(['again', true, undefined])
  expect(await of(502, '{}', { 'x-should-retry': 'false' })).toEqual(['errored', 502])
  expect(await of(200, 'not json')).toEqual(['errored', 502])
})

test('lines of results, with replies as they came', () => {
  const done = { id: 'batch_1/4', custom_id: 'a"b', outcome: 'succeeded', status: 200n, request_id: 'req_1', reply: '{"n":1.0}' } as const
  expect(openaiLine(done)).toBe(
    '{"id":"batch_req_batch_1_4","custom_id":"a\\"b","response":{"status_code":200,"request_id":"req_1","body":{"n":1.0}},"error":null}\n',
  )
  expect(anthropicLine(done)).toBe('{"custom_id":"a\\"b","result":{"type":"succeeded","message":{"n":1.0}}}\n')
  const gone = { ...done, outcome: 'expired', status: null, request_id: null, reply: null } as const
  expect(JSON.parse(openaiLine(gone))).toMatchObject({ response: null, error: { code: 'batch_expired' } })
  expect(JSON.parse(anthropicLine(gone))).toEqual({ custom_id: 'a"b', result: { type: 'expired' } })
})

describe('in a gateway', () => {
  const submit = (said: string) => ({
    method: 'POST',
    body: JSON.stringify({ requests: [{ custom_id: 'x', body: { model: 'test-model', messages: [{ role: 'user', content: said }] } }] }),
  })
  type Kit = Awaited<ReturnType<typeof testPlugin>>
  const json = async (kit: Kit, path: string, init?: RequestInit) => (await (await kit.fetch(path, init)).json()) as never
  const whenOver = async (kit: Kit, id: string) => {
    for (let i = 0; i < 200; i++) {
      await kit.clock.advance(250)
      const told = (await json(kit, `/v1/batch/${id}`)) as { ended_at: number | null; status: string }
      if (told.ended_at !== null) return told
    }
    throw new Error('it does not end')
  }

  test('batches and files whose time is over go, with all that belongs to them', async () => {
    const kit = await testPlugin(batch, { slots: [[Principal, Principal.example]], with: { keep: '5m' } })
    const { id } = (await json(kit, '/v1/batch', submit('hi'))) as { id: string }
    expect(await whenOver(kit, id)).toMatchObject({ status: 'completed' })
    await kit.clock.advance(240_000)
    expect((await kit.fetch(`/v1/batch/${id}`)).status).toBe(200)
    await kit.clock.advance(130_000)
    expect((await kit.fetch(`/v1/batch/${id}`)).status).toBe(404)
    await kit.close()
  })

  test('what an owner may have open and keep is bounded', async () => {
    const kit = await testPlugin(batch, { slots: [[Principal, Principal.example]], with: { max_open: 1, max_stored: '600b' } })
    const first = (await json(kit, '/v1/batch', submit('hi'))) as { id: string }
    const second = await kit.fetch('/v1/batch', submit('hi'))
    expect([second.status, second.headers.get('retry-after')]).toEqual([429, '60'])
    await whenOver(kit, first.id)
    const large = await kit.fetch('/v1/batch', submit('x'.repeat(600)))
    expect(large.status).toBe(413)
    expect(((await large.json()) as { error: { message: string } }).error.message).toContain('600 bytes are kept at most')
    await kit.close()
  })

  test('while the records are away nothing is taken, and what was taken goes on when they are back', async () => {
    const kit = await testPlugin(batchWith({ lease: 30_000, look: 2000 }), { slots: [[Principal, Principal.example]] })
    const { id } = (await json(kit, '/v1/batch', submit('hi'))) as { id: string }
    kit.stores.records.down()
    await kit.clock.advance(5000)
    expect((await kit.fetch('/v1/batch', submit('hi'))).status).toBe(503)
    kit.stores.records.up()
    expect(await whenOver(kit, id)).toMatchObject({ status: 'completed', request_counts: { completed: 1 } } as never)
    await kit.close()
  })
})
