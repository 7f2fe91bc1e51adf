/**
 * One request and its answer on one connection, or on two when a pooled one turns out dead (A17).
 *
 * Owns the order of callbacks and that exactly one of `end` and `error` comes, backpressure between socket, decoder and
 * handler, and the decision whether the connection can be used again. Where connections come from and go to is the client's.
 */

import { type BodyDecoder, canDecode, createBodyDecoder } from './body-decoder.ts'
import type { Connection, ConnectionUser } from './connection.ts'
import { type ParserSink, ResponseParser } from './parser.ts'
import { requestWrites, scratch } from './request-head.ts'
import { ParseFault, type ResponseHead } from './response-head.ts'
import type { HttpErrorKind, HttpHandler, HttpRequest, HttpRequestOptions } from './transport.ts'

export interface ConnectionSource {
  /** Opens a new connection for the exchange. */
  connect(user: ConnectionUser, request: HttpRequestOptions): Connection
  /** The connection may serve again. */
  release(connection: Connection, keepAliveFor: number | undefined): void
}

/** How long after the request a reused connection may close and still count as having been dead before, in milliseconds. */
const deadWithin = 1000

export class Exchange implements HttpRequest, ConnectionUser, ParserSink {
  private connection: Connection | undefined
  private readonly handler: HttpHandler
  private readonly parser: ResponseParser
  private decoder: BodyDecoder | undefined
  private finished = false
  private paused = false
  private decoderFull = false
  private sent = false
  private answered = false
  private startedAt = 0
  /** Next write, and how much of it is out. */
  private index = 0
  private offset = 0
  private allSent = false

  constructor(
    private readonly source: ConnectionSource,
    private readonly request: HttpRequestOptions,
    /** Made when they are needed, for a small request. */
    private writes: readonly Uint8Array[] | undefined,
  ) {
    this.handler = request.handler
    this.parser = new ResponseParser(this, request.method === 'HEAD', request.wants)
  }

  /**
   * Starts on an idle connection.
   * @param small length of the request, where `smallRequest` has just made it; else -1
   * @param now the monotonic clock
   */
  reuse(connection: Connection, small: number, now: number): void {
    this.connection = connection
    this.startedAt = now
    connection.wake(this)
    if (small < 0) {
      this.flush()
      return
    }
    const taken = connection.write(scratch, 0, small)
    if (taken > 0) this.sent = true
    if (taken === small) {
      this.allSent = true
      return
    }
    // full: `drained` comes; closed: `closed` comes
    this.writes = [Buffer.from(scratch.subarray(0, small))]
    this.offset = Math.max(taken, 0)
  }

  /** Starts on a new connection. */
  connect(): void {
    this.writes ??= requestWrites(this.request)
    this.connection = this.source.connect(this, this.request)
    if (this.paused) this.connection.pause()
  }

  pause(): void {
    if (this.finished || this.paused) return
    this.paused = true
    this.decoder?.pause()
    this.connection?.pause()
  }

  resume(): void {
    if (this.finished || !this.paused) return
    this.paused = false
    this.decoder?.resume()
    if (!this.decoderFull) this.connection?.resume()
  }

  abort(): void {
    if (this.finished) return
    this.finish()
  }

  /** Fails without a connection. */
  fail(kind: HttpErrorKind, message: string): void {
    if (this.finished) return
    this.finish()
    guard(() => this.handler.error({ kind, message, sent: this.sent, answered: this.answered }))
  }

  // ConnectionUser

  opened(connection: Connection): void {
    this.startedAt = performance.now()
    if (this.paused) connection.pause()
    this.flush()
  }

  refused(kind: HttpErrorKind, message: string): void {
    this.connection = undefined
    this.fail(kind, message)
  }

  bytes(chunk: Buffer): void {
    this.answered = true
    try {
      this.parser.push(chunk)
    } catch (error) {
      if (error instanceof ParseFault) this.fail(error.kind, error.message)
      else this.fail('handler', `a callback threw: ${String(error)}`)
      return
    }
    if (this.parser.done) this.complete()
  }

