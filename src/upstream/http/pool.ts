/**
 * Idle connections per origin, most recently used first.
 *
 * Owns nothing but idle connections: at most `perOrigin` of one origin and of `origins` origins, each until its time is up. One
 * sweep timer, unref'd, that stops when the pool is empty.
 */

import type { Connection } from './connection.ts'

export interface PoolOptions {
  /** Default 256. */
  readonly perOrigin?: number
  /** Default 256. */
  readonly origins?: number
  /** Milliseconds; default 55,000: common servers and balancers close at 60 s and more. */
  readonly idleTimeout?: number
}

export interface Pool {
  /** A connection that may be used `now`, by the monotonic clock, or undefined. It is no longer the pool's. */
  take(key: string, now: number): Connection | undefined
  /** Takes a connection back. Closes it when it can't be kept. `keepAliveFor`: what the server promised, in milliseconds. */
  put(connection: Connection, keepAliveFor: number | undefined): void
  /** Forgets a connection that has closed. */
  drop(connection: Connection): void
  size(): number
  /** Closes all; what is put afterwards is closed at once. */
  close(): void
}

const maxSweepInterval = 5000

/** A pool of idle connections. `idleTimeout` in milliseconds. */
export function createPool({ perOrigin = 256, origins = 256, idleTimeout = 55_000 }: PoolOptions = {}): Pool {
  const byOrigin = new Map<string, Connection[]>()
  let size = 0
  let sweeper: ReturnType<typeof setInterval> | undefined
  let closed = false

  const remove = (connection: Connection): boolean => {
    const list = byOrigin.get(connection.origin.key)
    const index = list === undefined ? -1 : list.indexOf(connection)
    if (list === undefined || index < 0) return false
    list.splice(index, 1)
    size -= 1
    return true
  }
  const closeOldest = (list: Connection[]): void => {
    const oldest = list[0]
    if (oldest !== undefined && remove(oldest)) oldest.end()
  }
  const sweep = (): void => {
    const now = performance.now()
    for (const list of [...byOrigin.values()]) {
      for (const connection of [...list]) if (connection.idleUntil <= now && remove(connection)) connection.end()
    }
    for (const [key, list] of byOrigin) if (list.length === 0) byOrigin.delete(key)
    // Not stopped as soon as the pool is empty: under load it is empty between any two requests.
    if (size === 0) stopSweeping()
  }
  const stopSweeping = (): void => {
    clearInterval(sweeper)
    sweeper = undefined
  }

  return {
    take(key, now) {
      for (;;) {
        const connection = byOrigin.get(key)?.pop()
        if (connection === undefined) return undefined
        size -= 1
        if (connection.usable && connection.idleUntil > now) return connection
        connection.end()
      }
    },
    put(connection, keepAliveFor) {
      // A second less than promised, so that the server does not close it under our next request.
      const idle = keepAliveFor === undefined ? idleTimeout : Math.min(idleTimeout, keepAliveFor - 1000)
      if (closed || idle <= 0 || perOrigin === 0 || !connection.usable) {
        connection.end()
        return
      }
      connection.idle()
      connection.idleUntil = performance.now() + idle
      let list = byOrigin.get(connection.origin.key)
      if (list === undefined) {
        if (byOrigin.size >= origins) for (const other of [...(byOrigin.values().next().value ?? [])]) if (remove(other)) other.end()
        list = []
        byOrigin.set(connection.origin.key, list)
      } else if (list.length >= perOrigin) closeOldest(list)
      list.push(connection)
      size += 1
      if (sweeper === undefined) {
        sweeper = setInterval(sweep, Math.min(maxSweepInterval, idleTimeout))
        sweeper.unref()
      }
    },
    drop(connection) {
      remove(connection)
    },
    size: () => size,
    close() {
      closed = true
      stopSweeping()
      for (const list of [...byOrigin.values()]) for (const connection of [...list]) if (remove(connection)) connection.end()
    },
  }
}
