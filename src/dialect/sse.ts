/**
 * Server-sent events as bytes: frames out of a stream that may be cut anywhere, and frames as text.
 *
 * The reader finds frame boundaries by native byte searches, looks at no byte twice and joins the pieces of a frame once, when it is
 * complete (hazards A01-A06, I02, I04). Every byte received is in the `raw` of exactly one frame, in order, so that forwarding all
 * `raw`s reproduces the stream. This file knows nothing of what frames mean.
 */

export interface SseFrame {
  /** `event:` field, if any. */
  readonly event?: string
  /** `data:` lines joined by LF; empty for a frame of comments only. */
  readonly data: string
  /** The frame's bytes with its terminator, as received. */
  readonly raw: Uint8Array
}

/** A frame grew over the reader's limit. */
export class SseFrameTooLarge extends Error {
  override readonly name = 'SseFrameTooLarge'
  constructor(
    /** Bytes. */
    readonly limit: number,
  ) {
    super(`one event of the stream is larger than ${limit} bytes`)
  }
}

export interface SseReaderOptions {
  /** Largest frame in bytes; 64 MB when absent. */
  readonly maxFrame?: number
}

const LF = 10
const CR = 13
const defaultMaxFrame = 64 * 1024 * 1024

/** Incremental reader of one stream. Chunks must not be written to after they were pushed: frames are views of them. */
export class SseReader {
  readonly #maxFrame: number
  /** Earlier chunks of the unfinished frame. */
  #pieces: Uint8Array[] = []
  #pending = 0
  /** The line being read has bytes. */
  #lineHasBytes = false
  /** The frame being read has a line that is not blank. Blank lines before the first such line belong to the next frame. */
  #frameHasLine = false
  /** The last byte was a CR: a LF that follows belongs to it. */
  #afterCr = false
  /** The last complete line ended with CR LF, so that a CR that ends a chunk will be followed by its LF. */
  #crlf = false
  /** The frame is complete but for the LF that should follow. */
  #awaitsLf = false
  /** Nothing but the start of the stream has been seen: a BOM may stand here. */
  #firstLine = true
  #firstFrame = true

  constructor(options: SseReaderOptions = {}) {
    this.#maxFrame = options.maxFrame ?? defaultMaxFrame
  }

  /** Bytes of a frame that is not complete. */
  get pending(): number {
    return this.#pending
  }

