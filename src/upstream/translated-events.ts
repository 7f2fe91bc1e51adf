/**
 * The bytes of an upstream's stream as events in the client's terms: frames, decoded for translation, put into the client's words.
 *
 * One per upstream call. Used only when client and upstream speak different dialects.
 */

import type { Dialect, StreamDecoder } from '../dialect/codec.ts'
import { type SseFrame, SseReader } from '../dialect/sse.ts'
import type { ReplyTranslation } from '../dialect/translate.ts'
import type { EventSource } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { Usage } from '../plugin/outcome.ts'

export class TranslatedEvents implements EventSource {
  private readonly reader = new SseReader()
  private readonly decoder: StreamDecoder

  constructor(
    dialect: Dialect,
    private readonly translation: ReplyTranslation,
  ) {
    this.decoder = dialect.decoder('translate')
  }

  push(bytes: Uint8Array): readonly StreamEvent[] {
    return this.decode(this.reader.push(bytes))
  }

  end(): readonly StreamEvent[] {
    return this.decode(this.reader.end())
  }

  private decode(frames: readonly SseFrame[]): readonly StreamEvent[] {
    const out: StreamEvent[] = []
    for (const frame of frames) for (const event of this.decoder.decode(frame)) this.translation.pass(event, out)
    return out
  }
}

/** A whole reply's events in the client's terms. `estimate`: what it used, where the upstream did not tell. */
export function translatedWhole(
  events: readonly StreamEvent[],
  translation: ReplyTranslation,
  estimate: Usage | undefined,
): readonly StreamEvent[] {
  const out: StreamEvent[] = estimate ? [{ type: 'usage', usage: estimate }] : []
  for (const event of events) translation.pass(event, out)
  return out
}
