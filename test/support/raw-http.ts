/**
 * An HTTP/1.1 server that hands its handler the socket, so that a test decides about every byte that leaves.
 *
 * Owns reading requests (head, content-length and chunked bodies, keep-alive) and the life of connections. It never writes
 * a byte of its own, and never buffers more than one request. For tests on 127.0.0.1 only.
 */

import net from 'node:net'

export interface RawRequest {
  readonly method: string
  /** Path without query. */
  readonly path: string
  /** Query without `?`. */
  readonly query: string
  /** Names in lower case; duplicates joined by ", ". */
  readonly headers: Headers
  /** As received: order, spelling and duplicates. */
  readonly headerLines: readonly (readonly [name: string, value: string])[]
  /** The body's bytes, chunked encoding removed, nothing else. */
  readonly body: Uint8Array
}

export interface RawConnection {
  /** Sends bytes; waits while the peer reads too slowly. False once the connection is gone. */
  write(bytes: string | Uint8Array): Promise<boolean>
  /** Ends with FIN. */
  end(): void
  /** Ends with RST. */
  reset(): void
  /** Resolved when the connection is gone, with who ended it. */
  readonly closed: Promise<'peer' | 'self'>
  readonly isClosed: boolean
}

export interface RawServer {
  readonly port: number
  readonly url: string
  /** Connections open now, idle ones too. */
  open(): number
  /** Connections accepted so far. */
  accepted(): number
  stop(): Promise<void>
}

/** When it returns, the reply is complete and the connection takes the next request (unless it was ended). */
export type RawHandler = (request: RawRequest, connection: RawConnection) => void | Promise<void>

/** Starts a server on a free port of 127.0.0.1. A handler that throws has its connection reset. */
export async function startRawHttp(handler: RawHandler): Promise<RawServer> {
  const sockets = new Set<net.Socket>()
  let accepted = 0
  const server = net.createServer({ noDelay: true }, (socket) => {
    accepted++
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(socket, handler)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const port = (server.address() as net.AddressInfo).port
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    open: () => sockets.size,
    accepted: () => accepted,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function serve(socket: net.Socket, handler: RawHandler): void {
  let pieces: Buffer[] = []
  let size = 0
  let needed = 1
  let busy = false
  const connection = connect(socket)

  const advance = async (): Promise<void> => {
    if (busy) return
    busy = true
    try {
      while (size >= needed && !connection.isClosed) {
        const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
        const parsed = parseRequest(bytes)
        const rest = typeof parsed === 'number' ? bytes : bytes.subarray(parsed.length)
        pieces = [rest]
        size = rest.length
        needed = typeof parsed === 'number' ? parsed : 1
        if (typeof parsed !== 'number') await handler(parsed.request, connection)
      }
    } catch {
      connection.reset()
    } finally {
      busy = false
    }
  }
  socket.on('data', (data) => {
    pieces.push(typeof data === 'string' ? Buffer.from(data) : data)
    size += data.length
    void advance()
  })
}

function connect(socket: net.Socket): RawConnection {
  let state: 'open' | 'peer' | 'self' = 'open'
  let ending = false
  const closed = new Promise<'peer' | 'self'>((resolve) => {
    const done = (): void => {
      if (state !== 'open') return
      state = ending ? 'self' : 'peer'
      resolve(state)
    }
    socket.on('error', done)
    socket.on('end', done)
    socket.on('close', done)
  })
  return {
    closed,
    get isClosed() {
      return state !== 'open'
    },
    write(bytes) {
      if (state !== 'open' || ending) return Promise.resolve(false)
      if (socket.write(bytes)) return Promise.resolve(true)
      return new Promise((resolve) => {
        const drained = (): void => resolve(true)
        socket.once('drain', drained)
        void closed.then(() => {
          socket.off('drain', drained)
          resolve(false)
        })
      })
    },
    end() {
      ending = true
      socket.end()
    },
    reset() {
      ending = true
      socket.resetAndDestroy()
    },
  }
}

const headEnd = Buffer.from('\r\n\r\n')

/** The first request in `bytes` and how long it is; while it is incomplete, the size at which another look is worth it. */
function parseRequest(bytes: Buffer): { request: RawRequest; length: number } | number {
  const end = bytes.indexOf(headEnd)
  if (end < 0) return bytes.length + 1
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const [method = '', target = ''] = first.split(' ')
  const headerLines = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
  })
  const headers = new Headers()
  for (const [name, value] of headerLines) headers.append(name, value)
  const start = end + headEnd.length
  const body = headers.get('transfer-encoding')?.includes('chunked')
    ? chunkedBody(bytes, start)
    : plainBody(bytes, start, Number(headers.get('content-length') ?? 0))
  if (typeof body === 'number') return body
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 ? '' : target.slice(mark + 1)
  return { request: { method, path, query, headers, headerLines, body: body.bytes }, length: body.end }
}

interface Body {
  readonly bytes: Uint8Array
  /** Index after the body. */
  readonly end: number
}

function plainBody(bytes: Buffer, start: number, length: number): Body | number {
  const end = start + length
  return bytes.length < end ? end : { bytes: Uint8Array.from(bytes.subarray(start, end)), end }
}

function chunkedBody(bytes: Buffer, start: number): Body | number {
  const chunks: Buffer[] = []
  for (let at = start; ; ) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return bytes.length + 1
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    const next = line + 2 + size + 2
    if (bytes.length < next) return next
    if (size === 0) return { bytes: Buffer.concat(chunks), end: next }
    chunks.push(bytes.subarray(line + 2, line + 2 + size))
    at = next
  }
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  429: 'Too Many Requests',
  500: 'Error',
}

/** A reply's head as text. */
export function headText(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${reasons[status] ?? 'Status'}\r\n${lines.join('')}\r\n`
}

/** One chunk of a chunked body. Empty bytes give nothing, for an empty chunk would end the body. */
export function chunk(bytes: string | Uint8Array): Uint8Array {
  const data = Buffer.from(bytes)
  if (data.length === 0) return data
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')])
}

/** What ends a chunked body. */
export const lastChunk = '0\r\n\r\n'
