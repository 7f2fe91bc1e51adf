/**
 * What a scripted upstream answers: plain objects that say it in neutral words, turned into the bytes of whatever dialect is spoken.
 *
 * Knows no transport. Dialects come from the gateway's own codecs, so that one script serves them all.
 */

import type { Dialect } from '../dialect/codec.ts'
import { families } from '../dialect/family.ts'
import type { StreamEvent } from '../plugin/events.ts'
import { unknownUsage } from '../plugin/outcome.ts'
import type { RefusalCode } from '../plugin/refusal.ts'

/** One upstream request as the scripted upstream saw it. */
export interface SentRequest {
  /** 0 for the first upstream call of its exchange. */
  readonly index: number
  readonly url: string
  /** Path and query. */
  readonly path: string
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array
  readonly text: string
  /** The parsed body; undefined when it is no JSON. */
  readonly json: unknown
  /** Name of the dialect, by the path: `openai-chat`, `anthropic-messages`. */
  readonly dialect: string
  /** Whether the body asks for a stream. */
  readonly stream: boolean
  /** Aborted when the gateway has cancelled the call. */
  readonly signal: AbortSignal
  /** A good answer made of `events`, as this request wants it: SSE frames, one text each, or one text of JSON. */
  encode(events: readonly StreamEvent[]): string[]
}

type Bytes = string | Uint8Array

/** An answer. `{}` is a good one that says "Hello from upstream". */
export interface UpstreamAnswer {
  /** HTTP status; 200 when absent. From 400 on the body is an error of the dialect. */
  status?: number
  headers?: Record<string, string>
  /** What the model says; several texts are several chunks of a stream. */
  text?: string | readonly string[]
  /** The whole reply in events, instead of `text`. */
  events?: readonly StreamEvent[]
  /** The sentence of an error. */
  message?: string
  /** The body as it is, in chunks; an async generator may wait between them. */
  body?: Bytes | Iterable<Bytes> | AsyncIterable<Bytes>
  /** The connection breaks after so many chunks of the body. A whole reply is one chunk, and is cut in half. */
  breakAfter?: number
  /** No connection is made. */
  unreachable?: boolean
}

/** One answer for all calls, a list (one for each call, the last for all further ones), or a function of the request. */
export type UpstreamScript =
  | UpstreamAnswer
  | readonly UpstreamAnswer[]
  | ((sent: SentRequest, call: number) => UpstreamAnswer | Promise<UpstreamAnswer>)

/** The events of a plain good reply: start, one `text` per chunk, usage of 7 tokens in and 5 out, stop, end. */
export function textEvents(...chunks: readonly string[]): StreamEvent[] {
  return [
    { type: 'start', id: 'reply-1', model: 'upstream-model' },
    ...chunks.map((text): StreamEvent => ({ type: 'text', text, choice: 0 })),
    { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
    { type: 'usage', usage: { ...unknownUsage, source: 'reported', inputUncached: 7, outputVisible: 5 } },
    { type: 'end' },
  ]
}

/** The script as a function that counts its calls. */
export function scriptOf(script: UpstreamScript): (sent: SentRequest) => UpstreamAnswer | Promise<UpstreamAnswer> {
  let calls = 0
  if (typeof script === 'function') return (sent) => script(sent, calls++)
  const list = Array.isArray(script) ? (script as readonly UpstreamAnswer[]) : [script as UpstreamAnswer]
  return () => list[Math.min(calls++, list.length - 1)] ?? {}
}

/** An answer ready to be sent. */
export interface WireAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Iterable<Bytes> | AsyncIterable<Bytes>
}

/** The bytes of an answer to a request. */
export function wireAnswer(answer: UpstreamAnswer, sent: SentRequest): WireAnswer {
  const status = answer.status ?? 200
  const headers = new Headers({
    'content-type': sent.stream && status < 400 ? 'text/event-stream' : 'application/json',
    'x-request-id': `upstream-${sent.index}`,
  })
  for (const [name, value] of Object.entries(answer.headers ?? {})) headers.set(name, value)
  if (answer.body !== undefined) {
    const { body } = answer
    return { status, headers, body: typeof body === 'string' || body instanceof Uint8Array ? [body] : body }
  }
  if (status >= 400) {
    const code: RefusalCode = status === 429 ? 'rate_limited' : status < 500 ? 'invalid_request' : 'upstream_error'
    const message = answer.message ?? `the scripted upstream answers ${status}`
    return { status, headers, body: [dialectNamed(sent.dialect).errorBody({ code, message, requestId: `upstream-${sent.index}` })] }
  }
  const texts = answer.text === undefined ? ['Hello', ' from', ' upstream'] : answer.text
  const events = answer.events ?? textEvents(...(typeof texts === 'string' ? [texts] : texts))
  let body = sent.encode(events)
  if (answer.breakAfter !== undefined && !sent.stream) body = [body[0]!.slice(0, body[0]!.length / 2)]
  return { status, headers, body }
}

/** A reply in the bytes of a dialect: one text per event that leaves any, or the whole. */
export function encodeReply(dialect: Dialect, events: readonly StreamEvent[], stream: boolean, includeUsage: boolean): string[] {
  const start = events.find((e) => e.type === 'start')
  const identity = {
    id: (start?.type === 'start' && start.id) || 'reply-1',
    model: (start?.type === 'start' && start.model) || 'upstream-model',
    created: 1_767_225_600,
    includeUsage,
  }
  if (!stream) return [dialect.encodeWhole(events, identity)]
  const encoder = dialect.encoder(identity)
  return events.map((event) => encoder.encode([event])).filter((text) => text !== '')
}

/** @throws Error for a dialect that does not exist. */
export function dialectNamed(name: string): Dialect {
  for (const family of Object.values(families)) {
    for (const { dialect } of family.operations) if (dialect.name === name) return dialect
  }
  throw new Error(`there is no dialect ${JSON.stringify(name)}`)
}
