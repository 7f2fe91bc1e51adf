/** Batches of the plain shape over real HTTP, with a provider that counts its calls behind. */

import { afterAll, afterEach, expect, test } from 'bun:test'
import { batchStage, keyOf, request } from '../support/batch-stage.ts'
import { until } from '../support/within.ts'

const stage = batchStage()
afterAll(() => stage.stop())
afterEach(() => stage.clear())

test('many requests, results in the order of submission, each an exchange of the submitter', async () => {
  await stage.start()
  const { status, body } = await stage.api('POST', '/v1/batch', {
    requests: [
      { custom_id: 'a', body: request('first') },
      request('second'),
      { custom_id: 'c', url: '/v1/chat/completions', body: request('third') },
      { custom_id: 'bad', body: request('fourth', { model: 'nobody' }) },
    ],
    metadata: { job: 'nightly' },
  })
  expect(status).toBe(200)
  expect(body).toMatchObject({
    object: 'batch',
    request_counts: { total: 4, processing: 4 },
    metadata: { job: 'nightly' },
    ended_at: null,
  })
  const over = await stage.ended(body.id)
  expect(over).toMatchObject({ status: 'completed', request_counts: { total: 4, completed: 3, failed: 1, processing: 0 } })
  const { body: results } = await stage.api('GET', over.results_url)
  expect(results).toMatchObject({ complete: true, has_more: false })
  expect(results.data.map((r) => [r.index, r.custom_id, r.status, r.response.status_code])).toEqual([
    [0, 'a', 'succeeded', 200],
    [1, '1', 'succeeded', 200],
    [2, 'c', 'succeeded', 200],
    [3, 'bad', 'errored', 403],
  ])
  expect(results.data[1]!.response.body.choices[0]!.message.content).toBe('re: second')
  expect(results.data[3]!.response.body.error.code).toBe('permission_denied')
  const ids = results.data.map((r) => r.response.request_id)
  for (const id of ids) expect((await stage.gateway.outcome(id)).status).toBeGreaterThan(0)
  const traced = [...stage.gateway.outcomes.keys()].filter((id) => ids.includes(id))
  expect(traced).toHaveLength(4)
  const page = await stage.api('GET', `${over.results_url}?after=0&limit=2`)
  expect(page.body).toMatchObject({ has_more: true, next_after: 2, data: [{ index: 1 }, { index: 2 }] })
  const lines = await fetch(`${stage.gateway.url}${over.results_url}?format=jsonl`, {
    headers: { authorization: `Bearer ${keyOf('one')}` },
  })
  expect((await lines.text()).trim().split('\n')).toHaveLength(4)
  expect((await stage.api('DELETE', `/v1/batch/${body.id}`)).body).toMatchObject({ id: body.id, deleted: true })
  expect((await stage.api('GET', `/v1/batch/${body.id}`)).status).toBe(404)
})

test('numbers and unknown fields go to the provider as they were written', async () => {
  await stage.start()
  const raw =
    '{"requests":[{"model":"m","seed":12345678901234567890,"top_p":0.10,"odd":{"é":1e3},"messages":[{"role":"user","content":"x"}]}]}'
  const response = await fetch(`${stage.gateway.url}/v1/batch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${keyOf('one')}` },
    body: raw,
  })
  await stage.ended(((await response.json()) as { id: string }).id)
  expect(stage.calls[0]!.body).toBe(raw.slice('{"requests":['.length, -2))
})

test('results come as they are there', async () => {
  await stage.start({ batch: { per_batch: 1 } })
  const held = stage.holding()
  stage.before = async (said) => (said === 'second' ? held.promise : undefined)
  const { body } = await stage.api('POST', '/v1/batch', { requests: ['first', 'second', 'third'].map((said) => request(said)) })
  const partial = await until(5000, 'the first result', async () => {
    const { body: results } = await stage.api('GET', body.results_url)
    return results.data.length > 0 ? results : undefined
  })
  expect(partial).toMatchObject({ complete: false, data: [{ index: 0 }] })
  expect((await stage.api('GET', `/v1/batch/${body.id}`)).body.request_counts).toMatchObject({ completed: 1, processing: 2 })
  held.go()
  expect((await stage.ended(body.id)).request_counts.completed).toBe(3)
  expect(stage.calls).toHaveLength(3)
})

