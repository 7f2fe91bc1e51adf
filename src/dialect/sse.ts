export interface SseFrame {
  /** `event:` field, if any. */
  readonly event?: string
  /** `data:` lines joined by LF; empty for a frame of comments only. */
  readonly data: string
  /** The frame's bytes with its terminator, as received. */
  readonly raw: Uint8Array
}
