/**
 * A reply as the pipeline holds it: what plugins see of it, and where its body comes from.
 *
 * A reply that nobody returns must be discarded, or its upstream call would run on; `chain.ts` sees to that.
 */

import type { StreamEvent } from '../plugin/events.ts'
import type { Attempt } from '../plugin/outcome.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { Completed, Refusal, Reply, StoredReply } from '../plugin/reply.ts'

/** What a live upstream stream offers to whoever delivers it. */
export interface LiveStream {
  /** Name of the dialect that the bytes are in. */
  readonly dialect: string
  /** Present when the client speaks another dialect: what the bytes mean to it. */
  readonly translated?: EventSource | undefined
  /** It has ended well, and all of it is handed over at once. */
  readonly ready?: boolean
  /** Hands over: first the bytes read so far, then each chunk as it comes. Exactly once. */
  attach(sink: StreamSink): void
  pause(): void
  resume(): void
  /** It has said all that it has to say, and well, whether or not its connection has ended. */
  readonly said?: boolean
  /** True when the bytes so far end at a frame boundary. */
  atBoundary(): boolean
  /** What a complete stream still lacks in its dialect, as text: a missing `[DONE]` (B02). */
  missingEnd(): string
  /** Ends the upstream call. Nothing is called on the sink afterwards. */
  cancel(): void
}

/** Bytes of an upstream as neutral events in the client's terms. */
export interface EventSource {
  push(bytes: Uint8Array): readonly StreamEvent[]
  /** What stood in a last frame without its blank line. */
  end(): readonly StreamEvent[]
}

export interface StreamSink {
  /** Raw bytes. Valid beyond the call. */
  chunk(bytes: Uint8Array): void
  /** The upstream is done; `failure` when it did not end as the dialect says. Exactly once, unless cancelled. */
  end(failure?: StreamFailure): void
}

export interface StreamFailure {
  readonly code: RefusalCode
  readonly message: string
  /** True when an error frame of the upstream itself was already among the chunks. */
  readonly told: boolean
}

/** Where the body of a reply comes from. */
export type ReplySource =
  | { readonly kind: 'refusal'; readonly refusal: Refusal; readonly upstream?: { readonly type?: string; readonly code?: string } }
  | { readonly kind: 'completed'; readonly events: readonly StreamEvent[] }
  /** Ready bytes in the client's own dialect: a whole reply, or an upstream's error body, which hooks see no events of. */
  | { readonly kind: 'whole'; readonly body: Uint8Array; readonly error: boolean }
  | { readonly kind: 'live'; readonly live: LiveStream }
  /** One that was recorded before. */
  | { readonly kind: 'stored'; readonly stored: StoredReply }

export class ReplyCore implements Reply {
  readonly type = 'reply' as const
  /** List position that made it: `Infinity` for the upstream. */
  origin = Number.POSITIVE_INFINITY
  by?: string
  readonly code?: RefusalCode
  readonly message?: string
  readonly attempt?: Attempt

  constructor(
    readonly ok: boolean,
    public status: number,
    readonly headers: Headers,
    readonly stream: boolean,
    /** Replaced only by one that gives the same (`record-reply.ts`). */
    public source: ReplySource,
    more: { code?: RefusalCode; message?: string; attempt?: Attempt } = {},
  ) {
    if (more.code !== undefined) this.code = more.code
    if (more.message !== undefined) this.message = more.message
    if (more.attempt !== undefined) this.attempt = more.attempt
  }

  /**
   * Plugins above this list position hear its events. What is given again was recorded as an upstream sent it: what those below the recorder make of events is not
   * in it, so that they are asked again.
   */
  get heardBelow(): number {
    const { source } = this
    return source.kind === 'stored' && !source.stored.made ? Number.POSITIVE_INFINITY : this.origin
  }

  /** The same reply with headers of its own. */
  copy(): ReplyCore {
    const { code, message, attempt } = this
    const more = { ...(code && { code }), ...(message !== undefined && { message }), ...(attempt && { attempt }) }
    const copy = new ReplyCore(this.ok, this.status, new Headers(this.headers), this.stream, this.source, more)
    copy.origin = this.origin
    if (this.by !== undefined) copy.by = this.by
    return copy
  }

  /** Ends what stands behind a reply that will not be used. */
  discard(): void {
    if (this.source.kind === 'live') this.source.live.cancel()
  }
}

/** A refusal as a reply. `status` is the one that the client's dialect uses. */
export function refusalReply(refusal: Refusal, status: number, origin: number, by: string | undefined): ReplyCore {
  const reply = new ReplyCore(
    false,
    status,
    new Headers(refusal.headers),
    false,
    { kind: 'refusal', refusal },
    { code: refusal.code, message: refusal.message },
  )
  reply.origin = origin
  if (by !== undefined) reply.by = by
  return reply
}

/** An answer made by a plugin as a reply. */
export function completedReply(completed: Completed, stream: boolean, origin: number, by: string): ReplyCore {
  const { stored, events, headers } = completed
  const source: ReplySource = stored ? { kind: 'stored', stored } : { kind: 'completed', events }
  const reply = new ReplyCore(true, 200, new Headers(headers), stream, source)
  reply.origin = origin
  reply.by = by
  return reply
}
