/**
 * A live stream on its way to the client that can be written from events alone: through the plugins, into the client's dialect.
 *
 *   open ──broke off──▶ resuming ──a reply──▶ open, its events behind those that the client has
 *                          ├──none──▶ ended with the error
 *                          └──client gone──▶ closed
 *
 * Nothing is held back beyond what the client's dialect demands. Whether and how to go on is for plugins; what they find is joined here.
 */

import type { StreamEncoder, WireError } from '../dialect/codec.ts'
import type { EventPass } from '../pipeline/events.ts'
import type { EventSource, LiveStream, ReplyCore, StreamFailure } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { Refusal } from '../plugin/reply.ts'
import { type DeliveryEnd, type DeliveryOptions, identityOf, type Resumption } from './delivery.ts'
import { Relay, stoppedEnd, unsendable } from './relay.ts'
import { NativeSource, noSource, Seam } from './seam.ts'
import { wireError } from './wire-error.ts'

const text = new TextEncoder()
/** UTF-16 code units of text that are kept to go on from; of more nobody goes on. */
const mostSaid = 1024 * 1024

export abstract class EncodingRelay extends Relay {
  protected encoder: StreamEncoder | undefined = undefined
  protected seenEnd = false
  /** The model said of itself that it failed, though its stream ended well. */
  private fault: StreamFailure | undefined = undefined
  private resuming: Resumption | undefined = undefined
  private said = ''
  private calls = 0

  constructor(
    o: DeliveryOptions,
    upstream: LiveStream,
    protected readonly pass: EventPass | undefined,
    /** What the bytes mean; absent while frames are forwarded as received. */
    protected source: EventSource | undefined,
  ) {
    super(o, upstream)
  }

  override chunk(bytes: Uint8Array): void {
    if (this.state === 'open') this.events(this.source!.push(bytes))
  }

  /** Keeps up with what is told, where somebody may have to go on with it. */
  protected follow(event: StreamEvent): void {
    if (event.type === 'text' && this.said.length <= mostSaid) this.said += event.text
    else if (event.type === 'tool_call') this.calls = Math.max(this.calls, event.index + 1)
  }

  protected events(events: readonly StreamEvent[]): void {
    if (events.length === 0) return
    const { pass, o } = this
    this.encoder ??= o.dialect.encoder(identityOf(o, events))
    const told: StreamEvent[] = []
    for (const event of events) {
      if (event.type === 'end') this.seenEnd = true
      if (event.type === 'error') {
        // told by `ending`, once, in the client's words
        this.fault ??= { code: 'upstream_error', message: event.message, told: false }
        continue
      }
      if (o.resumable) this.follow(event)
      for (const passed of this.passed(event)) told.push(passed)
      if (pass?.stopped) {
        this.stop(this.encoder.encode(told), pass.stopped)
        return
      }
      if (pass?.over) {
        this.finishEarly(this.encoder.encode(told))
        return
      }
    }
    // in one piece: what a chunk says of usage may belong into a frame that comes before its text
    const written = this.encoder.encode(told)
    if (written !== '') this.enqueue(text.encode(written))
  }

  /** A plugin ended the reply in mid-stream. */
  protected stop(written: string, refusal: Refusal): void {
    this.close()
    this.refused = this.starting
    if (this.starting) return
    this.enqueue(text.encode(written + this.failing(refusal)))
    this.settle(this.finished())
  }

  protected override finished(): DeliveryEnd {
    return stoppedEnd(this.pass)
  }

  override end(failure?: StreamFailure): void {
    try {
      if (this.state === 'open' && !failure && this.source) this.events(this.source.end())
    } catch {
      failure = unsendable
    }
    const broken = failure ?? this.fault
    if (!broken || !this.resumes(broken)) super.end(broken)
  }

  /** Asks for somebody who goes on with a stream that broke off. */
  private resumes(failure: StreamFailure): boolean {
    const { o } = this
    if (!o.resumable || this.state !== 'open' || this.seenEnd || failure === unsendable || this.said.length > mostSaid) return false
    this.quiet()
    const resumption = o.resume(failure, this.said)
    this.resuming = resumption
    const goOn = (reply: ReplyCore | undefined): void => {
      const wanted = this.resuming === resumption && this.state === 'open'
      this.resuming = undefined
      if (!wanted) reply?.discard()
      else if (!reply || !this.goesOn(reply, resumption)) this.givenUp(failure)
    }
    // whatever becomes of it, the exchange settles
    resumption.reply.then(goOn).catch(() => this.givenUp(unsendable))
    return true
  }

  /** Nobody goes on: the client is told what happened. */
  protected givenUp(failure: StreamFailure): void {
    super.end(failure)
  }

  private goesOn({ source, attempt }: ReplyCore, before: Resumption): boolean {
    if (source.kind !== 'live' && source.kind !== 'completed') return false
    this.fault = undefined
    const { o } = this
    this.encoder ??= o.dialect.encoder(identityOf(o, []))
    if (!this.source) this.encoder.takeOver?.()
    if (source.kind === 'completed') {
      const seam = new Seam(noSource, before, this.calls, attempt)
      this.source = seam
      this.events(seam.joined(source.events))
      if (this.state === 'open') this.end()
      return true
    }
    const { live } = source
    this.source = new Seam(live.translated ?? new NativeSource(o.dialect), before, this.calls, attempt)
    this.upstream = live
    this.alive()
    live.attach(this)
    return true
  }

  override clientGone(): void {
    const { resuming } = this
    if (!resuming || this.state !== 'open') {
      super.clientGone()
      return
    }
    this.resuming = undefined
    resuming.cancel()
    this.close()
    this.o.onEnd({ end: 'abandoned' })
  }

  protected override ending(failure: StreamFailure | undefined): string {
    this.encoder ??= this.o.dialect.encoder(identityOf(this.o, []))
    if (failure) {
      // the plugins hear of it, and text that is held back is let go
      const held = this.passed({ type: 'error', kind: failure.code, message: failure.message }).filter((e) => e.type !== 'error')
      const { encoder } = this
      const stopped = this.pass?.stopped
      return encoder.encode(held) + (stopped ? this.failing(stopped) : this.errorText(failure))
    }
    return this.seenEnd ? '' : this.encoder.encode(this.passed({ type: 'end' }))
  }

  protected passed(event: StreamEvent): readonly StreamEvent[] {
    return this.pass ? this.pass.pass(event) : [event]
  }

  private failing(refusal: Refusal): string {
    return this.failureText(wireError(this.o.core, refusal))
  }

  protected override failureFrames(error: WireError): string {
    return this.encoder?.failure?.(error) ?? super.failureFrames(error)
  }
}
