/**
 * The upstream's own words in an error of whatever shape (PROTOCOL §1.7), and the status that an error word stands for.
 *
 * Shared by all dialects, because "compatible" upstreams answer errors in shapes of their own: another family's envelope, a web
 * framework's `detail`, a CDN's HTML page (hazards G05, G11). Never throws; what it returns is short enough for a log line.
 */

import type { Json } from '../plugin/request.ts'
import type { UpstreamError, WholeSummary } from './codec.ts'
import { decodeText, jsonText, listOf, objectOf, parseJson, wordOf } from './shape.ts'

/** Characters of an upstream's text that is not an error envelope. */
export const excerptLimit = 300
/** Bytes of such a text that are looked at. */
const htmlLimit = 16 * 1024

/** What an error reply says. `status` is the HTTP status it came with; below 400 the error's own words tell the status. */
export function readUpstreamError(status: number, body: Uint8Array): UpstreamError {
  const text = decodeText(body)
  const value = parseJson(text)
  const found = value === undefined ? undefined : errorIn(value)
  if (found) return status >= 400 ? { ...found, status } : found
  const said = value === undefined ? excerpt(text.slice(0, htmlLimit)) : value === null ? '' : excerpt(jsonText(value))
  const message = said || `The upstream answered ${status} without a message.`
  return status >= 400 ? { message, status } : { message }
}

/** The summary of a body that is no reply of its dialect: the error that it holds instead, if any. Undefined: it is no JSON. */
export function notAReply(value: Json | undefined): WholeSummary {
  const error = value === undefined ? undefined : errorIn(value)
  return error ? { valid: false, error } : { valid: false }
}

/** The error that a JSON value holds, in any known envelope; undefined when it holds none. */
export function errorIn(value: Json): UpstreamError | undefined {
  if (Array.isArray(value)) {
    for (const item of value) {
      const found = objectOf(item) && errorIn(item)
      if (found) return found
    }
    return undefined
  }
  const body = objectOf(value)
  if (!body) return undefined
  if (body.error !== undefined && body.error !== null && body.error !== false) return errorOf(body.error, body)
  // Responses: the frame of a response that failed
  const response = objectOf(body.response)
  if (response?.error !== undefined && response.error !== null) return errorOf(response.error, response)
  const detail = body.detail
  if (typeof detail === 'string') return { message: detail }
  if (Array.isArray(detail)) return { message: detail.map(detailText).filter(Boolean).join('; ') || excerpt(jsonText(detail)) }
  const nested = objectOf(detail)
  if (nested) return errorOf(nested, body)
  const errors = listOf(body.errors)
  if (errors.length > 0) return { message: errors.map(detailText).filter(Boolean).join('; ') || excerpt(jsonText(errors)) }
  const message = wordOf(body.message) ?? wordOf(body.Message) ?? wordOf(body.msg)
  return message === undefined ? undefined : named(message, body, body)
}

/**
 * The value of an `error` member: an object, or just a sentence.
 * @param around the object that holds it, for members that some upstreams put beside it
 */
export function errorOf(error: Json, around?: { readonly [key: string]: Json }): UpstreamError {
  if (typeof error === 'string') return named(error || 'The upstream reported an error without a message.', around ?? {}, around ?? {})
  const body = objectOf(error)
  if (!body) return { message: excerpt(jsonText(error)) }
  const message = wordOf(body.message) ?? wordOf(body.msg) ?? wordOf(body.detail) ?? wordOf(around?.message) ?? excerpt(jsonText(body))
  return named(message, body, around ?? {})
}

function named(message: string, body: { readonly [key: string]: Json }, around: { readonly [key: string]: Json }): UpstreamError {
  const type = wordOf(body.type) ?? wordOf(body.status)
  const rawCode = body.code ?? around.code
  const code = typeof rawCode === 'number' ? String(rawCode) : wordOf(rawCode)
  const param = wordOf(body.param)
  const status = statusOf(body, rawCode, type, code)
  return {
    message,
    ...(type !== undefined && { type }),
    ...(code !== undefined && { code }),
    ...(param !== undefined && { param }),
    ...(status !== undefined && { status }),
  }
}

function statusOf(
  body: { readonly [key: string]: Json },
  rawCode: Json | undefined,
  type: string | undefined,
  code: string | undefined,
): number | undefined {
  for (const given of [rawCode, body.status_code, body.status, body.http_code]) {
    const n = typeof given === 'string' && /^[45]\d\d$/.test(given) ? Number(given) : given
    if (typeof n === 'number' && Number.isInteger(n) && n >= 400 && n <= 599) return n
  }
  return wordStatus(code) ?? wordStatus(type)
}

const statuses: Readonly<Record<string, number>> = {
  overloaded_error: 529,
  overloaded: 503,
  service_unavailable: 503,
  engine_overloaded: 503,
  unavailable: 503,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  rate_limit_reached: 429,
  resource_exhausted: 429,
  too_many_requests: 429,
  insufficient_quota: 429,
  authentication_error: 401,
  invalid_api_key: 401,
  invalid_authentication: 401,
  unauthenticated: 401,
  unauthorized: 401,
  billing_error: 402,
  insufficient_balance: 402,
  permission_error: 403,
  permission_denied: 403,
  not_found_error: 404,
  model_not_found: 404,
  not_found: 404,
  request_too_large: 413,
  timeout_error: 504,
  timeout: 504,
  deadline_exceeded: 504,
  invalid_request_error: 400,
  invalid_request: 400,
  invalid_prompt: 400,
  invalid_argument: 400,
  failed_precondition: 400,
  bad_request: 400,
  context_length_exceeded: 400,
  content_filter: 400,
  tool_use_failed: 400,
  api_error: 500,
  server_error: 500,
  internal_server_error: 500,
  internal_error: 500,
  internal: 500,
}

/** The HTTP status that an error type or code stands for (`kind` of an error event); undefined for an unknown word. */
export function wordStatus(word: string | undefined): number | undefined {
  if (word === undefined) return undefined
  if (/^[45]\d\d$/.test(word)) return Number(word)
  const status = statuses[word.toLowerCase()]
  return typeof status === 'number' ? status : undefined
}

function detailText(item: Json): string {
  if (typeof item === 'string') return item
  const body = objectOf(item)
  if (!body) return ''
  const message = wordOf(body.msg) ?? wordOf(body.message) ?? ''
  const where = listOf(body.loc).filter((step) => typeof step === 'string' || typeof step === 'number')
  return where.length > 0 && message ? `${where.join('.')}: ${message}` : message
}

/** A short, single-line text of a page or body: tags, scripts and styles stripped. */
export function excerpt(text: string): string {
  let plain = text
  if (/<[a-z!/]/i.test(plain)) {
    plain = plain
      .replace(/<(script|style|head)\b[\s\S]*?<\/\1\s*>/gi, (block, tag: string) =>
        tag.toLowerCase() === 'head' ? ` ${/<title[^>]*>([\s\S]*?)<\/title>/i.exec(block)?.[1] ?? ''} ` : ' ',
      )
      .replace(/<!--[\s\S]*?-->/g, ' ')
      .replace(/<[^>]{0,2000}>/g, ' ')
      .replace(/&(nbsp|amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? ' ')
  }
  plain = plain.replace(/\s+/g, ' ').trim()
  return plain.length > excerptLimit ? `${plain.slice(0, excerptLimit - 1)}…` : plain
}

const entities: Readonly<Record<string, string>> = { nbsp: ' ', amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
