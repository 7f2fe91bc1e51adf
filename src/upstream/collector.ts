/**
 * A stream read to its end for a client that asked for a whole reply (A15): the sink that gathers its events.
 *
 * The number of events is bounded. Says once how it ended.
 */

import type { StreamFailure, StreamSink } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'

const maxEvents = 1_000_000

export interface EventSupply {
  /** The events of a chunk, in the client's terms. */
  take(bytes: Uint8Array): readonly StreamEvent[]
  /** What is left when the stream is over. */
  rest(): readonly StreamEvent[]
  /** There are more events than anybody can want. */
  tooMany(): void
  done(events: readonly StreamEvent[], failure: StreamFailure | undefined): void
}

export class Collector implements StreamSink {
  private readonly events: StreamEvent[] = []

  constructor(private readonly supply: EventSupply) {}

  add(more: readonly StreamEvent[]): void {
    for (const event of more) this.events.push(event)
    if (this.events.length > maxEvents) this.supply.tooMany()
  }
  chunk(bytes: Uint8Array): void {
    this.add(this.supply.take(bytes))
  }
  end(failure?: StreamFailure): void {
    if (!failure) this.add(this.supply.rest())
    this.supply.done(this.events, failure)
  }
}
