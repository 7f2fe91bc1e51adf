/**
 * A gateway that goes on with broken streams, between an upstream that breaks them and one that is well, and what a client makes of its streams.
 *
 * Models are named `<api that breaks>-<api that goes on>/<model>`; `broken-<model>` is asked of the one, `<model>` of the other.
 */

import { expect } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import type { Outcome } from '../../src/plugin/index.ts'
import { dataOf } from '../golden/naive.ts'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { within } from '../support/within.ts'

/** Model ids of Anthropic's say whether they take a prefill. */
export const older = 'claude-sonnet-4-5'
export const newer = 'claude-opus-4-6'

export type Api = 'chat' | 'messages' | 'responses'
export interface Seen {
  readonly raw: string
  readonly text: string
  readonly usage: { readonly input: number | undefined; readonly output: number | undefined }
  readonly outcome: Outcome
}
/** The body that an upstream was sent. */
export interface Asked {
  readonly [name: string]: unknown
  readonly messages: readonly { readonly role: string; readonly content: unknown }[]
  readonly max_tokens: number
}

export interface Stand {
  readonly sick: BadUpstream
  readonly well: BadUpstream
  readonly gateway: LocalGateway
  /** A stream to its end, as its bytes and as its SDK reads it. */
  read(api: Api, model: string, more?: object): Promise<Seen>
  /** The outcome of a stream that ends with an error. */
  broken(api: Api, model: string, more?: object): Promise<Outcome>
  stop(): Promise<void>
}

/** @param more members of the config */
export async function startStand(more: object = {}): Promise<Stand> {
  const sick = await startBadUpstream()
  const well = await startBadUpstream()
  const timeouts = { first_byte: '2s', idle: '450ms' }
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
  const router = { use: 'router', with: { stitch: true, prefer_native: false, breaker: { enabled: false } } }
  const gateway = await startLocalGateway(
    JSON.stringify({ version: 1, upstreams, models, plugins: [{ use: 'probe' }, authPlugin, router], ...more }),
  )
  const stream = async (api: Api, model: string, more: object) => {
    const response = await ask(gateway.url, api, model, more)
    const raw = await within(10_000, `${api} ${model}`, response.text())
    return { raw, outcome: await gateway.outcome(response.headers.get('x-request-id')!) }
  }
  return {
    sick,
    well,
    gateway,
    async read(api, model, more = {}) {
      const { raw, outcome } = await stream(api, model, more)
      return { raw, outcome, ...(await bySdk(api, raw)) }
    },
    async broken(api, model, more = {}) {
      const { raw, outcome } = await stream(api, model, more)
      expect(raw).toContain('"error"')
      expect(raw).not.toMatch(/\[DONE\]|message_stop|response\.completed/)
      return outcome
    },
    async stop() {
      await gateway.stop()
      await sick.stop()
      await well.stop()
    },
  }
}

const paths: Readonly<Record<Api, string>> = { chat: 'chat/completions', messages: 'messages', responses: 'responses' }

/** A streamed call of an API. */
export function ask(url: string, api: Api, model: string, more: object = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/v1/${paths[api]}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model, stream: true, ...bodyOf(api), ...more }),
    ...(signal && { signal }),
  })
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
/** One well-formed stream: one beginning, one end, increasing places. */
export function isOneStream(api: Api, raw: string): void {
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

/** What an upstream was asked last. */
export function asked(upstream: BadUpstream): Asked {
  return JSON.parse(Buffer.from(upstream.calls.at(-1)!.request.body).toString()) as Asked
}
