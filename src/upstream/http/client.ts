/**
 * The HTTP/1.1 client: a `Transport` over own connections.
 *
 * Owns the pool and the count of connections. No promise, stream or timer per chunk; no limit on concurrency: that is the
 * gateway's to set.
 */

import { Connection } from './connection.ts'
import { type ConnectionSource, Exchange } from './exchange.ts'
import { createPool, type PoolOptions } from './pool.ts'
import { requestWrites, smallRequest } from './request-head.ts'
import type { HttpRequestOptions, Transport } from './transport.ts'

export interface HttpClientOptions extends PoolOptions {
  /** Certificates (PEM) to trust instead of the built-in ones. NODE_EXTRA_CA_CERTS adds to the built-in ones. */
  readonly ca?: string
}

/** A client with a pool of its own. */
export function createHttpClient(options: HttpClientOptions = {}): Transport {
  const pool = createPool(options)
  const trust = options.ca === undefined ? {} : { ca: options.ca }
  let open = 0
  let closed = false
  const gone = (connection: Connection): void => {
    open -= 1
    pool.drop(connection)
  }

  const source: ConnectionSource = {
    connect(user, { origin, connectTimeout }) {
      open += 1
      return new Connection(origin, user, { timeout: connectTimeout, gone, ...trust })
    },
    release: pool.put,
  }

  return {
    request(request: HttpRequestOptions) {
      const { origin } = request
      const small = smallRequest(request)
      const exchange = new Exchange(source, request, small < 0 ? requestWrites(request) : undefined)
      if (closed) failLater(exchange)
      else {
        const now = request.now ?? performance.now()
        const idle = pool.take(origin.key, now)
        if (idle === undefined) exchange.connect()
        else exchange.reuse(idle, small, now)
      }
      return exchange
    },
    stats: () => ({ open, idle: pool.size() }),
    close() {
      closed = true
      pool.close()
    },
  }
}

function failLater(exchange: Exchange): void {
  queueMicrotask(() => exchange.fail('closed', 'the client is closed'))
}
