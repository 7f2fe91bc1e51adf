/**
 * A live stream on its way to the client: the state machine that all ways of relaying share, and the plainest of them.
 *
 *   RawRelay          bytes as they came
 *   EventRelay        frame by frame through the plugins; frames that nobody changed leave as they came (`event-relay.ts`)
 *   TranslatingRelay  events of another dialect, written in the client's (`translating-relay.ts`)
 *
 * Ends exactly once (`onEnd`). A stream that fails after content ends with the dialect's own error frame, at a frame boundary (B08, B09, A11);
 * nothing invented looks like success (B01).
 */

import type { WireError } from '../dialect/codec.ts'
import type { EventPass } from '../pipeline/events.ts'
import type { LiveStream, StreamFailure, StreamSink } from '../pipeline/reply-core.ts'
import { clientHasGone, type DeliveryEnd, type DeliveryOptions } from './delivery.ts'
import { Heartbeat, heartbeat } from './heartbeat.ts'

const text = new TextEncoder()

const finished: DeliveryEnd = { end: 'finished' }
export const unsendable: StreamFailure = {
  code: 'internal_error',
  message: 'The gateway failed at the end of this reply. Name the request id to the operator.',
  told: false,
}

/** Where a relay puts what leaves. */
export interface Outlet {
  /** Room for so many bytes more; 0 or less: the upstream is to wait. */
  readonly desiredSize: number | null
  enqueue(bytes: Uint8Array): void
  close(): void
}

/** How a stream ended that did not fail: a plugin may stop a reply as late as at its end. */
export function stoppedEnd(pass: EventPass | undefined): DeliveryEnd {
  if (!pass?.stopped) return finished
  const { stopped, stoppedBy: by } = pass
  return { end: 'refused', code: stopped.code, message: stopped.message, ...(by !== undefined && { by }) }
}

/**
 * A live stream on its way to the client.
 *
 *   open ──upstream done──▶ closed (finished, or an error frame and failed)
 *     └──client gone──▶ draining (policy drain) or closed (abandoned)
 */
export abstract class Relay implements StreamSink {
  protected controller!: Outlet
  protected state: 'open' | 'draining' | 'closed' = 'open'
  /** The head has not left yet. */
  starting = true
  /** A plugin ended the reply before that. */
  refused = false
  private heartbeat: Heartbeat | undefined = undefined

  constructor(
    protected readonly o: DeliveryOptions,
    protected upstream: LiveStream,
  ) {}

  abstract chunk(bytes: Uint8Array): void
  /** Bytes that end the stream as the dialect says, after the upstream's last byte. */
  protected abstract ending(failure: StreamFailure | undefined): string

  start(controller: Outlet): void {
    this.controller = controller
    if (clientHasGone(this.o)) this.clientGone()
    if (this.state !== 'closed') this.upstream.attach(this)
    if (this.state === 'open') this.alive()
  }

  /** The upstream lives: its silence gets signs of that. */
  protected alive(): void {
    this.heartbeat?.stop()
    const { heartbeat: every } = this.o
    if (every > 0) this.heartbeat = new Heartbeat(every, () => this.beat())
  }
  /** It does not. */
  protected quiet(): void {
    this.heartbeat?.stop()
    this.heartbeat = undefined
  }

  /** Says that the stream lives: between frames, and only where nothing waits to be sent anyway. */
  private beat(): void {
    if (this.state === 'open' && this.upstream.atBoundary() && this.controller.desiredSize! > 0) this.enqueue(heartbeat)
  }

  pull(): void {
    if (this.state === 'open') this.upstream.resume()
  }

  cancel(): void {
    this.clientGone()
  }

  clientGone(): void {
    if (this.state !== 'open') return
    this.heartbeat?.stop()
    if (this.upstream.said && this.o.core.bytesOut > 0 && this.controller.desiredSize! > 0) {
      // it left with all of it, as clients do: only the upstream's connection is still open
      this.close()
      this.o.onEnd(this.finished())
      return
    }
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
    this.heartbeat?.stop()
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
    this.settle(failure ? { end: 'failed', code: failure.code, message: failure.message } : this.finished())
  }

  /** A plugin has ended the reply well: this is the last that the client gets, and the upstream is called off. */
  protected finishEarly(last: string): void {
    this.close()
    if (last.length > 0) this.enqueue(text.encode(last))
    this.settle(this.finished())
  }

  /** All is handed over: settles, and ends the answer, now or when that is done. */
  protected settle(end: DeliveryEnd): void {
    if (!this.o.core.holdsEnd) this.controller.close()
    void this.o.onEnd(end)?.then(() => this.closeHeld())
  }
  private closeHeld(): void {
    try {
      this.controller.close()
    } catch {
      // the client has gone meanwhile
    }
  }

  /** Nothing more is wanted of the upstream. */
  protected close(): void {
    this.state = 'closed'
    this.heartbeat?.stop()
    this.upstream.cancel()
  }

  /** How a stream ended that did not fail. */
  protected finished(): DeliveryEnd {
    return finished
  }

  protected enqueue(bytes: Uint8Array): void {
    this.o.core.bytesOut += bytes.length
    this.heartbeat?.heard()
    this.controller.enqueue(bytes)
    if (this.controller.desiredSize! <= 0) this.upstream.pause()
  }

  protected errorText(failure: StreamFailure): string {
    return this.failureText({ code: failure.code, message: failure.message, requestId: this.o.core.id })
  }

  protected failureText(error: WireError): string {
    const { dialect, errors } = this.o
    return this.failureFrames(errors.spelled(error, dialect.family))
  }

  protected failureFrames(error: WireError): string {
    return this.o.dialect.errorFrames(error)
  }
}

/** Bytes as they came. */
export class RawRelay extends Relay {
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
