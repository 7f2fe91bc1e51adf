/**
 * A sign of life on a stream that is quiet for long: an SSE comment, so that no proxy on the way takes the connection for dead.
 *
 * One number per stream, looked at by the one timer of all deadlines. Whoever relays the stream says where a comment may stand, and stops it the
 * moment that the stream is over: a dead upstream is never made to look alive.
 */

import { ahead, unwatch, type Watched, watch } from './deadlines.ts'

/** What leaves. Every SSE reader skips it. */
export const heartbeat: Uint8Array = new TextEncoder().encode(': keep-alive\n\n')

export class Heartbeat implements Watched {
  place = -1
  deadline: number

  /**
   * @param every milliseconds of silence
   * @param beat sends one, where it may
   */
  constructor(
    private readonly every: number,
    private readonly beat: () => void,
  ) {
    this.deadline = ahead(every)
    watch(this)
  }

  /** Something left. */
  heard(): void {
    this.deadline = ahead(this.every)
  }

  tick(): void {}

  expired(): void {
    this.heard()
    this.beat()
  }

  stop(): void {
    unwatch(this)
  }
}
