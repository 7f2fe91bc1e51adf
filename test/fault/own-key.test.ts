/** A provider that quotes the gateway's own key in an error: no client sees it, whatever the status, the dialect or the place in a stream. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { bodyOf, endpointOf, families, headersOf } from '../support/client.ts'
import { gatewayConfig, upstreamKeys } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'

let upstream: Bun.Server<undefined>
let gateway: LocalGateway
beforeAll(async () => {
  upstream = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const anthropic = new URL(request.url).pathname.endsWith('/messages')
      const key = request.headers.get('x-api-key') ?? request.headers.get('authorization')!.replace('Bearer ', '')
      const { model } = (await request.json()) as { model: string }
      const message = `Incorrect API key provided: ${key}. Find yours at the console.`
      const error = anthropic
        ? { type: 'error', error: { type: 'invalid_request_error', message } }
        : { error: { message, type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }
      const status = Number(model)
      if (status) return Response.json(error, { status })
      const frame = `${anthropic ? 'event: error\n' : ''}data: ${JSON.stringify(error)}\n\n`
      const opening = anthropic
        ? 'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}\n\nevent: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n'
        : 'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
      if (model === 'one-piece') return new Response(opening + frame, { headers: { 'content-type': 'text/event-stream' } })
      async function* body() {
        if (model === 'after-content') {
          yield opening
          await Bun.sleep(20)
        }
        yield frame
      }
      return new Response(body(), { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  gateway = await startLocalGateway(gatewayConfig({ upstream: `http://127.0.0.1:${upstream.port}` }))
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop(true)
})

const models = ['400', '401', '403', '429', '500', 'first-frame', 'one-piece', 'after-content', '200']

for (const family of families) {
  for (const stream of [false, true]) {
    test.each(models)(`${family}, ${stream ? 'stream' : 'whole'}: %s`, async (model) => {
      const request = { method: 'POST', headers: headersOf(family), body: bodyOf(`cat/${model}`, stream) }
      const text = await (await fetch(endpointOf(family, gateway.url), request)).text()
      expect(text).toContain('Incorrect API key provided: ***. Find yours')
      expect(text).not.toContain(upstreamKeys[family])
    })
  }
}