test('mistakes are told by field, and nothing is run', async () => {
  await stage.start({ batch: { max_requests: 2, max_size: 2000 } })
  const told = async (body: unknown) => {
    const { status, body: answer } = await stage.api('POST', '/v1/batch', body)
    return [status, answer.error.param ?? answer.error.code]
  }
  expect(await told({})).toEqual([400, 'requests'])
  expect(await told({ requests: [] })).toEqual([400, 'requests'])
  expect(await told({ requests: [1] })).toEqual([400, 'requests[0]'])
  expect(await told({ requests: [request('x'), { body: 5, custom_id: 'x' }] })).toEqual([400, 'requests[1].body'])
  expect(await told({ requests: [request('x', { stream: true })] })).toEqual([400, 'requests[0].body.stream'])
  expect(await told({ requests: [{ custom_id: 'a', url: '/v1/files', body: {} }] })).toEqual([400, 'requests[0].url'])
  expect(await told({ requests: ['a', 'a'].map((custom_id) => ({ custom_id, body: request('x') })) })).toEqual([
    400,
    'requests[1].custom_id',
  ])
  expect(await told({ requests: ['a', 'b', 'c'].map((said) => request(said)) })).toEqual([400, 'requests[2].'.slice(0, -1)])
  expect(await told({ requests: [request('x'.repeat(3000))] })).toEqual([413, 'request_too_large'])
  expect(await told({ requests: [request('x')], endpoint: '/v1/models' })).toEqual([400, 'endpoint'])
  expect(await told({ requests: [request('x')], metadata: { a: 1 } })).toEqual([400, 'metadata'])
  expect((await stage.api('GET', '/v1/batch')).body.data).toEqual([])
  expect(stage.calls).toEqual([])
})

test('only for the key that made it; for its account where that is asked for', async () => {
  await stage.start()
  const { body } = await stage.api('POST', '/v1/batch', { requests: [request('x')] })
  await stage.ended(body.id)
  for (const as of ['two', 'other']) {
    expect((await stage.api('GET', `/v1/batch/${body.id}`, undefined, as)).status).toBe(404)
    expect((await stage.api('GET', `/v1/batch/${body.id}/results`, undefined, as)).status).toBe(404)
    expect((await stage.api('POST', `/v1/batch/${body.id}/cancel`, undefined, as)).status).toBe(404)
    expect((await stage.api('GET', '/v1/batch', undefined, as)).body.data).toEqual([])
  }
  const nobody = await fetch(`${stage.gateway.url}/v1/batch/${body.id}`)
  expect(nobody.status).toBe(401)
  await stage.gateway.stop()
  await stage.start({ batch: { visible_to: 'account' } })
  const shared = await stage.api('POST', '/v1/batch', { requests: [request('x')] })
  await stage.ended(shared.body.id)
  expect((await stage.api('GET', `/v1/batch/${shared.body.id}`, undefined, 'two')).status).toBe(200)
  expect((await stage.api('GET', `/v1/batch/${shared.body.id}`, undefined, 'other')).status).toBe(404)
})

test('cancelled: what runs comes to its end, what was not begun is cancelled, and nothing more is called', async () => {
  await stage.start({ batch: { per_batch: 2 } })
  const held = stage.holding()
  stage.before = () => held.promise
  const { body } = await stage.api('POST', '/v1/batch', { requests: Array.from({ length: 10 }, (_, i) => request(`r${i}`)) })
  await until(5000, 'two run', () => stage.calls.length === 2)
  expect((await stage.api('POST', `/v1/batch/${body.id}/cancel`)).body.status).toBe('cancelling')
  await until(
    5000,
    'the others are cancelled',
    async () => (await stage.api('GET', `/v1/batch/${body.id}`)).body.request_counts.cancelled === 8,
  )
  held.go()
  const over = await stage.ended(body.id)
  expect(over).toMatchObject({ status: 'cancelled', request_counts: { completed: 2, cancelled: 8, failed: 0, processing: 0 } })
  const { body: results } = await stage.api('GET', over.results_url)
  expect(results.data[9]).toMatchObject({ status: 'cancelled', response: null })
  expect(stage.calls).toHaveLength(2)
  expect((await stage.api('POST', `/v1/batch/${body.id}/cancel`)).body.status).toBe('cancelled')
})

test('what is not done in time has expired', async () => {
  await stage.start({ batch: { per_batch: 1, expires: '1s' } })
  const held = stage.holding()
  stage.before = () => held.promise
  const { body } = await stage.api('POST', '/v1/batch', { requests: ['a', 'b'].map((said) => request(said)) })
  await until(
    8000,
    'the second has expired',
    async () => (await stage.api('GET', `/v1/batch/${body.id}`)).body.request_counts.expired === 1,
  )
  held.go()
  expect(await stage.ended(body.id)).toMatchObject({ status: 'expired', request_counts: { completed: 1, expired: 1 } })
  expect(stage.calls).toHaveLength(1)
}, 15_000)

test('bounds: of a batch, of an account, of the process', async () => {
  await stage.start({ batch: { per_batch: 3, per_account: 4, concurrency: 5 } })
  const held = stage.holding()
  stage.before = () => held.promise
  const many = { requests: Array.from({ length: 8 }, (_, i) => request(`r${i}`)) }
  const [a] = await Promise.all([stage.api('POST', '/v1/batch', many)])
  await until(5000, 'three run', () => stage.active === 3)
  const b = await stage.api('POST', '/v1/batch', many, 'two') // of the same account
  await until(5000, 'four run', () => stage.active === 4)
  const c = await stage.api('POST', '/v1/batch', many, 'other')
  await until(5000, 'five run', () => stage.active === 5)
  await Bun.sleep(600)
  expect(stage.active).toBe(5)
  held.go()
  await Promise.all([stage.ended(a!.body.id), stage.ended(b.body.id, 'two'), stage.ended(c.body.id, 'other')])
  expect([stage.most, stage.calls.length]).toEqual([5, 24])
}, 15_000)

