/**
 * The two listeners, public and admin, and the swap of applications under them.
 *
 * Bun's defaults are wrong for a gateway of slow streams: each is set here on purpose (idle timeout, body size, port sharing).
 */

import { families } from '../dialect/family.ts'
import type { BuildResult, Gateway } from '../runtime/gateway.ts'
import { adminApp } from './admin-app.ts'
import { edgeError, newRequestId } from './errors.ts'
import { type BunServer, type PublicApp, publicApp } from './public-app.ts'

export interface Listen {
  readonly host: string
  readonly port: number
}

export interface Edge {
  readonly url: string
  readonly adminUrl: string | undefined
  /** Builds the config again and, when it is good, serves it. */
  reload(): Promise<BuildResult>
  /** Stops accepting, lets streams finish within the gateway's drain limit, closes. True when nothing was cut. */
  stop(drain: number): Promise<boolean>
}

/** Larger bodies than this never reach a handler; the real limit is the config's, enforced while reading. */
const absoluteBodyLimit = 1024 * 1024 * 1024
/** Seconds without any byte on a connection on which no model is thinking; the guard against slow senders. */
const idleSeconds = 60
/** How long new requests are answered with `Connection: close` before the listener goes. */
const announceMs = 250

/**
 * Starts serving. The gateway must have a config.
 * @param idle seconds until a silent connection on which no model is thinking is cut; shorter in tests
 * @throws Error (EADDRINUSE) when a port is taken.
 */
export function serveEdge(gateway: Gateway, listen: Listen, admin: Listen | undefined, idle = idleSeconds): Edge {
  let app: PublicApp = publicApp(gateway, gateway.snapshot, idle)
  gateway.services.dispatch = (request, inner, signal) => app.call(request, inner, signal)
  const reload = async (): Promise<BuildResult> => {
    const result = await gateway.reload()
    if (result.ok) swap()
    return result
  }
  const server = Bun.serve({
    hostname: listen.host,
    port: listen.port,
    reusePort: false,
    idleTimeout: idle,
    maxRequestBodySize: absoluteBodyLimit,
    development: false,
    fetch: (request, self) => app.fetch(request, self as BunServer),
    error: (error) => {
      gateway.log.error('the listener failed', { error: error.message })
      return edgeError(gateway.snapshot.errors, families.openai, 'internal_error', newRequestId())
    },
  })
  let adminHandler = adminApp(gateway, app.table, reload)
  const adminServer =
    admin &&
    Bun.serve({
      hostname: admin.host,
      port: admin.port,
      reusePort: false,
      development: false,
      fetch: (request) => adminHandler.fetch(request),
    })
  const swap = () => {
    app = publicApp(gateway, gateway.snapshot, idle)
    adminHandler = adminApp(gateway, app.table, reload)
  }
  return {
    url: urlOf(listen.host, server.port!),
    adminUrl: adminServer && urlOf(admin!.host, adminServer.port!),
    reload,
    async stop(drain) {
      gateway.draining = true
      if (gateway.snapshot.inflight > 0) await Bun.sleep(Math.min(announceMs, drain))
      const stopped = server.stop()
      const clean = await gateway.close(drain)
      if (!clean) {
        // what was said to those that were cut is on its way
        await Promise.race([stopped, Bun.sleep(announceMs)])
        await server.stop(true)
      }
      await stopped
      await adminServer?.stop(true)
      return clean
    },
  }
}

function urlOf(hostname: string, port: number): string {
  const host = hostname === '0.0.0.0' || hostname === '::' ? '127.0.0.1' : hostname.includes(':') ? `[${hostname}]` : hostname
  return `http://${host}:${port}`
}
