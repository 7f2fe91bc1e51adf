/**
 * Keeps from the client what it should not get of a stream: a `[DONE]` that comes though no choice has stopped, which it would take for success (B03),
 * and the gateway's own credential in an error.
 *
 * Looks at nothing but the meter's findings as long as chunks end at frame boundaries. Holds back at most one line.
 */

import { asBuffer } from '../dialect/sse.ts'
import type { HeaderLines } from './http/transport.ts'
import type { Meter } from './meter.ts'
import { bytesWithoutCredentials } from './own-credential.ts'

export class StreamGuard {
  /** Something was held back for good in the middle of a frame. */
  cut = false
  private held: Uint8Array | undefined = undefined

  /** @param sent headers of the call */
  constructor(private readonly sent: Headers | HeaderLines) {}

  /** What of a chunk may go on, after the meter has looked at the chunk. */
  pass(chunk: Uint8Array, meter: Meter): Uint8Array {
    let bytes = meter.error ? bytesWithoutCredentials(chunk, this.sent) : chunk
    if (this.held) {
      bytes = Buffer.concat([this.held, bytes])
      this.held = undefined
    }
    if (meter.endedTooSoon) {
      const kept = beforeDone(bytes)
      if (kept.length === 0) this.cut = true
      return kept
    }
    if (!meter.inFrame || meter.complete) return bytes
    const kept = beforeDone(bytes, true)
    if (kept.length < bytes.length) this.held = bytes.subarray(kept.length)
    return kept
  }
}

/** What stands before the line of the last `[DONE]`; nothing when that line began earlier. With `last`, all when more than white space follows. */
function beforeDone(chunk: Uint8Array, last = false): Uint8Array {
  const bytes = asBuffer(chunk)
  const done = bytes.lastIndexOf('[DONE]')
  if (last && (done < 0 || bytes.toString('latin1', done + 6).trim() !== '')) return chunk
  const line = done < 0 ? -1 : Math.max(bytes.lastIndexOf(10, done), bytes.lastIndexOf(13, done))
  return chunk.subarray(0, line + 1)
}
