/**
 * Errors inside a Responses stream (PROTOCOL §1.6, §1.7): an `error` event, on which SDKs throw, and the `response.failed` that ends the
 * stream, on which Codex acts. Errors as HTTP bodies are those of all OpenAI APIs.
 *
 * The members of the `error` event stand in it twice, flat as documented and nested as sent: clients of both kinds exist.
 */

import { errorCatalogue } from '../../errors.ts'
import type { UpstreamError, WireError } from '../codec.ts'
import { type JsonObject, jsonText } from '../shape.ts'
import { frameText } from '../sse.ts'
import { errorIn, errorOf } from '../upstream-error.ts'

/** Number of a frame when it is not known which ones went before: above all of them. */
const aboveAll = 2_147_483_646

/** What went wrong, in the words of this API. */
export interface FailureWords {
  readonly type: string
  readonly code: string
  readonly message: string
  readonly param: string | null
}

/** The words of an error on its way to a client; the upstream's own win. */
export function failureWords(error: WireError): FailureWords {
  const [type, code] = errorCatalogue[error.code].openai
  const word = error.words?.type ?? error.upstreamType ?? type
  const known = error.words?.code ?? error.upstreamCode ?? (error.upstreamType === undefined ? code : null)
  return { type: word, code: known ?? word, message: error.message, param: error.param ?? null }
}

/** Members of the `error` event, without its type and number. */
export function errorMembers(words: FailureWords): JsonObject {
  const { type, code, message, param } = words
  return { code, message, param, error: { type, code, message, param } }
}

/**
 * The frames that end a stream of which nothing is known: no earlier frame, no id. An encoder that saw the stream knows better (`failure`).
 */
export function responsesErrorFrames(error: WireError): string {
  const words = failureWords(error)
  const response = {
    id: `resp_${error.requestId}`,
    object: 'response',
    created_at: 0,
    status: 'failed',
    error: { code: words.code, message: words.message },
    incomplete_details: null,
    model: '',
    output: [],
    usage: null,
  }
  const told = frameText('error', jsonText({ type: 'error', sequence_number: aboveAll, ...errorMembers(words) }))
  return told + frameText('response.failed', jsonText({ type: 'response.failed', sequence_number: aboveAll + 1, response }))
}

/** The error of a response object: its own member, or none of the known words. */
export function responseError(response: JsonObject): UpstreamError {
  const { error } = response
  if (error !== undefined && error !== null) return errorOf(error, response)
  return errorIn(response) ?? { message: 'The upstream reported that the response failed.', code: 'server_error', status: 500 }
}

/** The body of a whole reply that an error event ended. */
export function inReplyError(kind: string, message: string): string {
  return jsonText({ error: { message, type: kind, param: null, code: null } })
}
