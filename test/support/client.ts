/**
 * Plain calls to a gateway under test, in either API family, without an SDK: what exactly comes back, and what it means.
 *
 * Owns what "the client sees success" means (B01): HTTP 200 and the stream's own terminal event, no error among its frames.
 */

import { dataOf } from '../golden/naive.ts'
import { clientKey } from './gateway-config.ts'

export type Family = 'openai' | 'anthropic'
export const families: readonly Family[] = ['openai', 'anthropic']

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Request id. */
  readonly id: string
  readonly bytes: Uint8Array
  readonly text: string
}

/** The family's endpoint below a gateway's URL. */
export function endpointOf(family: Family, url: string): string {
  return family === 'openai' ? `${url}/v1/chat/completions` : `${url}/v1/messages`
}

/** A small correct request body. */
export function bodyOf(model: string, stream: boolean): string {
  return JSON.stringify({ model, max_tokens: 64, stream, messages: [{ role: 'user', content: 'Hello!' }] })
}

export function headersOf(family: Family): Record<string, string> {
  return family === 'openai'
    ? { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` }
    : { 'content-type': 'application/json', 'x-api-key': clientKey, 'anthropic-version': '2023-06-01' }
}

/** One call, read to its end. @throws whatever the connection's end throws. */
export async function call(
  family: Family,
  url: string,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(endpointOf(family, url), { method: 'POST', headers: { ...headersOf(family), ...headers }, body })
  return answerOf(response)
}

export async function answerOf(response: Response): Promise<Answer> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  return {
    status: response.status,
    headers: response.headers,
    id: response.headers.get('x-request-id') ?? '',
    bytes,
    text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes),
  }
}

export interface WireError {
  readonly type: string
  readonly message: string
  readonly code?: string | null
  readonly param?: string | null
}

/**
 * The error in a body, which must be an envelope of the family.
 * @throws Error when it is not.
 */
export function envelope(family: Family, text: string): WireError {
  const value = JSON.parse(text) as { type?: unknown; error?: Record<string, unknown> }
  const { error } = value
  const good =
    typeof error?.message === 'string' &&
    error.message !== '' &&
    typeof error.type === 'string' &&
    (family === 'anthropic' ? value.type === 'error' : value.type === undefined && 'param' in error && 'code' in error)
  if (!good) throw new Error(`not an error of the ${family} API: ${text.slice(0, 300)}`)
  return error as unknown as WireError
}

export type Verdict = 'success' | 'error-frame' | 'incomplete' | 'broken'

/**
 * What a strict reader makes of a stream: it parses every frame, and takes it for success only with the terminal event and no error.
 * A frame that is not JSON makes it broken, as it does for the SDKs.
 */
export function verdictOf(family: Family, text: string): Verdict {
  let ended = false
  let failed = false
  const closed = text.endsWith('\n\n') || text.endsWith('\r\n\r\n') ? text : text.slice(0, Math.max(text.lastIndexOf('\n\n') + 2, 0))
  for (const data of dataOf(closed)) {
    if (data.trim() === '[DONE]') {
      ended = true
      continue
    }
    let frame: { type?: string; error?: unknown }
    try {
      frame = JSON.parse(data)
    } catch {
      return 'broken'
    }
    if (family === 'anthropic' && frame.type === 'message_stop') ended = true
    if (frame.error) failed = true
  }
  return failed ? 'error-frame' : ended ? 'success' : 'incomplete'
}
