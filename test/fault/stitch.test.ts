/**
 * Streams that die after their first content and go on with another model: the client's own SDK reads one stream, with one beginning, one end, one text.
 *
 * Real sockets. Every client's API, broken upstreams of the same and of another API, continued by either; and what may never be continued.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import type { Outcome } from '../../src/plugin/index.ts'
import { dataOf } from '../golden/naive.ts'
import { type BadUpstream, type Misbehaviour, startBadUpstream } from '../support/bad-upstream.ts'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { sampleStream, sampleText } from '../support/sample-replies.ts'
import { until, within } from '../support/within.ts'

setDefaultTimeout(30_000)

let sick: BadUpstream
let well: BadUpstream
let gateway: LocalGateway

/** Model ids of Anthropic's say whether they take a prefill. */
const older = 'claude-sonnet-4-5'
const newer = 'claude-opus-4-6'

beforeAll(async () => {
  sick = await startBadUpstream()
  well = await startBadUpstream()
  const timeouts = { first_byte: '400ms', idle: '400ms' }
  const upstreams = Object.fromEntries(
    (
      [
        ['sick', sick],
        ['well', well],
      ] as const
    ).flatMap(([name, { url }]) => [
      [`${name}-chat`, { dialect: 'openai', base_url: `${url}/v1`, key: 'k', apis: ['chat'], timeouts }],
      [`${name}-responses`, { dialect: 'openai', base_url: `${url}/v1`, key: 'k', apis: ['responses'], timeouts }],
      [`${name}-messages`, { dialect: 'anthropic', base_url: url, key: 'k', timeouts }],
    ]),
  )
  const kinds = ['chat', 'responses', 'messages'] as const
  const models: Record<string, object> = {}
  const price = { input: 1, output: 10 }
  for (const from of kinds) {
    for (const to of kinds) {
      models[`${from}-${to}/*`] = {
        targets: [
          { upstream: `sick-${from}`, model: 'broken-*' },
          { upstream: `well-${to}`, model: '*' },
        ],
        price,
      }
    }
  }
  models['twice/*'] = {
    targets: [
      { upstream: 'sick-chat', model: 'broken-*' },
      { upstream: 'sick-messages', model: 'again-*' },
      { upstream: 'well-chat', model: '*' },
    ],
    price,
  }
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams,
      models,
      plugins: [{ use: 'probe' }, authPlugin, { use: 'router', with: { stitch: true, prefer_native: false, breaker: { enabled: false } } }],
    }),
  )
})
afterAll(async () => {
  await gateway.stop()
  await sick.stop()
  await well.stop()
  console.log(rows.sort().join('\n'))
})

const rows: string[] = []

type Api = 'chat' | 'messages' | 'responses'
interface Seen {
  readonly raw: string
  readonly text: string
  readonly usage: { readonly input: number | undefined; readonly output: number | undefined }
  readonly outcome: Outcome
}

