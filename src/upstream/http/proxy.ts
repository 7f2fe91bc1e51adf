/**
 * Which proxy the environment asks for, per origin: HTTPS_PROXY, HTTP_PROXY, NO_PROXY and their lower-case spellings.
 *
 * Pure. `http_proxy` in upper case is honoured too: this is no CGI program.
 */

import type { Origin } from './origin.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The proxy's URL for this origin; undefined when it is to be called directly. */
export function proxyFor(origin: Origin, env: Environment): string | undefined {
  const name = origin.protocol === 'https:' ? 'https_proxy' : 'http_proxy'
  const proxy = env[name] || env[name.toUpperCase()]
  if (!proxy || isExempt(origin, env.no_proxy || env.NO_PROXY || '')) return undefined
  return /^[a-z]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`
}

/** NO_PROXY: comma-separated hosts, each with its subdomains, optionally with a port; `*` is everything. */
function isExempt({ hostname, port }: Origin, list: string): boolean {
  for (const item of list.split(/[,\s]+/)) {
    const entry = item.trim().toLowerCase()
    if (entry === '') continue
    if (entry === '*') return true
    const [, host, onlyPort] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(
      entry.includes(':') && entry.split(':').length > 2 && !entry.startsWith('[') ? `[${entry}]` : entry,
    ) as RegExpExecArray
    if (onlyPort !== undefined && Number(onlyPort) !== port) continue
    const domain = (host ?? '').replace(/^\*?\./, '')
    if (hostname === domain || hostname.endsWith(`.${domain}`)) return true
  }
  return false
}
