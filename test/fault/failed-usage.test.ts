/** What a failed reply used is not lost: its provider reported it, and wants money for it. In a whole gateway before an upstream that fails. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { outcomeCost } from '../../src/plugin/index.ts'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'

const response = (status: string, more: object) => ({ id: 'r', object: 'response', created_at: 1, model: 'm', status, output: [], ...more })
const failed = response('failed', {
  error: { code: 'server_error', message: 'Oops.' },
  usage: { input_tokens: 1000, output_tokens: 200, total_tokens: 1200 },
})
const frame = (type: string, more: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
const begun = frame('response.created', { response: response('in_progress', { usage: null, error: null }), sequence_number: 0 })
const said = frame('response.output_text.delta', { item_id: 'i', output_index: 0, content_index: 0, delta: 'one', sequence_number: 1 })
const end = frame('response.failed', { response: failed, sequence_number: 2 })
const streams: Readonly<Record<string, string>> = { early: begun + end, late: begun + said + end }

let gateway: LocalGateway
let upstream: Bun.Server<undefined>
/** Calls for vectors since the test began. */
let calls = 0
beforeAll(async () => {
  upstream = Bun.serve({
    port: 0,
    async fetch(request) {
      const body = (await request.json()) as { model: string; texts?: readonly string[] }
      const stream = streams[body.model]
      if (stream) return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
      if (!body.texts) return Response.json(failed)
      // the last of three calls fails when the others are answered
      if (body.texts[0] === 't192') {
        await Bun.sleep(200)
        return Response.json({ message: 'broken' }, { status: 500 })
      }
      calls++
      if (body.model === 'slow' && body.texts[0] === 't0') await Bun.sleep(2000)
      const embeddings = { float: body.texts.map(() => [0.1]) }
      return Response.json({ id: 'e', embeddings, texts: body.texts, meta: { billed_units: { input_tokens: 500 } } })
    },
  })
  const url = `http://127.0.0.1:${upstream.port}`
  const price = { input: 1, output: 10 }
  const model = (to: string, name: string) => ({ targets: [{ upstream: to, model: name }], price })
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams: {
        responses: { dialect: 'openai', base_url: `${url}/v1`, key: 'k', apis: ['responses'] },
        vectors: { dialect: 'openai', base_url: url, key: 'k', apis: ['embed'] },
      },
      models: {
        ...Object.fromEntries(['whole', 'early', 'late'].map((name) => [name, model('responses', name)])),
        ...Object.fromEntries(['embed', 'slow'].map((name) => [name, model('vectors', name)])),
      },
      plugins: [{ use: 'probe' }, authPlugin, { use: 'router', with: { retries: 0 } }],
    }),
  )
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop(true)
})

async function outcomeOf(path: string, body: object) {
  const headers = { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' }
  const r = await fetch(`${gateway.url}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  await r.text()
  return await gateway.outcome(r.headers.get('x-request-id')!)
}

test.each([
  ['a whole response', 'responses', 'whole', false],
  ['a stream, before its first content', 'responses', 'early', true],
  ['a stream, behind content', 'responses', 'late', true],
  ['a translated response', 'chat/completions', 'whole', false],
  ['a translated stream, behind content', 'chat/completions', 'late', true],
])('%s that says it failed has the usage that it reported', async (_, path, model, stream) => {
  const outcome = await outcomeOf(path, { model, input: 'x', messages: [{ role: 'user', content: 'x' }], stream })
  expect(outcome).toMatchObject({ end: 'failed', usage: { source: 'reported', inputUncached: 1000, outputVisible: 200 } })
  expect(outcomeCost(outcome)).toMatchObject({ known: true, pico: 3_000_000_000n })
})

const input = Array.from({ length: 250 }, (_, i) => `t${i}`)

test('embeddings in several calls: what those used that were answered before one failed', async () => {
  calls = 0
  const outcome = await outcomeOf('embeddings', { model: 'embed', input })
  expect(calls).toBe(2)
  expect(outcome).toMatchObject({ end: 'failed', usage: { source: 'reported', inputUncached: 1000 } })
})

test('and where one was under way when another failed, that is not all', async () => {
  const outcome = await outcomeOf('embeddings', { model: 'slow', input })
  expect(outcome).toMatchObject({ end: 'failed', usage: { source: 'partial', inputUncached: 500 } })
})
