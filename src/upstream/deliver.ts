/**
 * From a reply to an HTTP response: the last thing that happens to an answer.
 *
 *   refusal, error body ─▶ ready bytes
 *   whole               ─▶ ready bytes, through the event pass when a plugin looks at events
 *   completed           ─▶ encoded whole or as a stream, through the event pass
 *   live                ─▶ raw relay, or frame by frame through the event pass
 *
 * `onEnd` is called exactly once per delivery, when the last byte is handed over or the client has gone. A stream that fails after
 * content ends with the dialect's own error frame, at a frame boundary (B08, B09, A11); nothing invented looks like success (B01).
 */

import type { DecodedWhole, Dialect, ReplyIdentity, StreamEncoder } from '../dialect/codec.ts'
import { SseReader } from '../dialect/sse.ts'
import type { ExchangeCore } from '../pipeline/core.ts'
import { EventPass } from '../pipeline/events.ts'
import type { LiveStream, ReplyCore, StreamFailure, StreamSink } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { Refusal } from '../plugin/reply.ts'
import { statusOf } from './failure.ts'
import { wireError } from './wire-error.ts'

/** How the delivery ended. */
export interface DeliveryEnd {
  readonly end: 'finished' | 'failed' | 'abandoned' | 'refused'
  readonly code?: RefusalCode | undefined
  readonly message?: string | undefined
  readonly by?: string | undefined
}

export interface DeliveryOptions {
  readonly core: ExchangeCore
  readonly reply: ReplyCore
  /** The client's dialect. */
  readonly dialect: Dialect
  /** Chat: the client asked for the usage-only chunk. */
  includeUsage(): boolean
  /** The upstream goes on, unseen, when the client leaves a live stream. */
  readonly drain: boolean
  onEnd(end: DeliveryEnd): void
}

/** Bytes that may wait for a slow client before its upstream is paused. */
const highWater = 256 * 1024
/** Milliseconds. */
const patience = 20
const text = new TextEncoder()

const finished: DeliveryEnd = { end: 'finished' }
const unsendable: StreamFailure = {
  code: 'internal_error',
  message: 'The gateway failed at the end of this reply. Name the request id to the operator.',
  told: false,
}

/** Makes the response. */
export function deliver(options: DeliveryOptions): Response {
  const { reply } = options
  switch (reply.source.kind) {
    case 'refusal':
      return refused(options, reply.source.refusal, reply.source.upstream)
    case 'whole':
      return whole(options, reply.source.body, reply.source.error)
    case 'completed':
      return completed(options, reply.source.events)
    case 'live':
      return live(options, reply.source.live)
  }
}

function refused(o: DeliveryOptions, refusal: Refusal, upstream?: { readonly type?: string; readonly code?: string }): Response {
  const body = o.dialect.errorBody(wireError(o.core, refusal, upstream))
  o.reply.headers.set('content-type', 'application/json')
  if (refusal.retryAfter !== undefined) o.reply.headers.set('retry-after', String(Math.max(0, Math.ceil(refusal.retryAfter))))
  const failedUpstream = o.reply.attempt !== undefined
  return send(o, text.encode(body), {
    end: failedUpstream ? 'failed' : 'refused',
    code: refusal.code,
    message: refusal.message,
    ...(o.reply.by !== undefined && { by: o.reply.by }),
  })
}

function whole(o: DeliveryOptions, body: Uint8Array, error: boolean): Response {
  const { core, reply, dialect } = o
  if (!reply.headers.has('content-type')) reply.headers.set('content-type', 'application/json')
  if (error) {
    return send(o, body, {
      end: 'failed',
      ...(reply.code && { code: reply.code }),
      ...(reply.message !== undefined && { message: reply.message }),
    })
  }
  core.firstContentAt = core.elapsed()
  const pass = EventPass.for(core, reply.origin)
  const decoded = pass && dialect.decodeWhole(body)
  if (!pass || !decoded) return send(o, body, finished)
  return wholeThrough(o, body, pass, decoded)
}

function wholeThrough(o: DeliveryOptions, body: Uint8Array, pass: EventPass, decoded: DecodedWhole): Response {
  const after = decoded.events.map((event) => pass.pass(event))
  if (pass.stopped) return stoppedWhole(o, pass.stopped, pass.stoppedBy)
  const changed = after.some((list, i) => list.length !== 1 || list[0] !== decoded.events[i])
  return send(o, changed ? decoded.apply(after) : body, { end: 'finished' })
}

