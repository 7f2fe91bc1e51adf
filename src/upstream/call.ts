/**
 * One upstream HTTP call, from the request to the moment its reply can be handed over.
 *
 *   sent ──head──▶ whole   collect the body ──▶ reply, or failure
 *                  error   collect the body ──▶ failure in the upstream's words
 *                  commit  read frames until one bears content ──▶ live reply; an error, the end or silence before that ──▶ failure
 *   live ──attach──▶ each chunk goes to the sink; the meter looks at frames that can carry usage, a stop, an error or the end
 *
 * A stream is complete only if its own terminal event was seen (B01); EOF alone is a failure. The call owns its timeouts: connect (the
 * transport's), first byte, idle, total.
 */

import { type LiveStream, ReplyCore, type StreamFailure, type StreamSink } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { AttemptFailure } from '../plugin/outcome.ts'
import { type CallOptions, mayEndUnstopped } from './call-options.ts'
import { type Answered, join, limits, looksLikeStream, replyOfError, replyOfNoStream, replyOfWhole } from './collected.ts'
import { Collector } from './collector.ts'
import { ahead, limitAt, unwatch, type Watched, watch } from './deadlines.ts'
import { callFailed, failureOf, lateness, upstreamRefused } from './failure.ts'
import { toReplyHeaders, wanted } from './headers.ts'
import type { HttpError, HttpHandler, HttpRequest } from './http/transport.ts'
import { Meter } from './meter.ts'
import { noteUsage } from './noted-usage.ts'
import { withoutCredentials } from './own-credential.ts'
import { endOfStream } from './stream-end.ts'
import { StreamGuard } from './stream-guard.ts'
import { TranslatedEvents } from './translated-events.ts'

/** Bytes that may wait between commit and attach before the upstream is paused. */
const maxPrelude = 256 * 1024
/** How long an upstream may keep its connection after its own terminal event, in milliseconds. */
const lingerAfterEnd = 1000

/** Until there are some. Never written to: replies made before the head have headers of their own. */
const noHeaders = new Headers()

type State = 'sent' | 'whole' | 'error' | 'commit' | 'live' | 'over'

export class UpstreamCall implements HttpHandler, LiveStream, Watched {
  place = -1
  deadline = Number.POSITIVE_INFINITY
  /** Resolves when the reply can be handed over; never rejects. */
  readonly reply: Promise<ReplyCore>
  /** Called once when the call holds no resources any more. */
  onOver: (() => void) | undefined = undefined
  private state: State = 'sent'
  private readonly resolve: (reply: ReplyCore) => void
  /** The reply was handed over. */
  private resolved = false
  private readonly request: HttpRequest
  private readonly totalDeadline: number
  /** Until there is content; then none. */
  private firstToken: number
  private knownMeter: Meter | undefined = undefined
  private chunks: Uint8Array[] = []
  private size = 0
  private status = 0
  private headers: Headers = noHeaders
  private sink: StreamSink | undefined = undefined
  private paused = false
  readonly translated: TranslatedEvents | undefined
  private knownGuard: StreamGuard | undefined = undefined
  /** The upstream ended inside a frame. */
  private cut = false
  private pendingEnd: { failure: StreamFailure | undefined } | undefined = undefined

  constructor(private readonly options: CallOptions) {
    const { timeouts } = options.upstream
    this.translated = options.translation && new TranslatedEvents(options.dialect, options.translation)
    const now = options.now ?? performance.now()
    this.totalDeadline = limitAt(now, timeouts.total)
    this.firstToken = options.stream ? limitAt(now, timeouts.firstToken) : Number.POSITIVE_INFINITY
    this.deadline = Math.min(this.totalDeadline, this.firstToken, limitAt(now, timeouts.firstByte))
    const { promise, resolve } = Promise.withResolvers<ReplyCore>()
    this.reply = promise
    this.resolve = resolve
    this.request = options.transport.request({
      origin: options.upstream.origin,
      path: options.path,
      method: options.method,
      headers: options.headers,
      body: options.body,
      now: options.now,
      connectTimeout: timeouts.connect,
      wants: wanted,
      handler: this,
    })
    watch(this)
  }

  /** Only streams are metered. */
  private get meter(): Meter {
    return (this.knownMeter ??= new Meter(this.options.dialect, this.options.stream, () => mayEndUnstopped(this.options)))
  }

  private get guard(): StreamGuard {
    return (this.knownGuard ??= new StreamGuard(this.options.headers))
  }

  get dialect(): string {
    return this.options.dialect.name
  }

  head(status: number, headers: Headers): void {
    const { attempt } = this.options
    attempt.status = status
    attempt.headAt = this.elapsed()
    const streamed = headers.get('content-type')?.startsWith('text/event-stream') === true
    const requestId = toReplyHeaders(headers)
    this.headers = headers
    if (requestId !== undefined) attempt.upstreamRequestId = requestId
    this.status = status
    this.touch()
    this.state = status < 200 || status >= 300 ? 'error' : streamed ? 'commit' : 'whole'
  }

