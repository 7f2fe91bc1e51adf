/** Calls that a plugin makes to its own gateway: exchanges like all others, whole and streamed, for whom it says. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { until } from '../support/within.ts'

/** `POST /inside?path=…&method=…&abort=1`: makes the call of its body, and passes on what comes. */
const plugin = `import { definePlugin } from 'headgate/plugin'
const principal = { id: 'inner', account: 'acme', kind: 'key', tags: [] }
export default definePlugin({
  api: 1, name: 'inside', summary: 'Calls inside', failure: 'closed',
  setup(host) {
    host.route({ method: 'POST', path: '/inside', summary: 'Calls', async handler(request) {
      const query = new URL(request.url).searchParams
      const method = query.get('method') ?? 'POST'
      const body = method === 'GET' ? undefined : await request.text()
      const ending = new AbortController()
      if (query.has('abort')) setTimeout(() => ending.abort(), 100)
      if (query.has('aborted')) ending.abort()
      const inner = new Request('http://x' + query.get('path'), { method, body, headers: { 'content-type': 'application/json' } })
      try {
        return await host.call(inner, { principal, signal: ending.signal })
      } catch (error) {
        return Response.json({ rejected: error.name }, { status: 418 })
      }
    } })
    return { settle: (x) => { if (x.inner) (globalThis.__inner ??= []).push([x.id, x.inner.plugin, x.inner.principal.id, x.ip, x.operation]) } }
  },
})`

let gateway: LocalGateway
let provider: ReturnType<typeof Bun.serve>
let hold = Promise.resolve()
let gone = 0
const seen = () => ((globalThis as { __inner?: unknown[][] }).__inner ??= [])

beforeAll(async () => {
  provider = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { stream } = (await request.json()) as { stream?: boolean }
      request.signal.addEventListener('abort', () => gone++)
      await hold
      const choice = { index: 0, finish_reason: 'stop' }
      if (!stream)
        return Response.json({
          id: 'c',
          object: 'chat.completion',
          created: 1,
          model: 'm',
          choices: [{ ...choice, message: { role: 'assistant', content: 'Hi' } }],
        })
      const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ ...choice, delta: { content: 'Hi' } }] }
      return new Response(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  const base_url = `http://127.0.0.1:${provider.port}/v1`
  const config = {
    version: 1,
    upstreams: { openai: { dialect: 'openai', base_url } },
    models: { m: { targets: [{ upstream: 'openai' }] } },
    plugins: [{ use: 'probe' }, { use: './inside.ts' }, { use: 'router', with: { fallback: false } }],
  }
  gateway = await startLocalGateway(JSON.stringify(config), { 'inside.ts': plugin })
})
afterAll(async () => {
  await gateway.stop()
  await provider.stop(true)
})

const inside = (path: string, body: object, more = '') =>
  fetch(`${gateway.url}/inside?path=${encodeURIComponent(path)}${more}`, { method: 'POST', body: JSON.stringify(body) })
const chat = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] }

test('whole and streamed, in each dialect, with an outcome and an id of its own', async () => {
  const before = seen().length
  expect(await (await inside('/v1/chat/completions', chat)).json()).toMatchObject({ choices: [{ message: { content: 'Hi' } }] })
  const streamed = await inside('/v1/chat/completions', { ...chat, stream: true })
  expect(streamed.headers.get('content-type')).toStartWith('text/event-stream')
  expect(await streamed.text()).toEndWith('data: [DONE]\n\n')
  expect(await (await inside('/v1/messages', { ...chat, max_tokens: 5 })).json()).toMatchObject({
    type: 'message',
    content: [{ text: 'Hi' }],
  })
  const gemini = await inside('/v1beta/models/m:generateContent', { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] })
  expect(await gemini.json()).toMatchObject({ candidates: [{ content: { parts: [{ text: 'Hi' }] } }] })
  const mine = seen().slice(before)
  expect(mine.map(([, ...what]) => what)).toEqual([
    ['inside', 'inner', '', 'chat'],
    ['inside', 'inner', '', 'chat'],
    ['inside', 'inner', '', 'messages'],
    ['inside', 'inner', '', 'generate'],
  ])
  for (const [id] of mine) expect(await gateway.outcome(id as string)).toMatchObject({ end: 'finished', status: 200 })
})

test('what is no inference call is not there', async () => {
  const before = seen().length
  for (const [path, more] of [
    ['/v1/models', '&method=GET'],
    ['/inside', ''],
    ['/health', '&method=GET'],
    ['/v1/nothing', ''],
  ] as const) {
    const response = await inside(path, chat, more)
    expect([path, response.status, ((await response.json()) as { error: { code: string } }).error.code]).toEqual([path, 404, 'not_found'])
  }
  expect(seen().length).toBe(before)
})

test('a signal ends it as a client that leaves does; an aborted one begins nothing', async () => {
  const go = Promise.withResolvers<void>()
  hold = go.promise
  const before = seen().length
  const cut = await inside('/v1/chat/completions', chat, '&abort=1')
  expect(cut.status).toBe(499)
  await until(5000, 'the provider sees it', () => gone > 0)
  go.resolve()
  hold = Promise.resolve()
  const [id] = (await until(5000, 'it has settled', () => seen()[before])) as [string]
  expect(await gateway.outcome(id)).toMatchObject({ end: 'abandoned' })
  const aborted = await inside('/v1/chat/completions', chat, '&aborted=1')
  expect([aborted.status, await aborted.json()]).toEqual([418, { rejected: 'AbortError' }])
  expect(seen().length).toBe(before + 1)
})