test('a failing upstream is tried again; what goes on failing is an error of that request alone', async () => {
  await stage.start({ batch: { tries: 2 } })
  const failed = new Map<string, number>()
  stage.before = async (said) => {
    const times = (failed.get(said) ?? 0) + 1
    failed.set(said, times)
    const fails = said === 'never' || (said === 'once' && times === 1)
    return fails ? Response.json({ error: { message: 'broken' } }, { status: 503 }) : undefined
  }
  const { body } = await stage.api('POST', '/v1/batch', { requests: ['fine', 'once', 'never'].map((said) => request(said)) })
  expect((await stage.ended(body.id)).request_counts).toMatchObject({ completed: 2, failed: 1 })
  expect([...failed.values()]).toEqual([1, 2, 2])
  const { body: results } = await stage.api('GET', body.results_url)
  expect(results.data[2]).toMatchObject({ status: 'errored', response: { status_code: 503 } })
}, 15_000)

test('who is limited waits, and all is done in the end', async () => {
  const limits = [{ requests: 4, window: '2s', when: { operation: ['chat'] } }]
  await stage.start({ batch: { tries: 1 }, plugins: [{ use: 'rate-limit', with: { limits } }] })
  const { body } = await stage.api('POST', '/v1/batch', { requests: Array.from({ length: 10 }, (_, i) => request(`r${i}`)) })
  expect((await stage.ended(body.id)).request_counts).toMatchObject({ completed: 10, failed: 0 })
  expect(stage.calls).toHaveLength(10)
}, 20_000)

test('a key that is no longer good runs nothing more, and may not ask what became of it', async () => {
  await stage.start({ expires: new Date(Date.now() + 2000).toISOString() })
  const held = stage.holding()
  stage.before = () => held.promise
  const { body } = await stage.api('POST', '/v1/batch', { requests: Array.from({ length: 20 }, (_, i) => request(`r${i}`)) })
  await until(5000, 'eight run', () => stage.active === 8)
  await until(5000, 'the key is no longer good', async () => (await stage.api('GET', `/v1/batch/${body.id}`)).status === 401)
  const refused = () => [...stage.gateway.outcomes.values()].flat().filter(({ code }) => code === 'expired_api_key').length
  const asked = refused()
  held.go()
  await until(10_000, 'the others are refused', () => refused() >= asked + 12)
  expect(stage.calls).toHaveLength(8)
}, 15_000)

test('headers of the submission that the operator names go with each request; keys never do', async () => {
  await stage.start({
    batch: { headers: ['X-Acme-Upstream', 'X-Trace-Id'] },
    plugins: [{ use: 'router', id: 'chosen', with: { fallback: false, client: { header: 'X-Acme-Upstream' } } }],
  })
  const submit = async (headers: Record<string, string>) => {
    const response = await fetch(`${stage.gateway.url}/v1/batch`, {
      method: 'POST',
      headers: { 'x-api-key': keyOf('one'), ...headers },
      body: JSON.stringify({ requests: [request('x')] }),
    })
    const { id } = (await response.json()) as { id: string }
    const over = await stage.ended(id)
    const { body } = await stage.api('GET', over.results_url)
    return [body.data[0]!.response.status_code, id] as const
  }
  expect((await submit({ 'x-acme-upstream': 'openai' }))[0]).toBe(200)
  expect((await submit({ 'x-acme-upstream': 'nowhere' }))[0]).toBeGreaterThanOrEqual(400)
  const { sql } = stage.gateway.gateway.services.records.scoped('batch')
  const rows = await sql<{ headers: string }>`SELECT headers FROM batch_job ORDER BY created_at, id`
  expect(rows.map(({ headers }) => JSON.parse(headers))).toEqual([{ 'x-acme-upstream': 'openai' }, { 'x-acme-upstream': 'nowhere' }])
  const everything = await sql<{ principal: string; headers: string }>`SELECT principal, headers FROM batch_job`
  expect(JSON.stringify(everything)).not.toContain(keyOf('one'))
})

test('many batches of one caller keep nobody else waiting', async () => {
  await stage.start({ batch: { max_open: 1000, concurrency: 4, per_account: 2 } })
  const held = stage.holding()
  stage.before = async (said) => (said === 'mine' ? undefined : held.promise)
  const one = { requests: [request('many')] }
  for (let i = 0; i < 320; i += 20) await Promise.all(Array.from({ length: 20 }, () => stage.api('POST', '/v1/batch', one)))
  const mine = await stage.api('POST', '/v1/batch', { requests: [request('mine')] }, 'other')
  expect((await stage.ended(mine.body.id, 'other')).status).toBe('completed')
  expect(stage.calls.filter(({ said }) => said === 'many')).toHaveLength(2)
  held.go()
}, 30_000)
