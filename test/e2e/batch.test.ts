/** Batches over real HTTP, in three shapes, with the real SDKs of OpenAI and Anthropic in front and a provider that counts its calls behind. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI, { toFile } from 'openai'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { until } from '../support/within.ts'

const keyOf = (name: string) => `sk-hg-${name}-0123456789abcdef0123456789abcdef`
const hashOf = (name: string) => new Bun.CryptoHasher('sha256').update(keyOf(name)).digest('hex')

interface Call {
  readonly said: string
  readonly body: string
}
let provider: ReturnType<typeof Bun.serve>
let calls: Call[] = []
let active = 0
let most = 0
/** What the provider does first. */
let before: (said: string) => Promise<Response | undefined> = async () => undefined
let gateway: LocalGateway

const usage = { prompt_tokens: 5, completion_tokens: 10, total_tokens: 15 }
const chatReply = (said: string) => ({
  id: 'c',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: `re: ${said}` }, finish_reason: 'stop' }],
  usage,
})
const messageReply = (said: string) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content: [{ type: 'text', text: `re: ${said}` }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 5, output_tokens: 10 },
})

beforeAll(() => {
  provider = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const body = await request.text()
      const { messages } = JSON.parse(body) as { messages: { content: string }[] }
      const said = messages.at(-1)!.content
      calls.push({ said, body })
      most = Math.max(most, ++active)
      try {
        const instead = await before(said)
        if (instead) return instead
        return Response.json(new URL(request.url).pathname.endsWith('/messages') ? messageReply(said) : chatReply(said))
      } finally {
        active--
      }
    },
  })
})
afterAll(() => provider.stop(true))
afterEach(async () => {
  before = async () => undefined
  await gateway?.stop()
  calls = []
  most = 0
})

