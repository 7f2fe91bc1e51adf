/**
 * The meter: looks at a stream on the side, and parses only what can matter.
 *
 * Until the first content every frame is read (`read`). After that, of a chunk that starts and ends at a frame boundary, only frames are parsed
 * in which something interesting stands (`look`): a few native byte searches instead of a parse. Chunks that cut a frame go through
 * the SSE reader until a boundary is reached again.
 */

import type { Dialect, StreamDecoder, UpstreamError } from '../dialect/codec.ts'
import { countOf, objectOf, parseJson } from '../dialect/shape.ts'
import { asBuffer, endsAtBoundary, SseReader } from '../dialect/sse.ts'
import { errorIn } from '../dialect/upstream-error.ts'
import { saysNothing } from '../plugin/cost.ts'
import { isContent, type StreamEvent } from '../plugin/events.ts'
import type { Usage } from '../plugin/outcome.ts'

const blankLine = Buffer.from('\n\n')
/** Behind the last line of a frame of Google's. */
const blankCrlf = Buffer.from('\n\r\n')

export class Meter {
  usage: Usage | undefined = undefined
  model: string | undefined = undefined
  /** The upstream's id of the reply. */
  id: string | undefined = undefined
  /** An error event was seen. */
  error: UpstreamError | undefined = undefined
  /** Its frame says so itself; otherwise it is our judgement of a frame that looks well, such as a second message (B22). */
  told = false
  /** The dialect's terminal event was seen: nothing more will come. */
  ended = false
  /** Keep every event for `takeEvents`. */
  keepAll = false
  private stopped: Set<number> | undefined = undefined
  private events: StreamEvent[] = []
  private readonly reader = new SseReader()
  private readonly decoder: StreamDecoder

  /**
   * @param streams the client wants a stream: its events need not be kept once it has begun
   * @param lenient asked only when a stream ends without a stop: true for models that never say one
   */
  constructor(
    private readonly dialect: Dialect,
    private readonly streams: boolean,
    private readonly lenient: () => boolean = () => false,
  ) {
    this.decoder = dialect.decoder()
  }

  /** True when the stream is complete as its dialect says (B01, B03): OpenAI chat by a finish reason, Anthropic by `message_stop`. */
  get complete(): boolean {
    if (this.error !== undefined) return false
    return this.dialect.terminal === 'stop' ? this.stopped !== undefined || (this.ended && this.lenient()) : this.ended
  }

  /** A frame that looks well is an error in our judgement: it must not leave. */
  get misled(): boolean {
    return this.error !== undefined && !this.told
  }

  /** How many choices have stopped. */
  get stops(): number {
    return this.stopped?.size ?? 0
  }

  /** `[DONE]` came though no choice has stopped: the client must not see it, for it would take it for success (B03). */
  get endedTooSoon(): boolean {
    return this.ended && this.error === undefined && !this.complete
  }

  /** True when the bytes so far end inside a frame. */
  get inFrame(): boolean {
    return this.reader.pending > 0
  }

  /** Reads frames until one bears content, and only looks at those behind it; true when one did. */
  read(chunk: Uint8Array): boolean {
    const bytes = asBuffer(chunk)
    let from = 0
    while (this.reader.pending === 0) {
      const end = bytes.indexOf(blankLine, from)
      if (end < 0) break
      const content = this.note(this.reader.push(bytes.subarray(from, end + 2)), true)
      from = end + 2
      if (content) {
        if (from < bytes.length) this.look(bytes.subarray(from), this.keepAll || !this.streams)
        return true
      }
    }
    return from < bytes.length && this.note(this.reader.push(bytes.subarray(from)), true)
  }

  /** Looks at a chunk of a stream that has committed: parses only the frames in which something interesting stands. */
  look(chunk: Uint8Array, all = this.keepAll): void {
    if (all || this.reader.pending > 0 || !endsAtBoundary(chunk)) {
      this.note(this.reader.push(chunk), all)
      return
    }
    let at = this.dialect.interesting(chunk, 0)
    if (at < 0) return
    const bytes = asBuffer(chunk)
    let from = 0
    do {
      // frames with other line ends than the last one's are one piece here, and all parsed
      const gap = crlf(bytes) ? blankCrlf : blankLine
      const before = bytes.lastIndexOf(gap, at)
      const behind = bytes.indexOf(gap, at)
      const start = before < from ? from : before + gap.length
      from = behind < 0 ? bytes.length : behind + gap.length
      this.note(this.reader.push(bytes.subarray(start, from)), false)
      at = this.dialect.interesting(chunk, from)
    } while (at >= 0)
  }

  /** The stream is over: reads a last frame without its blank line, unless it is but half of one. True when it bore content. */
  finish(): boolean {
    const whole = this.reader.end().filter(({ data }) => data.trim() === '[DONE]' || parseJson(data) !== undefined)
    return this.note(whole, this.keepAll)
  }

  /** The events since the last call, where they are kept. */
  takeEvents(): StreamEvent[] {
    const events = this.events
    this.events = []
    return events
  }

  private note(frames: ReturnType<SseReader['push']>, keep: boolean): boolean {
    let content = false
    for (const frame of frames) {
      for (const event of this.decoder.decode(frame)) {
        if (keep) this.events.push(event)
        switch (event.type) {
          case 'start':
            this.model ??= event.model
            this.id ??= event.id
            break
          case 'usage':
            // zeros at the end of a stream take nothing back (E10)
            if (this.usage === undefined || !saysNothing(event.usage)) this.usage = event.usage
            break
          case 'stop':
            this.stopped ??= new Set()
            this.stopped.add(event.choice)
            break
          case 'end':
            this.ended = true
            break
          case 'error':
            if (this.error) break
            this.error = errorIn(parseJson(frame.data) ?? null)
            this.told = this.error !== undefined
            this.error ??= { message: event.message, type: event.kind }
            break
        }
        if (isContent(event) && !(event.type === 'end' && this.endedTooSoon)) content = true
      }
    }
    return content
  }
}

/**
 * How many choices a request asks for: `n` of a Chat body, `candidateCount` of Gemini's. One when that can't be told: not all that a provider takes is
 * JSON to us.
 */
export function choicesAsked(body: readonly Uint8Array[]): number {
  const asked = objectOf(parseJson(new TextDecoder().decode(Buffer.concat(body))))
  const config = objectOf(asked?.generationConfig) ?? objectOf(asked?.generation_config)
  return countOf(asked?.n ?? config?.candidateCount ?? config?.candidate_count) ?? 1
}

/** True when a chunk that ends at a frame boundary has Windows line ends. */
function crlf(bytes: Buffer): boolean {
  return bytes[bytes.length - 2] === 13
}
