/**
 * The place where another stream goes on with one that broke off: its events as a continuation of what the client has.
 *
 * A second beginning is dropped, tool calls are counted on, usage is added to what was used before. Knows no client.
 */

import type { Dialect, StreamDecoder } from '../dialect/codec.ts'
import { type SseFrame, SseReader } from '../dialect/sse.ts'
import type { EventSource } from '../pipeline/reply-core.ts'
import type { StreamEvent, UsageEvent } from '../plugin/events.ts'
import { type Attempt, addUsage } from '../plugin/outcome.ts'
import type { Resumption } from './delivery.ts'

export class Seam implements EventSource {
  /**
   * @param source events of the second stream in the client's terms
   * @param before what the calls before it used
   * @param calls tool calls that the client has been told of
   * @param attempt the call that it is
   */
  constructor(
    private readonly source: EventSource,
    private readonly before: Pick<Resumption, 'usage' | 'used'>,
    private readonly calls: number,
    private readonly attempt: Attempt | undefined,
  ) {}

  push(bytes: Uint8Array): readonly StreamEvent[] {
    return this.joined(this.source.push(bytes))
  }

  end(): readonly StreamEvent[] {
    return this.joined(this.source.end())
  }

  /** Events as they go on with what was told. */
  joined(events: readonly StreamEvent[]): StreamEvent[] {
    const out: StreamEvent[] = []
    for (const event of events) {
      switch (event.type) {
        case 'start':
        case 'native': // frames of a stream that the client does not get
          break
        case 'usage':
          out.push(this.added(event))
          break
        case 'tool_call':
          out.push({ ...event, index: event.index + this.calls })
          break
        default:
          out.push(event)
      }
    }
    return out
  }

  private added(event: UsageEvent): UsageEvent {
    const { before, attempt } = this
    const usage = addUsage(before.usage, event.usage)
    return { ...event, usage, ...(attempt && { calls: [...before.used, { attempt, usage: event.usage }] }) }
  }
}

/** The events of a stream in the client's own dialect, frame by frame. */
export class NativeSource implements EventSource {
  private readonly reader = new SseReader()
  private readonly decoder: StreamDecoder

  constructor(dialect: Dialect) {
    this.decoder = dialect.decoder('translate')
  }

  push(bytes: Uint8Array): readonly StreamEvent[] {
    return this.decode(this.reader.push(bytes))
  }

  end(): readonly StreamEvent[] {
    return this.decode(this.reader.end())
  }

  private decode(frames: readonly SseFrame[]): readonly StreamEvent[] {
    return frames.flatMap((frame) => this.decoder.decode(frame))
  }
}

/** No bytes: all events are there at once. */
export const noSource: EventSource = { push: () => [], end: () => [] }
