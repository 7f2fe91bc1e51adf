/**
 * A gateway in front of upstreams that answer what a test gives them, and clients of each dialect that ask: for hazards of one kind of traffic.
 *
 * Frames are written by hand, as providers send them; nothing here knows the gateway's codecs.
 */

import type { Delivery } from '../support/delivery.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'
import { leastRequest, matrixConfig, type Spoken, spoken } from './dialects.ts'
import type { Told } from './told.ts'

export type Name = 'chat' | 'responses' | 'messages' | 'gemini'
export const speaker = (name: Name): Spoken => spoken.find((s) => s.name === name)!
/** Clients that speak another dialect than an upstream. */
export const othersThan = (upstream: Name): Spoken[] => spoken.filter((s) => s.name !== upstream)
/** All dialects of upstreams. */
export const names: readonly Name[] = ['chat', 'responses', 'messages', 'gemini']
/** Each upstream with each client that speaks another dialect. */
export const pairs = names.flatMap((upstream) => othersThan(upstream).map((client) => ({ client, upstream })))

// biome-ignore lint/suspicious/noExplicitAny: wire JSON of four dialects
export type Loose = any

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
  /** What the answer tells a client of its dialect. */
  readonly told: Told
  /** Bodies that the upstream was sent. */
  readonly sent: readonly Loose[]
}

export interface AskOptions {
  /** Members of the request. */
  readonly add?: Readonly<Record<string, unknown>>
  readonly delivery?: Delivery
  readonly headers?: Readonly<Record<string, string>>
  /** The upstream's status. */
  readonly status?: number
  readonly type?: string
  /** Other than what the reply is: a string is a stream. */
  readonly stream?: boolean
}

export interface Stage {
  readonly replay: ReplayUpstream
  readonly gateway: LocalGateway
  /** Asks as a client of one dialect for what an upstream of another answers: text is a stream, an object a whole reply. */
  ask(client: Spoken, upstream: Name, reply: string | object, options?: AskOptions): Promise<Answer>
  stop(): Promise<void>
}

/**
 * @param edit changes the config
 * @param files plugins beside it
 */
export async function startStage(
  edit: (config: Loose) => void = () => undefined,
  files: Readonly<Record<string, string>> = {},
): Promise<Stage> {
  const replay = await startReplay()
  const config = JSON.parse(matrixConfig(replay.url)) as Loose
  edit(config)
  const gateway = await startLocalGateway(JSON.stringify(config), files)
  return {
    replay,
    gateway,
    async ask(client, upstream, reply, options = {}) {
      const streamed = typeof reply === 'string'
      const stream = options.stream ?? streamed
      const bytes = Buffer.from(streamed ? reply : JSON.stringify(reply))
      const type = options.type ?? (streamed ? 'text/event-stream' : 'application/json')
      const given = { status: options.status ?? 200, headers: { 'content-type': type }, body: bytes, stream: streamed }
      const id = options.delivery ? replay.addReply(given, options.delivery) : replay.addReply(given)
      const model = `${upstream}-${id}`
      const body = JSON.stringify({ ...(JSON.parse(leastRequest(client, model, stream)) as object), ...options.add })
      const headers = { ...client.headers, ...options.headers }
      const response = await fetch(gateway.url + client.path(model, stream), { method: 'POST', headers, body })
      const text = await response.text()
      return {
        status: response.status,
        headers: response.headers,
        body: text,
        told: stream && response.status === 200 ? client.streamed(text) : client.whole(text),
        sent: replay.requestsFor(id).map((request) => JSON.parse(Buffer.from(request.body).toString()) as Loose),
      }
    },
    async stop() {
      await gateway.stop()
      await replay.stop()
    },
  }
}

const frame = (value: object, event?: string) => `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(value)}\n\n`

/** A Chat stream of choices with index 0. */
export function chatStream(
  deltas: readonly object[],
  finish: string | null = 'stop',
  more: { usage?: object; done?: boolean } = {},
): string {
  const head = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm' }
  const chunks = deltas.map((delta) => frame({ ...head, choices: [{ index: 0, delta, finish_reason: null }] }))
  if (finish !== null) chunks.push(frame({ ...head, choices: [{ index: 0, delta: {}, finish_reason: finish }] }))
  if (more.usage) chunks.push(frame({ ...head, choices: [], usage: more.usage }))
  return chunks.join('') + (more.done === false ? '' : 'data: [DONE]\n\n')
}

