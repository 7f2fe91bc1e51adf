/**
 * A live stream to a client that speaks another dialect than the upstream: bytes become events, events pass the plugins, and what
 * they left is written in the client's dialect.
 *
 * Nothing is held back beyond what the client's dialect demands. What an upstream's chunk means leaves as one piece.
 */

import type { StreamEncoder } from '../dialect/codec.ts'
import type { EventPass } from '../pipeline/events.ts'
import type { EventSource, LiveStream, StreamFailure } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { DeliveryEnd, DeliveryOptions } from './delivery.ts'
import { identityOf } from './delivery.ts'
import { Relay, stoppedEnd, unsendable } from './relay.ts'
import { wireError } from './wire-error.ts'

const text = new TextEncoder()

export class TranslatingRelay extends Relay {
  private encoder: StreamEncoder | undefined = undefined
  private seenEnd = false
  /** The model said of itself that it failed, though its stream ended well. */
  private fault: StreamFailure | undefined = undefined

  constructor(
    o: DeliveryOptions,
    upstream: LiveStream,
    private readonly source: EventSource,
    private readonly pass: EventPass | undefined,
  ) {
    super(o, upstream)
  }

  override chunk(bytes: Uint8Array): void {
    if (this.state === 'open') this.events(this.source.push(bytes))
  }

  private events(events: readonly StreamEvent[]): void {
    if (events.length === 0) return
    const { pass } = this
    this.encoder ??= this.o.dialect.encoder(identityOf(this.o, events))
    const told: StreamEvent[] = []
    for (const event of events) {
      if (event.type === 'end') this.seenEnd = true
      if (event.type === 'error') {
        // told by `ending`, once, in the client's words
        this.fault ??= { code: 'upstream_error', message: event.message, told: false }
        continue
      }
      for (const passed of this.passed(event)) told.push(passed)
      if (pass?.stopped) {
        this.stop(this.encoder.encode(told))
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
  private stop(written: string): void {
    this.close()
    this.refused = this.starting
    if (this.starting) return
    this.enqueue(text.encode(written + this.failing(this.pass!.stopped!)))
    this.settle(this.finished())
  }

  protected override finished(): DeliveryEnd {
    return stoppedEnd(this.pass)
  }

  override end(failure?: StreamFailure): void {
    try {
      if (this.state === 'open' && !failure) this.events(this.source.end())
    } catch {
      failure = unsendable
    }
    super.end(failure ?? this.fault)
  }

  protected override ending(failure: StreamFailure | undefined): string {
    this.encoder ??= this.o.dialect.encoder(identityOf(this.o, []))
    if (failure) {
      const held = this.passed({ type: 'error', kind: failure.code, message: failure.message }).filter((e) => e.type !== 'error')
      const { encoder } = this
      const stopped = this.pass?.stopped
      return encoder.encode(held) + (stopped ? this.failing(stopped) : this.errorText(failure))
    }
    return this.seenEnd ? '' : this.encoder.encode(this.passed({ type: 'end' }))
  }

  private passed(event: StreamEvent): readonly StreamEvent[] {
    return this.pass ? this.pass.pass(event) : [event]
  }

  private failing(refusal: Parameters<typeof wireError>[1]): string {
    return this.failureText(wireError(this.o.core, refusal))
  }

  protected override failureFrames(error: Parameters<Relay['failureFrames']>[0]): string {
    return this.encoder?.failure?.(error) ?? super.failureFrames(error)
  }
}
