/** Chat and Messages clients through the real gateway to Bedrock's Converse API: recorded replies in AWS's own framing, re-cut anywhere. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { event, exception } from '../../src/upstream/host/event-stream.fixture.ts'
import { tellChat, tellMessages } from '../golden/naive.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { findRecordings, type Recording, readRecording } from '../support/recordings.ts'
import { modelPrefix, type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'

setDefaultTimeout(30_000)

// biome-ignore lint/suspicious/noExplicitAny: JSON of unknown shape
type Loose = any

const entries = findRecordings({ dialect: 'bedrock-converse', status: 200 })
const all = (entries ?? []).map(readRecording)
let replay: ReplayUpstream
let gateway: LocalGateway

beforeAll(async () => {
  replay = await startReplay()
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams: {
        aws: {
          dialect: 'anthropic',
          host: 'bedrock',
          base_url: replay.url,
          key: 'bedrock-api-key',
          bedrock: { region: 'us-west-2', api: 'converse' },
        },
      },
      models: { 'b-*': { targets: [{ upstream: 'aws', model: `${modelPrefix}*` }] } },
      plugins: [{ use: 'probe' }, { use: 'router' }],
    }),
  )
})
afterAll(async () => {
  await gateway.stop()
  await replay.stop()
})

const clients = {
  chat: '/v1/chat/completions',
  messages: '/v1/messages',
} as const

async function ask(client: keyof typeof clients, id: string, stream: boolean): Promise<Response> {
  return fetch(`${gateway.url}${clients[client]}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model: `b-${id}`, max_tokens: 50, stream, messages: [{ role: 'user', content: 'Hi' }] }),
  })
}

/** What a recorded stream says. */
function recorded({ response }: Recording): { text: string; calls: string[] } | undefined {
  const messages: Loose[] | undefined = (response as Loose).events
  if (!messages) return undefined
  const starts = messages.map((message) => message.payload.start?.toolUse).filter((use) => use && (use.type ?? 'tool_use') === 'tool_use')
  return { text: messages.map((message) => message.payload.delta?.text ?? '').join(''), calls: starts.map((use) => use.name) }
}

describe.skipIf(entries === undefined)('Bedrock Converse behind other dialects', () => {
  test('A01: streams, cut anywhere, for Chat and Messages clients', async () => {
    let compared = 0
    for (const recording of all.filter((one) => one.stream)) {
      const said = recorded(recording)
      if (!said) continue
      for (const client of ['chat', 'messages'] as const) {
        const id = replay.add(recording, { cuts: { seed: 3 } })
        const response = await ask(client, id, true)
        const body = await response.text()
        expect([recording.id, client, response.status]).toEqual([recording.id, client, 200])
        const told = client === 'chat' ? tellChat(body) : tellMessages(body)
        expect([recording.id, client, told.text, told.calls.map((call) => call.name)]).toEqual([
          recording.id,
          client,
          said.text,
          said.calls,
        ])
        expect([told.ended, told.stops.length]).toEqual([true, 1])
        const usage = (recording.response as Loose).events.find((message: Loose) => message.payload.usage)?.payload.usage
        if (client === 'messages' && usage)
          expect(told.usage).toMatchObject({ input_tokens: usage.inputTokens, output_tokens: usage.outputTokens })
        const [got] = replay.requestsFor(id)
        expect([got?.path, got?.headers.get('authorization')]).toEqual([
          `/model/${modelPrefix}${id}/converse-stream`,
          'Bearer bedrock-api-key',
        ])
        expect(JSON.parse(Buffer.from(got!.body).toString())).toMatchObject({
          messages: [{ role: 'user', content: [{ text: 'Hi' }] }],
          inferenceConfig: { maxTokens: 50 },
        })
        compared++
      }
    }
    expect(compared).toBeGreaterThan(20)
  })

  test('whole replies', async () => {
    for (const recording of all.filter((one) => !one.stream && one.response.body !== undefined).slice(0, 40)) {
      const reply: Loose = recording.response.body
      const text = reply.output.message.content.map((block: Loose) => block.text ?? '').join('')
      const id = replay.add(recording)
      const message: Loose = await (await ask('messages', id, false)).json()
      expect([recording.id, message.content.map((block: Loose) => block.text ?? '').join('')]).toEqual([recording.id, text])
      expect(message.usage.output_tokens).toBe(reply.usage.outputTokens)
      const chat: Loose = await (await ask('chat', id, false)).json()
      expect([recording.id, chat.choices[0].message.content ?? '']).toEqual([recording.id, text])
      expect(chat.usage.total_tokens).toBe(reply.usage.totalTokens)
    }
  })
})

describe('Bedrock Converse that fails', () => {
  const stream = (...messages: Buffer[]) =>
    replay.addReply({
      status: 200,
      headers: { 'content-type': 'application/vnd.amazon.eventstream' },
      stream: true,
      body: Buffer.concat(messages),
    })
  const begin = [
    event('messageStart', { role: 'assistant' }),
    event('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'half' } }),
  ]

  test('B01: no messageStop, no success', async () => {
    const chat = tellChat(await (await ask('chat', stream(...begin), true)).text())
    expect([chat.text, chat.ended, chat.stops, chat.error !== undefined]).toEqual(['half', false, [], true])
  })

  test('B17: an exception after content is an error in the stream, one before it is a status', async () => {
    const told = tellMessages(
      await (await ask('messages', stream(...begin, exception('throttlingException', 'Too many tokens')), true)).text(),
    )
    expect([told.text, told.ended, told.error]).toEqual(['half', false, 'Too many tokens'])
    const early = await ask('chat', stream(exception('throttlingException', 'Too many tokens')), true)
    expect([early.status, ((await early.json()) as Loose).error.message]).toEqual([429, 'Too many tokens'])
  })

  test('G05: the reason of a refusal reaches the client', async () => {
    const body = Buffer.from('{"message":"The provided model identifier is invalid."}')
    const id = replay.addReply({ status: 400, headers: { 'content-type': 'application/json' }, stream: false, body })
    const refused = await ask('chat', id, false)
    expect([refused.status, ((await refused.json()) as Loose).error.message]).toEqual([400, 'The provided model identifier is invalid.'])
  })
})
