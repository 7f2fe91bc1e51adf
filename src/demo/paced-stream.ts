/**
 * A byte stream that sends frames with a person's patience: thinking time first, then word by word.
 *
 * Owns its one timer. Cancelling the stream (the client went away, or the server stops) clears the timer and ends the
 * generator, so nothing is left behind. Pulls only as fast as the client reads.
 */

import type { Frame } from './dialect.ts'

/** Milliseconds. */
export interface Pace {
  /** Before the first word. */
  readonly firstTokenMs: number
  /** Before each further word. */
  readonly tokenMs: number
}

export interface PacedStream {
  readonly body: ReadableStream<Uint8Array>
  /** Ends the stream from this side; the client sees it cut. */
  stop(): void
}

/** Streams `frames`; `onEnd` is called once: finished, stopped or cancelled by the client. */
export function pacedStream(frames: Iterable<Frame>, pace: Pace, onEnd: () => void): PacedStream {
  const source = frames[Symbol.iterator]()
  const encoder = new TextEncoder()
  let ended = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let wake: (() => void) | undefined

  const end = (): void => {
    if (ended) return
    ended = true
    clearTimeout(timer)
    source.return?.()
    wake?.()
    onEnd()
  }
  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
      timer = setTimeout(resolve, ms)
    })

  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>({
    start(c) {
      controller = c
    },
    async pull(c) {
      const next = source.next()
      if (next.done) {
        end()
        c.close()
        return
      }
      const ms = next.value.pause === 'first' ? pace.firstTokenMs : next.value.pause === 'word' ? pace.tokenMs : 0
      if (ms > 0) await sleep(ms)
      if (!ended) c.enqueue(encoder.encode(next.value.text))
    },
    cancel: end,
  })
  return {
    body,
    stop() {
      if (ended) return
      end()
      controller?.error(new Error('the demo model is stopping'))
    },
  }
}
