/**
 * The way of a live reply straight to the listener's socket, past the queue and the promises of a stream: a tenth less CPU per chunk.
 *
 *   before the listener asks ──▶ chunks wait here ──asked──▶ each is written and sent at once
 *                                                              └▶ the socket takes no more: `full` until it does, and the upstream is paused
 *
 * Only for a response that goes to Bun's server: who reads it in this process wants a plain stream.
 */

import type { Outlet, Relay } from './relay.ts'

/** What Bun hands to `pull` of a stream of the type `direct`. */
interface DirectController {
  /** Bytes taken; a promise while the client reads too slowly: it resolves when there is room again. */
  write(bytes: Uint8Array): number | Promise<number>
  flush(): unknown
  close(): void
}

/** Bytes that may wait until the listener asks. */
const highWater = 256 * 1024

class SocketOutlet implements Outlet {
  private socket: DirectController | undefined = undefined
  private waiting: Uint8Array[] = []
  private size = 0
  private full = false
  private closed = false
  private over: (() => void) | undefined = undefined

  constructor(private readonly relay: Relay) {}

  get desiredSize(): number {
    if (this.full) return 0
    return this.socket === undefined ? highWater - this.size : highWater
  }

  enqueue(bytes: Uint8Array): void {
    if (this.socket === undefined) {
      this.waiting.push(bytes)
      this.size += bytes.length
    } else this.write(this.socket, bytes)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.socket?.close()
    this.over?.()
  }

  /** The listener asks, once. Resolves at the end of the reply. */
  open(socket: DirectController): Promise<void> | undefined {
    this.socket = socket
    for (const bytes of this.waiting) this.write(socket, bytes)
    this.waiting = []
    if (this.closed) {
      socket.close()
      return undefined
    }
    if (!this.full) this.relay.pull()
    return new Promise((resolve) => {
      this.over = resolve
    })
  }

  /** The client has gone. */
  left(): void {
    this.closed = true
    this.waiting = []
    this.relay.cancel()
    this.over?.()
  }

  private write(socket: DirectController, bytes: Uint8Array): void {
    if (this.closed && this.over !== undefined) return
    const taken = socket.write(bytes)
    socket.flush()
    if (typeof taken === 'object') this.wait(taken)
  }

  // closures stand in a function of their own: where one may be made, every chunk pays for its scope
  private wait(room: Promise<number>): void {
    this.full = true
    const go = () => {
      this.full = false
      if (!this.closed) this.relay.pull()
    }
    room.then(go, go)
  }
}

/** A response's body that writes what a relay hands on straight to the socket. Starts the relay. */
export function socketBody(relay: Relay): ReadableStream<Uint8Array> {
  const outlet = new SocketOutlet(relay)
  relay.start(outlet)
  const source = {
    type: 'direct',
    pull: (socket: DirectController) => outlet.open(socket),
    cancel: () => outlet.left(),
  }
  return new ReadableStream<Uint8Array>(source as unknown as ConstructorParameters<typeof ReadableStream<Uint8Array>>[0])
}
