/** Errors in the operator's spelling: of every endpoint, of whatever made them, before a stream and inside it. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { modelConfig } from '../support/model/gateway.ts'
import { type ScriptedModel, startModel } from '../support/model/server.ts'

let model: ScriptedModel
let gateway: LocalGateway
const key = 'sk-test-0123456789abcdef'
const hash = new Bun.CryptoHasher('sha256').update(key).digest('hex')

beforeAll(async () => {
  model = startModel()
  gateway = await startLocalGateway(
    modelConfig(model.url, {
      server: { body_limit: '4kb' },
      errors: {
        style: 'openai',
        body: { error: { code: '<code>', kind: 'any', message: '<message>', param: '<param>', request_id: '<request_id>' } },
        codes: {
          missing_api_key: 'who_are_you',
          invalid_json: { code: 'garbled', status: 422 },
          not_found: 'nowhere',
          method_not_allowed: 'not_so',
          request_too_large: 'too_much',
          model_not_found: 'no_such_model',
          rate_limited: { code: 'slow_down' },
          upstream_error: { code: 'provider_error', status: 503 },
        },
      },
      plugins: [{ use: 'probe' }, { use: 'auth', with: { keys: [{ id: 'me', hash }] } }, { use: 'router' }],
    }),
  )
})
afterAll(async () => {
  await gateway.stop()
  model.stop()
})

const call = async (path: string, body: unknown, headers: Record<string, string> = {}, method = 'POST') => {
  const response = await fetch(gateway.url + path, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
    ...(method === 'GET' ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, text, id: response.headers.get('x-request-id'), type: response.headers.get('content-type') }
}
const chat = (more: object = {}) => ({ model: 'm/chat', messages: [{ role: 'user', content: 'hi' }], ...more })

describe('every refusal', () => {
  const cases: readonly [what: string, code: string, status: number, run: () => ReturnType<typeof call>][] = [
    ['no key', 'who_are_you', 401, () => call('/v1/chat/completions', chat(), { authorization: '' })],
    ['no key, for a stream', 'who_are_you', 401, () => call('/v1/chat/completions', chat({ stream: true }), { authorization: '' })],
    ["no key, in Anthropic's API", 'who_are_you', 401, () => call('/v1/messages', chat(), { authorization: '' })],
    ['no key, of the models', 'who_are_you', 401, () => call('/v1/models', '', { authorization: '' }, 'GET')],
    ['bad JSON', 'garbled', 422, () => call('/v1/chat/completions', '{"model":')],
    ['too large', 'too_much', 413, () => call('/v1/chat/completions', chat({ user: 'x'.repeat(5000) }))],
    ['another method', 'not_so', 405, () => call('/v1/chat/completions', '', {}, 'GET')],
    ['an unknown path', 'nowhere', 404, () => call('/v1/nothing', '{}')],
    ['an unknown path, by a stranger', 'nowhere', 404, () => call('/v1/nothing', '', { authorization: '' }, 'GET')],
    ['an unknown model', 'no_such_model', 404, () => call('/v1/chat/completions', chat({ model: 'm/none' }))],
    ['an unknown model, looked up', 'no_such_model', 404, () => call('/v1/models/m%2Fnone', '', {}, 'GET')],
    ['an unknown response', 'nowhere', 404, () => call('/v1/responses/resp_1', '', {}, 'GET')],
    [
      'a response that is not there, to go on from',
      'nowhere',
      400,
      () => call('/v1/responses', { model: 'm/responses', input: 'x', previous_response_id: 'resp_1' }),
    ],
    ['an unknown path, with a wrong key', 'nowhere', 404, () => call('/v1/nothing', '{}', { authorization: 'Bearer nobody' })],
  ]
  for (const [what, code, status, run] of cases) {
    test(what, async () => {
      const answer = await run()
      expect(JSON.parse(answer.text)).toMatchObject({
        error: { code, kind: 'any', request_id: answer.id, message: expect.stringMatching(/\w/) },
      })
      expect(answer.status).toBe(status)
      expect(answer.type).toBe('application/json')
    })
  }
})

describe('of an upstream', () => {
  const failing = (status: number, error: object) => () => Response.json({ error }, { status, headers: { 'retry-after': '7' } })
  test('its sentence, its parameter and its words stay; ours are put over those that are named', async () => {
    model.instead = failing(400, { message: 'bad tool', type: 'invalid_request_error', param: 'tools', code: 'odd_tool' })
    const native = await call('/v1/chat/completions', chat())
    expect(JSON.parse(native.text)).toEqual({
      error: { code: 'odd_tool', kind: 'any', message: 'bad tool', param: 'tools', request_id: native.id },
    })
    model.instead = failing(429, { message: 'later', type: 'requests', code: 'rate_limit_exceeded' })
    const limited = await call('/v1/chat/completions', chat({ stream: true }))
    expect(limited.status).toBe(429)
    expect(JSON.parse(limited.text).error).toMatchObject({ code: 'slow_down', message: 'later' })
    model.instead = undefined
  })
  test('a status of ours for one of its own, and the record has it', async () => {
    model.instead = failing(500, { message: 'broken', type: 'server_error' })
    for (const name of ['m/chat', 'm/messages', 'm/gemini']) {
      const answer = await call('/v1/chat/completions', chat({ model: name }))
      expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([503, 'provider_error'])
      expect((await gateway.outcome(answer.id!)).status).toBe(503)
    }
    model.instead = undefined
  })
  test('inside a stream that has begun', async () => {
    model.instead = () =>
      new Response('data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n', {
        headers: { 'content-type': 'text/event-stream' },
      })
    const chatted = await call('/v1/chat/completions', chat({ stream: true }))
    expect(chatted.status).toBe(200)
    expect(chatted.text).toContain(`"code":"provider_error"`)
    expect(chatted.text).toContain(`"request_id":"${chatted.id}"`)
    model.instead = undefined
  })
})
