/**
 * One connection to an origin: `Bun.connect` with its traps cured, TCP and TLS alike.
 *
 * Owns the socket, its connect timer and the certificate verdict; knows bytes, not HTTP. What happens is told to its
 * current `user`; without one the connection is idle, and any byte that comes then closes it.
 *
 * What Bun guarantees (measured, 1.4.5): each `data` buffer is its own ArrayBuffer, never written to again; no `data` comes
 * after `pause()`, in TLS neither; `write` accepts a part and says how much, -1 when closed; `close` is called
 * synchronously from within `terminate()` and `end()`, so state is changed before they are called.
 *
 * What is read reaches the user at the end of the turn (`arrivals.ts`), after a `pause()` too.
 */

import { isIP } from 'node:net'
import { arrived, handOverAll, type Receiver } from './arrivals.ts'
import type { Origin } from './origin.ts'
import type { HttpErrorKind } from './transport.ts'

export interface ConnectionUser {
  /** Connected, and for TLS verified: write now. */
  opened(connection: Connection): void
  /** It never opened. */
  refused(kind: HttpErrorKind, message: string): void
  bytes(chunk: Buffer): void
  /** There is room to write again. */
  drained(): void
  /** Closed by the peer; `error` is set when it was not a FIN. Never called for a closing of ours. */
  closed(error: Error | undefined): void
}

export interface ConnectionOptions {
  /** Milliseconds for DNS, TCP and TLS together; 0 = none. */
  readonly timeout: number
  /** Extra trusted certificates (PEM) instead of the system's; NODE_EXTRA_CA_CERTS is honoured by Bun itself. */
  readonly ca?: string
  /** Called once, when the connection is gone, whatever the reason. */
  readonly gone: (connection: Connection) => void
}

/** Bytes. */
const largeChunk = 65_536

type Socket = Bun.Socket<Connection>

export class Connection implements Receiver<ConnectionUser> {
  user: ConnectionUser | undefined
  /** Served a request before. */
  reused = false
  /** Instant (`performance.now()`) until which it may stay idle. Meaningful while idle. */
  idleUntil = 0
  private socket: Socket | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  /** Not closed: still connecting counts as open. */
  private alive = true
  private ready = false

  constructor(
    readonly origin: Origin,
    user: ConnectionUser,
    private readonly options: ConnectionOptions,
  ) {
    this.user = user
    if (options.timeout > 0) {
      this.timer = setTimeout(() => this.refuse('connect_timeout', `no connection within ${options.timeout} ms`), options.timeout)
    }
    const tls = origin.protocol === 'https:' ? { tls: tlsOptions(origin, options.ca) } : {}
    // Bun reports a failed connect twice, to `connectError` and as a rejection; only the rejection is used.
    const failed = (error: unknown): void => this.refuse('connect', describe(error))
    try {
      Bun.connect<Connection>({ hostname: origin.hostname, port: origin.port, data: this, socket: handlers, ...tls }).catch(failed)
    } catch (error) {
      queueMicrotask(() => failed(error)) // options that it can't read, such as a broken certificate, are thrown
    }
  }

  /** The peer has not closed it, as far as is known. */
  get usable(): boolean {
    return this.alive && this.ready && this.socket?.readyState === 1
  }

  /** Returns how many bytes were taken; -1 when closed. */
  write(bytes: Uint8Array, from: number, to: number): number {
    return this.socket === undefined ? -1 : this.socket.write(bytes, from, to - from)
  }

  pause(): void {
    this.socket?.pause()
  }

  resume(): void {
    this.socket?.resume()
  }

  /** Idle connections do not keep the process alive. */
  idle(): void {
    this.user = undefined
    this.reused = true
    this.socket?.unref()
  }

  /** Back to work. */
  wake(user: ConnectionUser): void {
    this.user = user
    this.socket?.ref()
  }

  /** Closes at once (RST), dropping what is unsent: the server sees it now. While connecting, the attempt is given up. */
  abort(): void {
    this.user = undefined
    const { socket } = this
    if (socket === undefined) {
      this.leave() // Bun has no handle yet: `open` finds it dead and closes the socket
      return
    }
    this.leave()
    socket.terminate()
  }

