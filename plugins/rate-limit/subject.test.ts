import { describe, expect, test } from 'bun:test'
import { type Host, type PrincipalValue, Session, type SessionValue } from 'headgate/plugin'
import { type Asking, addressSubject, type By, needsBody, subjectOf, whomText } from './subject.ts'

const catalog = { find: (id: string) => (id.startsWith('known') ? { id: id.split('-')[0]!, targets: [] } : undefined) } as Host['catalog']
interface Call {
  principal?: Partial<PrincipalValue>
  ip?: string
  model?: string
  body?: Record<string, unknown>
  session?: SessionValue
}
/** The name under which a call is counted. */
function subject(by: By | By[], call: Call = {}): string {
  const x = {
    ip: call.ip ?? '192.0.2.1',
    request: { model: call.model ?? 'known', json: call.body ?? {} },
    peek: (slot: unknown) => (slot === Session ? call.session : undefined),
  } as unknown as Asking
  const principal = call.principal && { id: 'key_a', kind: 'key' as const, account: 'acct_1', tags: [], ...call.principal }
  return subjectOf([by].flat(), catalog)(x, principal)
}
const alice = { id: 'key_a', account: 'acct_1' }

describe('addresses', () => {
  test.each([
    ['192.0.2.1', 'ip:192.0.2.1'],
    ['::ffff:192.0.2.1', 'ip:192.0.2.1'],
    ['::FFFF:192.0.2.1', 'ip:192.0.2.1'],
    ['', 'ip:unknown'],
    ['::1', 'ip:0:0:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', 'ip:2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', 'ip:2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::9', 'ip:2001:db8:1:2::/64'],
    ['2001:db8::5', 'ip:2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'ip:fe80:0:0:0::/64'],
  ])('%s is counted as %s', (ip, expected) => {
    expect(addressSubject(ip)).toBe(expected)
  })
})

describe('names', () => {
  test.each<[By, Call, string]>([
    ['key', { principal: alice }, 'key:key_a'],
    ['key', {}, 'ip:192.0.2.1'],
    ['key', { principal: { id: 'anonymous', kind: 'anonymous' } }, 'ip:192.0.2.1'],
    ['account', { principal: alice }, 'account:acct_1'],
    ['account', { principal: { kind: 'anonymous' } }, 'ip:192.0.2.1'],
    ['ip', { principal: alice, ip: '192.0.2.9' }, 'ip:192.0.2.9'],
    ['tier', { principal: { tier: 'paid' } }, 'tier:paid'],
    ['tier', { principal: alice }, 'no-tier'],
    ['model', { model: 'known-1' }, 'model:known'],
    ['session', { principal: alice, session: { id: 'ses_1', turn: 3 } }, 'session:ses_1'],
    ['session', { principal: alice }, 'key:key_a'],
    ['user', { principal: { ...alice, user: 'u1' }, body: { user: 'made-up' } }, 'user:acct_1|u1'],
    ['user', { principal: alice, body: { user: 'u2' } }, 'user:acct_1|u2'],
    ['user', { principal: alice, body: { safety_identifier: 'u3', user: 'u2' } }, 'user:acct_1|u3'],
    ['user', { body: { metadata: { user_id: 'u4' } } }, 'user:|u4'],
    ['user', { principal: alice, body: { user: '' } }, 'key:key_a'],
    ['user', { principal: alice, body: { user: 5, metadata: ['user_id'] } }, 'key:key_a'],
    ['all', { principal: alice }, 'all'],
  ])('by %s: %j is %s', (by, call, expected) => {
    expect(subject(by, call)).toBe(expected)
  })

  test('invented models are one', () => {
    expect(subject('model', { model: 'invented-1' })).toBe(subject('model', { model: 'invented-2' }))
    expect(subject('model', { model: 'invented-1' })).not.toBe(subject('model', { model: 'known' }))
  })

  test('combinations', () => {
    expect(subject(['key', 'model'], { principal: alice })).toBe('key:key_a model:known')
    expect(subject(['ip', 'user'], { body: { user: 'u' } })).toBe('ip:192.0.2.1 user:|u')
  })

  test('whatever a caller is called, it is counted as nobody else, and shortly', () => {
    expect(subject('key', { principal: { id: '192.0.2.1' } })).toBe('key:192.0.2.1')
    const odd = ['a b', 'a|b', '', 'a\nb', 'é', '#', 'x'.repeat(81), 'x'.repeat(1_000_000)]
    const names = odd.map((user) => subject('key', { principal: { id: user } }))
    expect(new Set(names).size).toBe(odd.length)
    for (const name of names) {
      expect(name.length).toBeLessThan(100)
      expect(name).not.toMatch(/[\s|]/)
    }
    // neither by being another's account and user, nor by being two parts
    expect(subject('user', { principal: { account: 'a|b', user: 'c' } })).not.toBe(
      subject('user', { principal: { account: 'a', user: 'b|c' } }),
    )
    expect(subject(['account', 'user'], { principal: { account: 'a user:a|b', user: 'b' } })).not.toBe(
      subject(['account', 'user'], { principal: { account: 'a', user: 'b' } }),
    )
  })

  test('what needs the body', () => {
    const all: By[] = ['key', 'account', 'tier', 'ip', 'user', 'session', 'model', 'all']
    expect(all.filter(needsBody)).toEqual(['user', 'session', 'model'])
  })
})

test('who was counted, in words', () => {
  expect(whomText(['key'], 'key:a')).toBe('this API key')
  expect(whomText(['key'], 'ip:192.0.2.1')).toBe('this address')
  expect(whomText(['key', 'model'], 'key:a model:b')).toBe('this API key and this model')
  expect(whomText(['user', 'ip'], 'ip:192.0.2.1 ip:192.0.2.1')).toBe('this address')
  expect(whomText(['all'], 'all')).toBe('all callers together')
})
