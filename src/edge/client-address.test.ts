import { describe, expect, test } from 'bun:test'
import { addressText, contains, parseAddress, parseNetwork } from '../config/network.ts'
import { clientAddress } from './client-address.ts'

const by = (trusted_proxies: string[], proxy_header: 'x-forwarded-for' | 'forwarded' = 'x-forwarded-for') => {
  const find = clientAddress({ trusted_proxies, proxy_header })
  return (peer: string, value?: string, name: string = proxy_header) =>
    find(peer, new Headers(value === undefined ? {} : { [name]: value }))
}

describe('the address of a client', () => {
  test.each([
    ['1.2.3.4', '1.2.3.4'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['2001:db8::1', '2001:db8::1'],
    ['', ''],
  ])('without proxies is that of the peer, whatever the header says: %s', (peer, address) => {
    expect(by([])(peer, '9.9.9.9')).toBe(address)
  })

  const cases: [string, string, string | undefined, string][] = [
    ['the proxy tells', '10.0.0.1', '9.9.9.9', '9.9.9.9'],
    ['IPv4 inside IPv6 matches a network of IPv4', '::ffff:10.0.0.1', '9.9.9.9', '9.9.9.9'],
    ['a peer that is not trusted may say what it likes', '8.8.8.8', '9.9.9.9', '8.8.8.8'],
    ['what the client wrote stands further left', '10.0.0.1', '6.6.6.6, 10.9.9.9, 9.9.9.9', '9.9.9.9'],
    ['own proxies in between are passed over', '10.0.0.1', '6.6.6.6, 9.9.9.9, 10.0.0.3,10.0.0.2', '9.9.9.9'],
    ['only own proxies: the first of them', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['no header', '10.0.0.1', undefined, '10.0.0.1'],
    ['an empty header', '10.0.0.1', '', '10.0.0.1'],
    ['nonsense at the right: the proxy that wrote it', '10.0.0.1', '9.9.9.9, unknown', '10.0.0.1'],
    ['nonsense behind a proxy', '10.0.0.1', '9.9.9.9, evil, 10.0.0.2', '10.0.0.2'],
    ['with a port', '10.0.0.1', '9.9.9.9:4711', '9.9.9.9'],
    ['IPv6, in brackets, with a port', '10.0.0.1', '[2001:DB8:0::1]:4711', '2001:db8::1'],
    ['IPv4 inside IPv6', '10.0.0.1', '::ffff:9.9.9.9', '9.9.9.9'],
    ['a proxy by IPv6', '2001:db8:1::5', '9.9.9.9', '9.9.9.9'],
    ['one of another network', '2001:db8:2::5', '9.9.9.9', '2001:db8:2::5'],
  ]
  test.each(cases)('%s', (_name, peer, header, address) => {
    expect(by(['10.0.0.0/8', '2001:db8:1::/48'])(peer, header)).toBe(address)
  })

  test('one header counts: the other may be the client writing', () => {
    expect(by(['10.0.0.1'])('10.0.0.1', 'for=6.6.6.6', 'forwarded')).toBe('10.0.0.1')
    expect(by(['10.0.0.1'], 'forwarded')('10.0.0.1', '6.6.6.6', 'x-forwarded-for')).toBe('10.0.0.1')
    const forwarded = by(['10.0.0.0/8'], 'forwarded')
    expect(forwarded('10.0.0.1', 'for=6.6.6.6, for="[2001:db8::9]:80";proto=https, For=10.0.0.4;by=10.0.0.1')).toBe('2001:db8::9')
    expect(forwarded('10.0.0.1', 'proto=https')).toBe('10.0.0.1')
    expect(forwarded('10.0.0.1', 'for=_hidden')).toBe('10.0.0.1')
  })

  test('a list without end is not walked to its end', () => {
    expect(by(['10.0.0.0/8'])('10.0.0.1', `9.9.9.9${',10.0.0.2'.repeat(100_000)}`)).toBe('10.0.0.2')
  })
})

describe('addresses and networks', () => {
  test.each([
    ['::', '::'],
    ['::1', '::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:102:304', '1.2.3.4'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['255.255.255.255', '255.255.255.255'],
  ])('%s is written %s', (text, written) => expect(addressText(parseAddress(text)!)).toBe(written))

  test.each(['', '1.2.3', '1.2.3.256', ':::', '1.2.3.4.5', 'localhost', '12345::'])('%j is no address', (text) =>
    expect(parseAddress(text)).toBeUndefined(),
  )
  test.each(['10.0.0.0/33', '::/129', '10.0.0.0/', '/8', '10.0.0.0/8/8', 'x/8'])('%j is no network', (text) =>
    expect(parseNetwork(text)).toBeUndefined(),
  )

  test('edges of networks', () => {
    const inside = (network: string, address: string) => contains(parseNetwork(network)!, parseAddress(address)!)
    expect([inside('10.1.0.0/16', '10.1.255.255'), inside('10.1.0.0/16', '10.2.0.0')]).toEqual([true, false])
    expect([inside('0.0.0.0/0', '255.1.1.1'), inside('0.0.0.0/0', '2001::1'), inside('::/0', '1.1.1.1')]).toEqual([true, false, true])
    expect([inside('2001:db8::/64', '2001:db8::ffff:1'), inside('2001:db8::/64', '2001:db8:0:1::')]).toEqual([true, false])
  })
})