  /** Closes politely (FIN, close_notify). */
  end(): void {
    this.user = undefined
    this.leave()
    this.socket?.end()
  }

  /** Called by `handlers`. */
  opened(socket: Socket): void {
    if (!this.alive) {
      socket.terminate()
      return
    }
    this.socket = socket
    if (this.origin.protocol === 'http:') this.becomeReady()
  }

  /** Called by `handlers`. `open` of a TLS socket comes before its handshake; nothing may be written before this. */
  shook(authorized: boolean, error: Error | null): void {
    if (!this.alive || this.ready) return
    if (authorized && error === null) this.becomeReady()
    else this.refuse('tls', describe(error ?? new Error('certificate not accepted')))
  }

  /** Called by `handlers`. What nobody waits for must not wait: the next user would take it for its answer. */
  received(chunk: Buffer): void {
    if (!this.alive) return
    if (this.user === undefined || !this.ready) this.abort()
    else {
      arrived(this, this.user, chunk)
      // the socket is read on and on unless it is paused meanwhile, and large chunks gain nothing by company
      if (chunk.length >= largeChunk) handOverAll()
    }
  }

  /** Called at the end of the turn in which the chunk was read for `user`. */
  handOver(user: ConnectionUser, chunk: Buffer): void {
    if (this.user === user) user.bytes(chunk)
    else if (this.alive) this.stray()
  }

  /** Called when handing over threw. None should, so the connection is not to be trusted. */
  broke(): void {
    this.socket?.terminate()
  }

  /** Called by `handlers`. */
  lost(error: Error | undefined): void {
    if (!this.alive) return
    handOverAll() // the end must not overtake the last bytes
    if (!this.ready) {
      this.refuse(
        this.origin.protocol === 'https:' ? 'tls' : 'connect',
        `closed while connecting${error === undefined ? '' : `: ${describe(error)}`}`,
      )
      return
    }
    const { user } = this
    this.user = undefined
    this.leave()
    user?.closed(error)
  }

  /** There was more than the answer: whoever has the connection now can't use it. */
  private stray(): void {
    const { user } = this
    this.abort()
    user?.closed(undefined)
  }

  private becomeReady(): void {
    clearTimeout(this.timer)
    this.ready = true
    this.user?.opened(this)
  }

  private refuse(kind: HttpErrorKind, message: string): void {
    if (!this.alive) return
    const { user } = this
    this.abort()
    user?.refused(kind, message)
  }

  private leave(): void {
    if (!this.alive) return
    this.alive = false
    clearTimeout(this.timer)
    this.options.gone(this)
  }
}

/** One handler object for all sockets: Bun reads it once per connect, and closures per socket would be garbage. */
const handlers: Bun.SocketHandler<Connection> = {
  open: (socket) => socket.data.opened(socket),
  handshake: (socket, authorized, error) => socket.data.shook(authorized && socket.authorized, error),
  data: (socket, chunk) => socket.data.received(chunk),
  drain: (socket) => socket.data.user?.drained(),
  close: (socket, error) => socket.data.lost(error),
  // A throwing handler lands here instead of killing the process.
  error: (socket) => socket.data.broke(),
  connectError: () => {},
}

/**
 * Certificates and host name are verified by default; said here all the same. Without `serverName` Bun takes the host name for
 * both SNI and verification, IP addresses included. `ALPNProtocols` is in wire format (length byte, name): Bun
 * silently ignores a bare 'http/1.1'.
 */
function tlsOptions(origin: Origin, ca: string | undefined): Bun.TLSOptions {
  const options: Bun.TLSOptions = { rejectUnauthorized: true, ALPNProtocols: '\x08http/1.1' }
  if (isIP(origin.hostname) === 0) options.serverName = origin.hostname
  if (ca !== undefined) options.ca = ca
  return options
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = (error as Error & { code?: unknown }).code
  return typeof code === 'string' && !error.message.includes(code) ? `${code}: ${error.message}` : error.message
}
