/**
 * A live stream in the client's own dialect, frame by frame through the plugins; frames that nobody changed leave as they came, but
 * errors that the operator spells otherwise.
 *
 * Once another stream goes on with it there are no frames of the client's stream any more: from then on it is written from events.
 */

import type { StreamDecoder } from '../dialect/codec.ts'
import { parseJson } from '../dialect/shape.ts'
import { type SseFrame, SseReader } from '../dialect/sse.ts'
import { errorIn } from '../dialect/upstream-error.ts'
import type { EventPass } from '../pipeline/events.ts'
import type { LiveStream, StreamFailure } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'
import { type DeliveryOptions, identityOf } from './delivery.ts'
import { EncodingRelay } from './encoding-relay.ts'
import { codeInReply } from './error-class.ts'
import { unsendable } from './relay.ts'
import { isUsageOnly } from './usage-chunk.ts'

const text = new TextEncoder()

export class EventRelay extends EncodingRelay {
  private readonly reader = new SseReader()
  private readonly decoder: StreamDecoder
  /** Frames from an error of the upstream's own on, while somebody may still go on with the stream. */
  private held: SseFrame[] | undefined

  constructor(
    o: DeliveryOptions,
    upstream: LiveStream,
    protected override readonly pass: EventPass,
  ) {
    super(o, upstream, pass, undefined)
    this.decoder = o.dialect.decoder()
    this.held = o.resumable ? [] : undefined
  }

  override chunk(bytes: Uint8Array): void {
    if (this.source) super.chunk(bytes)
    else if (this.state === 'open') this.frames(this.reader.push(bytes))
  }

  private frames(frames: readonly SseFrame[]): void {
    let pending = ''
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i]!
      if (this.held && this.held.length > 0) {
        this.held.push(...frames.slice(i))
        break
      }
      const before = this.decoder.decode(frame)
      if (this.held && before.some((event) => event.type === 'error')) {
        this.held.push(frame)
        continue
      }
      this.encoder ??= this.o.dialect.encoder(identityOf(this.o, before))
      const edge = this.pass.holds ? this.o.dialect.blockEdge?.(frame) : undefined
      const after: StreamEvent[] = []
      let changed = false
      for (const event of before) {
        if (event.type === 'end') this.seenEnd = true
        if (this.held) this.follow(event)
        const out = this.pass.pass(event, edge)
        if (out.length !== 1 || out[0] !== event) changed = true
        for (const e of out) after.push(e)
        if (this.pass.stopped || this.pass.over) break
      }
      if (this.pass.stopped) {
        this.stop(pending, this.pass.stopped)
        return
      }
      if (this.pass.over) {
        this.finishEarly(pending + this.encoder.encode(after, { frame, before }))
        return
      }
      const told = changed ? undefined : this.inOurWords(frame, before)
      if (told !== undefined) {
        pending += told
        continue
      }
      // it leaves only when a plugin has something to say in it
      if (!changed && this.o.withholdUsage && before.at(-1)?.type === 'usage' && isUsageOnly(frame.data)) continue
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

  /** An error that the upstream wrote itself, where the operator spells such errors otherwise; undefined when it leaves as it came. */
  private inOurWords({ data }: SseFrame, events: readonly StreamEvent[]): string | undefined {
    const error = events.find((event) => event.type === 'error')
    if (!error) return undefined
    const said = errorIn(parseJson(data) ?? null) ?? { message: error.message, type: error.kind }
    const code = codeInReply(said)
    if (!this.o.errors.respells(code, this.o.dialect.family)) return undefined
    return this.failureText({
      code,
      message: said.message,
      requestId: this.o.core.id,
      ...(said.param !== undefined && { param: said.param }),
      ...(said.type !== undefined && { upstreamType: said.type }),
      ...(said.code !== undefined && { upstreamCode: said.code }),
    })
  }

  override end(failure?: StreamFailure): void {
    // half a frame of a stream that broke is not passed on: the error would become a part of it
    try {
      if (!this.source && this.state === 'open' && (!failure || failure.told)) this.frames(this.reader.end())
    } catch {
      failure = unsendable
    }
    super.end(failure)
  }

  protected override givenUp(failure: StreamFailure): void {
    this.tellHeld()
    super.givenUp(failure)
  }

  /** Frames that waited for somebody to go on leave after all. */
  private tellHeld(): void {
    const frames = this.source ? undefined : this.held
    this.held = undefined
    if (frames && frames.length > 0) this.frames(frames)
  }

  protected override ending(failure: StreamFailure | undefined): string {
    if (this.source) return super.ending(failure)
    this.tellHeld()
    const gap = this.upstream.atBoundary() ? '' : '\n\n'
    if (failure?.told || (!failure && this.seenEnd)) return gap
    return gap + super.ending(failure)
  }
}
