/**
 * Errors as OpenAI-speaking clients expect them (PROTOCOL §1.7): `{error:{message,type,param,code}}`, always all four keys, `code` a
 * string or null. The words come from the catalogue; the upstream's own win, and the operator's over both.
 */

import { errorCatalogue } from '../../errors.ts'
import type { WireError } from '../codec.ts'
import { jsonText } from '../shape.ts'
import { frameText } from '../sse.ts'

/** The body of an HTTP error. */
export function openaiErrorBody(error: WireError): string {
  if (error.body !== undefined) return error.body
  const [type, code] = errorCatalogue[error.code].openai
  const fields = {
    message: error.message,
    type: error.words?.type ?? error.upstreamType ?? type,
    param: error.param ?? null,
    code: error.words?.code ?? error.upstreamCode ?? (error.upstreamType === undefined ? code : null),
  }
  return jsonText({ error: { ...fields, ...error.extra, ...fields } })
}

/** The frame that ends a stream with an error. No finish reason and no `[DONE]` follow (B01, B08). */
export function chatErrorFrames(error: WireError): string {
  return frameText(undefined, openaiErrorBody(error))
}

/** The frame of an error event, which knows only a word and a sentence. */
export function inStreamError(kind: string, message: string): string {
  return frameText(undefined, jsonText({ error: { message, type: kind, param: null, code: null } }))
}
