/**
 * Money, end to end: a running gateway, a price list beside its config, clients that read what their calls cost, and an operator who changes the prices.
 */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import OpenAI from 'openai'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(30_000)

const usage = { prompt_tokens: 1000, completion_tokens: 10, total_tokens: 1010, prompt_tokens_details: { cached_tokens: 400 } }
const chunk = (members: object) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'big', ...members })}\n\n`

let upstream: ReturnType<typeof Bun.serve>
let gateway: GatewayProcess
const prices = (input: string) => `models:\n  big: { context: 5000, price: { input: ${input}, output: 10, cache_read: 0.1 } }\n`

beforeAll(async () => {
  upstream = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const body = (await request.json()) as { stream?: boolean; stream_options?: { include_usage?: boolean } }
      if (!body.stream) {
        const message = { role: 'assistant', content: 'Hi' }
        return Response.json({
          id: 'c',
          object: 'chat.completion',
          created: 1,
          model: 'big',
          choices: [{ index: 0, message, finish_reason: 'stop' }],
          usage,
        })
      }
      const asked = body.stream_options?.include_usage === true
      const text =
        chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: 'Hi' }, finish_reason: null }] }) +
        chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }) +
        (asked ? chunk({ choices: [], usage }) : '')
      return new Response(`${text}data: [DONE]\n\n`, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  gateway = await startGateway({
    config: JSON.stringify({
      version: 1,
      price_list: './models.yaml',
      upstreams: { up: { dialect: 'openai', base_url: `http://127.0.0.1:${upstream.port}/v1` } },
      models: { '*': { targets: [{ upstream: 'up' }] } },
      plugins: [
        { use: 'audit', with: { file: './audit.jsonl' } },
        {
          use: 'cost-headers',
          with: { headers: { cost_usd: 'x-cost', cost_unknown: 'x-cost-unknown' }, body: { cost_usd: 'usage.cost' } },
        },
        { use: 'router' },
      ],
    }),
    files: { 'models.yaml': prices('2') },
  })
})
afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop(true)
})

const client = () => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'none', maxRetries: 0 })
const ask = (model = 'big') => client().chat.completions.create({ model, messages: [{ role: 'user', content: 'x' }] })
const headerOf = async (model: string, name: string) => {
  const { response } = await client()
    .chat.completions.create({ model, messages: [{ role: 'user', content: 'x' }] })
    .withResponse()
  return response.headers.get(name)
}

// 600 * 2 + 400 * 0.1 + 10 * 10, per million
const cost = '0.00134'

test('SOLR-5: whole replies and streams say what they cost, in the body; the record says the same', async () => {
  const { data, response } = await client()
    .chat.completions.create({ model: 'big', messages: [{ role: 'user', content: 'x' }] })
    .withResponse()
  expect((data.usage as unknown as { cost: number }).cost).toBe(0.00134)
  expect(response.headers.get('x-cost')).toBe(cost)
  expect(await gateway.settled(response.headers.get('x-request-id')!)).toMatchObject({ cost_usd: cost })

  const stream = await client().chat.completions.create({ model: 'big', messages: [{ role: 'user', content: 'x' }], stream: true })
  const costs: unknown[] = []
  for await (const part of stream) costs.push((part.usage as { cost?: number } | null | undefined)?.cost)
  expect(costs).toEqual([undefined, undefined, 0.00134])
})

test('a model that is in no list has an unknown cost, flagged and never 0', async () => {
  expect(await headerOf('small', 'x-cost')).toBeNull()
  expect(await headerOf('small', 'x-cost-unknown')).toBe('true')
  const line = await gateway.settled((await headerOf('small', 'x-request-id'))!)
  expect(line).toMatchObject({ cost_usd: 'unknown', cost_missing: ['price'] })
  expect(await (await fetch(`${gateway.adminUrl}/metrics`)).text()).toContain('cost_unknown{missing="price",upstream="up"} 3')
})

test('new prices are in force without a restart; a wrong list changes nothing and says where it is wrong', async () => {
  gateway.write('models.yaml', prices('4'))
  // 600 * 4 + 400 * 0.1 + 10 * 10, per million
  await until(10_000, 'the new price is in force', async () => (await headerOf('big', 'x-cost')) === '0.00254' || undefined)

  gateway.write('models.yaml', 'models:\n  big: { price: { input: cheap } }\n')
  await until(10_000, 'the mistake is told', () => gateway.err().includes('models.yaml:2:26') || undefined)
  expect(gateway.err()).toContain('is not a plain decimal number')
  expect(((await ask()).usage as unknown as { cost: number }).cost).toBe(0.00254)

  gateway.write('models.yaml', prices('0'))
  await until(10_000, 'a mended list is in force', async () => (await headerOf('big', 'x-cost')) === '0.00014' || undefined)
})