  /**
   * The frames that this chunk completes.
   * @throws SseFrameTooLarge
   */
  push(chunk: Uint8Array): SseFrame[] {
    const frames: SseFrame[] = []
    const bytes = asBuffer(chunk)
    const length = bytes.length
    let frameStart = 0
    let at = 0
    let nextLf = -2
    let nextCr = -2
    while (at < length) {
      if (this.#afterCr) {
        this.#afterCr = false
        if (bytes[at] === LF) {
          at++
          this.#crlf = true
          if (this.#awaitsLf) frameStart = this.#finish(bytes, frameStart, at, frames)
          continue
        }
        this.#crlf = false
        if (this.#awaitsLf) frameStart = this.#finish(bytes, frameStart, at, frames)
      }
      if (nextLf !== -1 && nextLf < at) nextLf = bytes.indexOf(LF, at)
      if (nextCr !== -1 && nextCr < at) nextCr = bytes.indexOf(CR, at)
      const end = nextLf === -1 ? nextCr : nextCr === -1 ? nextLf : Math.min(nextLf, nextCr)
      if (end === -1) {
        this.#lineHasBytes = true
        break
      }
      let blank = end === at && !this.#lineHasBytes
      if (this.#firstLine) {
        this.#firstLine = false
        blank ||= this.#isBomOnly(bytes, frameStart, end)
      }
      this.#lineHasBytes = false
      at = end + 1
      if (bytes[end] === CR) {
        if (at < length && bytes[at] === LF) {
          at++
          this.#crlf = true
        } else this.#afterCr = true
      } else this.#crlf = false
      if (!blank) {
        this.#frameHasLine = true
        continue
      }
      if (!this.#frameHasLine) continue
      if (this.#afterCr && at === length && this.#crlf) this.#awaitsLf = true
      else frameStart = this.#finish(bytes, frameStart, at, frames)
    }
    if (frameStart < length) {
      this.#pieces.push(bytes.subarray(frameStart))
      this.#pending += length - frameStart
      if (this.#pending > this.#maxFrame) throw new SseFrameTooLarge(this.#maxFrame)
    }
    return frames
  }

  /** The last frame, if the stream ended without a blank line after it. */
  end(): SseFrame[] {
    const frames: SseFrame[] = []
    if (this.#pending > 0) this.#finish(Buffer.alloc(0), 0, 0, frames)
    return frames
  }

  #finish(bytes: Buffer, from: number, to: number, frames: SseFrame[]): number {
    if (this.#pending + (to - from) > this.#maxFrame) throw new SseFrameTooLarge(this.#maxFrame)
    let raw = bytes.subarray(from, to)
    if (this.#pieces.length > 0) {
      this.#pieces.push(raw)
      raw = Buffer.concat(this.#pieces)
      this.#pieces = []
      this.#pending = 0
    }
    frames.push(parseFrame(raw, this.#firstFrame))
    this.#firstFrame = false
    this.#frameHasLine = false
    this.#lineHasBytes = false
    this.#awaitsLf = false
    return to
  }

  #isBomOnly(bytes: Buffer, from: number, to: number): boolean {
    if (this.#pending + (to - from) !== 3) return false
    return hasBom(Buffer.concat([...this.#pieces, bytes.subarray(from, to)]))
  }
}

/** The fields of one frame's bytes. Unknown fields, `id:` and `retry:` are skipped (hazard A04). */
function parseFrame(raw: Buffer, first: boolean): SseFrame {
  let event: string | undefined
  let data: string | undefined
  let at = first && hasBom(raw) ? 3 : 0
  const length = raw.length
  let nextLf = -1
  let nextCr = -1
  while (at < length) {
    if (nextLf < at) nextLf = indexOrEnd(raw, LF, at)
    if (nextCr < at) nextCr = indexOrEnd(raw, CR, at)
    const end = Math.min(nextLf, nextCr)
    if (end > at) {
      const value = fieldValue(raw, at, end)
      if (value > 0) {
        const text = value < end ? raw.toString('utf8', value, end) : ''
        if (raw[at] === 100) data = data === undefined ? text : `${data}\n${text}`
        else event = text
      }
    }
    at = end + 1
  }
  return event === undefined ? { data: data ?? '', raw } : { event, data: data ?? '', raw }
}

function indexOrEnd(bytes: Buffer, byte: number, from: number): number {
  const at = bytes.indexOf(byte, from)
  return at === -1 ? bytes.length : at
}

/** Where the value of a `data` or `event` line begins (`end` when it has none); -1 for every other line. */
function fieldValue(raw: Buffer, at: number, end: number): number {
  const first = raw[at]
  let colon: number
  if (first === 100 && raw[at + 1] === 97 && raw[at + 2] === 116 && raw[at + 3] === 97) colon = at + 4
  else if (first === 101 && raw[at + 1] === 118 && raw[at + 2] === 101 && raw[at + 3] === 110 && raw[at + 4] === 116) colon = at + 5
  else return -1
  if (colon === end) return end
  if (raw[colon] !== 58) return -1
  return colon + 1 < end && raw[colon + 1] === 32 ? colon + 2 : colon + 1
}

/** A frame as text: an `event:` line if named, one `data:` line per line of data, a blank line. */
export function frameText(event: string | undefined, data: string): string {
  const head = event === undefined ? 'data: ' : `event: ${event.replace(/[\r\n]/g, '')}\ndata: `
  if (data.includes('\n') || data.includes('\r')) return `${head}${data.split(/\r\n|\r|\n/).join('\ndata: ')}\n\n`
  return `${head}${data}\n\n`
}

/** A frame as received, as text. The last frame of a stream gets the blank line that it may lack, so that more can follow. */
export function rawText(frame: SseFrame): string {
  const text = asBuffer(frame.raw).toString()
  return endsAtBoundary(frame.raw) ? text : `${text}${text.endsWith('\n') ? '\n' : '\n\n'}`
}

/** A comment as a frame of its own; line breaks in it become spaces. */
export function commentText(text: string): string {
  return `: ${text.replace(/[\r\n]+/g, ' ')}\n\n`
}

/** True when a chunk's bytes end where a frame ends, whatever the newline style. */
export function endsAtBoundary(chunk: Uint8Array): boolean {
  const n = chunk.length
  if (n < 2) return false
  const last = chunk[n - 1]
  if (last === CR) return chunk[n - 2] === CR
  if (last !== LF) return false
  if (chunk[n - 2] === LF) return true
  return n >= 4 && chunk[n - 2] === CR && chunk[n - 3] === LF && chunk[n - 4] === CR
}

/** A Buffer view of the same memory: its searches are native. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function hasBom(bytes: Uint8Array): boolean {
  return bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}
