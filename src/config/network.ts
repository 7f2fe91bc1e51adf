/**
 * Addresses and networks of the Internet Protocol: read, compared, written in one spelling. Pure.
 *
 * IPv4 lives inside IPv6 (`::ffff:a.b.c.d`), so an address that arrives in the one form matches a network that was written in the other.
 */

import { isIPv4, isIPv6 } from 'node:net'
import type { Read } from './kinds.ts'

/** A block of addresses: those that have its first bits. */
export interface Network {
  readonly base: bigint
  /** How many bits of an address are not of the network. */
  readonly free: bigint
}

const v4 = 0xffff_0000_0000n
const v4Text = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/

/** An address as a number of 128 bits; undefined when the text is none. A zone (`%eth0`) does not count. */
export function parseAddress(text: string): bigint | undefined {
  if (isIPv4(text)) return v4 | v4Number(text)
  const plain = text.split('%', 1)[0]!
  if (!isIPv6(plain)) return undefined
  const dotted = plain.slice(plain.lastIndexOf(':') + 1)
  const whole = dotted.includes('.') ? plain.slice(0, -dotted.length) + hexPair(v4Number(dotted)) : plain
  const [head = '', tail] = whole.split('::', 2)
  const groups = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  if (tail !== undefined) while (groups.length + after.length < 8) groups.push('0')
  return [...groups, ...after].reduce((all, group) => (all << 16n) | BigInt(`0x${group}`), 0n)
}

function v4Number(text: string): bigint {
  const [, a, b, c, d] = v4Text.exec(text) ?? []
  return (BigInt(a!) << 24n) | (BigInt(b!) << 16n) | (BigInt(c!) << 8n) | BigInt(d!)
}
function hexPair(n: bigint): string {
  return `${(n >> 16n).toString(16)}:${(n & 0xffffn).toString(16)}`
}

/** The one spelling of an address: IPv4 dotted, IPv6 short and in small letters. */
export function addressText(address: bigint): string {
  if (address >> 32n === 0xffffn) return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 0xffn).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((address >> BigInt(112 - 16 * i)) & 0xffffn).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

/** A network such as `10.0.0.0/8` or `2001:db8::/32`, or one address; undefined when the text is none. */
export function parseNetwork(text: string): Network | undefined {
  const [, address, bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const base = address === undefined ? undefined : parseAddress(address)
  if (base === undefined) return undefined
  const size = isIPv4(address!) ? 32 : 128
  const free = bits === undefined ? 0 : size - Number(bits)
  return free < 0 ? undefined : { base: base >> BigInt(free), free: BigInt(free) }
}

export function contains({ base, free }: Network, address: bigint): boolean {
  return address >> free === base
}

/** Reads a network for the config; it stays the text. */
export function readNetwork(text: string): Read<string> {
  if (/\/0+$/.test(text) && parseNetwork(text)) {
    return {
      wrong: 'is every address there is: any client could say that it has another one',
      fix: 'name the networks of your proxies, for example 10.0.0.0/8',
    }
  }
  if (parseNetwork(text)) return { value: text }
  return { wrong: 'is no address or network', fix: 'write 10.0.0.0/8, 2001:db8::/32, or one address' }
}
