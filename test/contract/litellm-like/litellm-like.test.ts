/** What clients of a LiteLLM proxy rely on, on the preset as shipped. The rows are ours; the shapes are those of its published reference. */

import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type Stand, startStand } from '../stand.ts'
import { beginningOfMinute, eventually } from '../support.ts'

setDefaultTimeout(30_000)
let stand: Stand
beforeAll(async () => {
  stand = await startStand('litellm-like')
})
afterAll(() => stand?.stop())
beforeEach(() => stand.model.clear())

const hello = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] }
const generate = async (fields: object = {}) =>
  (await stand.admin('/key/generate', fields)).json as { key: string; token: string; key_name: string }

test('LITE-1: paths with and without /v1, and virtual keys', async () => {
  expect(stand.key).toStartWith('sk-')
  for (const prefix of ['', '/v1']) {
    const answer = await stand.ask(`${prefix}/chat/completions`, { body: { ...hello, tags: ['a'], num_retries: 2 } })
    expect([answer.status, answer.json.model]).toEqual([200, 'gpt-4o-mini'])
    expect((await stand.ask(`${prefix}/embeddings`, { body: { model: 'gpt-4o-mini', input: 'a' } })).status).toBe(200)
    expect((await stand.ask(`${prefix}/responses`, { body: { model: 'gpt-4o-mini', input: 'Hello' } })).json.object).toBe('response')
  }
  expect(stand.model.requests[0]!.body).not.toContainAnyKeys(['tags', 'num_retries'])
  expect((await stand.ask('/chat/completions', { body: hello, key: null, headers: { 'x-litellm-api-key': stand.key } })).status).toBe(200)
  expect((await stand.ask('/v1/messages', { body: { ...hello, model: 'claude-sonnet-4-6', max_tokens: 10 } })).json.type).toBe('message')
  const openai = new OpenAI({ apiKey: stand.key, baseURL: stand.url })
  expect(
    (await openai.chat.completions.create({ model: 'claude-sonnet-4-6', messages: [{ role: 'user', content: 'Hello' }] })).choices[0]!
      .message.content,
  ).toContain('Hello')
  const anthropic = new Anthropic({ apiKey: stand.key, baseURL: stand.url })
  expect(
    (await anthropic.messages.create({ model: 'gpt-4o-mini', max_tokens: 10, messages: [{ role: 'user', content: 'Hello' }] })).type,
  ).toBe('message')
})

test('LITE-2: keys are made, shown, changed, blocked and deleted', async () => {
  const made = await stand.admin('/key/generate', {
    key_alias: 'app',
    models: ['gpt-4o-mini'],
    duration: '30d',
    max_budget: 10,
    budget_duration: '30d',
    rpm_limit: 100,
    tpm_limit: 100000,
    user_id: 'team-a',
    metadata: { team: 'x' },
  })
  expect(made.status).toBe(200)
  const { key } = made.json
  expect(structuredClone(made.json)).toMatchObject({
    key: expect.stringMatching(/^sk-/),
    key_alias: 'app',
    models: ['gpt-4o-mini'],
    max_budget: 10,
    budget_duration: '30d',
    rpm_limit: 100,
    tpm_limit: 100000,
    user_id: 'team-a',
    expires: expect.stringMatching(/^20\d\d-/),
  })
  expect((await stand.ask('/v1/chat/completions', { body: hello, key })).status).toBe(200)
  expect((await stand.ask('/v1/chat/completions', { body: { ...hello, model: 'claude-sonnet-4-6' }, key })).json.error).toMatchObject({
    type: 'key_model_access_denied',
    code: '403',
  })
  const info = await stand.admin(`/key/info?key=${key}`)
  expect(info.json.info).toMatchObject({ key_alias: 'app', rpm_limit: 100, blocked: null })
  expect(info.text).not.toContain(key)
  expect((await stand.admin('/key/update', { key, models: [], rpm_limit: 5 })).json).toMatchObject({
    models: [],
    rpm_limit: 5,
    max_budget: 10,
  })
  expect((await stand.ask('/v1/chat/completions', { body: { ...hello, model: 'claude-sonnet-4-6' }, key })).status).toBe(200)
  await stand.admin('/key/block', { key })
  expect((await stand.ask('/v1/models', { key })).status).toBe(401)
  await stand.admin('/key/unblock', { key })
  expect((await stand.ask('/v1/models', { key })).status).toBe(200)
  expect((await stand.admin('/key/list')).json.keys.map(({ key_alias }: { key_alias: string }) => key_alias)).toContain('app')
  expect((await stand.admin('/key/delete', { keys: [key] })).json.deleted_keys).toHaveLength(1)
  expect((await stand.ask('/v1/models', { key })).status).toBe(401)
  for (const [body, status] of [
    [{ max_parallel_requests: 5 }, 400],
    [{ duration: 'soon' }, 400],
    [{ max_budget: -1 }, 400],
    [{ models: 'x' }, 400],
  ] as const)
    expect((await stand.admin('/key/generate', body)).status).toBe(status)
  expect((await stand.admin('/key/info?key=sk-nobody')).status).toBe(404)
})

