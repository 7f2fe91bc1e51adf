/** A process that stood still (a laptop's lid, a paused container, a debugger): what came meanwhile is read before anything is called late. */

import { expect, setDefaultTimeout, test } from 'bun:test'
import { bodyOf, endpointOf, headersOf } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { auditPlugin, authPlugin, gatewayConfig } from '../support/gateway-config.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(30_000)

const chunk = (content: string, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`

test('streams whose upstream never fell silent live on', async () => {
  const upstream = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch() {
      async function* body() {
        for (let n = 0; n < 50; n++) {
          yield chunk(`${n} `)
          await Bun.sleep(40)
        }
        yield `${chunk('end', 'stop')}data: [DONE]\n\n`
      }
      return new Response(body(), { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  const config = gatewayConfig({ upstream: `http://127.0.0.1:${upstream.port}`, timeouts: { idle: '600ms', first_byte: '600ms' } })
  const gateway = await startGateway({ config })
  const request = { method: 'POST', headers: headersOf('openai'), body: bodyOf('cat/x', true) }
  const texts = Array.from({ length: 5 }, async () => (await fetch(endpointOf('openai', gateway.url), request)).text())
  await Bun.sleep(400)
  gateway.signal('SIGSTOP')
  await Bun.sleep(1000)
  gateway.signal('SIGCONT')
  for (const text of await Promise.all(texts)) expect(text.slice(-200)).toEndWith('data: [DONE]\n\n')
  const lines = await until(5000, 'all are settled', () => gateway.audit().length === 5 && gateway.audit())
  expect(lines.map((line) => line.end)).toEqual(Array(5).fill('finished'))
  expect(await gateway.stop()).toBe(0)
  await upstream.stop(true)
})

test('an answer that came before a hedge was due spares the second call, though the process was busy', async () => {
  let calls = 0
  const upstream = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch() {
      calls++
      await Bun.sleep(250)
      const choices = [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }]
      return Response.json({ id: 'x', object: 'chat.completion', created: 1, model: 'm', choices })
    },
  })
  const busy = `import { definePlugin } from 'headgate/plugin'
export default definePlugin({ api: 1, name: 'busy', summary: 'Works from 150 to 430 ms', failure: 'open', setup: () => ({
  request() { setTimeout(() => Bun.sleepSync(280), 150) },
}) })`
  const plugins = [auditPlugin, authPlugin, { use: './busy.ts' }, { use: 'router', with: { hedge: '350ms' } }]
  const config = JSON.parse(gatewayConfig({ upstream: `http://127.0.0.1:${upstream.port}`, plugins }))
  config.upstreams.two = config.upstreams.openai
  config.models['cat/known'].targets[1].upstream = 'two'
  const gateway = await startGateway({ config: JSON.stringify(config), files: { 'busy.ts': busy } })
  for (let n = 0; n < 3; n++) {
    const request = { method: 'POST', headers: headersOf('openai'), body: bodyOf('cat/known', false) }
    expect((await fetch(endpointOf('openai', gateway.url), request)).status).toBe(200)
  }
  expect(calls).toBe(3)
  const lines = await until(5000, 'all are settled', () => gateway.audit().length === 3 && gateway.audit())
  expect(lines.map((line) => line.attempts.length)).toEqual([1, 1, 1])
  expect(await gateway.stop()).toBe(0)
  await upstream.stop(true)
})