  drained(): void {
    this.flush()
  }

  closed(error: Error | undefined): void {
    const connection = this.connection
    this.connection = undefined
    if (this.finished || connection === undefined) return
    if (error === undefined && this.parser.close()) {
      this.complete()
      return
    }
    // A17: servers close idle connections, and the close may cross our request on the wire. Completions are not idempotent, so the
    // request is sent again, once, on a fresh connection, only if: this connection had served before, not one byte of an
    // answer came, and the close came so soon that it crossed the request (a server that worked on it for longer and then
    // died may have billed it). A fresh connection that closes is never retried.
    if (connection.reused && !this.answered && performance.now() - this.startedAt < deadWithin) {
      this.index = 0
      this.offset = 0
      this.allSent = false
      this.connect()
      return
    }
    this.fail(
      'reset',
      this.answered ? `connection closed inside the response${reason(error)}` : `connection closed before the response${reason(error)}`,
    )
  }

  // ParserSink

  head(head: ResponseHead, hasBody: boolean): void {
    if (this.finished) return
    if (head.coding !== undefined && hasBody) {
      if (!canDecode(head.coding)) throw new ParseFault('protocol', `unknown content-encoding ${JSON.stringify(head.coding.slice(0, 40))}`)
      head.headers.delete('content-encoding')
      head.headers.delete('content-length')
      this.decoder = createBodyDecoder(head.coding, {
        data: (chunk) => this.deliver(chunk),
        end: () => this.ended(),
        error: (message) => this.fail('protocol', message),
        drain: () => {
          this.decoderFull = false
          if (!this.paused) this.connection?.resume()
        },
      })
    }
    this.handler.head(head.status, head.headers)
    if (this.paused) this.decoder?.pause()
  }

  body(chunk: Buffer): void {
    if (this.finished) return
    if (this.decoder === undefined) this.handler.data(chunk)
    else if (!this.decoder.write(chunk) && !this.decoderFull) {
      this.decoderFull = true
      this.connection?.pause()
    }
  }

  // own

  /** Decoded bytes come outside of `bytes`, so a throwing callback is caught here. */
  private deliver(chunk: Uint8Array): void {
    if (this.finished) return
    try {
      this.handler.data(chunk)
    } catch (error) {
      this.fail('handler', `a callback threw: ${String(error)}`)
    }
  }

  private flush(): void {
    const { connection, writes } = this
    if (connection === undefined || writes === undefined || this.finished || this.allSent) return
    while (this.index < writes.length) {
      const piece = writes[this.index] as Uint8Array
      const taken = connection.write(piece, this.offset, piece.length)
      if (taken <= 0) return // full: `drained` comes; closed: `closed` comes
      this.sent = true
      this.offset += taken
      if (this.offset < piece.length) return
      this.index += 1
      this.offset = 0
    }
    this.allSent = true
  }

  /** The response is complete by its framing: gives the connection away, then tells the handler. */
  private complete(): void {
    if (this.finished) return
    const { connection, decoder } = this
    this.connection = undefined
    if (connection !== undefined) {
      if (this.paused || this.decoderFull) connection.resume()
      // An answer to a request that is not fully sent (413 …) is delivered, but the rest of the request can't be taken back.
      if (!this.allSent) connection.abort()
      else if (this.parser.reusable) this.source.release(connection, this.parser.keepAliveFor)
      else connection.end()
    }
    if (decoder === undefined) this.ended()
    else decoder.finish()
  }

  private ended(): void {
    if (this.finished) return
    this.finish()
    try {
      this.handler.end(this.parser.delimited)
    } catch {
      // after the last callback there is nobody left to tell
    }
  }

  private finish(): void {
    this.finished = true
    this.decoder?.destroy()
    const { connection } = this
    this.connection = undefined
    connection?.abort()
  }
}

/** After the last callback there is nobody left to tell. */
function guard(last: () => void): void {
  try {
    last()
  } catch {}
}

function reason(error: Error | undefined): string {
  return error === undefined ? '' : ` (${error.message})`
}