export function chatWhole(message: object, finish = 'stop', usage?: object): object {
  const choices = [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason: finish }]
  return { id: 'c1', object: 'chat.completion', created: 1, model: 'm', choices, ...(usage && { usage }) }
}

/** A Messages stream of events, each with its `event:` line. */
export function messagesStream(events: readonly Loose[]): string {
  return events.map((event) => frame(event, event.type)).join('')
}

export const messageStart = (usage: object = { input_tokens: 3, output_tokens: 1 }, more: object = {}): object => ({
  type: 'message_start',
  message: {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
    ...more,
  },
})

/** One block of a Messages stream: start, deltas, stop. */
export const block = (index: number, content: object, ...deltas: readonly object[]): object[] => [
  { type: 'content_block_start', index, content_block: content },
  ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
  { type: 'content_block_stop', index },
]
export const messageEnd = (reason = 'end_turn', usage: object = { output_tokens: 5 }): object[] => [
  { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage },
  { type: 'message_stop' },
]

export function messagesWhole(
  content: readonly object[],
  reason = 'end_turn',
  usage: object = { input_tokens: 3, output_tokens: 5 },
): object {
  return { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content, stop_reason: reason, stop_sequence: null, usage }
}

/** A Gemini stream, with Google's line ends; each item is the parts of one chunk. */
export function geminiStream(chunks: readonly (readonly object[])[], finish: string | null = 'STOP', usage?: object): string {
  return chunks
    .map((parts, i) => {
      const last = i === chunks.length - 1 && finish !== null ? { finishReason: finish } : {}
      const candidates = [{ content: { role: 'model', parts }, index: 0, ...last }]
      return `data: ${JSON.stringify({ candidates, ...(usage && { usageMetadata: usage }), modelVersion: 'm', responseId: 'r1' })}\r\n\r\n`
    })
    .join('')
}

export function geminiWhole(parts: readonly object[], finish = 'STOP', usage?: object): object {
  return {
    candidates: [{ content: { role: 'model', parts }, finishReason: finish, index: 0 }],
    ...(usage && { usageMetadata: usage }),
    modelVersion: 'm',
    responseId: 'r1',
  }
}

export function responsesWhole(output: readonly object[], more: object = {}): object {
  return {
    id: 'resp_1',
    object: 'response',
    created_at: 1,
    status: 'completed',
    model: 'm',
    output,
    error: null,
    incomplete_details: null,
    ...more,
  }
}

const hiThere = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: 'Hi there', annotations: [] }],
}

/** The events with which a Responses stream begins that will say something, up to the first text. */
export const responsesOpening = [
  { type: 'response.created', sequence_number: 0, response: responsesWhole([], { status: 'in_progress' }) },
  {
    type: 'response.output_item.added',
    sequence_number: 1,
    output_index: 0,
    item: { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] },
  },
  {
    type: 'response.content_part.added',
    sequence_number: 2,
    item_id: 'msg_1',
    output_index: 0,
    content_index: 0,
    part: { type: 'output_text', text: '', annotations: [] },
  },
]

/** What the same reply looks like in each dialect, for hazards that are the same for all. */
export const plainReply: Readonly<Record<Name, { readonly stream: string; readonly whole: object }>> = {
  chat: { stream: chatStream([{ role: 'assistant', content: 'Hi ' }, { content: 'there' }]), whole: chatWhole({ content: 'Hi there' }) },
  responses: {
    stream: [
      ...responsesOpening,
      { type: 'response.output_text.delta', sequence_number: 3, item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'Hi ' },
      { type: 'response.output_text.delta', sequence_number: 4, item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'there' },
      { type: 'response.output_text.done', sequence_number: 5, item_id: 'msg_1', output_index: 0, content_index: 0, text: 'Hi there' },
      { type: 'response.output_item.done', sequence_number: 6, output_index: 0, item: hiThere },
      { type: 'response.completed', sequence_number: 7, response: responsesWhole([hiThere]) },
    ]
      .map((event) => frame(event, event.type))
      .join(''),
    whole: responsesWhole([
      {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: 'Hi there', annotations: [] }],
      },
    ]),
  },
  messages: {
    stream: messagesStream([
      messageStart(),
      ...block(0, { type: 'text', text: '' }, { type: 'text_delta', text: 'Hi ' }, { type: 'text_delta', text: 'there' }),
      ...messageEnd(),
    ]),
    whole: messagesWhole([{ type: 'text', text: 'Hi there' }]),
  },
  gemini: { stream: geminiStream([[{ text: 'Hi ' }], [{ text: 'there' }]]), whole: geminiWhole([{ text: 'Hi there' }]) },
}
