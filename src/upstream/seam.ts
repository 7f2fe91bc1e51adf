/**
 * The place where another stream goes on with one that broke off: its events as a continuation of what the client has.
 *
 * A second beginning is dropped, tool calls are counted on, usage is added to what was used before. Knows no client.
 */

import type { Dialect, StreamDecoder } from '../dialect/codec.ts'
import { type SseFrame, SseReader } from '../dialect/sse.ts'
import type { EventSource } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'
import { addUsage, type Usage } from '../plugin/outcome.ts'

export class Seam implements EventSource {
  /**
   * @param source events of the second stream in the client's terms
   * @param usage what the calls before it used
   * @param calls tool calls that the client has been told of
   */
  constructor(
    private readonly source: EventSource,
    private readonly usage: Usage,
    private readonly calls: number,
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
          out.push({ ...event, usage: addUsage(this.usage, event.usage) })
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