  data(chunk: Uint8Array): void {
    try {
      this.take(chunk)
    } catch (error) {
      this.unusable(error)
    }
  }

  private take(chunk: Uint8Array): void {
    this.touch()
    if (this.state === 'whole' && this.size === 0 && looksLikeStream(chunk)) this.state = 'commit' // A15
    switch (this.state) {
      case 'live':
        this.meter.look(chunk)
        if (this.meter.misled) {
          this.cut = true // the chunk stays here, and with it perhaps the rest of a frame
          this.fail('bad_reply', 'upstream_bad_reply', this.meter.error!.message)
          return
        }
        chunk = this.guard.pass(chunk, this.meter)
        if (chunk.length > 0) {
          if (this.sink) this.sink.chunk(chunk)
          else this.keep(chunk)
        }
        if (this.meter.ended) this.linger()
        return
      case 'commit': {
        const content = this.meter.read(chunk)
        this.keep(this.guard.pass(chunk, this.meter))
        if (content && !this.meter.misled) this.commit()
        else if (this.meter.error) this.failedInReply()
        else if (this.size > limits.whole) this.fail('bad_reply', 'upstream_bad_reply', limits.exceeded)
        return
      }
      case 'whole':
        this.keep(chunk)
        if (this.size > limits.whole) this.fail('bad_reply', 'upstream_bad_reply', limits.exceeded)
        return
      case 'error':
        if (this.size < limits.error) this.keep(chunk)
    }
  }

  end(): void {
    try {
      this.finished()
    } catch (error) {
      this.unusable(error) // nobody else would end the call: to the transport it is over
    }
  }

  private finished(): void {
    switch (this.state) {
      case 'live':
        this.finishMeter()
        this.over(this.endOfStream())
        return
      case 'commit':
        if (this.finishMeter()) {
          this.commit()
          this.over(this.endOfStream())
        } else if (this.meter.error) this.failedInReply()
        else this.done(replyOfNoStream(this.answered(), join(this.chunks, this.size), this.elapsed()))
        return
      case 'whole': {
        const now = this.elapsed()
        this.done(replyOfWhole(this.answered(), join(this.chunks, this.size), now), now)
        return
      }
      case 'error':
        this.done(replyOfError(this.answered(), join(this.chunks, this.size)))
    }
  }

  error(error: HttpError): void {
    if (this.state === 'live') this.finishMeter()
    const { failure, code, message } = failureOf(error, this.state === 'live')
    if (this.state === 'live' && this.meter.ended) this.over(this.endOfStream())
    else this.fail(failure, code, message)
  }

  /** A client that leaves before it was sent anything is noticed here, and the end of the process; later its stream is cancelled. */
  tick(): void {
    const { client, ending, upstream } = this.options
    if (ending?.cut) this.abandon('shutting_down', 'The gateway is shutting down, and had no more time for this reply. Try again.')
    else if (!this.resolved && upstream.onDisconnect === 'cancel' && client.signal.aborted)
      this.abandon('client_closed', 'The client has gone.')
  }

  expired(now: number): void {
    const early = this.state === 'sent' ? 'first_byte_timeout' : 'idle_timeout'
    const failure = now >= this.totalDeadline ? 'total_timeout' : now >= this.firstToken ? 'first_token_timeout' : early
    if (this.state === 'live' && this.meter.ended) {
      this.request.abort()
      this.over(this.endOfStream())
    } else this.fail(failure, 'upstream_timeout', lateness[failure])
  }

  // LiveStream

  get ready(): boolean {
    return this.pendingEnd !== undefined && this.pendingEnd.failure === undefined
  }
  get said(): boolean {
    return this.state === 'live' && this.meter.ended && this.meter.complete && this.meter.error === undefined
  }
  attach(sink: StreamSink): void {
    this.sink = sink
    for (const chunk of this.chunks.splice(0)) sink.chunk(chunk)
    if (this.pendingEnd) sink.end(this.pendingEnd.failure)
    else this.resume()
  }
  pause(): void {
    if (this.paused || this.state === 'over') return
    this.paused = true
    this.request.pause()
    this.deadline = this.totalDeadline // a slow client is not a silent upstream
  }
  resume(): void {
    if (!this.paused || this.state === 'over') return
    this.paused = false
    this.touch()
    this.request.resume()
  }
  atBoundary(): boolean {
    return !this.cut && !this.guard.cut && !this.meter.inFrame
  }
  missingEnd(): string {
    // only a stream of OpenAI's can be complete without its end (B02); Gemini's has none
    return this.meter.ended || this.options.dialect.family !== 'openai' ? '' : 'data: [DONE]\n\n'
  }
  cancel(): void {
    if (this.state === 'over') return
    this.request.abort()
    if (!this.said) this.options.attempt.failure ??= 'aborted'
    this.noteMeter()
    this.sink = undefined
    this.close()
  }

