/** Responses streams that are passed on, through an `inspect` that changes nothing: each text stays one item, for frames and for the SDK. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import OpenAI from 'openai'
import { definePlugin } from '../../src/plugin/index.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'

// biome-ignore lint/suspicious/noExplicitAny: frames of many shapes
type Loose = any

setDefaultTimeout(30_000)

const texts = ['First text block here.', 'Second text block here.']
const halves = (text: string): string[] => [text.slice(0, 9), text.slice(9, 13), text.slice(13)]
const sse = (frames: Loose[]): string =>
  frames.map((frame, i) => `event: ${frame.type}\ndata: ${JSON.stringify({ ...frame, sequence_number: i })}\n\n`).join('')
const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15 }

const item = (text: string, n: number, status = 'completed'): Loose => ({
  id: `msg_${n}`,
  type: 'message',
  status,
  role: 'assistant',
  content: text === '' ? [] : [{ type: 'output_text', text, annotations: [] }],
})
const response = (status: string, output: Loose[]): Loose => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status,
  model: 'm',
  output,
})
function itemFrames(text: string, index: number, told: readonly string[]): Loose[] {
  const spot = { item_id: `msg_${index}`, output_index: index, content_index: 0 }
  return [
    { type: 'response.output_item.added', output_index: index, item: item('', index, 'in_progress') },
    { type: 'response.content_part.added', ...spot, part: { type: 'output_text', text: '', annotations: [] } },
    ...told.map((delta) => ({ type: 'response.output_text.delta', ...spot, delta })),
    { type: 'response.output_text.done', ...spot, text },
    { type: 'response.content_part.done', ...spot, part: { type: 'output_text', text, annotations: [] } },
    { type: 'response.output_item.done', output_index: index, item: item(text, index) },
  ]
}
const responseStream = (told: (text: string) => string[]): string =>
  sse([
    { type: 'response.created', response: response('in_progress', []) },
    ...texts.flatMap((text, i) => itemFrames(text, i, told(text))),
    {
      type: 'response.completed',
      response: {
        ...response(
          'completed',
          texts.map((text, n) => item(text, n)),
        ),
        usage,
      },
    },
  ])
/** All that a Responses stream says of its texts, three times over. */
function saidOf(text: string): Loose {
  const frames: Loose[] = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!))
  const of = (type: string) => frames.filter((frame) => frame.type === type)
  const deltas: string[] = []
  for (const { output_index: at, delta } of of('response.output_text.delta')) deltas[at] = (deltas[at] ?? '') + delta
  return {
    added: of('response.output_item.added').map((frame) => frame.output_index),
    deltas,
    done: of('response.output_text.done').map((frame) => frame.text),
    items: of('response.output_item.done').map((frame) => frame.item.content[0].text),
    output: frames.at(-1).response.output.map((one: Loose) => one.content[0].text),
  }
}
const allSaid = { added: [0, 1], deltas: texts, done: texts, items: texts, output: texts }

const holds = [0, 1, 12, 1000]
const looking = (hold: number) =>
  definePlugin({
    api: 1,
    name: `hold-${hold}`,
    summary: 'Looks, changes nothing',
    failure: 'closed',
    setup: () => ({ inspect: { hold, window: () => undefined } }),
  })

describe.each(holds)('hold %d', (hold) => {
  let body = ''
  let gateway: LocalGateway
  const upstream = Bun.serve({ port: 0, fetch: () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }) })
  beforeAll(async () => {
    const config = `version: 1
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0 }
upstreams: { it: { dialect: openai, base_url: "${upstream.url.origin}/v1", key: k, apis: [responses] } }
models: { m: { targets: [{ upstream: it }] } }
plugins: [{ use: hold-${hold} }, { use: router }]
`
    gateway = await startLocalGateway(config, {}, undefined, { [`hold-${hold}`]: async () => ({ default: looking(hold) }) })
  })
  afterAll(async () => {
    await gateway.stop()
    await upstream.stop(true)
  })

  test.each<[string, (text: string) => string[], string[]]>([
    ['told in deltas', halves, texts],
    ['told at its end', () => [], []],
  ])('a text that is %s: one item', async (_how, told, deltas) => {
    body = responseStream(told)
    const response = await fetch(`${gateway.url}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', input: 'Hello', stream: true }),
    })
    expect(saidOf(await response.text())).toEqual({ ...allSaid, deltas })
  })

  test('the final response of the SDK has each text once', async () => {
    body = responseStream(halves)
    const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'k', maxRetries: 0 })
    const final = await client.responses.stream({ model: 'm', input: 'Hello' }).finalResponse()
    expect(
      final.output.map((one) => (one.type === 'message' && one.content[0]?.type === 'output_text' ? one.content[0].text : one)),
    ).toEqual(texts)
  })
})
