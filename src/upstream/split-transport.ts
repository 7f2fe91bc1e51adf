/**
 * A transport for a request that an upstream takes in several calls only (embeddings, a few inputs at a time): one answer made of all of theirs.
 *
 *   one request ──▶ n calls, some at a time ──▶ all 2xx: one head, and the bodies as the items of a JSON array, in order
 *                                          └──▶ first failure: it is the answer, and the other calls are ended; what was answered is told
 *
 * Replies are collected, so this is for whole ones. To the call above it all is one call: its time limits hold for all of them together.
 */

import { limits } from './collected.ts'
import type { HeaderLines, HttpError, HttpHandler, HttpRequest, HttpRequestOptions, Transport } from './http/transport.ts'

/** Calls at a time: enough to hide their round trips, too few to meet a limit of their number. */
const atOnce = 8

/** What one call carries; its headers may have to be waited for, when each is signed. */
export type PartHeaders = (body: Uint8Array) => Headers | HeaderLines | Promise<Headers | HeaderLines>

/**
 * Told when a request fails of which some calls were answered well: they are paid for.
 * @param answers in the form of the one answer
 * @param all no other call was under way
 */
export type Wasted = (answers: Uint8Array, all: boolean) => void

/**
 * @param bodies those of the calls, at least two
 * @param headersOf headers of one call; those of the request when absent. Rejects when there is no credential, which ends the request.
 */
export function splitTransport(transport: Transport, bodies: readonly Uint8Array[], headersOf?: PartHeaders, wasted?: Wasted): Transport {
  return { ...transport, request: (options) => new SplitRequest(transport, options, bodies, headersOf, wasted) }
}

class SplitRequest implements HttpRequest {
  private readonly running = new Map<number, HttpRequest>()
  private readonly replies: Uint8Array[][]
  /** Calls whose reply is there in full. */
  private readonly answered = new Set<number>()
  private next = 0
  private left: number
  private size = 0
  /** The answer is settled: replies of other calls mean nothing any more. */
  private over = false
  private aborted = false
  private firstHeaders: Headers | undefined = undefined

  constructor(
    private readonly transport: Transport,
    private readonly options: HttpRequestOptions,
    private readonly bodies: readonly Uint8Array[],
    private readonly headersOf: PartHeaders | undefined,
    private readonly wasted: Wasted | undefined,
  ) {
    this.replies = bodies.map(() => [])
    this.left = bodies.length
    // nothing may be called before the request has returned
    queueMicrotask(() => {
      for (let i = 0; i < atOnce; i++) this.start()
    })
  }

  pause(): void {} // nothing is passed on before all is there
  resume(): void {}

  abort(): void {
    this.aborted = true
    this.settle(-1)
  }

  private start(): void {
    if (this.over || this.next >= this.bodies.length) return
    const index = this.next++
    const body = this.bodies[index]!
    try {
      const headers = this.headersOf ? this.headersOf(body) : this.options.headers
      if (headers instanceof Promise) {
        headers.then(
          (ready) => this.send(index, body, ready),
          (error) => this.broken(error),
        )
      } else this.send(index, body, headers)
    } catch (error) {
      this.broken(error)
    }
  }

  private send(index: number, body: Uint8Array, headers: HttpRequestOptions['headers']): void {
    if (this.over) return
    try {
      this.running.set(index, this.transport.request({ ...this.options, headers, body: [body], handler: this.part(index) }))
    } catch (error) {
      this.broken(error)
    }
  }

  private part(index: number): HttpHandler {
    const { handler } = this.options
    /** This call failed, and its answer is that of the request. */
    let passed = false
    return {
      head: (status, headers) => {
        if (status >= 200 && status < 300) {
          this.firstHeaders ??= headers
          return
        }
        passed = true
        this.settle(index)
        handler.head(status, headers)
      },
      data: (chunk) => {
        if (passed) handler.data(chunk)
        else this.keep(index, chunk)
      },
      end: (delimited) => {
        this.running.delete(index)
        if (passed) handler.end(delimited)
        else this.done(index)
      },
      error: (error) => {
        this.running.delete(index)
        if (passed) handler.error(error)
        else this.failed(error)
      },
    }
  }

  private keep(index: number, chunk: Uint8Array): void {
    if (this.over) return
    this.size += chunk.length
    if (this.size > limits.whole)
      this.failed({ kind: 'protocol', message: 'the replies are too large together', sent: true, answered: true })
    else this.replies[index]!.push(chunk)
  }

  private done(index: number): void {
    if (this.over) return
    this.answered.add(index)
    if (--this.left > 0) {
      this.start()
      return
    }
    this.over = true
    const { handler } = this.options
    handler.head(200, this.firstHeaders!)
    for (const chunk of listOf(this.replies)) if (!this.aborted) handler.data(chunk)
    if (!this.aborted) handler.end(true)
  }

  private broken(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    this.failed({ kind: 'closed', message, sent: this.next > 1, answered: false })
  }

  private failed(error: HttpError): void {
    if (this.over) return
    this.settle(-1)
    this.options.handler.error(error)
  }

  /** Ends all calls but one. */
  private settle(except: number): void {
    if (!this.over && this.answered.size > 0) {
      const answers = this.replies.filter((_, index) => this.answered.has(index))
      const others = [...this.running.keys()].some((index) => index !== except)
      this.wasted?.(Buffer.concat([...listOf(answers)]), !others)
    }
    this.over = true
    for (const [index, request] of this.running) {
      if (index === except) continue
      this.running.delete(index)
      request.abort()
    }
  }
}

/** Replies as the items of a JSON array. */
function* listOf(replies: readonly (readonly Uint8Array[])[]): Generator<Uint8Array> {
  let separator = '['
  for (const chunks of replies) {
    yield Buffer.from(separator)
    yield* chunks
    separator = ','
  }
  yield Buffer.from(']')
}
