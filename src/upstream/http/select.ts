/**
 * The transport that the gateway uses: own connections, or `fetch` where the environment asks for a proxy.
 */

import { createHttpClient, type HttpClientOptions } from './client.ts'
import { createFetchTransport } from './fetch-transport.ts'
import { type Environment, proxyFor } from './proxy.ts'
import type { Transport } from './transport.ts'

/** @param env where HTTPS_PROXY, HTTP_PROXY and NO_PROXY are read from; without a proxy in it at the start there is none later either */
export function createTransport(options: HttpClientOptions = {}, env: Environment = process.env): Transport {
  const direct = createHttpClient(options)
  const proxied = new Map<string, Transport>()
  // Without any proxy in the environment, the usual case, nothing stands between caller and client.
  if (!(env.HTTP_PROXY || env.http_proxy || env.HTTPS_PROXY || env.https_proxy)) return direct

  return {
    request(request) {
      const proxy = proxyFor(request.origin, env)
      if (proxy === undefined) return direct.request(request)
      let transport = proxied.get(proxy)
      if (transport === undefined) {
        transport = createFetchTransport(proxy)
        proxied.set(proxy, transport) // at most two: one per protocol
      }
      return transport.request(request)
    },
    stats() {
      let { open, idle } = direct.stats()
      for (const transport of proxied.values()) {
        const stats = transport.stats()
        open += stats.open
        idle += stats.idle
      }
      return { open, idle }
    },
    close() {
      direct.close()
      for (const transport of proxied.values()) transport.close()
    },
  }
}
