/** What plugins may ask of an upstream besides inference: a plain look at it, with its own credential, and what its models understand. */

import type { Upstream } from '../plugin/host.ts'
import { capabilitiesAt } from '../upstream/capabilities.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import { editHeaders } from '../upstream/host/host.ts'
import { headerPairs } from '../upstream/http/request-head.ts'

const nothing = new Uint8Array(0)

/** @param now milliseconds since the epoch: signatures name it */
export function reachOf(upstream: UpstreamDefinition, now: () => number): Upstream {
  const { host, operations, origin } = upstream
  return {
    async look(path, signal) {
      let headers = new Headers([...headerPairs({ lines: upstream.headers.lines })] as [string, string][])
      if (host) headers = editHeaders(headers, await host.authorize({ method: 'GET', origin, path, headers, body: nothing, now: now() }))
      const url = `${origin.protocol}//${origin.host}${path}`
      const response = await fetch(url, { headers, redirect: 'manual', signal })
      await response.body?.cancel()
      return response.status
    },
    prefills: (model) => capabilitiesAt(upstream, operations[0]!.dialect.name, model).prefill,
  }
}
