/** Errors that an upstream writes into a stream leave in the operator's words, also where no plugin looks at events; without such words as they came. */

import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { startGateway } from '../support/gateway.ts'
import { startModel } from '../support/model/server.ts'

setDefaultTimeout(30_000)
const model = startModel()
afterAll(() => model.stop())
const begun = 'data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
const theirs = 'data: {"error":{"message":"Overloaded","type":"server_error","param":null,"code":"their_word"}}\n\n'
const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'Hello' }] })

test.each([
  ['', JSON.parse(theirs.slice('data: '.length))],
  [
    'errors: { codes: { upstream_error: provider_error } }',
    { error: { message: 'Overloaded', type: 'server_error', code: 'provider_error' } },
  ],
  ['errors: { codes: { not_found: nothing_here } }', JSON.parse(theirs.slice('data: '.length))],
  ['errors: { body: { fault: <message>, code: <code> } }', { fault: 'Overloaded', code: 'their_word' }],
])('with %p', async (errors, told) => {
  const gateway = await startGateway({
    config: `version: 1
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0 }
${errors}
upstreams: { it: { dialect: openai, base_url: ${model.url}/v1, key: k } }
models: { m: { targets: [{ upstream: it }] } }
plugins: [{ use: router }]
`,
  })
  try {
    model.instead = () => new Response(begun + theirs, { headers: { 'content-type': 'text/event-stream' } })
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    })
    const frames = (await response.text()).trimEnd().split('\n\n')
    expect(`${frames[0]}\n\n`).toBe(begun)
    expect(frames).toHaveLength(2)
    expect(JSON.parse(frames[1]!.slice('data: '.length))).toMatchObject(told)
  } finally {
    await gateway.stop()
  }
})
