/** A process that stood still (a laptop's lid, a paused container, a debugger): what came meanwhile is read before anything is called late. */

import { expect, setDefaultTimeout, test } from 'bun:test'
import { bodyOf, endpointOf, headersOf } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { gatewayConfig } from '../support/gateway-config.ts'
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
