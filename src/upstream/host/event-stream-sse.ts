/**
 * Bedrock's event stream as server-sent events, so that codecs, meter and relay need not know it.
 *
 *   Converse  message `:event-type: T`, JSON payload     → `event: T` + `data: <payload as received>`
 *   invoke    message `chunk`, payload {"bytes": base64}  → `event: <type of the JSON>` + `data: <the JSON>`, Anthropic's own frames
 *   both      `:message-type: exception` or `error`       → `event: error` + `data: {"type":"error","error":{"type","message"}}` (B17)
 *
 * Each `data:` is one line. The types of errors are Anthropic's words, which every decoder here understands. A stream that is cut inside a
 * message simply ends: its terminal event is missing then (B01).
 */

import { type EventMessage, eventStreamReader } from './event-stream.ts'
import type { Transcoder } from './host.ts'

/** For `converse-stream`. */
export const converseTranscoder = (): Transcoder =>
  transcoder(({ headers, payload }) => frame(headers.get(':event-type') ?? '', textOf(payload)))

/** For `invoke-with-response-stream` of a Claude model. */
export const invokeTranscoder = (): Transcoder => transcoder(invokeFrame)

const nothing = new Uint8Array()

function transcoder(eventFrame: (message: EventMessage) => string): Transcoder {
  const reader = eventStreamReader()
  return {
    push(chunk) {
      let out = ''
      for (const message of reader.push(chunk)) out += errorFrame(message) ?? eventFrame(message)
      return out === '' ? nothing : Buffer.from(out)
    },
    end() {
      reader.end()
      return nothing
    },
  }
}

function invokeFrame(message: EventMessage): string {
  const { bytes } = JSON.parse(textOf(message.payload)) as { bytes?: unknown }
  if (typeof bytes !== 'string') return '' // nothing of the model's
  const data = Buffer.from(bytes, 'base64').toString()
  const type = /^\{"type":"([a-z_]+)"/.exec(data)?.[1] ?? (JSON.parse(data) as { type?: unknown } | null)?.type
  return typeof type === 'string' ? frame(type, data) : '' // a keep-alive
}

function frame(event: string, data: string): string {
  // JSON holds line breaks only as white space
  const line = data.includes('\n') || data.includes('\r') ? data.replaceAll(/[\r\n]+/g, ' ') : data
  return /^[\w.:-]+$/.test(event) ? `event: ${event}\ndata: ${line}\n\n` : `data: ${line}\n\n`
}

/** What exceptions of Bedrock's streams are in Anthropic's words. */
const words: Readonly<Record<string, string>> = {
  throttlingexception: 'rate_limit_error',
  servicequotaexceededexception: 'rate_limit_error',
  serviceunavailableexception: 'overloaded_error',
  modelnotreadyexception: 'overloaded_error',
  modeltimeoutexception: 'timeout_error',
  validationexception: 'invalid_request_error',
  accessdeniedexception: 'permission_error',
  resourcenotfoundexception: 'not_found_error',
}

/** The frame of an exception or error; undefined for an event. */
function errorFrame({ headers, payload }: EventMessage): string | undefined {
  const kind = headers.get(':message-type')
  if (kind !== 'exception' && kind !== 'error') return undefined
  const name = headers.get(':exception-type') ?? headers.get(':error-code') ?? ''
  const said = headers.get(':error-message') ?? messageIn(textOf(payload))
  const message = said || `Bedrock ended the stream with ${name || 'an error'}.`
  return frame('error', JSON.stringify({ type: 'error', error: { type: words[name.toLowerCase()] ?? 'api_error', message } }))
}

function messageIn(text: string): string {
  try {
    const { message, Message } = JSON.parse(text) as { message?: unknown; Message?: unknown }
    return typeof message === 'string' ? message : typeof Message === 'string' ? Message : text
  } catch {
    return text
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
