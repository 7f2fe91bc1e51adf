/** Batches as OpenAI has them, through its own SDK. */

import { afterAll, afterEach, expect, test } from 'bun:test'
import OpenAI, { toFile } from 'openai'
import { batchStage, keyOf, request } from '../support/batch-stage.ts'
import { until } from '../support/within.ts'

const stage = batchStage()
afterAll(() => stage.stop())
afterEach(() => stage.clear())

const client = (as = 'one') => new OpenAI({ baseURL: `${stage.gateway.url}/v1`, apiKey: keyOf(as), maxRetries: 0 })
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
  await stage.start()
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
  await stage.start()
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
  expect(stage.calls).toEqual([])
}, 15_000)

test('what is refused: other purposes, others’ files, unknown endpoints and windows', async () => {
  await stage.start()
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
  await stage.start({ batch: { per_batch: 1 } })
  const held = stage.holding()
  stage.before = async (said) => (said === 'first' ? undefined : held.promise)
  const file = await upload(['first', 'second', 'third'].map((said) => line(said, said)).join('\n'))
  const made = await client().batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' })
  await until(5000, 'the second runs', () => stage.calls.length === 2)
  expect((await client().batches.cancel(made.id)).status).toBe('cancelling')
  await until(5000, 'the third is cancelled', async () => (await client().batches.retrieve(made.id)).status === 'cancelling')
  held.go()
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

test('cancelled before it was looked at: nothing is run, and there are no results', async () => {
  await stage.start()
  const file = await upload(Array.from({ length: 2000 }, (_, i) => line(`l${i}`, 'x')).join('\n'))
  const made = await client().batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' })
  expect((await client().batches.cancel(made.id)).status).toBe('cancelling')
  const done = await over(made.id)
  expect([done.status, done.output_file_id ?? null]).toEqual(['cancelled', null])
  expect(stage.calls).toEqual([])
})

test('responses too, by their own path', async () => {
  await stage.start()
  const file = await upload(JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/responses', body: { model: 'm', input: 'first' } }))
  const made = await client().batches.create({ input_file_id: file.id, endpoint: '/v1/responses', completion_window: '24h' })
  const done = await over(made.id)
  const content = await (await client().files.content(done.output_file_id!)).text()
  expect(JSON.parse(content)).toMatchObject({
    custom_id: 'a',
    response: { status_code: 200, body: { object: 'response', status: 'completed' } },
  })
})