  /** Ends the call because its answer is not wanted any more: the client has gone, or a plugin says so. Who reads the stream is told. */
  abandon(code: StreamFailure['code'], message: string): void {
    if (this.state === 'over') return
    if (this.resolved) this.fail('aborted', code === 'client_closed' ? 'upstream_error' : code, message)
    else {
      this.cancel()
      this.answer(callFailed(this.options.attempt, 'aborted', code, message, this.options.family))
    }
  }

  private commit(): void {
    const { attempt } = this.options
    attempt.firstContentAt = this.elapsed()
    this.firstToken = Number.POSITIVE_INFINITY
    this.touch()
    this.noteMeter()
    if (!this.options.stream) {
      this.collect()
      return
    }
    this.state = 'live'
    this.answer(new ReplyCore(true, 200, this.headers, true, { kind: 'live', live: this }, { attempt }))
  }

  /** SSE for a client that asked for a whole reply (A15): read it to the end, then answer whole. */
  private collect(): void {
    const { meter, translated } = this
    const collector = new Collector({
      take: (bytes) => translated?.push(bytes) ?? meter.takeEvents(),
      rest: () => translated?.end() ?? meter.takeEvents(),
      tooMany: () => this.fail('bad_reply', 'upstream_bad_reply', 'The model provider sent too many events.'),
      done: (events, failure) => this.collected(events, failure),
    })
    if (translated) for (const chunk of this.chunks) collector.chunk(chunk)
    else collector.add(meter.takeEvents())
    this.chunks = []
    this.state = 'live'
    meter.keepAll = !translated
    this.sink = collector
  }

  private collected(events: readonly StreamEvent[], failure: StreamFailure | undefined): void {
    const { attempt, family, translation } = this.options
    const fault = translation && events.find((event) => event.type === 'error')
    if (fault?.type === 'error') failure ??= { code: 'upstream_error', message: fault.message, told: false }
    this.headers.delete('content-type')
    if (failure) this.answer(callFailed(attempt, attempt.failure ?? 'truncated', failure.code, failure.message, family))
    else this.answer(new ReplyCore(true, 200, this.headers, false, { kind: 'completed', events }, { attempt }))
  }

  private answered(): Answered {
    const { attempt, dialect, family, headers: sent, translation, stream, upstream } = this.options
    return { attempt, dialect, family, translation, stream, status: this.status, headers: this.headers, ownKey: upstream.ownKey, sent }
  }

  private failedInReply(): void {
    const error = this.meter.error!
    this.request.abort()
    this.done(upstreamRefused(this.answered(), 'error_in_reply', error.status ?? 502, error))
  }

  private fail(failure: AttemptFailure, code: StreamFailure['code'], message: string): void {
    const { attempt, family } = this.options
    this.request.abort()
    if (this.state === 'live') {
      Object.assign(attempt, { failure, message })
      this.over({ code, message, told: false })
    } else this.done(callFailed(attempt, failure, code, message, family))
  }

  private unusable(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    this.fail('bad_reply', 'upstream_bad_reply', `The model provider's answer is not usable: ${reason}.`)
  }

  private endOfStream(): StreamFailure | undefined {
    const failure = endOfStream(this.meter, this.options.attempt, this.options.body)
    return failure && { ...failure, message: withoutCredentials(failure.message, this.options.headers) }
  }

  /** The end of a live stream. */
  private over(failure: StreamFailure | undefined): void {
    if (this.state === 'over') return
    this.noteMeter()
    const sink = this.sink
    this.close()
    if (sink) sink.end(failure)
    else this.pendingEnd = { failure }
  }

  /** The end of a call that never became live. */
  private done(reply: ReplyCore, now?: number): void {
    if (this.state === 'over') return
    this.noteMeter()
    this.close(now)
    this.answer(reply)
  }

  private close(now = this.elapsed()): void {
    this.state = 'over'
    this.options.attempt.endedAt = now
    unwatch(this)
    this.onOver?.()
  }

  private finishMeter(): boolean {
    this.cut ||= this.meter.inFrame
    return this.meter.finish()
  }

  private answer(reply: ReplyCore): void {
    this.resolved = true
    this.resolve(reply)
  }

  private noteMeter(): void {
    if (!this.knownMeter) return
    const { attempt } = this.options
    noteUsage(attempt, this.meter.usage)
    if (this.meter.model !== undefined) attempt.modelServed = this.meter.model
    if (this.meter.id !== undefined) attempt.replyId = this.meter.id
  }

  private keep(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.size += chunk.length
    if (this.state === 'live' && this.size > maxPrelude) this.pause()
  }

  private linger(): void {
    this.deadline = Math.min(this.totalDeadline, performance.now() + lingerAfterEnd)
  }

  private touch(): void {
    if (this.paused) return // what was read before the pause took hold
    const { idle } = this.options.upstream.timeouts
    this.deadline = Math.min(this.totalDeadline, this.firstToken, idle > 0 ? ahead(idle) : Number.POSITIVE_INFINITY)
  }

  private elapsed(): number {
    return performance.now() - this.options.startedAt
  }
}