const start = async (batch: object = {}, plugins: readonly object[] = [], more: object = {}, expires?: string) => {
  const base = `http://127.0.0.1:${provider.port}`
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      records: 'memory',
      upstreams: {
        openai: { dialect: 'openai', base_url: `${base}/v1` },
        anthropic: { dialect: 'anthropic', base_url: base },
      },
      models: {
        m: { targets: [{ upstream: 'openai' }], price: { input: 0, output: 50 }, max_output: 1000 },
        claude: { targets: [{ upstream: 'anthropic' }] },
      },
      plugins: [
        { use: 'probe' },
        {
          use: 'auth',
          with: {
            keys: [
              { id: 'one', hash: hashOf('one'), account: 'acme', models: ['m', 'claude'], ...(expires !== undefined && { expires }) },
              { id: 'two', hash: hashOf('two'), account: 'acme' },
              { id: 'other', hash: hashOf('other') },
            ],
          },
        },
        { use: 'batch', with: batch },
        ...plugins,
        { use: 'router', with: { fallback: false } },
      ],
      ...more,
    }),
  )
}
const request = (said: string, more: object = {}) => ({ model: 'm', messages: [{ role: 'user', content: said }], ...more })
const api = async (method: string, path: string, body?: unknown, as = 'one') => {
  const response = await fetch(`${gateway.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${keyOf(as)}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  // biome-ignore lint/suspicious/noExplicitAny: replies of many shapes
  return { status: response.status, body: (await response.json()) as any }
}
const ended = (id: string, as = 'one') =>
  until(10_000, 'the batch is over', async () => {
    const { body } = await api('GET', `/v1/batch/${id}`, undefined, as)
    return body.ended_at === null ? undefined : body
  })

describe('the plain shape', () => {
  test('many requests, results in the order of submission, each an exchange of the submitter', async () => {
    await start()
    const { status, body } = await api('POST', '/v1/batch', {
      requests: [
        { custom_id: 'a', body: request('first') },
        request('second', { seed: 12345678901234567890n.toString() === '' ? 0 : 1 }),
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
    const over = await ended(body.id)
    expect(over).toMatchObject({ status: 'completed', request_counts: { total: 4, completed: 3, failed: 1, processing: 0 } })
    const { body: results } = await api('GET', over.results_url)
    expect(results).toMatchObject({ complete: true, has_more: false })
    // biome-ignore lint/suspicious/noExplicitAny: as above
    expect(results.data.map((r: any) => [r.index, r.custom_id, r.status, r.response.status_code])).toEqual([
      [0, 'a', 'succeeded', 200],
      [1, '1', 'succeeded', 200],
      [2, 'c', 'succeeded', 200],
      [3, 'bad', 'errored', 403],
    ])
    expect(results.data[1].response.body.choices[0].message.content).toBe('re: second')
    expect(results.data[3].response.body.error.code).toBe('permission_denied')
    const ids = results.data.map((r: { response: { request_id: string } }) => r.response.request_id)
    for (const id of ids) expect((await gateway.outcome(id)).status).toBeGreaterThan(0)
    const traced = [...gateway.outcomes.keys()].filter((id) => ids.includes(id))
    expect(traced).toHaveLength(4)
    const page = await api('GET', `${over.results_url}?after=0&limit=2`)
    expect(page.body).toMatchObject({ has_more: true, next_after: 2, data: [{ index: 1 }, { index: 2 }] })
    const lines = await fetch(`${gateway.url}${over.results_url}?format=jsonl`, { headers: { authorization: `Bearer ${keyOf('one')}` } })
    expect((await lines.text()).trim().split('\n')).toHaveLength(4)
    expect((await api('DELETE', `/v1/batch/${body.id}`)).body).toEqual({ id: body.id, object: 'batch', deleted: true })
    expect((await api('GET', `/v1/batch/${body.id}`)).status).toBe(404)
  })

  test('numbers and unknown fields go to the provider as they were written', async () => {
    await start()
    const raw =
      '{"requests":[{"model":"m","seed":12345678901234567890,"top_p":0.10,"odd":{"é":1e3},"messages":[{"role":"user","content":"x"}]}]}'
    const response = await fetch(`${gateway.url}/v1/batch`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keyOf('one')}` },
      body: raw,
    })
    await ended(((await response.json()) as { id: string }).id)
    expect(calls[0]!.body).toBe(raw.slice('{"requests":['.length, -2))
  })

  test('results come as they are there', async () => {
    await start({ per_batch: 1 })
    const go = Promise.withResolvers<undefined>()
    before = async (said) => (said === 'second' ? go.promise : undefined)
    const { body } = await api('POST', '/v1/batch', { requests: ['first', 'second', 'third'].map((said) => request(said)) })
    const partial = await until(5000, 'the first result', async () => {
      const { body: results } = await api('GET', body.results_url)
      return results.data.length > 0 ? results : undefined
    })
    expect(partial).toMatchObject({ complete: false, data: [{ index: 0 }] })
    expect((await api('GET', `/v1/batch/${body.id}`)).body.request_counts).toMatchObject({ completed: 1, processing: 2 })
    go.resolve(undefined)
    expect((await ended(body.id)).request_counts.completed).toBe(3)
    expect(calls).toHaveLength(3)
  })

  test('mistakes are told by field, and nothing is run', async () => {
    await start({ max_requests: 2, max_size: 2000 })
    const told = async (body: unknown) => {
      const { status, body: answer } = await api('POST', '/v1/batch', body)
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
    expect((await api('GET', '/v1/batch')).body.data).toEqual([])
    expect(calls).toEqual([])
  })

  test('only for the key that made it; for its account where that is asked for', async () => {
    await start()
    const { body } = await api('POST', '/v1/batch', { requests: [request('x')] })
    await ended(body.id)
    for (const as of ['two', 'other']) {
      expect((await api('GET', `/v1/batch/${body.id}`, undefined, as)).status).toBe(404)
      expect((await api('GET', `/v1/batch/${body.id}/results`, undefined, as)).status).toBe(404)
      expect((await api('POST', `/v1/batch/${body.id}/cancel`, undefined, as)).status).toBe(404)
      expect((await api('GET', '/v1/batch', undefined, as)).body.data).toEqual([])
    }
    const nobody = await fetch(`${gateway.url}/v1/batch/${body.id}`)
    expect(nobody.status).toBe(401)
    await gateway.stop()
    await start({ visible_to: 'account' })
    const shared = await api('POST', '/v1/batch', { requests: [request('x')] })
    await ended(shared.body.id)
    expect((await api('GET', `/v1/batch/${shared.body.id}`, undefined, 'two')).status).toBe(200)
    expect((await api('GET', `/v1/batch/${shared.body.id}`, undefined, 'other')).status).toBe(404)
  })

  test('cancelled: what runs comes to its end, what was not begun is cancelled, and nothing more is called', async () => {
    await start({ per_batch: 2 })
    const go = Promise.withResolvers<undefined>()
    before = () => go.promise
    const { body } = await api('POST', '/v1/batch', { requests: Array.from({ length: 10 }, (_, i) => request(`r${i}`)) })
    await until(5000, 'two run', () => calls.length === 2)
    expect((await api('POST', `/v1/batch/${body.id}/cancel`)).body.status).toBe('cancelling')
    await until(
      5000,
      'the others are cancelled',
      async () => (await api('GET', `/v1/batch/${body.id}`)).body.request_counts.cancelled === 8,
    )
    go.resolve(undefined)
    const over = await ended(body.id)
    expect(over).toMatchObject({ status: 'cancelled', request_counts: { completed: 2, cancelled: 8, failed: 0, processing: 0 } })
    const { body: results } = await api('GET', over.results_url)
    expect(results.data[9]).toMatchObject({ status: 'cancelled', response: null })
    expect(calls).toHaveLength(2)
    expect((await api('POST', `/v1/batch/${body.id}/cancel`)).body.status).toBe('cancelled')
  })

  test('what is not done in time has expired', async () => {
    await start({ per_batch: 1, expires: '1s' })
    const go = Promise.withResolvers<undefined>()
    before = () => go.promise
    const { body } = await api('POST', '/v1/batch', { requests: ['a', 'b'].map((said) => request(said)) })
    await until(8000, 'the second has expired', async () => (await api('GET', `/v1/batch/${body.id}`)).body.request_counts.expired === 1)
    go.resolve(undefined)
    expect(await ended(body.id)).toMatchObject({ status: 'expired', request_counts: { completed: 1, expired: 1 } })
    expect(calls).toHaveLength(1)
  }, 15_000)

  test('bounds: of a batch, of an account, of the process', async () => {
    await start({ per_batch: 3, per_account: 4, concurrency: 5 })
    const go = Promise.withResolvers<undefined>()
    before = () => go.promise
    const many = { requests: Array.from({ length: 8 }, (_, i) => request(`r${i}`)) }
    const [a] = await Promise.all([api('POST', '/v1/batch', many)])
    await until(5000, 'three run', () => active === 3)
    const b = await api('POST', '/v1/batch', many, 'two') // of the same account
    await until(5000, 'four run', () => active === 4)
    const c = await api('POST', '/v1/batch', many, 'other')
    await until(5000, 'five run', () => active === 5)
    await Bun.sleep(600)
    expect(active).toBe(5)
    go.resolve(undefined)
    await Promise.all([ended(a!.body.id), ended(b.body.id, 'two'), ended(c.body.id, 'other')])
    expect([most, calls.length]).toEqual([5, 24])
  }, 15_000)

  test('a failing upstream is tried again; what goes on failing is an error of that request alone', async () => {
    await start({ tries: 2 })
    const failed = new Map<string, number>()
    before = async (said) => {
      const times = (failed.get(said) ?? 0) + 1
      failed.set(said, times)
      const fails = said === 'never' || (said === 'once' && times === 1)
      return fails ? Response.json({ error: { message: 'broken' } }, { status: 503 }) : undefined
    }
    const { body } = await api('POST', '/v1/batch', { requests: ['fine', 'once', 'never'].map((said) => request(said)) })
    expect((await ended(body.id)).request_counts).toMatchObject({ completed: 2, failed: 1 })
    expect([...failed.values()]).toEqual([1, 2, 2])
    const { body: results } = await api('GET', body.results_url)
    expect(results.data[2]).toMatchObject({ status: 'errored', response: { status_code: 503 } })
  }, 15_000)

  test('who is limited waits, and all is done in the end', async () => {
    await start({ tries: 1 }, [{ use: 'rate-limit', with: { limits: [{ requests: 4, window: '2s', when: { operation: ['chat'] } }] } }])
    const { body } = await api('POST', '/v1/batch', { requests: Array.from({ length: 10 }, (_, i) => request(`r${i}`)) })
    expect((await ended(body.id)).request_counts).toMatchObject({ completed: 10, failed: 0 })
    expect(calls).toHaveLength(10)
  }, 20_000)

  test('a key that is no longer good runs nothing more, and may not ask what became of it', async () => {
    await start({}, [], {}, new Date(Date.now() + 2000).toISOString())
    const go = Promise.withResolvers<undefined>()
    before = () => go.promise
    const { body } = await api('POST', '/v1/batch', { requests: Array.from({ length: 20 }, (_, i) => request(`r${i}`)) })
    await until(5000, 'eight run', () => active === 8)
    await until(5000, 'the key is no longer good', async () => (await api('GET', `/v1/batch/${body.id}`)).status === 401)
    go.resolve(undefined)
    const refused = () =>
      [...gateway.outcomes.values()].flat().filter(({ code, upstream }) => code === 'expired_api_key' && upstream === undefined)
    await until(10_000, 'the others are refused', () => refused().length >= 12)
    expect(calls).toHaveLength(8)
  }, 15_000)
})