function completed(o: DeliveryOptions, events: readonly StreamEvent[]): Response {
  const { core, reply, dialect } = o
  core.firstContentAt = core.elapsed()
  const pass = EventPass.for(core, reply.origin)
  let passed = events
  if (pass) {
    // an answer of a plugin may lack the end, at which text that is held back is let go
    const ended = events.some((e) => e.type === 'end') ? events : [...events, { type: 'end' } as const]
    passed = ended.flatMap((event) => pass.pass(event))
    if (pass.stopped) return stoppedWhole(o, pass.stopped, pass.stoppedBy)
  }
  const identity = identityOf(o, events)
  const end: DeliveryEnd = reply.by === undefined ? { end: 'finished' } : { end: 'finished', by: reply.by }
  if (!reply.stream) {
    reply.headers.set('content-type', 'application/json')
    return send(o, text.encode(dialect.encodeWhole(passed, identity)), end)
  }
  streamHeaders(reply.headers)
  const ended = passed.some((e) => e.type === 'end') ? passed : [...passed, { type: 'end' } as const]
  return send(o, text.encode(dialect.encoder(identity).encode(ended)), end)
}

/** A plugin stopped an answer of which nothing has left yet: a plain HTTP error. */
function stoppedWhole(o: DeliveryOptions, refusal: Refusal, by: string | undefined): Response {
  o.reply.headers.set('content-type', 'application/json')
  o.reply.status = statusOf(refusal, o.dialect.family)
  return send(o, text.encode(o.dialect.errorBody(wireError(o.core, refusal))), {
    end: 'refused',
    code: refusal.code,
    message: refusal.message,
    ...(by !== undefined && { by }),
  })
}

function send(o: DeliveryOptions, body: Uint8Array, end: DeliveryEnd): Response {
  o.core.bytesOut = body.length
  const gone = clientHasGone(o)
  const response = new Response(body as Uint8Array<ArrayBuffer>, { status: o.reply.status, headers: o.reply.headers })
  o.onEnd(gone && end.end !== 'failed' ? { end: 'abandoned' } : end)
  return response
}

/** Asked for only when the client had time to go: its signal costs. */
function clientHasGone(o: DeliveryOptions): boolean {
  return o.core.elapsed() > patience && o.core.signal.aborted
}

function streamHeaders(headers: Headers): void {
  headers.set('content-type', 'text/event-stream; charset=utf-8')
  headers.set('cache-control', 'no-cache, no-transform')
  headers.set('x-accel-buffering', 'no')
}

function identityOf(o: DeliveryOptions, events: readonly StreamEvent[]): ReplyIdentity {
  const start = events.find((e) => e.type === 'start')
  return {
    id: (start?.type === 'start' && start.id) || o.core.id,
    model: (start?.type === 'start' && start.model) || o.reply.attempt?.modelServed || o.core.modelAsked || '',
    created: Math.floor(o.core.receivedAt / 1000),
    includeUsage: o.includeUsage(),
  }
}

// Live streams

function live(o: DeliveryOptions, upstream: LiveStream): Response {
  streamHeaders(o.reply.headers)
  o.core.firstContentAt = o.core.elapsed()
  const pass = EventPass.for(o.core, o.reply.origin)
  const relay = pass ? new EventRelay(o, upstream, pass) : new RawRelay(o, upstream)
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => relay.start(controller),
      pull: () => relay.pull(),
      cancel: () => relay.cancel(),
    },
    { highWaterMark: highWater, size: (chunk) => chunk?.length ?? 0 },
  )
  if (relay.refused && pass?.stopped) {
    // stopped by what had come before the head could leave: an HTTP error says it better than a stream
    o.core.bytesOut = 0
    for (const name of ['cache-control', 'x-accel-buffering']) o.reply.headers.delete(name)
    return stoppedWhole(o, pass.stopped, pass.stoppedBy)
  }
  relay.starting = false
  return new Response(body, { status: o.reply.status, headers: o.reply.headers })
}

/**
 * A live stream on its way to the client.
 *
 *   open ──upstream done──▶ closed (finished, or an error frame and failed)
 *     └──client gone──▶ draining (policy drain) or closed (abandoned)
 */
abstract class Relay implements StreamSink {
  protected controller!: ReadableStreamDefaultController<Uint8Array>
  protected state: 'open' | 'draining' | 'closed' = 'open'
  /** The head has not left yet. */
  starting = true
  /** A plugin ended the reply before that. */
  refused = false

  constructor(
    protected readonly o: DeliveryOptions,
    protected readonly upstream: LiveStream,
  ) {}

