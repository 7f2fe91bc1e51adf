/** The published API of a gateway that tells costs and checks fields, every status and code of its page. */

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type Answer, type Stand, startStand } from '../stand.ts'
import { beginningOfMinute, expiredKey } from '../support.ts'

setDefaultTimeout(30_000)
let stand: Stand
const generous = { limits: [{ window: '1m', requests: 100_000 }] }
beforeAll(async () => {
  stand = await startStand('solrouter', { usd: '100', fields: generous })
})
afterAll(() => stand?.stop())
beforeEach(() => stand.model.clear())

const chat = '/ai/chat/completions'
/** The page's curl. */
const hello = { model: 'openai/gpt-4o-mini', messages: [{ role: 'user', content: 'Hello!' }] }
const haiku = { model: 'openai/gpt-4o-mini', stream: true, messages: [{ role: 'user', content: 'Write a haiku about latency.' }] }
const words = (answer: Answer) => [answer.status, answer.json?.error?.code]
const failing =
  (status: number, error: object = { message: 'boom', type: 'server_error' }) =>
  () =>
    Response.json({ error }, { status })
describe('SOLR-8', () => {
  test('SOLR-8: 400 invalid_request_error', async () => {
    expect(words(await stand.ask(chat, { body: '{"model":' }))).toEqual([400, 'invalid_request_error'])
    stand.model.instead = failing(400, { message: 'no', type: 'invalid_request_error', code: null })
    expect(words(await stand.ask(chat, { body: hello }))).toEqual([400, 'invalid_request_error'])
  })
  test('SOLR-8: 401 invalid_api_key', async () => {
    for (const key of [null, 'sr_nobody', await expiredKey(stand)])
      expect(words(await stand.ask(chat, { body: hello, key }))).toEqual([401, 'invalid_api_key'])
  })
  test('SOLR-8: 402 insufficient_balance, of type payment_required', async () => {
    const { key } = await stand.newKey()
    const answer = await stand.ask(chat, { body: hello, key })
    expect(answer.status).toBe(402)
    expect(answer.json.error).toMatchObject({ type: 'payment_required', code: 'insufficient_balance' })
    expect((await stand.ask(chat, { body: { ...hello, model: 'google/gemini-2.0-flash-exp' }, key })).status).toBe(200)
  })
  test('SOLR-8: 404 for endpoints and models that there are not', async () => {
    const none = await stand.ask(chat, { body: { ...hello, model: 'openai/none' } })
    expect(words(none)).toEqual([404, 'model_not_found'])
    expect(none.text).not.toContain('/v1/') // nothing is there on this gateway
    expect(words(await stand.ask('/ai/models/openai%2Fnone'))).toEqual([404, 'model_not_found'])
    expect((await stand.ask('/ai/none')).status).toBe(404)
    expect((await stand.ask('/ai/none', { body: {} })).json.error.message).toContain('/ai/none')
  })
  test('SOLR-8: 408 when the upstream takes too long', async () => {
    const slow = await startStand('solrouter', { usd: '1', env: { UPSTREAM_TIMEOUT: '300ms', OPENAI_BASE_URL: hanging.url } })
    const answer = await slow.ask(chat, { body: hello })
    expect([answer.status, answer.json.error.type]).toEqual([408, 'server_error'])
    expect((await slow.ask(chat, { body: haiku })).status).toBe(408)
    await slow.stop()
    stand.model.instead = failing(504, { message: 'slow', type: 'timeout' })
    expect((await stand.ask(chat, { body: hello })).status).toBe(408)
  })
  test('SOLR-8: 409 on a conflict', async () => {
    stand.model.instead = failing(409, { message: 'twice', type: 'conflict' })
    expect((await stand.ask(chat, { body: hello })).status).toBe(409)
  })
  test('SOLR-8: 422 on a validation error', async () => {
    expect(words(await stand.ask(chat, { body: { ...hello, temperature: 'hot' } }))).toEqual([422, 'invalid_request_error'])
    stand.model.instead = failing(422, { message: 'odd', type: 'invalid_request_error', param: 'tools' })
    expect(words(await stand.ask(chat, { body: hello }))).toEqual([422, 'invalid_request_error'])
  })
  test('SOLR-8: 429 rate_limit_exceeded', async () => {
    const { key } = await stand.newKey({ limits: [{ window: '1m', requests: 1 }] })
    await beginningOfMinute()
    await stand.ask('/ai/models', { key })
    expect(words(await stand.ask(chat, { body: hello, key }))).toEqual([429, 'rate_limit_exceeded'])
    stand.model.instead = failing(429, { message: 'later', type: 'requests' })
    expect(words(await stand.ask(chat, { body: hello }))).toEqual([429, 'rate_limit_exceeded'])
  })
  test('SOLR-8: 500 when the gateway is at fault', async () => {
    const broken = await startStand('solrouter', { usd: '1' })
    broken.breakTables('budget')
    expect((await broken.ask(chat, { body: hello })).status).toBe(500)
    await broken.stop()
  })
  test('SOLR-8: 502 when the upstream fails, and upstream_unreachable when it is not there', async () => {
    stand.model.instead = failing(500)
    expect((await stand.ask(chat, { body: hello })).status).toBe(502)
    stand.model.instead = () => new Response('nonsense')
    expect((await stand.ask(chat, { body: hello })).status).toBe(502)
    const away = await startStand('solrouter', { usd: '1', env: { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' } })
    expect(words(await away.ask(chat, { body: hello }))).toEqual([502, 'upstream_unreachable'])
    await away.stop()
  })
  test('SOLR-8: 503 on an outage', async () => {
    stand.model.instead = failing(503)
    expect((await stand.ask(chat, { body: hello })).status).toBe(503)
    stand.model.instead = failing(529)
    expect((await stand.ask(chat, { body: { ...hello, model: 'anthropic/claude-sonnet-4' } })).status).toBe(503)
  })
  test('SOLR-8: the envelope of the page', async () => {
    const { json } = await stand.ask(chat, { body: hello, key: null })
    expect(Object.keys(json)).toEqual(['error'])
    expect(Object.keys(json.error)).toEqual(['message', 'type', 'code'])
  })
})

test('SOLR-10: a request longer than the context of its model', async () => {
  const long = { ...hello, model: 'openai/gpt-3.5-turbo-instruct', messages: [{ role: 'user', content: 'word '.repeat(5000) }] }
  const answer = await stand.ask(chat, { body: long })
  expect(words(answer)).toEqual([400, 'context_length_exceeded'])
  expect(answer.json.error.message).toContain('4096')
  expect(stand.model.requests).toHaveLength(0)
  // what is too long by less the provider tells, in whatever words
  for (const said of ["This model's maximum context length is 128000 tokens.", 'prompt is too long: 210000 tokens > 200000 maximum']) {
    stand.model.instead = failing(400, { message: said, type: 'invalid_request_error', code: 'a_word_of_theirs' })
    for (const model of ['openai/gpt-4o-mini', 'anthropic/claude-sonnet-4'])
      expect(words(await stand.ask(chat, { body: { ...hello, model } }))).toEqual([400, 'context_length_exceeded'])
  }
})

/** An upstream that takes calls and never answers. */
const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
const hanging = { url: `http://127.0.0.1:${server.port}/v1` }
afterAll(() => server.stop(true))