describe('as OpenAI has it', () => {
  const client = (as = 'one') => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: keyOf(as), maxRetries: 0 })
  const line = (customId: string, said: string, more: object = {}) =>
    JSON.stringify({ custom_id: customId, method: 'POST', url: '/v1/chat/completions', body: request(said, more) })
  const upload = (text: string, as = 'one') =>
    toFile(Buffer.from(text), 'requests.jsonl').then((file) => client(as).files.create({ file, purpose: 'batch' }))
  const over = (id: string) =>
    until(10_000, 'the batch is over', async () => {
      const batch = await client().batches.retrieve(id)
      return ['completed', 'failed', 'expired', 'cancelled'].includes(batch.status) ? batch : undefined
    })

  test('the SDK: upload, create, retrieve, results, errors, list, delete', async () => {
    await start()
    const text = `${line('a', 'first')}\n\n${line('b', 'second', { model: 'nobody' })}\r\n${line('c', 'third')}`
    const file = await upload(text)
    expect(file).toMatchObject({
      object: 'file',
      purpose: 'batch',
      filename: 'requests.jsonl',
      bytes: Buffer.byteLength(text),
      status: 'processed',
    })
    expect(await (await client().files.content(file.id)).text()).toBe(text)
    const made = await client().batches.create({
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata: { of: 'tuesday' },
    })
    expect(made).toMatchObject({
      object: 'batch',
      status: 'validating',
      endpoint: '/v1/chat/completions',
      metadata: { of: 'tuesday' },
      output_file_id: null,
    })
    expect(made.expires_at! - made.created_at).toBe(86_400)
    const done = await over(made.id)
    expect(done).toMatchObject({ status: 'completed', request_counts: { total: 3, completed: 2, failed: 1 }, errors: null })
    for (const time of [done.in_progress_at, done.finalizing_at, done.completed_at]) expect(time).toBeGreaterThanOrEqual(done.created_at)
    const read = async (id: string) => {
      const content = await (await client().files.content(id)).text()
      expect((await client().files.retrieve(id)).bytes).toBe(Buffer.byteLength(content))
      return content
        .trim()
        .split('\n')
        .map((one) => JSON.parse(one))
    }
    const output = await read(done.output_file_id!)
    expect(output).toMatchObject([
      { custom_id: 'a', error: null, response: { status_code: 200, body: { choices: [{ message: { content: 're: first' } }] } } },
      { custom_id: 'c', error: null },
    ])
    expect(output[0].response.request_id).toStartWith('req_')
    expect(await read(done.error_file_id!)).toMatchObject([
      { custom_id: 'b', response: { status_code: 403, body: { error: { code: 'permission_denied' } } } },
    ])
    const batches: string[] = []
    for await (const batch of client().batches.list({ limit: 1 })) batches.push(batch.id)
    expect(batches).toEqual([made.id])
    const names: string[] = []
    for await (const one of client().files.list({ purpose: 'batch' })) names.push(one.id)
    expect(names).toEqual([file.id])
    for (const id of [file.id, done.output_file_id!, done.error_file_id!])
      expect(await client().files.delete(id)).toMatchObject({ id, deleted: true })
    const gone = await client()
      .files.retrieve(file.id)
      .catch((error: unknown) => error)
    expect(gone).toBeInstanceOf(OpenAI.NotFoundError)
  })

  test('a file that is no batch: the batch has failed, and says in which line', async () => {
    await start()
    const problem = async (text: string) => {
      const file = await upload(text)
      const made = await client().batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' })
      const done = await over(made.id)
      expect([done.status, done.output_file_id ?? null]).toEqual(['failed', null])
      const [first] = done.errors!.data!
      return [first!.code, first!.line, first!.param]
    }
    expect(await problem('')).toEqual(['empty_file', null, null])
    expect(await problem(`${line('a', 'x')}\n{"broken`)).toEqual(['invalid_json_line', 2, null])
    expect(await problem(`${line('a', 'x')}\n${line('a', 'y')}`)).toEqual(['duplicate_custom_id', 2, 'custom_id'])
    expect(await problem(line('a', 'x').replace('chat/completions', 'embeddings'))).toEqual(['mismatched_endpoint', 1, 'url'])
    expect(await problem(`${Array.from({ length: 250 }, (_, i) => line(`l${i}`, 'x')).join('\n')}\n[]`)).toEqual([
      'invalid_json_line',
      251,
      null,
    ])
    expect(calls).toEqual([])
  }, 15_000)

  test('what is refused: other purposes, others’ files, unknown endpoints and windows', async () => {
    await start()
    const file = await upload(line('a', 'x'))
    const failing = async (work: Promise<unknown>) => {
      const error = await work.then(
        () => undefined,
        (e: unknown) => e,
      )
      expect(error).toBeInstanceOf(OpenAI.APIError)
      return [(error as { status: number }).status, (error as { param: string | null }).param]
    }
    const any = { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' } as const
    const upload2 = async (purpose: 'assistants') => client().files.create({ file: await toFile(Buffer.from('x'), 'x'), purpose })
    expect(await failing(upload2('assistants'))).toEqual([400, 'purpose'])
    expect(await failing(client('other').batches.create(any))).toEqual([400, 'input_file_id'])
    expect(await failing(client('other').files.content(file.id))).toEqual([404, 'id'])
    expect(await failing(client('other').files.delete(file.id))).toEqual([404, 'id'])
    expect(await failing(client().batches.create({ ...any, endpoint: '/v1/moderations' }))).toEqual([400, 'endpoint'])
    expect(await failing(client().batches.create({ ...any, completion_window: '1h' as '24h' }))).toEqual([400, 'completion_window'])
    expect(await failing(client().batches.retrieve('batch_made_up'))).toEqual([404, 'id'])
  })

  test('cancelled by the SDK: what was done is in the output', async () => {
    await start({ per_batch: 1 })
    const go = Promise.withResolvers<undefined>()
    before = async (said) => (said === 'first' ? undefined : go.promise)
    const file = await upload(['first', 'second', 'third'].map((said) => line(said, said)).join('\n'))
    const made = await client().batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' })
    await until(5000, 'the second runs', () => calls.length === 2)
    expect((await client().batches.cancel(made.id)).status).toBe('cancelling')
    await until(5000, 'the third is cancelled', async () => (await client().batches.retrieve(made.id)).status === 'cancelling')
    go.resolve(undefined)
    const done = await over(made.id)
    expect(done.status).toBe('cancelled')
    const lines = (await (await client().files.content(done.output_file_id!)).text()).trim().split('\n')
    expect(lines.map((one) => JSON.parse(one).custom_id)).toEqual(['first', 'second'])
    const errors = (await (await client().files.content(done.error_file_id!)).text()).trim()
    expect(JSON.parse(errors)).toMatchObject({ custom_id: 'third', response: null, error: { code: 'batch_cancelled' } })
    expect(
      await client()
        .batches.cancel(made.id)
        .catch((e: { status: number }) => e.status),
    ).toBe(409)
  })
})

