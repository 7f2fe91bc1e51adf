/**
 * The four dialects of clients and upstreams as the tests of translation see them: how each is called, what it tells, and how a recorded
 * request of one becomes a request of another.
 */

import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { families } from '../../src/dialect/family.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { writeJson } from '../../src/dialect/json-text.ts'
import { LossReport } from '../../src/dialect/loss.ts'
import type { Recording } from '../support/recordings.ts'
import type { Told } from './told.ts'
import { toldByChat, toldByChatStream } from './told-chat.ts'
import { toldByGemini, toldByGeminiStream } from './told-gemini.ts'
import { toldByMessages, toldByMessagesStream } from './told-messages.ts'
import { toldByResponses, toldByResponsesStream } from './told-responses.ts'

export interface Spoken {
  readonly name: string
  readonly dialect: Dialect
  /** Name of the upstream of the test's gateway that speaks it. */
  readonly upstream: string
  path(model: string, stream: boolean): string
  readonly headers: Readonly<Record<string, string>>
  whole(body: string): Told
  streamed(body: string): Told
}

const dialectOf = (name: string): Dialect =>
  Object.values(families)
    .flatMap((family) => family.operations)
    .find((operation) => operation.dialect.name === name)!.dialect

const json = { 'content-type': 'application/json' }

export const spoken: readonly Spoken[] = [
  {
    name: 'chat',
    dialect: dialectOf('openai-chat'),
    upstream: 'chat',
    path: () => '/v1/chat/completions',
    headers: { ...json, authorization: 'Bearer client-secret' },
    whole: toldByChat,
    streamed: toldByChatStream,
  },
  {
    name: 'responses',
    dialect: dialectOf('openai-responses'),
    upstream: 'responses',
    path: () => '/v1/responses',
    headers: { ...json, authorization: 'Bearer client-secret' },
    whole: toldByResponses,
    streamed: toldByResponsesStream,
  },
  {
    name: 'messages',
    dialect: dialectOf('anthropic-messages'),
    upstream: 'messages',
    path: () => '/v1/messages',
    headers: { ...json, 'x-api-key': 'client-secret', 'anthropic-version': '2023-06-01' },
    whole: toldByMessages,
    streamed: toldByMessagesStream,
  },
  {
    name: 'gemini',
    dialect: dialectOf('gemini-generate'),
    upstream: 'gemini',
    path: (model, stream) => `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    headers: { ...json, 'x-goog-api-key': 'client-secret' },
    whole: toldByGemini,
    streamed: toldByGeminiStream,
  },
]

export const speakerOf = (dialect: string): Spoken => spoken.find((s) => s.dialect.name === dialect)!

/**
 * A recorded request as a client of another dialect would have sent it; undefined when that dialect can't say it. Hosted tools and their like are left
 * out, for no other dialect knows them.
 */
export function requestIn(client: Spoken, recording: Recording, model: string): string | undefined {
  const from = speakerOf(recording.dialect).dialect
  const bytes = Buffer.from(JSON.stringify(recording.request.body ?? {}))
  const source = jsonSource(bytes)
  if (!source || !from.request || !client.dialect.request) return undefined
  const report = new LossReport()
  const conversation = { ...from.request.read(source, report), stream: recording.stream }
  const can = { ...capabilitiesOf(client.dialect.name, 'api.openai.com', 'any'), imageUrls: true, audio: true, n: true, seed: true }
  const written = client.dialect.request.write(conversation, { model, upstream: '', can, toolName: (name) => name }, report)
  return report.refusal ? undefined : writeJson(written)
}

/** Texts shorter than this may stand anywhere. */
const telling = 16
const said = new Set(['text', 'content', 'system', 'instructions', 'input', 'output', 'arguments', 'description'])

/** What a request says to the model: its texts, wherever its dialect puts them. Thoughts are left out: they are no part of a prompt. */
export function textsOf(value: unknown, key = ''): string[] {
  if (typeof value === 'string') return said.has(key) && value.trim().length >= telling ? [value.trim()] : []
  if (Array.isArray(value)) return value.flatMap((item) => textsOf(item, key))
  if (typeof value !== 'object' || value === null) return []
  const object = value as Record<string, unknown>
  if (/thinking|reasoning/.test(String(object.type)) || object.thought === true) return []
  return Object.entries(object).flatMap(([name, item]) => textsOf(item, name))
}

/** All strings of a request, JSON texts inside strings opened. */
export function stringsOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(stringsOf).join('\n')
  if (typeof value === 'object' && value !== null) return Object.values(value).map(stringsOf).join('\n')
  return ''
}

/** The least that a client sends. */
export function leastRequest(client: Spoken, model: string, stream: boolean): string {
  switch (client.name) {
    case 'chat':
      return JSON.stringify({
        model,
        stream,
        ...(stream && { stream_options: { include_usage: true } }),
        messages: [{ role: 'user', content: 'Hello' }],
      })
    case 'responses':
      return JSON.stringify({ model, stream, input: 'Hello' })
    case 'messages':
      return JSON.stringify({ model, stream, max_tokens: 4096, messages: [{ role: 'user', content: 'Hello' }] })
    default:
      return JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] })
  }
}

/** The test's gateway: an upstream for each dialect, all on one replay server. */
export function matrixConfig(upstream: string): string {
  const target = (name: string) => ({ targets: [{ upstream: name, model: 'replay-*' }] })
  return JSON.stringify({
    version: 1,
    mounts: [
      { path: '/v1', api: 'openai' },
      { path: '/', api: 'anthropic' },
      { path: '/', api: 'gemini' },
    ],
    upstreams: {
      chat: { dialect: 'openai', base_url: `${upstream}/v1`, key: 'upstream-secret', apis: ['chat'] },
      responses: { dialect: 'openai', base_url: `${upstream}/v1`, key: 'upstream-secret', apis: ['responses'] },
      messages: { dialect: 'anthropic', base_url: upstream, key: 'upstream-secret' },
      gemini: { dialect: 'gemini', base_url: upstream, key: 'upstream-secret' },
    },
    models: Object.fromEntries(spoken.map((s) => [`${s.upstream}-*`, target(s.upstream)])),
    plugins: [{ use: 'probe' }, { use: 'router' }],
  })
}
