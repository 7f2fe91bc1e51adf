/**
 * The same interface over Bun's `fetch`, for origins that are reached through a proxy.
 *
 * Owns nothing but the running fetches. Slower, and less exact: `connectTimeout` is not applied (fetch hides the connect, the
 * caller's first-byte limit covers it), dead pooled connections surface as `reset`, and `delimited` is read off the headers.
 * Bun runs at most 256 fetches at a time unless BUN_CONFIG_MAX_HTTP_REQUESTS says otherwise.
 */

import { canDecode } from './body-decoder.ts'
import { visitHeaders } from './request-head.ts'
import type { HttpError, HttpErrorKind, HttpHandler, HttpRequest, HttpRequestOptions, Transport } from './transport.ts'

/** @param proxy URL of the proxy; undefined = none */
export function createFetchTransport(proxy?: string): Transport {
  const running = new Set<HttpRequest>()
  let closed = false
  return {
    request(options) {
      const headers = new Headers()
      visitHeaders(options, (name, value) => headers.append(name, value))
      const abort = new AbortController()
      const run: Run = { options, headers, proxy: closed ? undefined : proxy, abort, finished: false, resumed: undefined }
      const request: HttpRequest = {
        pause() {
          run.resumed ??= Promise.withResolvers()
        },
        resume() {
          run.resumed?.resolve()
          run.resumed = undefined
        },
        abort() {
          run.finished = true
          run.resumed?.resolve()
          abort.abort()
        },
      }
      if (closed) queueMicrotask(() => finish(run, (handler) => handler.error(failure('closed', 'the client is closed', false, false))))
      else {
        running.add(request)
        relay(run).finally(() => running.delete(request))
      }
      return request
    },
    stats: () => ({ open: running.size, idle: 0 }),
    close() {
      closed = true
    },
  }
}

interface Run {
  readonly options: HttpRequestOptions
  readonly headers: Headers
  readonly proxy: string | undefined
  readonly abort: AbortController
  finished: boolean
  /** Set while paused. */
  resumed: PromiseWithResolvers<void> | undefined
}

/** Runs one fetch from start to its last callback. Never rejects. */
async function relay(run: Run): Promise<void> {
  const { options, headers, proxy, abort } = run
  const { handler, method, origin } = options
  let answered = false
  try {
    const response = await fetch(`${origin.key}${options.path}`, {
      method,
      headers,
      ...(options.body.length === 0 ? {} : { body: Buffer.concat(options.body) }),
      redirect: 'manual',
      signal: abort.signal,
      timeout: false, // Bun's own idle limit of 5 minutes would cut a model that thinks (A09)
      ...(proxy === undefined ? {} : { proxy }),
    } as RequestInit)
    if (run.finished) return
    answered = true
    const delimited = isDelimited(response, method)
    const coding = response.headers.get('content-encoding')?.toLowerCase()
    if (coding !== undefined && coding !== 'identity' && response.body !== null && !canDecode(coding)) {
      throw failure('protocol', `unknown content-encoding ${JSON.stringify(coding.slice(0, 40))}`, true, true)
    }
    call(() => handler.head(response.status, endToEnd(response.headers, coding)))
    const reader = response.body?.getReader()
    while (reader !== undefined) {
      while (run.resumed !== undefined) await run.resumed.promise
      if (run.finished) return
      const { done, value } = await reader.read()
      if (done || run.finished) break
      call(() => handler.data(value))
    }
    finish(run, () => handler.end(delimited))
  } catch (error) {
    const known = isFailure(error) ? error : describe(error, answered)
    finish(run, () => handler.error(known))
    abort.abort()
  }
}

/** The last callback; nobody is left to tell if it throws. */
function finish(run: Run, last: (handler: HttpHandler) => void): void {
  if (run.finished) return
  run.finished = true
  try {
    last(run.options.handler)
  } catch {}
}

function call(callback: () => void): void {
  try {
    callback()
  } catch (error) {
    throw failure('handler', `a callback threw: ${String(error)}`, true, true)
  }
}

/** Bun decodes, but leaves the coding's name and the encoded length in the headers (A07). */
function endToEnd(received: Headers, coding: string | undefined): Headers {
  const headers = new Headers(received)
  const named = received.get('connection')?.split(',') ?? []
  for (const name of [...named, ...hopByHop]) if (/^[\w-]+$/.test(name.trim())) headers.delete(name.trim())
  if (coding !== undefined) {
    headers.delete('content-encoding')
    if (coding !== 'identity') headers.delete('content-length')
  }
  return headers
}

const hopByHop = ['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'proxy-connection']

function isDelimited(response: Response, method: string): boolean {
  const { status, headers } = response
  return method === 'HEAD' || status === 204 || status === 304 || headers.has('content-length') || headers.has('transfer-encoding')
}

function failure(kind: HttpErrorKind, message: string, sent: boolean, answered: boolean): HttpError {
  return { kind, message, sent, answered }
}

function isFailure(error: unknown): error is HttpError {
  return !(error instanceof Error) && typeof error === 'object' && error !== null && 'kind' in error
}

const unreachable = new Set([
  'ECONNREFUSED',
  'ConnectionRefused',
  'ENOTFOUND',
  'FailedToOpenSocket',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
])

function describe(error: unknown, answered: boolean): HttpError {
  const { code } = error as { code?: unknown }
  const name = typeof code === 'string' ? code : ''
  const message = `${name === '' ? '' : `${name}: `}${error instanceof Error ? error.message : String(error)}`
  if (!answered && unreachable.has(name)) return failure('connect', message, false, false)
  if (!answered && /CERT|TLS|SSL|EPROTO/.test(name)) return failure('tls', message, false, false)
  if (/Invalid|Malformed|Unexpected|Zlib|Brotli|Zstd|Decompress/i.test(name)) return failure('protocol', message, true, answered)
  return failure('reset', message, true, answered)
}
