/**
 * One keep-alive HTTP/1.1 connection of the load generator, over a raw socket.
 *
 * Owns sending one request at a time and finding the end of its reply; measures when the first content and the end came. It
 * reconnects when the server closes, and looks at no more of a reply than framing and frame ends.
 */

import type { Socket } from 'bun'

/** One reply as measured. Times are milliseconds of `performance.now()`. */
export interface Timing {
  sentAt: number
  /** First byte of the body. */
  firstAt: number
  endAt: number
  status: number
}

export interface Connection {
  /** Sends a request; `done` is called once, with status 0 when the connection broke. */
  send(request: Uint8Array, done: (timing: Timing) => void, first?: (timing: Timing) => void): void
  /** SSE frames received since the last request. */
  frames(): number
  close(): void
}

const newline = 10
const headEnd = Buffer.from('\r\n\r\n')

/** Opens a connection. */
export async function openConnection(port: number): Promise<Connection> {
  let socket: Socket<undefined>
  let out: Uint8Array | undefined
  let outAt = 0
  let head: Buffer | undefined
  /** `idle`, in the head, in a body of `left` bytes, in a chunked body, or in one that the end of the connection ends. */
  let state: 'idle' | 'head' | 'length' | 'chunked' | 'close' = 'idle'
  let left = 0
  let tail = ''
  let frames = 0
  let lastByte = 0
  let timing: Timing = { sentAt: 0, firstAt: 0, endAt: 0, status: 0 }
  let onDone: ((timing: Timing) => void) | undefined
  let onFirst: ((timing: Timing) => void) | undefined
  let alive = false

  const finish = (): void => {
    state = 'idle'
    timing.endAt = performance.now()
    const done = onDone
    onDone = undefined
    done?.(timing)
  }
  const flush = (): void => {
    if (out === undefined) return
    outAt += socket.write(outAt === 0 ? out : out.subarray(outAt))
    if (outAt >= out.length) out = undefined
  }
  const body = (bytes: Buffer): void => {
    if (bytes.length === 0 && !(state === 'length' && left === 0)) return
    if (timing.firstAt === 0) {
      timing.firstAt = performance.now()
      onFirst?.(timing)
    }
    if (state === 'length') {
      left -= bytes.length
      if (left <= 0) finish()
      return
    }
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) {
      if ((at === 0 ? lastByte : bytes[at - 1]) === newline) frames++
    }
    lastByte = bytes[bytes.length - 1]!
    tail = (tail + bytes.toString('latin1', Math.max(0, bytes.length - 7))).slice(-7)
    if (state === 'chunked' && tail.endsWith('0\r\n\r\n')) finish()
  }
  const handlers = {
    data(_: Socket<undefined>, packet: Buffer): void {
      if (state !== 'head') {
        body(packet)
        return
      }
      const bytes = head ? Buffer.concat([head, packet]) : packet
      const end = bytes.indexOf(headEnd)
      if (end < 0) {
        head = Buffer.from(bytes)
        return
      }
      head = undefined
      const text = bytes.toString('latin1', 0, end).toLowerCase()
      timing.status = Number(text.slice(9, 12))
      const length = /\r\ncontent-length: *(\d+)/.exec(text)
      state = text.includes('\r\ntransfer-encoding: chunked') ? 'chunked' : length ? 'length' : 'close'
      left = length ? Number(length[1]) : 0
      body(bytes.subarray(end + 4))
    },
    drain: flush,
    close(): void {
      alive = false
      if (state === 'idle') return
      if (state !== 'close') timing.status = 0
      finish()
    },
    error(): void {},
  }
  const connect = async (): Promise<void> => {
    socket = await Bun.connect<undefined>({ hostname: '127.0.0.1', port, socket: handlers })
    alive = true
  }
  await connect()

  return {
    send(request, done, first) {
      timing = { sentAt: performance.now(), firstAt: 0, endAt: 0, status: 0 }
      onDone = done
      onFirst = first
      state = 'head'
      tail = ''
      frames = 0
      lastByte = 0
      out = request
      outAt = 0
      if (alive) return flush()
      connect().then(flush, finish)
    },
    frames: () => frames,
    close() {
      state = 'idle'
      socket.end()
      socket.terminate()
    },
  }
}
