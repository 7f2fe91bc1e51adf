/**
 * Whose request this is, behind proxies: the right-most address of the forwarding header that is not one of our own proxies.
 *
 * The header counts only when the peer is a proxy that the operator trusts: anybody else may write what they like. Only one header is
 * read, the one that the operator names: a proxy that writes the one passes the other on as the client sent it.
 */

import type { ServerConfig } from '../config/model.ts'
import { addressText, contains, type Network, parseAddress, parseNetwork } from '../config/network.ts'

/** The client's address, given the peer's as the socket has it. IPv4 inside IPv6 comes out as IPv4. */
export type ClientAddress = (peer: string, headers: Headers) => string

/** More hops than anybody has; what stands further left is not looked at. */
const mostHops = 32

/** How the address of a client is found, by what the config trusts. */
export function clientAddress({ trusted_proxies, proxy_header }: Pick<ServerConfig, 'trusted_proxies' | 'proxy_header'>): ClientAddress {
  const networks = trusted_proxies.map((text) => parseNetwork(text)).filter((n): n is Network => n !== undefined)
  if (networks.length === 0) return plain
  const trusted = (address: bigint) => networks.some((network) => contains(network, address))
  return (peer, headers) => {
    let last = parseAddress(peer)
    if (last === undefined || !trusted(last)) return plain(peer)
    const value = headers.get(proxy_header)
    if (value === null) return addressText(last)
    const hops = value.split(',')
    for (let i = hops.length - 1; i >= Math.max(0, hops.length - mostHops); i--) {
      const address = parseAddress(bare(proxy_header === 'forwarded' ? forwardedFor(hops[i]!) : hops[i]!))
      if (address === undefined) break // `unknown`, or not an address: the proxy that wrote it is all that is known
      last = address
      if (!trusted(address)) break
    }
    return addressText(last)
  }
}

function plain(peer: string): string {
  return peer.startsWith('::ffff:') && peer.includes('.') ? peer.slice(7) : peer
}

/** `for=` of one element of RFC 7239. */
function forwardedFor(element: string): string {
  return /(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i.exec(element)?.[1]?.replaceAll('"', '') ?? ''
}

/** Without blanks, port and brackets. */
function bare(hop: string): string {
  const text = hop.trim()
  const bracketed = /^\[([^\]]*)\](:\d+)?$/.exec(text)
  if (bracketed) return bracketed[1]!
  return /^[\d.]+:\d+$/.test(text) ? text.slice(0, text.indexOf(':')) : text
}
