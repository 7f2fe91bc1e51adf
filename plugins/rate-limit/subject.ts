/**
 * Under which name a request is counted. Pure; a name may not let one caller choose to be counted as another, nor as nobody.
 */

import type { PrincipalValue } from 'headgate/plugin'

/** The name for `by: key` and `by: account`; callers without a key of their own are counted by address. */
export function callerSubject(by: 'key' | 'account', principal: PrincipalValue | undefined, ip: string): string {
  if (principal === undefined || principal.kind === 'anonymous') return addressSubject(ip)
  return by === 'key' ? `key:${principal.id}` : `account:${principal.account}`
}

/**
 * The name of an address. IPv6 is counted by its /64 network, which is what one customer gets: counted whole, a caller could
 * take a fresh address for each request. IPv4 inside IPv6 (`::ffff:1.2.3.4`) is the IPv4 address.
 */
export function addressSubject(ip: string): string {
  if (!ip.includes(':')) return `ip:${ip || 'unknown'}`
  const plain = ip.split('%', 1)[0]!.toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)
  if (mapped) return `ip:${mapped[1]}`
  const [head = '', tail] = plain.split('::', 2)
  const groups = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  // "::" stands for as many zero groups as are missing; only the first four of eight groups count.
  if (tail !== undefined) while (groups.length + after.length < 8) groups.push('0')
  const network = [...groups, ...after].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''))
  return `ip:${network.join(':')}::/64`
}
