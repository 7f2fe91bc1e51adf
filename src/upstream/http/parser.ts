/**
 * HTTP/1.1 response parser: incremental, strict, linear in the bytes it is given.
 *
 * Owns framing: where the head ends, content-length, chunked (extensions and trailers are skipped) and close-delimited
 * bodies, skipped 1xx. Does no I/O and no content decoding. What it doesn't understand is a `ParseFault` at once; it never
 * waits for a better ending. Where RFC 9112 leaves a choice: CRLF only, no obs-fold, no transfer coding but chunked,
 * transfer-encoding beats content-length and spoils the connection for reuse.
 */

import { headLimits, ParseFault, parseHead, type ResponseHead } from './response-head.ts'

export interface ParserSink {
  /** The final head. `hasBody` is false when framing already says that no byte follows. */
  head(head: ResponseHead, hasBody: boolean): void
  /** Body bytes; a view on the buffer that was pushed, or a copy. */
  body(chunk: Buffer): void
}

const CR = 13
const LF = 10
const headEnd = Buffer.from('\r\n\r\n')
const versionPrefix = Buffer.from('HTTP/1.')
/** Chunks up to this size are moved together inside the read buffer, so that a burst of frames is one `body` call. */
const compactLimit = 16_384

/** Up to this size the engine keeps the bytes of an array beside the array. */
const copyLimit = 1000

const HEAD = 0
const LENGTH = 1
const UNTIL_CLOSE = 2
const CHUNK_SIZE = 3
const CHUNK_EXTENSION = 4
const CHUNK_SIZE_LF = 5
const CHUNK_DATA = 6
const CHUNK_DATA_CR = 7
const CHUNK_DATA_LF = 8
const TRAILER = 9
const TRAILER_LF = 10
const DONE = 11

/** Parses one response. Make a new one for the next. */
export class ResponseParser {
  /** The body ended by something other than the closing of the connection. */
  delimited = true
  /** Milliseconds that the server promised to keep the connection; undefined when it did not say. */
  keepAliveFor: number | undefined
  private state = HEAD
  private keepAlive = false
  /** Bytes came after the end of the response. */
  private overrun = false
  /** Body bytes left (LENGTH), or bytes left of the chunk. */
  private left = 0
  /** Bytes seen of the chunk size, chunk line or trailer line. */
  private line = 0
  private trailerBytes = 0
  private trailerLines = 0
  private informational = 0
  /** Start of a head that is not complete yet. */
  private pending: Buffer | undefined
  private pendingLength = 0
  private pendingLines = 0

  constructor(
    private readonly sink: ParserSink,
    private readonly bodiless: boolean,
    private readonly wants?: (name: string) => boolean,
  ) {}

  get done(): boolean {
    return this.state === DONE
  }

  /** The connection can serve another request. Meaningful when `done`. */
  get reusable(): boolean {
    return this.keepAlive && this.delimited && !this.overrun
  }

  /**
   * Takes the bytes of one socket read. May move bytes inside `buffer`: it belongs to the parser and to whoever gets the body.
   * @throws ParseFault; what the sink throws passes through
   */
  push(buffer: Buffer): void {
    let at = 0
    while (this.state === HEAD) {
      at = this.readHead(buffer, at)
      if (at < 0) return
    }
    if (at < buffer.length) this.readBody(buffer, at)
  }

  /** The server closed its side. True when that completes the response. */
  close(): boolean {
    if (this.state !== UNTIL_CLOSE) return false
    this.delimited = false
    this.state = DONE
    return true
  }

  /** Reads one head; returns where it ends in `buffer`, or -1 when it needs more. */
  private readHead(buffer: Buffer, at: number): number {
    if (this.pending !== undefined) return this.continueHead(buffer, at)
    const end = buffer.indexOf(headEnd, at)
    if (end < 0 || end - at > headLimits.bytes) {
      if (buffer.length - at > headLimits.bytes) throw tooLarge()
      if (at === buffer.length) return -1
      this.pending = Buffer.allocUnsafe(Math.max(1024, (buffer.length - at) * 2))
      this.pendingLength = 0
      this.pendingLines = 0
      return this.continueHead(buffer, at)
    }
    this.takeHead(buffer.toString('latin1', at, end))
    return end + 4
  }

  /** Appends to the incomplete head. Looks only at new bytes, so that a server sending byte by byte costs linear time. */
  private continueHead(buffer: Buffer, at: number): number {
    const before = this.pendingLength
    const length = Math.min(before + buffer.length - at, headLimits.bytes + 4)
    let pending = this.pending as Buffer
    if (length > pending.length) {
      pending = Buffer.allocUnsafe(length * 2)
      ;(this.pending as Buffer).copy(pending, 0, 0, before)
      this.pending = pending
    }
    buffer.copy(pending, before, at, at + length - before)
    this.pendingLength = length
    for (let index = before; index < length; index += 1) {
      const byte = pending[index]
      if (index < versionPrefix.length && byte !== versionPrefix[index]) throw notHttp(pending.subarray(0, length))
      if (byte !== LF) continue
      if (pending[index - 1] !== CR) throw new ParseFault('protocol', 'line ends without CR in the response head')
      if (index >= 3 && pending[index - 2] === LF) {
        this.takeHead(pending.toString('latin1', 0, index - 3))
        this.pending = undefined
        return at + index + 1 - before
      }
      this.pendingLines += 1
      if (this.pendingLines > headLimits.lines + 1) throw new ParseFault('too_large', `more than ${headLimits.lines} header lines`)
    }
    if (length >= headLimits.bytes + 4) throw tooLarge()
    return -1
  }

