/**
 * One client call in a test: sent at once, read as the test likes, and judged by what the client got and what the gateway recorded.
 *
 * Stands where the edge and the socket stand otherwise.
 */

import type { Dialect } from '../dialect/codec.ts'
import { SseReader } from '../dialect/sse.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { Outcome, Verdict } from '../plugin/outcome.ts'
import type { SentRequest } from './upstream-script.ts'

/** A call that is over. */
export interface Result {
  /** The exchange's id. */
  readonly id: string
  readonly status: number
  readonly headers: Headers
  /** The body as text. */
  readonly body: string
  /** The parsed body of a whole reply or an error; undefined for a stream. */
  readonly json: unknown
  /** The body's SSE frames: name and data of each. Empty for a whole reply. */
  readonly frames: readonly { readonly event?: string; readonly data: string }[]
  /** The reply as the client got it, in neutral events, streamed or whole. Empty for an HTTP error. */
  readonly events: readonly StreamEvent[]
  /** The visible text of choice 0. */
  readonly text: string
  /** True when the body broke off: the client left, or the gateway failed. */
  readonly broken: boolean
  /** The upstream requests, as the scripted upstream saw them. */
  readonly sent: readonly SentRequest[]
  readonly outcome: Outcome
  /** What each plugin said or did. */
  readonly verdicts: readonly Verdict[]
}

/** A call on its way. */
export interface Call {
  readonly id: string
  /** Status and headers. */
  head(): Promise<{ readonly status: number; readonly headers: Headers }>
  /** The next chunk of the body as text; undefined at its end. */
  read(): Promise<string | undefined>
  /** Reads the rest and waits for the settlement. */
  result(): Promise<Result>
  /** The client goes away. */
  abort(): void
  /** The outcome, once settled. */
  outcome(): Promise<Outcome>
  /** The upstream requests so far. */
  readonly sent: readonly SentRequest[]
}

export interface CallParts {
  readonly id: string
  readonly dialect: Dialect
  readonly response: Promise<Response>
  readonly leave: () => void
  readonly outcome: () => Promise<Outcome>
  readonly sent: readonly SentRequest[]
}

export function makeCall(parts: CallParts): Call {
  const { id, response, outcome, sent } = parts
  const decoder = new TextDecoder()
  const chunks: Uint8Array[] = []
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  let gone = false
  let broken = false
  response.catch(() => {}) // seen by whoever awaits head or result

  const next = async (): Promise<Uint8Array | undefined> => {
    const { body } = await response
    if (gone || body === null) return undefined
    reader ??= body.getReader() as ReadableStreamDefaultReader<Uint8Array>
    try {
      const { value } = await reader.read()
      if (value) chunks.push(value)
      return value
    } catch {
      broken = true
      return undefined
    }
  }

  return {
    id,
    sent,
    async head() {
      const { status, headers } = await response
      return { status, headers }
    },
    async read() {
      const chunk = await next()
      return chunk && decoder.decode(chunk, { stream: true })
    },
    abort() {
      if (gone) return
      gone = true
      parts.leave()
      void response.then(
        (r) => (reader ?? r.body)?.cancel().catch(() => {}),
        () => {},
      )
    },
    outcome,
    async result() {
      while (await next());
      const { status, headers } = await response
      const settled = await outcome()
      const body = Buffer.concat(chunks)
      const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true
      const read = isStream ? readStream(parts.dialect, body) : readWhole(parts.dialect, body, status)
      const text = read.events.map((e) => (e.type === 'text' && e.choice === 0 ? e.text : '')).join('')
      return {
        id,
        status,
        headers,
        body: body.toString(),
        ...read,
        text,
        broken: broken || gone,
        sent,
        outcome: settled,
        verdicts: settled.verdicts,
      }
    },
  }
}

function readStream(dialect: Dialect, body: Buffer): Pick<Result, 'json' | 'frames' | 'events'> {
  const reader = new SseReader()
  const decoder = dialect.decoder()
  const frames = [...reader.push(body), ...reader.end()]
  return {
    json: undefined,
    frames: frames.map(({ event, data }) => (event === undefined ? { data } : { event, data })),
    events: frames.flatMap((frame) => decoder.decode(frame)),
  }
}

function readWhole(dialect: Dialect, body: Buffer, status: number): Pick<Result, 'json' | 'frames' | 'events'> {
  let json: unknown
  try {
    json = JSON.parse(body.toString())
  } catch {
    json = undefined
  }
  return { json, frames: [], events: status < 400 ? (dialect.decodeWhole(body)?.events ?? []) : [] }
}