/** What the SDK of an API makes of the stream, and its bytes. */
async function read(api: Api, model: string, more: object = {}): Promise<Seen> {
  const response = await fetch(`${gateway.url}/v1/${{ chat: 'chat/completions', messages: 'messages', responses: 'responses' }[api]}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model, stream: true, ...bodyOf(api), ...more }),
  })
  const raw = await within(10_000, `${api} ${model}`, response.text())
  const outcome = await gateway.outcome(response.headers.get('x-request-id')!)
  return { raw, outcome, ...(await bySdk(api, raw)) }
}

function bodyOf(api: Api): object {
  const messages = [{ role: 'user', content: 'Hello!' }]
  if (api === 'responses') return { input: 'Hello!', max_output_tokens: 50 }
  return api === 'chat' ? { messages, max_tokens: 50, stream_options: { include_usage: true } } : { messages, max_tokens: 50 }
}

/** Replays the bytes to the real SDK's accumulator. */
async function bySdk(api: Api, raw: string): Promise<Pick<Seen, 'text' | 'usage'>> {
  const fetcher = () => Promise.resolve(new Response(raw, { headers: { 'content-type': 'text/event-stream' } }))
  if (api === 'messages') {
    const client = new Anthropic({ apiKey: 'x', fetch: fetcher as never, maxRetries: 0 })
    const message = await client.messages.stream({ model: 'm', max_tokens: 5, messages: [{ role: 'user', content: 'x' }] }).finalMessage()
    const text = message.content.map((block) => (block.type === 'text' ? block.text : `<${block.type}>`)).join('')
    return { text, usage: { input: message.usage.input_tokens, output: message.usage.output_tokens } }
  }
  const client = new OpenAI({ apiKey: 'x', fetch: fetcher as never, maxRetries: 0 })
  if (api === 'chat') {
    const done = await client.chat.completions
      .stream({ model: 'm', messages: [{ role: 'user', content: 'x' }], stream_options: { include_usage: true } })
      .finalChatCompletion()
    return {
      text: done.choices[0]!.message.content ?? '',
      usage: { input: done.usage?.prompt_tokens, output: done.usage?.completion_tokens },
    }
  }
  const response = await client.responses.stream({ model: 'm', input: 'x' }).finalResponse()
  return { text: response.output_text, usage: { input: response.usage?.input_tokens, output: response.usage?.output_tokens } }
}

interface Frame {
  readonly type?: string
  readonly id?: string
  readonly model?: string
  readonly index?: number
  readonly delta?: unknown
  readonly text?: string
  readonly usage?: object
  readonly sequence_number?: number
  readonly choices?: readonly { readonly delta?: { readonly role?: string }; readonly finish_reason?: string | null }[]
  readonly response?: { readonly output: readonly { readonly content: readonly { readonly text: string }[] }[] }
}
interface Asked {
  readonly [name: string]: unknown
  readonly messages: readonly { readonly role: string; readonly content: unknown }[]
  readonly max_tokens: number
}

/** One well-formed stream: one beginning, one end, increasing places. */
function isOneStream(api: Api, raw: string): void {
  const data = dataOf(raw)
  const frames = data.filter((one) => one !== '[DONE]').map((one) => JSON.parse(one) as Frame)
  const count = (type: string) => frames.filter((frame) => frame.type === type).length
  if (api === 'chat') {
    expect(data.filter((one) => one === '[DONE]')).toHaveLength(1)
    expect(data.at(-1)).toBe('[DONE]')
    expect(frames.filter((f) => f.choices?.[0]?.delta?.role !== undefined)).toHaveLength(1)
    expect(frames.flatMap((f) => f.choices?.[0]?.finish_reason ?? [])).toEqual(['stop'])
    expect(frames.filter((f) => f.usage)).toHaveLength(1)
    expect(new Set(frames.map((f) => `${f.id} ${f.model}`)).size).toBe(1)
  } else if (api === 'messages') {
    expect([count('message_start'), count('message_delta'), count('message_stop')]).toEqual([1, 1, 1])
    const starts = frames.filter((f) => f.type === 'content_block_start').map((f) => f.index)
    expect(starts).toEqual(starts.map((_, i) => i))
    expect(frames.filter((f) => f.type === 'content_block_stop').map((f) => f.index)).toEqual(starts)
    expect(frames.at(-1)!.type).toBe('message_stop')
  } else {
    expect([count('response.created'), count('response.completed')]).toEqual([1, 1])
    expect(frames.map((f) => f.sequence_number)).toEqual(frames.map((_, i) => frames[0]!.sequence_number! + i))
    expect([count('response.output_item.added'), count('response.output_item.done'), count('response.output_text.done')]).toEqual([1, 1, 1])
    const told = frames.at(-1)!.response!.output[0]!.content[0]!.text
    expect(told).toBe(
      frames
        .filter((f) => f.type === 'response.output_text.delta')
        .map((f) => f.delta)
        .join(''),
    )
    expect(frames.find((f) => f.type === 'response.output_text.done')!.text).toBe(told)
  }
}

const asked = (upstream: BadUpstream) => JSON.parse(Buffer.from(upstream.calls.at(-1)!.request.body).toString()) as Asked

const breaks: readonly (readonly [string, Misbehaviour, string])[] = [
  ['cut', { do: 'cut-after-content', by: 'eof' }, 'reset'],
  ['cut inside a frame', { do: 'cut-after-content', by: 'reset', halfFrame: true }, 'reset'],
  ['ended without its end', { do: 'cut-after-content', by: 'complete' }, 'truncated'],
  ['an error frame', { do: 'error-after-content' }, 'error_in_reply'],
  ['silence', { do: 'hang-mid-stream' }, 'idle_timeout'],
]

describe('every client, on every pair of upstreams', () => {
  for (const api of ['chat', 'messages', 'responses'] as const) {
    for (const from of ['chat', 'messages', 'responses'] as const) {
      for (const to of ['chat', 'messages', 'responses'] as const) {
        test.each(breaks)(`${api} client, ${from} breaks, ${to} goes on: %s`, async (name, how, failure) => {
          // as many frames as hold some of the content, not all
          const frames = from === 'chat' ? 3 : 5
          sick.forModel(`broken-${older}`, how.do === 'hang-mid-stream' ? { ...how, frames } : how)
          const { raw, text, usage, outcome } = await read(api, `${from}-${to}/${older}`)
          const said = text.slice(0, text.length - sampleText.length)
          expect(text).toBe(said + sampleText)
          expect(sampleText.startsWith(said) && said !== '').toBe(true)
          isOneStream(api, raw)
          expect(outcome).toMatchObject({ end: 'finished', streamState: 'completed', upstream: `sick-${from}` })
          expect(outcome.attempts).toMatchObject([
            { upstream: `sick-${from}`, failure },
            { upstream: `well-${to}`, status: 200 },
          ])
          expect(outcome.attempts[1]!.failure).toBeUndefined()
          expect(outcome.served).toBe(outcome.attempts[0]!)
          expect(outcome.continued).toEqual([outcome.attempts[1]!])
          expect(outcome.verdicts).toMatchObject([{ plugin: 'router', did: 'resumed', detail: `well-${to}` }])
          // the tokens of both: those that broke off are counted from their text, as far as nobody said
          const first = Math.max(1, usage.output! - 3)
          expect(usage.output! > 3 && first < 8).toBe(true)
          expect(usage.input).toBe(from === 'messages' ? 22 : 11)
          expect(outcome.usage).toMatchObject({ source: 'partial', outputVisible: usage.output! })
          rows.push(
            `${api.padEnd(9)} ${from.padEnd(9)} → ${to.padEnd(9)} ${name.padEnd(22)} ${JSON.stringify(said)} + ${JSON.stringify(sampleText)}, usage ${usage.input}/${usage.output}`,
          )
        })
      }
    }
  }
})

describe('how the other one is asked', () => {
  beforeEach(() => {
    for (const model of [older, newer]) sick.forModel(`broken-${model}`, { do: 'cut-after-content', by: 'eof' })
  })
  test('Anthropic before 4.6: by prefill, without white space at its end', async () => {
    await read('messages', `messages-messages/${older}`, { thinking: { type: 'enabled', budget_tokens: 1024 } })
    const body = asked(well)
    expect(body.messages).toEqual([
      { role: 'user', content: 'Hello!' },
      { role: 'assistant', content: expect.stringMatching(/^Hello.*\S$/) },
    ])
    expect(body.max_tokens).toBeLessThan(50)
    expect(body.thinking).toBeUndefined()
  })
  test('Anthropic from 4.6 on, Chat and Responses: the text, and a sentence that asks for the rest', async () => {
    for (const [api, to, model] of [
      ['messages', 'messages', newer],
      ['chat', 'chat', older],
      ['chat', 'messages', newer],
      ['responses', 'responses', older],
    ] as const) {
      await read(api, `${api}-${to}/${model}`)
      const body = asked(well)
      const list = (body.messages ?? body.input) as Asked['messages']
      expect([to, list.map((one) => one.role)]).toEqual([to, ['user', 'assistant', 'user']])
      expect(JSON.stringify(list[2])).toContain('Continue it exactly where it stops')
      expect(JSON.stringify(list[1])).toContain('Hello')
    }
  })
  test('a Chat client on Claude before 4.6: by prefill', async () => {
    await read('chat', `chat-messages/${older}`)
    expect(asked(well).messages.map((m) => m.role)).toEqual(['user', 'assistant'])
  })
  test("the client's own prefill is gone on with", async () => {
    const messages = [
      { role: 'user', content: 'Greet' },
      { role: 'assistant', content: 'I say: ' },
    ]
    await read('messages', `messages-messages/${older}`, { messages })
    expect(asked(well).messages).toEqual([messages[0]!, { role: 'assistant', content: expect.stringMatching(/^I say: Hello/) }])
  })
  test('no member of the client is lost', async () => {
    const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }]
    await read('chat', `chat-chat/${older}`, { tools, temperature: 0.5, seed: 7, max_tokens: 50 })
    expect(asked(well)).toMatchObject({ tools, temperature: 0.5, seed: 7, model: older, stream: true })
  })
})

describe('twice', () => {
  test('the second one breaks off, too: the third goes on with both texts', async () => {
    sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
    sick.forModel(`again-${older}`, { do: 'cut-after-content', by: 'eof' })
    const { text, raw, outcome } = await read('chat', `twice/${older}`)
    isOneStream('chat', raw)
    expect(outcome.attempts.map((a) => a.upstream)).toEqual(['sick-chat', 'sick-messages', 'well-chat'])
    expect(outcome.continued).toEqual(outcome.attempts.slice(1))
    expect(text.endsWith(sampleText)).toBe(true)
    const body = asked(well)
    expect(body.messages.map((m) => m.role)).toEqual(['user', 'assistant', 'user'])
    expect(body.messages[1]!.content).toBe(text.slice(0, -sampleText.length))
  })
  test('the second one refuses: the third goes on', async () => {
    sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
    sick.forModel(`again-${older}`, { do: 'status', status: 500 })
    const { text, outcome } = await read('messages', `twice/${older}`)
    expect(outcome.attempts.map((a) => a.failure ?? 'ok')).toEqual(['reset', 'status', 'ok'])
    expect(text.endsWith(sampleText)).toBe(true)
    expect(asked(well).messages.map((m) => m.role)).toEqual(['user', 'assistant', 'user'])
  })
})

/** The error of a stream that nobody went on with. */
async function broken(api: Api, model: string, more: object = {}): Promise<Outcome> {
  const response = await fetch(`${gateway.url}/v1/${{ chat: 'chat/completions', messages: 'messages', responses: 'responses' }[api]}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model, stream: true, ...bodyOf(api), ...more }),
  })
  const raw = await within(10_000, 'the stream', response.text())
  expect(raw).toContain('"error"')
  expect(raw).not.toMatch(/\[DONE\]|message_stop|response\.completed/)
  return await gateway.outcome(response.headers.get('x-request-id')!)
}

