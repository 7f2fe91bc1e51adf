/**
 * One HTTP request to an upstream, as the rest of the gateway sees it: the interface, no code that does I/O.
 *
 * Callback style, because one promise per chunk costs a third of a relayed chunk. Two implementations stand behind it:
 * `client.ts` (own HTTP/1.1 over `Bun.connect`) and `fetch-transport.ts` (Bun's `fetch`, for hosts behind a proxy).
 * Neither follows redirects, retries an answered request or has timeouts of its own other than the connect timeout: the
 * caller owns first-byte, idle and total limits and enforces them with `abort()`.
 */

import type { Origin } from './origin.ts'

export interface HttpRequestOptions {
  /** Where to; from `parseUrl`, which caches. */
  readonly origin: Origin
  /** Path and query, as they go on the request line. */
  readonly path: string
  readonly method: string
  /**
   * Without host, content-length, connection, transfer-encoding and other hop-by-hop names: the client sets or drops
   * them. `accept-encoding: identity` is added unless given.
   */
  readonly headers: Headers | readonly (readonly [name: string, value: string])[] | HeaderLines
  /** The body's bytes in order. Large segments are written as they are, never joined. They may not be written to until `end` or `error`. */
  readonly body: readonly Uint8Array[]
  /** The monotonic clock, where the caller has just read it: each look costs. */
  readonly now?: number | undefined
  /** Milliseconds for DNS, TCP and TLS together; 0 = no limit. */
  readonly connectTimeout: number
  /** Which headers of the answer are wanted, by lower-case name; all when absent. Providers send twenty, of which few go anywhere. */
  readonly wants?: (name: string) => boolean
  readonly handler: HttpHandler
}

/**
 * Headers ready for the wire: `name: value` lines, each ended by CR LF. For the hot path: whoever makes them answers for names and values
 * being clean, and for there being no header of the connection's own among them.
 */
export interface HeaderLines {
  readonly lines: string
}

/**
 * Callbacks of one request: `head` once, `data` any number of times, then exactly one of `end` and `error`. After
 * `abort()` nothing more is called. Nothing is called before `request()` has returned. A callback that throws makes the
 * request fail (`error` with kind `handler`) and closes its connection; it never reaches the process.
 */
export interface HttpHandler {
  /** The final status (1xx are skipped) and the end-to-end headers: no hop-by-hop names; no content-encoding and content-length when the body was decoded (A07). */
  head(status: number, headers: Headers): void
  /**
   * Body bytes without framing, decoded. The chunk is the receiver's to keep: it is a view on a buffer that is never written
   * to again (but which it keeps alive: up to 512 KB). Do not write to it.
   */
  data(chunk: Uint8Array): void
  /** The body is complete. `delimited` is false when only the closing of the connection ended it, so that a cut can't be told from an end (B01). */
  end(delimited: boolean): void
  error(error: HttpError): void
}

/**
 * - `connect` DNS, refused, unreachable: nothing was sent · `connect_timeout` · `tls` handshake or certificate
 * - `reset` the connection ended before the answer did · `protocol` the answer is not HTTP/1.1, or has an unknown or broken coding
 * - `too_large` the answer's head exceeds the limits · `handler` a callback threw · `closed` the transport is closed
 */
export type HttpErrorKind = 'connect' | 'connect_timeout' | 'tls' | 'reset' | 'protocol' | 'too_large' | 'handler' | 'closed'

export interface HttpError {
  readonly kind: HttpErrorKind
  /** For the log: includes the system's code (ECONNREFUSED …) where there is one. */
  readonly message: string
  /** A byte of the request may have reached the server: it may have begun to work, and to bill. */
  readonly sent: boolean
  /** A byte of the answer came. */
  readonly answered: boolean
}

export interface HttpRequest {
  /** Stops reading from the connection. What the current socket read brought (up to 512 KB) may still come, `end` included. */
  pause(): void
  resume(): void
  /** Closes the connection at once. Harmless after the end. */
  abort(): void
}

export interface Transport {
  /** Starts a request. @throws TypeError when method, path or a header can't be sent as given (CR, LF, NUL, not latin1). */
  request(options: HttpRequestOptions): HttpRequest
  /** Connections that are open (idle ones included) and idle. */
  stats(): { readonly open: number; readonly idle: number }
  /** Closes idle connections and refuses new requests; running ones go on. */
  close(): void
}
