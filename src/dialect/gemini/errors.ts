/**
 * Errors as Gemini-speaking clients expect them (PROTOCOL §1.7): `{error:{code,message,status,details}}`, `code` the HTTP status as a number,
 * `status` the word of google.rpc.Code. The words come from the catalogue; Google's own win.
 */

import { errorCatalogue } from '../../errors.ts'
import type { Json } from '../../plugin/request.ts'
import type { UpstreamError, WireError } from '../codec.ts'
import { decodeText, type JsonObject, jsonText, listOf, objectOf, parseJson, textOf } from '../shape.ts'
import { readUpstreamError, wordStatus } from '../upstream-error.ts'

const statusWord = /^[A-Z][A-Z_]+$/
const rpc = 'type.googleapis.com/google.rpc.'

/** A frame of a stream, with the line ends that Google sends. */
export function geminiFrame(json: string): string {
  return `data: ${json}\r\n\r\n`
}

/** The body of an HTTP error. */
export function geminiErrorBody(error: WireError): string {
  const entry = errorCatalogue[error.code]
  if (error.body !== undefined) return error.body
  const said = error.words?.type ?? error.upstreamType
  const status = said !== undefined && statusWord.test(said) ? said : entry.gemini
  const { retry_after: named, ...extra } = error.extra ?? {}
  const wait = error.retryAfter ?? named
  const metadata: Record<string, string> = {}
  for (const name in extra) if (extra[name] !== null) metadata[name] = String(extra[name])
  const details: JsonObject[] = [
    { '@type': `${rpc}ErrorInfo`, reason: error.code.toUpperCase(), domain: 'headgate', metadata },
    { '@type': `${rpc}RequestInfo`, requestId: error.requestId },
  ]
  if (error.param !== undefined) {
    details.push({ '@type': `${rpc}BadRequest`, fieldViolations: [{ field: error.param, description: error.message }] })
  }
  if (typeof wait === 'number') details.push({ '@type': `${rpc}RetryInfo`, retryDelay: `${wait}s` })
  return jsonText({ error: { code: entry.status, message: error.message, status, details } })
}

/** The frame that ends a stream with an error. No finish reason follows (B01, B08). */
export function geminiErrorFrames(error: WireError): string {
  return geminiFrame(geminiErrorBody(error))
}

/** The error object for an error event, which knows only a word and a sentence. */
export function eventError(kind: string, message: string): JsonObject {
  const code = wordStatus(kind) ?? 500
  return { code, message, status: statusWord.test(kind) ? kind : googleStatus(code) }
}

/** The upstream's own words, and how long it asks to wait (G01). */
export function readGeminiError(status: number, body: Uint8Array): UpstreamError {
  const error = readUpstreamError(status, body)
  const retryAfter = retryDelay(parseJson(decodeText(body)))
  return retryAfter === undefined ? error : { ...error, retryAfter }
}

/** Seconds of `RetryInfo.retryDelay` (`"34.07s"`), rounded up. */
function retryDelay(value: Json | undefined): number | undefined {
  const body = objectOf(Array.isArray(value) ? value[0] : value)
  for (const item of listOf(objectOf(body?.error)?.details)) {
    const detail = objectOf(item)
    if (!textOf(detail?.['@type']).endsWith('google.rpc.RetryInfo')) continue
    const seconds = /^(\d+(?:\.\d+)?)s$/.exec(textOf(detail?.retryDelay))
    if (seconds) return Math.ceil(Number(seconds[1]))
  }
  return undefined
}

/** Google's word for an HTTP status. */
function googleStatus(code: number): string {
  return words[code] ?? (code >= 500 ? 'INTERNAL' : 'INVALID_ARGUMENT')
}

const words: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  402: 'RESOURCE_EXHAUSTED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
  529: 'UNAVAILABLE',
}