  private takeHead(text: string): void {
    const head = parseHead(text, this.wants)
    if (head.status < 200) {
      if (head.status === 101) throw new ParseFault('protocol', 'the server switched protocols without being asked')
      this.informational += 1
      if (this.informational > headLimits.informational) throw new ParseFault('protocol', 'too many informational responses')
      return
    }
    this.keepAlive = head.keepAlive
    this.keepAliveFor = head.keepAliveFor
    if (this.bodiless || head.status === 204 || head.status === 304 || head.length === 0) this.state = DONE
    else if (head.chunked) this.state = CHUNK_SIZE
    else if (head.length !== undefined) {
      this.state = LENGTH
      this.left = head.length
    } else this.state = UNTIL_CLOSE
    this.sink.head(head, this.state !== DONE)
  }

  private readBody(buffer: Buffer, at: number): void {
    switch (this.state) {
      case LENGTH: {
        const end = Math.min(buffer.length, at + this.left)
        this.left -= end - at
        if (this.left === 0) this.state = DONE
        if (end < buffer.length) this.overrun = true
        this.sink.body(at === 0 && end === buffer.length ? buffer : piece(buffer, at, end))
        return
      }
      case UNTIL_CLOSE:
        this.sink.body(at === 0 ? buffer : buffer.subarray(at))
        return
      case DONE:
        this.overrun = true
        return
      default:
        this.readChunked(buffer, at)
    }
  }

  /** Walks the framing bytes and gathers the data between them at `[from, to)` of the same buffer, always moving to the left. */
  private readChunked(buffer: Buffer, at: number): void {
    const length = buffer.length
    let from = at
    let to = at
    let fault: string | undefined
    while (at < length && fault === undefined) {
      if (this.state === CHUNK_DATA) {
        const end = Math.min(length, at + this.left)
        this.left -= end - at
        if (this.left === 0) this.state = CHUNK_DATA_CR
        if (to === from) {
          from = at
          to = end
        } else if (end - at > compactLimit) {
          this.sink.body(buffer.subarray(from, to))
          from = at
          to = end
        } else {
          buffer.copyWithin(to, at, end)
          to += end - at
        }
        at = end
      } else if (this.state === DONE) {
        this.overrun = true
        break
      } else {
        fault = this.chunkByte(buffer[at] as number)
        at += 1
      }
    }
    if (to > from) this.sink.body(piece(buffer, from, to))
    if (fault !== undefined) throw new ParseFault('protocol', fault)
  }

  /** One framing byte of a chunked body; returns what is wrong with it, if anything. */
  private chunkByte(byte: number): string | undefined {
    switch (this.state) {
      case CHUNK_SIZE: {
        const digit = hexValue(byte)
        if (digit >= 0) {
          this.line += 1
          this.left = this.left * 16 + digit
          return this.line > 13 ? 'chunk size too long' : undefined // 13 digits stay exact in a double
        }
        if (this.line === 0) return 'chunk size missing'
        if (byte === CR) this.state = CHUNK_SIZE_LF
        else if (byte === 59 || byte === 32 || byte === 9) this.state = CHUNK_EXTENSION
        else return 'bad chunk size'
        return undefined
      }
      case CHUNK_EXTENSION:
        if (byte === CR) this.state = CHUNK_SIZE_LF
        else if (byte === LF) return 'chunk line ends without CR'
        else {
          this.line += 1
          if (this.line > headLimits.chunkLine) return 'chunk extension too long'
        }
        return undefined
      case CHUNK_SIZE_LF:
        this.line = 0
        this.state = this.left === 0 ? TRAILER : CHUNK_DATA
        return byte === LF ? undefined : 'bad end of chunk line'
      case CHUNK_DATA_CR:
        this.state = CHUNK_DATA_LF
        return byte === CR ? undefined : 'chunk longer than its size'
      case CHUNK_DATA_LF:
        this.state = CHUNK_SIZE
        return byte === LF ? undefined : 'bad end of chunk'
      case TRAILER:
        this.trailerBytes += 1
        if (this.trailerBytes > headLimits.bytes) return 'trailers too long'
        if (byte === CR) this.state = TRAILER_LF
        else if (byte === LF) return 'trailer line ends without CR'
        else this.line += 1
        return undefined
      default: // TRAILER_LF
        if (byte !== LF) return 'bad end of trailer line'
        if (this.line === 0) this.state = DONE
        else {
          this.line = 0
          this.state = TRAILER
          this.trailerLines += 1
          if (this.trailerLines > headLimits.lines) return 'too many trailers'
        }
        return undefined
    }
  }
}

/**
 * Bytes of a socket read. A copy where they are few: it lies in the collector's own memory, and costs half of a view, for which the engine has to make an
 * object for the memory of the read first.
 */
function piece(buffer: Buffer, from: number, to: number): Buffer {
  if (to - from > copyLimit) return buffer.subarray(from, to)
  const bytes = Buffer.allocUnsafeSlow(to - from)
  buffer.copy(bytes, 0, from, to)
  return bytes
}

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

function tooLarge(): ParseFault {
  return new ParseFault('too_large', `response head larger than ${headLimits.bytes} bytes`)
}

function notHttp(start: Buffer): ParseFault {
  return new ParseFault('protocol', `not an HTTP/1.x response: ${JSON.stringify(start.toString('latin1', 0, 40))}`)
}