  abstract chunk(bytes: Uint8Array): void
  /** Bytes that end the stream as the dialect says, after the upstream's last byte. */
  protected abstract ending(failure: StreamFailure | undefined): string

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.controller = controller
    if (clientHasGone(this.o)) this.clientGone()
    if (this.state !== 'closed') this.upstream.attach(this)
  }

  pull(): void {
    if (this.state === 'open') this.upstream.resume()
  }

  cancel(): void {
    this.clientGone()
  }

  clientGone(): void {
    if (this.state !== 'open') return
    if (this.o.drain) {
      this.state = 'draining'
      this.upstream.resume()
      return
    }
    this.state = 'closed'
    this.upstream.cancel()
    this.o.onEnd({ end: 'abandoned' })
  }

  end(failure?: StreamFailure): void {
    if (this.state === 'closed') return
    const gone = this.state === 'draining'
    this.state = 'closed'
    if (gone) {
      this.o.onEnd({ end: 'abandoned' })
      return
    }
    let last: string
    try {
      last = this.ending(failure)
    } catch {
      // whatever a plugin made of it, the exchange settles
      failure = unsendable
      last = this.errorText(failure)
    }
    if (last.length > 0) this.enqueue(text.encode(last))
    this.controller.close()
    this.o.onEnd(failure ? { end: 'failed', code: failure.code, message: failure.message } : this.finished())
  }

  /** How a stream ended that did not fail. */
  protected finished(): DeliveryEnd {
    return finished
  }

  protected enqueue(bytes: Uint8Array): void {
    this.o.core.bytesOut += bytes.length
    this.controller.enqueue(bytes)
    if (this.controller.desiredSize! <= 0) this.upstream.pause()
  }

  protected errorText(failure: StreamFailure): string {
    return this.o.dialect.errorFrames({ code: failure.code, message: failure.message, requestId: this.o.core.id })
  }
}

/** Bytes as they came. */
class RawRelay extends Relay {
  override chunk(bytes: Uint8Array): void {
    if (this.state !== 'open') return
    this.enqueue(bytes)
  }

  protected override ending(failure: StreamFailure | undefined): string {
    const gap = this.upstream.atBoundary() ? '' : '\n\n'
    if (!failure) return gap + this.upstream.missingEnd()
    return failure.told ? gap : gap + this.errorText(failure)
  }
}

/** Frame by frame through the plugins; frames that nobody changed leave as they came. */
class EventRelay extends Relay {
  private readonly reader = new SseReader()
  private readonly decoder
  private encoder: StreamEncoder | undefined = undefined
  private seenEnd = false

  constructor(
    o: DeliveryOptions,
    upstream: LiveStream,
    private readonly pass: EventPass,
  ) {
    super(o, upstream)
    this.decoder = o.dialect.decoder()
  }

  override chunk(bytes: Uint8Array): void {
    if (this.state !== 'open') return
    this.frames(this.reader.push(bytes))
  }

  private frames(frames: ReturnType<SseReader['push']>): void {
    let pending = ''
    for (const frame of frames) {
      const before = this.decoder.decode(frame)
      this.encoder ??= this.o.dialect.encoder(identityOf(this.o, before))
      const after: StreamEvent[] = []
      let changed = false
      for (const event of before) {
        if (event.type === 'end') this.seenEnd = true
        const out = this.pass.pass(event)
        if (out.length !== 1 || out[0] !== event) changed = true
        for (const e of out) after.push(e)
        if (this.pass.stopped) break
      }
      if (this.pass.stopped) {
        this.stop(pending, this.pass.stopped)
        return
      }
      if (changed || this.encoder.rewriting) {
        pending += this.encoder.encode(after, { frame, before })
        continue
      }
      if (pending.length > 0) {
        this.enqueue(text.encode(pending))
        pending = ''
      }
      this.encoder.observe(frame, before)
      this.enqueue(frame.raw)
    }
    if (pending.length > 0) this.enqueue(text.encode(pending))
  }

  /** A plugin ended the reply in mid-stream. */
  private stop(pending: string, refusal: Refusal): void {
    this.state = 'closed'
    this.upstream.cancel()
    this.refused = this.starting
    if (this.starting) return
    this.enqueue(text.encode(pending + this.o.dialect.errorFrames(wireError(this.o.core, refusal))))
    this.controller.close()
    this.o.onEnd(this.finished())
  }

  /** A plugin may stop the reply as late as at its end. */
  protected override finished(): DeliveryEnd {
    const { stopped, stoppedBy: by } = this.pass
    if (!stopped) return finished
    return { end: 'refused', code: stopped.code, message: stopped.message, ...(by !== undefined && { by }) }
  }

  override end(failure?: StreamFailure): void {
    // half a frame of a stream that broke is not passed on: the error would become a part of it
    try {
      if (this.state === 'open' && (!failure || failure.told)) this.frames(this.reader.end())
    } catch {
      failure = unsendable
    }
    super.end(failure)
  }

  protected override ending(failure: StreamFailure | undefined): string {
    const gap = this.upstream.atBoundary() ? '' : '\n\n'
    if (failure?.told || (!failure && this.seenEnd)) return gap
    this.encoder ??= this.o.dialect.encoder(identityOf(this.o, []))
    if (failure) {
      // the plugins hear of it, and text that is held back is let go
      const held = this.pass.pass({ type: 'error', kind: failure.code, message: failure.message }).filter((e) => e.type !== 'error')
      const { stopped } = this.pass
      const last = stopped ? this.o.dialect.errorFrames(wireError(this.o.core, stopped)) : this.errorText(failure)
      return gap + this.encoder.encode(held) + last
    }
    return gap + this.encoder.encode(this.pass.pass({ type: 'end' }))
  }
}