test('LITE-2: a key sees itself and its spend at /key/info', async () => {
  const { key } = await generate({ key_alias: 'mine', max_budget: 1 })
  await stand.ask('/chat/completions', { body: hello, key })
  const { json, text } = await eventually(
    () => stand.ask('/key/info', { key }),
    (answer) => answer.json.info.spend > 0,
  )
  expect(json.info).toMatchObject({ key_alias: 'mine', max_budget: 1, spend: 0.0000345 })
  expect(text).not.toContain(key)
})

test('LITE-3: models and model info', async () => {
  for (const path of ['/models', '/v1/models'])
    expect((await stand.ask(path)).json).toMatchObject({
      object: 'list',
      data: expect.arrayContaining([expect.objectContaining({ id: 'gpt-4o-mini', object: 'model' })]),
    })
  for (const path of ['/model/info', '/v1/model/info']) {
    const { json } = await stand.ask(path)
    const mini = (json.data as { model_name: string }[]).find(({ model_name }) => model_name === 'gpt-4o-mini')
    expect(structuredClone(mini)).toMatchObject({
      model_name: 'gpt-4o-mini',
      litellm_params: { model: 'openai/gpt-4o-mini' },
      model_info: { input_cost_per_token: 0.00000015, output_cost_per_token: 0.0000006 },
    } as never)
  }
})

test('LITE-4: x-litellm headers, and limits as OpenAI names them', async () => {
  const { key } = await generate({ rpm_limit: 100 })
  const { headers } = await stand.ask('/chat/completions', { body: hello, key })
  expect(headers.get('x-litellm-call-id')).toBe(headers.get('x-request-id'))
  expect(headers.get('x-litellm-response-cost')).toBe('0.0000345')
  expect(headers.get('x-litellm-model-id')).toBe('gpt-4o-mini')
  expect([headers.get('x-ratelimit-limit-requests'), headers.get('x-ratelimit-remaining-requests')]).toEqual(['100', '99'])
})

test('LITE-5: errors: the status as text for a code, and their types', async () => {
  const limited = await generate({ rpm_limit: 1 })
  await beginningOfMinute()
  await stand.ask('/models', { key: limited.key })
  const spent = await generate({ max_budget: 0.0000001 })
  for (const [status, type, ask] of [
    [401, 'auth_error', { body: hello, key: 'sk-nobody' }],
    [401, 'auth_error', { body: hello, key: null }],
    [400, 'invalid_request_error', { body: { ...hello, model: 'none' } }],
    [429, 'throttling_error', { body: hello, key: limited.key }],
    [429, 'budget_exceeded', { body: hello, key: spent.key }],
  ] as const) {
    const answer = await stand.ask('/chat/completions', ask)
    expect([answer.status, answer.json.error.type, answer.json.error.code]).toEqual([status, type, String(status)])
    expect(answer.json.error.message).toMatch(/\w/)
  }
})

test('LITE-6: health, without a key', async () => {
  for (const path of ['/health/liveliness', '/health/liveness', '/health/readiness', '/health'])
    expect((await stand.ask(path, { key: null })).status).toBe(200)
})
