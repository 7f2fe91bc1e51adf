/** Marks of routes and models as clients meet them, and a /v2 mounted beside /v1. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'

let gateway: LocalGateway
let provider: ReturnType<typeof Bun.serve>

const config = (after: string) =>
  JSON.stringify({
    version: 1,
    mounts: [
      { path: '/v1', api: 'openai' },
      { path: '/v2', api: 'openai' },
    ],
    upstreams: { openai: { dialect: 'openai', base_url: `http://127.0.0.1:${provider.port}/v1` } },
    models: {
      'gpt-old': {
        targets: [{ upstream: 'openai' }],
        deprecation: { since: '2024-06-01', sunset: '2025-06-01', link: 'https://docs.example/old' },
      },
      'gpt-new': { targets: [{ upstream: 'openai' }] },
      'legacy/*': { targets: [{ upstream: 'openai', model: '*' }], deprecation: { since: '2026-01-01T12:00:00Z' } },
    },
    plugins: [
      {
        use: 'deprecation',
        with: {
          routes: [
            { path: '/v1/completions', method: 'POST', since: '2026-01-01', sunset: '2099-01-01', successor: '/v2/chat/completions' },
            { path: '/v1/models*', since: '2026-02-01', sunset: '2026-02-02' },
          ],
          after_sunset: after,
        },
      },
      { use: 'catalog', with: { models: { paths: ['/v1/models', '/v2/models'] } } },
      { use: 'router' },
    ],
  })
const post = (path: string, body: object) =>
  fetch(`${gateway.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
const chat = (model: string, mount = '/v1', stream = false) =>
  post(`${mount}/chat/completions`, { model, stream, messages: [{ role: 'user', content: 'Hi' }] })
const marks = async (response: Response | Promise<Response>) => {
  const { status, headers, body } = await response
  await body?.cancel()
  return [status, headers.get('deprecation'), headers.get('sunset'), headers.get('link')]
}

beforeAll(() => {
  provider = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { stream } = (await request.json()) as { stream?: boolean }
      const choice = { index: 0, finish_reason: 'stop' }
      if (stream) {
        const chunk = {
          id: 'c',
          object: 'chat.completion.chunk',
          created: 1,
          model: 'm',
          choices: [{ ...choice, delta: { content: 'Hi' } }],
        }
        return new Response(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`, { headers: { 'content-type': 'text/event-stream' } })
      }
      const legacy = new URL(request.url).pathname.endsWith('/v1/completions')
      const said = legacy ? { text: 'Hi' } : { message: { role: 'assistant', content: 'Hi' } }
      return Response.json({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ ...choice, ...said }] })
    },
  })
})
afterAll(() => provider.stop(true))

test('routes and models that are marked say so, on streams and errors too; others say nothing', async () => {
  gateway = await startLocalGateway(config('serve'))
  try {
    const old = [200, '@1717200000', 'Sun, 01 Jun 2025 00:00:00 GMT', '<https://docs.example/old>; rel="deprecation"']
    expect(await marks(chat('gpt-old'))).toEqual(old)
    expect(await marks(chat('gpt-old', '/v2'))).toEqual(old)
    expect(await marks(chat('gpt-old', '/v1', true))).toEqual(old)
    expect(await marks(chat('gpt-new'))).toEqual([200, null, null, null])
    expect(await marks(chat('legacy/this'))).toEqual([200, '@1767268800', null, null])
    const legacy = ['@1767225600', 'Thu, 01 Jan 2099 00:00:00 GMT', '</v2/chat/completions>; rel="successor-version"']
    expect(await marks(post('/v1/completions', { model: 'gpt-new', prompt: 'Hi' }))).toEqual([200, ...legacy])
    expect(await marks(post('/v1/completions', { model: 'nobody', prompt: 'Hi' }))).toEqual([404, ...legacy])
    expect(await marks(post('/v2/completions', { model: 'gpt-new', prompt: 'Hi' }))).toEqual([200, null, null, null])
    expect(await marks(fetch(`${gateway.url}/v1/models/gpt-new`))).toEqual([200, '@1769904000', 'Mon, 02 Feb 2026 00:00:00 GMT', null])
    expect(await marks(fetch(`${gateway.url}/v2/models`))).toEqual([200, null, null, null])
    // what is known of a model is told with its mark
    expect(await marks(fetch(`${gateway.url}/v2/models/gpt-old`))).toEqual(old)
    expect(await marks(fetch(`${gateway.url}/v2/models/legacy%2Fthis`))).toEqual([200, '@1767268800', null, null])
    expect(await marks(fetch(`${gateway.url}/v2/models/gpt-new`))).toEqual([200, null, null, null])
    expect(await marks(fetch(`${gateway.url}/v2/models/%E0%A4`))).toEqual([404, null, null, null])
  } finally {
    await gateway.stop()
  }
})

test('after the sunset they are refused where the operator says so', async () => {
  gateway = await startLocalGateway(config('refuse'))
  try {
    const gone = await fetch(`${gateway.url}/v1/models`)
    expect([gone.status, gone.headers.get('deprecation')]).toEqual([410, '@1769904000'])
    expect(await gone.json()).toMatchObject({
      error: { code: 'not_found', message: 'GET /v1/models is no longer served, since 2026-02-02.' },
    })
    const over = await chat('gpt-old')
    expect([over.status, over.headers.get('sunset')]).toEqual([404, 'Sun, 01 Jun 2025 00:00:00 GMT'])
    expect(await over.json()).toMatchObject({
      error: {
        code: 'model_not_found',
        message: 'The model "gpt-old" is no longer served, since 2025-06-01. See https://docs.example/old',
      },
    })
    expect((await chat('gpt-new')).status).toBe(200)
  } finally {
    await gateway.stop()
  }
})
