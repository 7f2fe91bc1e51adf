/**
 * A TCP (or TLS) server that speaks HTTP by hand, for tests that need exact bytes, cuts, silences and deaths on the wire.
 *
 * Reads whole requests (head plus content-length) and leaves the answering to the test. Closes everything when disposed.
 */

export interface RawRequest {
  readonly socket: RawSocket
  /** Head and body as latin1. */
  readonly text: string
  /** Position among all requests of the server, from 0. */
  readonly index: number
}

export type RawSocket = Bun.Socket<RawState>

interface RawState {
  received: Buffer[]
  size: number
  /** What could not be written yet. */
  unsent: Buffer
}

export interface RawServer extends Disposable {
  readonly port: number
  readonly url: string
  /** Connections so far, and those that are open. */
  connections: number
  open: number
  /** Requests read in full. */
  requests: number
  /** Resolves when no connection is open. */
  allClosed(): Promise<void>
}

export interface RawServerOptions {
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Called for each socket read instead of collecting requests. */
  readonly onBytes?: (socket: RawSocket, bytes: Buffer) => void
}

export function rawServer(onRequest: (request: RawRequest) => void, { tls, onBytes }: RawServerOptions = {}): RawServer {
  let waiting: (() => void)[] = []
  const sockets = new Set<RawSocket>()
  const listener = Bun.listen<RawState>({
    hostname: '127.0.0.1',
    port: 0,
    ...(tls === undefined ? {} : { tls }),
    socket: {
      open(socket) {
        socket.data = { received: [], size: 0, unsent: Buffer.alloc(0) }
        sockets.add(socket)
        server.connections += 1
        server.open += 1
      },
      data(socket, bytes) {
        if (onBytes !== undefined) return onBytes(socket, bytes)
        const state = socket.data
        state.received.push(Buffer.from(bytes))
        state.size += bytes.length
        const head = (state.received[0] as Buffer).indexOf('\r\n\r\n')
        if (head < 0) return
        const length = /content-length: (\d+)/i.exec((state.received[0] as Buffer).toString('latin1', 0, head))
        if (state.size < head + 4 + Number(length?.[1] ?? 0)) return
        const text = Buffer.concat(state.received).toString('latin1')
        state.received = []
        state.size = 0
        server.requests += 1
        onRequest({ socket, text, index: server.requests - 1 })
      },
      drain(socket) {
        send(socket, '')
      },
      close(socket) {
        if (!sockets.delete(socket)) return // a failed TLS handshake: Bun reports a close without an open
        server.open -= 1
        if (server.open === 0) {
          for (const resolve of waiting) resolve()
          waiting = []
        }
      },
      error() {},
    },
  })
  const server: RawServer = {
    port: listener.port,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${listener.port}`,
    connections: 0,
    open: 0,
    requests: 0,
    allClosed: () => (server.open === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    [Symbol.dispose]() {
      listener.stop(true)
      for (const socket of sockets) socket.terminate()
    },
  }
  return server
}

/** Writes bytes or latin1 text, the rest of it when the socket drains. */
export function send(socket: RawSocket, bytes: string | Buffer): void {
  const state = socket.data
  const more = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
  state.unsent = state.unsent.length === 0 ? more : Buffer.concat([state.unsent, more])
  if (state.unsent.length === 0) return
  const written = socket.write(state.unsent)
  if (written > 0) state.unsent = state.unsent.subarray(written)
}

/** A whole answer with content-length. */
export function answer(body: string, head = ''): string {
  return `HTTP/1.1 200 OK\r\n${head}content-length: ${body.length}\r\n\r\n${body}`
}
