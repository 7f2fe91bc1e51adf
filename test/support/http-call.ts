/**
 * Runs one request on a transport and records the callbacks, so that tests read as request in, record out.
 */

import { parseUrl } from '../../src/upstream/http/origin.ts'
import type { HttpError, HttpRequest, HttpRequestOptions, Transport } from '../../src/upstream/http/transport.ts'

export interface HttpCall {
  readonly request: HttpRequest
  /** Names of the callbacks, in order; `data` once per chunk. */
  readonly calls: string[]
  status: number
  headers: Headers
  chunks: Uint8Array[]
  bytes: number
  delimited: boolean | undefined
  error: HttpError | undefined
  /** Body as latin1. */
  text(): string
  /** Resolves at the first `head`, or at the end of all. */
  readonly headed: Promise<void>
  /** Resolves at `end` or `error`. */
  readonly over: Promise<HttpCall>
}

export interface HttpCallOptions extends Partial<Omit<HttpRequestOptions, 'handler' | 'origin' | 'path'>> {
  /** Called after the call was recorded. */
  readonly on?: (event: 'head' | 'data' | 'end' | 'error', call: HttpCall) => void
  /** Count bytes, don't keep them. */
  readonly discard?: boolean
}

export function httpCall(transport: Transport, url: string, { on, discard, ...options }: HttpCallOptions = {}): HttpCall {
  const headed = Promise.withResolvers<void>()
  const over = Promise.withResolvers<HttpCall>()
  const record: Omit<HttpCall, 'request'> & { request?: HttpRequest } = {
    calls: [],
    status: 0,
    headers: new Headers(),
    chunks: [],
    bytes: 0,
    delimited: undefined,
    error: undefined,
    text: () => Buffer.concat(record.chunks).toString('latin1'),
    headed: headed.promise,
    over: over.promise,
  }
  const call = record as HttpCall
  record.request = transport.request({
    ...parseUrl(url),
    method: 'POST',
    headers: [],
    body: [],
    connectTimeout: 5000,
    ...options,
    handler: {
      head(status, headers) {
        record.calls.push('head')
        record.status = status
        record.headers = headers
        headed.resolve()
        on?.('head', call)
      },
      data(chunk) {
        record.calls.push('data')
        record.bytes += chunk.length
        if (!discard) record.chunks.push(chunk)
        on?.('data', call)
      },
      end(delimited) {
        record.calls.push('end')
        record.delimited = delimited
        headed.resolve()
        over.resolve(call)
        on?.('end', call)
      },
      error(error) {
        record.calls.push('error')
        record.error = error
        headed.resolve()
        over.resolve(call)
        on?.('error', call)
      },
    },
  })
  return call
}