describe('never', () => {
  const format = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } }
  test.each([
    ['several answers', 'chat', { n: 2 }],
    ['a format', 'chat', { response_format: format }],
    ['log probabilities', 'chat', { logprobs: true }],
    ['a format', 'messages', { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } }],
    ['a format', 'responses', { text: { format: { type: 'json_object' } } }],
  ] as const)('%s, %s', async (_name, api, more) => {
    sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
    const outcome = await broken(api, `${api}-${api}/${older}`, more)
    expect(outcome.attempts).toHaveLength(1)
    expect(outcome).toMatchObject({ end: 'failed', streamState: 'upstream_error' })
    expect(outcome.continued).toBeUndefined()
  })

  test('within a tool call, after a signed thought, after something unknown; every client', async () => {
    const chat = (delta: object) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`
    const message = (type: string, more: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
    const begin = sampleStream('anthropic-messages').opening[0]!
    const streams: Readonly<Record<string, readonly string[]>> = {
      'chat call': [
        chat({ role: 'assistant', content: 'Let me see' }),
        chat({ tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":' } }] }),
      ],
      'messages call': [
        begin,
        message('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
        message('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'Let me see' } }),
        message('content_block_stop', { index: 0 }),
        message('content_block_start', { index: 1, content_block: { type: 'tool_use', id: 'toolu_1', name: 'f', input: {} } }),
        message('content_block_delta', { index: 1, delta: { type: 'input_json_delta', partial_json: '{"x":' } }),
      ],
      'messages proof': [
        begin,
        message('content_block_start', { index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } }),
        message('content_block_delta', { index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } }),
        message('content_block_delta', { index: 0, delta: { type: 'signature_delta', signature: 'U0lH' } }),
        message('content_block_stop', { index: 0 }),
        message('content_block_start', { index: 1, content_block: { type: 'text', text: '' } }),
        message('content_block_delta', { index: 1, delta: { type: 'text_delta', text: 'Hello' } }),
      ],
      'messages hidden': [
        begin,
        message('content_block_start', { index: 0, content_block: { type: 'redacted_thinking', data: 'abc' } }),
        message('content_block_stop', { index: 0 }),
        message('content_block_start', { index: 1, content_block: { type: 'text', text: '' } }),
        message('content_block_delta', { index: 1, delta: { type: 'text_delta', text: 'Hello' } }),
      ],
      'messages search': [
        begin,
        message('content_block_start', { index: 0, content_block: { type: 'server_tool_use', id: 's', name: 'web_search', input: {} } }),
        message('content_block_stop', { index: 0 }),
        message('content_block_start', { index: 1, content_block: { type: 'text', text: '' } }),
        message('content_block_delta', { index: 1, delta: { type: 'text_delta', text: 'Hello' } }),
      ],
    }
    for (const [name, frames] of Object.entries(streams)) {
      const [from] = name.split(' ') as [Api]
      const server = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        fetch: () => new Response(frames.join(''), { headers: { 'content-type': 'text/event-stream' } }),
      })
      const upstream = (url: string) =>
        from === 'messages'
          ? { dialect: 'anthropic', base_url: url, key: 'k' }
          : { dialect: 'openai', base_url: `${url}/v1`, key: 'k', apis: ['chat'] }
      const own = await startLocalGateway(
        JSON.stringify({
          version: 1,
          upstreams: { a: upstream(server.url.origin), b: upstream(well.url) },
          models: { m: { targets: ['a', 'b'].map((u) => ({ upstream: u, model: older })) } },
          plugins: [{ use: 'probe' }, authPlugin, { use: 'router', with: { stitch: true } }],
        }),
      )
      const saved = gateway
      gateway = own
      try {
        // what the provider's own tools did is no part of the stream that clients of other APIs get
        for (const api of name === 'messages search' ? (['messages'] as const) : (['chat', 'messages', 'responses'] as const)) {
          const outcome = await broken(api, 'm')
          expect([name, api, outcome.attempts.length, outcome.end]).toEqual([name, api, 1, 'failed'])
        }
      } finally {
        gateway = saved
        await own.stop()
        await server.stop(true)
      }
    }
  })

  test('when nobody else is there, or the others fail: the error that there was', async () => {
    sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
    well.forModel(older, { do: 'status', status: 500 })
    const outcome = await broken('messages', `messages-messages/${older}`)
    well.forModel(older, { do: 'ok' })
    expect(outcome.attempts.map((a) => a.failure)).toEqual(['reset', 'status'])
    expect(outcome).toMatchObject({ end: 'failed', upstream: 'sick-messages' })
    expect(outcome.continued).toBeUndefined()
    const error = gateway.gateway.services.metrics.text()
    expect(error).toContain('headgate_router_not_stitched{why="the others failed"}')
    expect(error).toMatch(/headgate_router_stitched\{from="sick-chat",to="well-messages"\}/)
  })
})

test('a client that leaves while another one is asked: that call ends, and it settles once', async () => {
  sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
  well.forModel(older, { do: 'hang-before-head' })
  const calls = well.calls.length
  const leaving = new AbortController()
  const response = await fetch(`${gateway.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` },
    body: JSON.stringify({ model: `messages-messages/${older}`, stream: true, ...bodyOf('messages') }),
    signal: leaving.signal,
  })
  const reader = response.body!.getReader()
  await reader.read()
  const call = await within(5000, 'the other one is asked', well.call(calls))
  await call.held
  leaving.abort()
  expect(await within(5000, 'its call ends', call.closed)).toBe('peer')
  const outcome = await gateway.outcome(response.headers.get('x-request-id')!)
  expect(outcome.end).toBe('abandoned')
  well.forModel(older, { do: 'ok' })
  await until(2000, 'nothing runs', () => well.running() === 0)
})
