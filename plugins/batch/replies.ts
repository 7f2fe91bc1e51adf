/** What a reply means for the request that was made: settled, or to be tried again, and when. Pure but for reading the reply. */

import { boundedBody } from './bodies.ts'
import type { Settlement } from './items.ts'

/** Bytes of a reply that is kept. */
const largest = 32 * 1024 * 1024

export type Verdict =
  | { readonly settle: Settlement }
  /** `counts`: something was tried, and failed. */
  | { readonly again: Settlement; readonly counts: boolean; readonly wait: number | undefined }

/** Reads a reply to its end. `wait` is what it asks for, in milliseconds. */
export async function verdictOf(response: Response): Promise<Verdict> {
  const { status, headers } = response
  const requestId = headers.get('x-request-id') ?? undefined
  const bytes = await boundedBody(response.body, largest, headers.get('content-length'))
  const text = bytes && new TextDecoder().decode(bytes)
  if (text === undefined || !isJson(text)) {
    const what = text === undefined ? `The reply is larger than the ${largest} bytes that are kept.` : 'The reply is not JSON.'
    return { settle: { outcome: 'errored', status: 502, requestId, reply: errorText(what) } }
  }
  if (status < 300) return { settle: { outcome: 'succeeded', status, requestId, reply: text.trim() } }
  const failed: Settlement = { outcome: 'errored', status, requestId, reply: text.trim() }
  const asked = Number(headers.get('retry-after') ?? Number.NaN)
  const wait = Number.isFinite(asked) && asked >= 0 ? asked * 1000 : undefined
  if (status === 429) return { again: failed, counts: false, wait }
  if (status === 408 || (status >= 500 && headers.get('x-should-retry') !== 'false')) return { again: failed, counts: true, wait }
  return { settle: failed }
}

/** An error that the batch itself has to tell, in a shape that is both OpenAI's and Anthropic's. */
export function errorText(message: string): string {
  const error = { message, type: 'server_error', code: 'batch_item_failed', param: null }
  return JSON.stringify({ type: 'error', error })
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
