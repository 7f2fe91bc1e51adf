/** The session plugin in the real gateway, as a process, for clients of every dialect, whole and as streams, against the demo model. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(30_000)

let gateway: GatewayProcess
const config = (session: object = {}) =>
  JSON.stringify({
    version: 1,
    mounts: [
      { path: '/v1', api: 'openai' },
      { path: '/', api: 'anthropic' },
      { path: '/', api: 'gemini' },
    ],
    upstreams: { demo: { dialect: 'openai', base_url: 'builtin:demo' } },
    models: { demo: { targets: [{ upstream: 'demo', model: 'demo' }], price: { input: 3, output: 15 } } },
    plugins: [authPlugin, { use: 'session', with: session }, { use: 'router' }],
  })
beforeAll(async () => {
  gateway = await startGateway({ config: config() })
})
afterAll(async () => {
  expect(await gateway.stop()).toBe(0)
})

/** How each dialect says a conversation of texts, the client's and the model's in turn. */
const dialects: Record<string, { path(stream: boolean): string; body(said: readonly string[]): object }> = {
  chat: {
    path: () => '/v1/chat/completions',
    body: (said) => ({
      messages: [{ role: 'system', content: 'Be brief.' }, ...said.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content }))],
    }),
  },
  messages: {
    path: () => '/v1/messages',
    body: (said) => ({
      max_tokens: 50,
      system: 'Be brief.',
      messages: said.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content })),
    }),
  },
  responses: {
    path: () => '/v1/responses',
    body: (said) => ({
      instructions: 'Be brief.',
      store: false,
      input: said.map((text, i) =>
        i % 2
          ? { type: 'message', role: 'assistant', id: `msg_${i}`, content: [{ type: 'output_text', text, annotations: [] }] }
          : { role: 'user', content: [{ type: 'input_text', text }] },
      ),
    }),
  },
  gemini: {
    path: (stream) => `/v1beta/models/demo:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: (said) => ({
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      contents: said.map((text, i) => ({ role: i % 2 ? 'model' : 'user', parts: [{ text }] })),
    }),
  },
}

async function ask(dialect: string, said: readonly string[], stream: boolean, headers: Record<string, string> = {}) {
  const { path, body } = dialects[dialect]!
  const named = dialect === 'gemini' ? {} : { model: 'demo', stream }
  const response = await fetch(`${gateway.url}${path(stream)}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, 'anthropic-version': '2023-06-01', ...headers },
    body: JSON.stringify({ ...named, ...body(said) }),
  })
  const text = await response.text()
  expect([response.status, text.length > 0]).toEqual([200, true])
  return response.headers.get('x-gateway-session-id')
}
const admin = async (path: string) => await (await fetch(`${gateway.adminUrl}${path}`)).json()

describe('one conversation is one session, another is another, a fork has its parent', () => {
  // the demo model takes its time over a stream
  test.concurrent.each(Object.keys(dialects).flatMap((dialect) => [[dialect, false] as const, [dialect, true] as const]))(
    '%s, stream %p',
    async (dialect, stream) => {
      const tag = `${dialect} ${stream}`
      const said = [`first of ${tag}`]
      const id = await ask(dialect, said, stream)
      expect(id).toMatch(/^s_[a-z2-7]{20}$/)
      for (let turn = 2; turn <= 3; turn++) {
        said.push(`answer ${turn}`, `question ${turn}`)
        expect(await ask(dialect, said, stream)).toBe(id)
      }
      const other = await ask(dialect, [`other of ${tag}`], stream)
      expect(other).not.toBe(id)
      const fork = await ask(dialect, [...said.slice(0, 2), 'edited'], stream)
      expect([id, other]).not.toContain(fork)
      const summary = await until(2000, 'all turns have settled', async () => {
        const got = (await admin(`/v1/sessions/${id}`)) as { turns: number; requests: { total: number } }
        return got.requests.total === 3 ? got : undefined
      })
      expect(summary).toMatchObject({ turns: 3, key: 'e2e', requests: { failed: 0, without_usage: 0 } })
      expect(Number((summary as unknown as { spend_usd: string }).spend_usd)).toBeGreaterThan(0)
      expect(await admin(`/v1/sessions/${fork}`)).toMatchObject({ parent: id, turns: 1 })
      // whoever names a session has it, whatever is said
      const named = { 'x-session-id': tag }
      const one = await ask(dialect, ['something'], stream, named)
      expect(await ask(dialect, ['something else'], stream, named)).toBe(one)
    },
  )
})

test('what is no turn of a conversation is counted as none: counts of tokens, embeddings, lists of models', async () => {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, 'anthropic-version': '2023-06-01' }
  const post = (path: string, body: object, more = {}) =>
    fetch(`${gateway.url}${path}`, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify({ model: 'demo', ...body }) })
  const message = { messages: [{ role: 'user', content: 'x' }] }
  const others = [
    await post('/v1/messages/count_tokens', message, { 'session-id': 'N' }),
    await post('/v1/embeddings', { input: 'x' }, { 'session-id': 'N' }),
    await fetch(`${gateway.url}/v1/models`, { headers: { ...headers, 'session-id': 'N' } }),
  ]
  const turn = await post('/v1/messages', { max_tokens: 9, ...message }, { 'session-id': 'N' })
  await turn.text()
  const id = turn.headers.get('x-gateway-session-id')
  for (const [i, reply] of others.entries()) {
    await reply.text()
    // they say whose they are, where a model is asked at all
    expect([reply.status, reply.headers.get('x-gateway-session-id')]).toEqual([200, i === 2 ? null : id])
  }
  expect(await admin(`/v1/sessions/${id}`)).toMatchObject({ turns: 1 })
})

test('a restart without shared state: named sessions keep their ids, and conversations find the id that their beginning had', async () => {
  const said = ['before the restart']
  const id = await ask('chat', said, false)
  const named = await ask('chat', ['x'], false, { 'session-id': 'A' })
  gateway.write('gateway.yaml', config({ idle: '23h' }))
  const reloaded = await fetch(`${gateway.adminUrl}/reload`, { method: 'POST' })
  expect(reloaded.status).toBe(200)
  // another instance of the plugin, which knows nobody; the secret was kept
  expect(await ask('chat', [...said, 'answer', 'after'], false)).toBe(id)
  expect(await ask('chat', ['y'], false, { 'session-id': 'A' })).toBe(named)
  expect(await admin('/v1/sessions')).toMatchObject({ data: { length: 2 } })
})
