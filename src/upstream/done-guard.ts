/**
 * Keeps a `[DONE]` from the client that comes though no choice has stopped: the client would take it for success (B03).
 *
 * Looks at nothing but the meter's findings as long as chunks end at frame boundaries. Holds back at most one line.
 */

import { asBuffer } from '../dialect/sse.ts'
import type { Meter } from './meter.ts'

export class DoneGuard {
  /** Something was held back for good in the middle of a frame. */
  cut = false
  private held: Uint8Array | undefined = undefined

  /** What of a chunk may go on, after the meter has looked at the chunk. */
  pass(chunk: Uint8Array, meter: Meter): Uint8Array {
    let bytes = chunk
    if (this.held) {
      bytes = Buffer.concat([this.held, chunk])
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
