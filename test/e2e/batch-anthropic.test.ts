/** Batches as Anthropic has them, through its own SDK. */

import { afterAll, afterEach, expect, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import { batchStage, keyOf } from '../support/batch-stage.ts'
import { until } from '../support/within.ts'

const stage = batchStage()
afterAll(() => stage.stop())
afterEach(() => stage.clear())

const client = (as = 'one') => new Anthropic({ baseURL: stage.gateway.url, apiKey: keyOf(as), maxRetries: 0 })
const params = (said: string, model = 'claude') => ({ model, max_tokens: 10, messages: [{ role: 'user' as const, content: said }] })

test('the SDK: create, retrieve, results, list, delete', async () => {
  await stage.start()
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
  await stage.start({ batch: { per_batch: 1 } })
  const held = stage.holding()
  stage.before = () => held.promise
  const { batches } = client().messages
  const made = await batches.create({ requests: ['a', 'b'].map((custom_id) => ({ custom_id, params: params(custom_id) })) })
  await until(5000, 'one runs', () => stage.calls.length === 1)
  expect((await batches.cancel(made.id)).processing_status).toBe('canceling')
  await until(5000, 'the other is cancelled', async () => (await batches.retrieve(made.id)).request_counts.canceled === 1)
  held.go()
  const done = await until(5000, 'it has ended', async () => {
    const batch = await batches.retrieve(made.id)
    return batch.processing_status === 'ended' ? batch : undefined
  })
  expect(done.cancel_initiated_at).toBeString()
  const results = []
  for await (const one of await batches.results(made.id)) results.push(one.result.type)
  expect(results).toEqual(['succeeded', 'canceled'])
})

test('the beta of the SDK: the flag of the Batch API is not passed on with its requests, others are', async () => {
  await stage.start()
  const made = await client().beta.messages.batches.create({
    betas: ['context-1m-2025-08-07'],
    requests: [{ custom_id: 'a', params: params('first') }],
  })
  await until(5000, 'it has ended', async () => (await client().beta.messages.batches.retrieve(made.id)).processing_status === 'ended')
  const results = []
  for await (const one of await client().beta.messages.batches.results(made.id)) results.push(one.result.type)
  expect(results).toEqual(['succeeded'])
  expect(stage.calls[0]!.headers.get('anthropic-beta')).toBe('context-1m-2025-08-07')
  expect(stage.calls[0]!.headers.get('anthropic-version')).toMatch(/^\d{4}-\d{2}-\d{2}$/)
})