describe('as Anthropic has it', () => {
  const client = (as = 'one') => new Anthropic({ baseURL: gateway.url, apiKey: keyOf(as), maxRetries: 0 })
  const params = (said: string, model = 'claude') => ({ model, max_tokens: 10, messages: [{ role: 'user' as const, content: said }] })

  test('the SDK: create, retrieve, results, list, delete', async () => {
    await start()
    const { batches } = client().messages
    const made = await batches.create({
      requests: [
        { custom_id: 'a', params: params('first') },
        { custom_id: 'b', params: params('second', 'nobody') },
        { custom_id: 'c', params: params('third', 'm') },
      ],
    })
    expect(made).toMatchObject({
      type: 'message_batch',
      processing_status: 'in_progress',
      request_counts: { processing: 3 },
      results_url: null,
    })
    expect(made.id).toStartWith('msgbatch_')
    const early = await batches.results(made.id).catch((error: unknown) => error)
    if (early instanceof Error) expect(early.message).toContain('results_url')
    const done = await until(10_000, 'it has ended', async () => {
      const batch = await batches.retrieve(made.id)
      return batch.processing_status === 'ended' ? batch : undefined
    })
    expect(done.request_counts).toEqual({ processing: 0, succeeded: 2, errored: 1, canceled: 0, expired: 0 })
    const results = []
    for await (const one of await batches.results(made.id)) results.push(one)
    expect(results).toMatchObject([
      { custom_id: 'a', result: { type: 'succeeded', message: { type: 'message', content: [{ type: 'text', text: 're: first' }] } } },
      { custom_id: 'b', result: { type: 'errored', error: { type: 'error', error: { type: 'permission_error' } } } },
      { custom_id: 'c', result: { type: 'succeeded', message: { content: [{ text: 're: third' }] } } },
    ])
    const listed: string[] = []
    for await (const batch of batches.list({ limit: 1 })) listed.push(batch.id)
    expect(listed).toEqual([made.id])
    expect(
      await client('other')
        .messages.batches.retrieve(made.id)
        .catch((e: { status: number }) => e.status),
    ).toBe(404)
    expect(await batches.delete(made.id)).toEqual({ id: made.id, type: 'message_batch_deleted' })
    expect(await batches.retrieve(made.id).catch((e: { status: number }) => e.status)).toBe(404)
  })

  test('cancelled by the SDK', async () => {
    await start({ per_batch: 1 })
    const go = Promise.withResolvers<undefined>()
    before = () => go.promise
    const { batches } = client().messages
    const made = await batches.create({ requests: ['a', 'b'].map((custom_id) => ({ custom_id, params: params(custom_id) })) })
    await until(5000, 'one runs', () => calls.length === 1)
    expect((await batches.cancel(made.id)).processing_status).toBe('canceling')
    await until(5000, 'the other is cancelled', async () => (await batches.retrieve(made.id)).request_counts.canceled === 1)
    go.resolve(undefined)
    const done = await until(5000, 'it has ended', async () => {
      const batch = await batches.retrieve(made.id)
      return batch.processing_status === 'ended' ? batch : undefined
    })
    expect(done.cancel_initiated_at).toBeString()
    const results = []
    for await (const one of await batches.results(made.id)) results.push(one.result.type)
    expect(results).toEqual(['succeeded', 'canceled'])
  })
})
