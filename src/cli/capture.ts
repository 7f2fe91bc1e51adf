/**
 * A transport that keeps requests instead of sending them.
 *
 * What it keeps is what the real one would put on the wire: its own rules about headers are applied. Nothing is answered; `fail` ends
 * the calls that wait.
 */

import { visitHeaders } from '../upstream/http/request-head.ts'
import type { HttpHandler, Transport } from '../upstream/http/transport.ts'

/** A request that would be sent. */
export interface Captured {
  readonly method: string
  readonly url: string
  /** In the order of the wire. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
}

export interface Capture {
  readonly transport: Transport
  readonly requests: readonly Captured[]
  /** Resolves at the first request. */
  readonly first: Promise<void>
  /** Ends all calls that wait for an answer. */
  fail(): void
}

export function captureTransport(): Capture {
  const requests: Captured[] = []
  const waiting = new Set<HttpHandler>()
  const { promise: first, resolve } = Promise.withResolvers<void>()
  return {
    requests,
    first,
    fail() {
      for (const handler of waiting) handler.error({ kind: 'closed', message: 'the request was not sent', sent: false, answered: false })
      waiting.clear()
    },
    transport: {
      request(options) {
        const { origin, path, method, handler } = options
        const body = new Uint8Array(Buffer.concat(options.body))
        const headers: [string, string][] = [['host', origin.host]]
        visitHeaders(options, (name, value) => headers.push([name.toLowerCase(), value]))
        headers.push(['content-length', String(body.length)])
        requests.push({ method, url: `${origin.protocol}//${origin.host}${path}`, headers, body })
        waiting.add(handler)
        resolve()
        return { pause() {}, resume() {}, abort: () => void waiting.delete(handler) }
      },
      stats: () => ({ open: 0, idle: 0 }),
      close() {},
    },
  }
}
