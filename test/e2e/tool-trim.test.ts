/**
 * Tool results through a running gateway: clients of every dialect, upstreams of their own dialect and of others. What arrives is shorter, is what arrived
 * before, and is read back.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  chat,
  gemini,
  messages,
  numbered,
  read,
  responses,
  resultsOf,
  run,
  type Step,
  source,
} from '../../plugins/tool-trim/conversation.fixture.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { type PromptUpstream, promptUpstream, promptUpstreams } from '../support/prompt-upstream.ts'

setDefaultTimeout(30_000)

const file = numbered(source(60))
const steps = (count: number): Step[] =>
  Array.from({ length: count }, (_, i) => ({ say: `Step ${i}`, calls: [read('src/a.ts', file), run(`ls ${i}`, source(10, `o${i}`))] }))

let upstream: PromptUpstream
let gateway: LocalGateway
beforeAll(async () => {
  upstream = promptUpstream()
  const names = Object.keys(promptUpstreams(''))
  const price = { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 }
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      server: { listen: '127.0.0.1:0', admin: '127.0.0.1:0' },
      upstreams: promptUpstreams(upstream.url),
      models: Object.fromEntries(names.map((name) => [`on-${name}`, { targets: [{ upstream: name, model: 'm' }], price }])),
      plugins: [
        { use: 'probe' },
        {
          use: 'cost-headers',
          with: {
            headers: { trim_savings_usd: 'x-trim', trimmed_tokens: 'x-trimmed', cache_savings_usd: 'x-saved' },
            body: { trim_savings_usd: 'usage.trim' },
          },
        },
        { use: 'session', with: { secret: 'of the test' } },
        { use: 'tool-trim', with: { control_share: 0, min_prompt: 0 } },
        { use: 'router' },
      ],
    }),
  )
})
afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

interface Client {
  readonly path: (model: string) => string
  readonly body: (model: string, steps: readonly Step[]) => object
}
const clients: Readonly<Record<string, Client>> = {
  chat: { path: () => '/v1/chat/completions', body: (model, given) => ({ model, messages: chat(given) }) },
  messages: { path: () => '/v1/messages', body: (model, given) => ({ model, max_tokens: 9, messages: messages(given) }) },
  responses: { path: () => '/v1/responses', body: (model, given) => ({ model, store: false, input: responses(given) }) },
  gemini: { path: (model) => `/v1beta/models/${model}:generateContent`, body: (_, given) => ({ contents: gemini(given) }) },
}

async function call(client: Client, model: string, given: readonly Step[]) {
  const response = await fetch(gateway.url + client.path(model), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', 'x-session-id': `of ${model} ${client.path('')}` },
    body: JSON.stringify(client.body(model, given)),
  })
  const reply = await response.text()
  expect([response.status, reply]).toEqual([200, reply])
  return { headers: response.headers, reply, sent: upstream.bodies.at(-1)! }
}

/** The messages of a body, each as JSON text. */
function listOf(body: string): string[] {
  const { messages, input, contents } = JSON.parse(body) as Record<string, unknown[] | undefined>
  return (messages ?? input ?? contents ?? []).map((message) => JSON.stringify(message))
}

describe.each(Object.entries(clients))('a client of %s', (name, client) => {
  test.each(Object.keys(promptUpstreams('')))('on an upstream of %s: each result is trimmed once and stays so', async (target) => {
    const model = `on-${target}`
    let before: string[] = []
    let arrivedBefore: string[] = []
    for (let i = 1; i <= 5; i++) {
      const { sent, headers } = await call(client, model, steps(i))
      const results = resultsOf(JSON.parse(sent))
      expect(results).toHaveLength(2 * i)
      expect(results.slice(0, before.length)).toEqual(before)
      // whatever the client sends again arrives as the same bytes
      const arrived = listOf(sent)
      const same = name === target ? arrivedBefore.length : 0
      expect(arrived.slice(0, same)).toEqual(arrivedBefore.slice(0, same))
      arrivedBefore = arrived
      if (i > 1) {
        expect(results[2 * i - 2]).toContain('same as tool result #1 (Read src/a.ts)')
        expect(Number(headers.get('x-trimmed'))).toBeGreaterThan(500)
        expect(Number(headers.get('x-trim'))).toBeGreaterThan(0)
      }
      before = results
    }
  })
})

test('a count of tokens is of the request as the client has it', async () => {
  await call(clients.messages!, 'on-messages', steps(4))
  const body = JSON.stringify(clients.messages!.body('on-messages', steps(4)))
  const response = await fetch(`${gateway.url}/v1/messages/count_tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
    body,
  })
  expect(await response.json()).toEqual({ input_tokens: 1234 })
  expect(upstream.bodies.at(-1)).toBe(body.replace('on-messages', 'm'))
})

test('without a session plugin above the gateway does not start, and says what is missing', async () => {
  const config = {
    version: 1,
    server: { listen: '127.0.0.1:0', admin: '127.0.0.1:0' },
    upstreams: promptUpstreams(upstream.url),
    models: { m: { targets: [{ upstream: 'chat', model: 'm' }] } },
    plugins: [{ use: 'tool-trim' }, { use: 'router' }],
  }
  await expect(startLocalGateway(JSON.stringify(config))).rejects.toThrow(/tool-trim needs session/)
})
