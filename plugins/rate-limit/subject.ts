/**
 * Under which name a request is counted. A name may not let one caller choose to be counted as another, nor as nobody, and it is short
 * whatever the caller calls itself.
 */

import { type Exchange, type Host, type Json, type PrincipalValue, Session, type SessionValue, type Slot } from 'headgate/plugin'

/** What a limit counts apart. `all` counts everybody together. */
export type By = 'key' | 'account' | 'tier' | 'ip' | 'user' | 'session' | 'model' | 'all'

/** What a limit looks at. While the body is not read, `request` may not be touched. */
export type Asking = Pick<Exchange<never, Slot<PrincipalValue> | Slot<SessionValue>>, 'operation' | 'dialect' | 'ip' | 'request' | 'peek'>

/** Gives the name under which a request is counted. */
export type SubjectOf = (x: Asking, principal: PrincipalValue | undefined) => string

/** What is only known when the body is: a session plugin reads it too. */
export function needsBody(by: By): boolean {
  return by === 'user' || by === 'session' || by === 'model'
}

/** The names for one way of counting, or for each combination of several; their parts are divided by spaces. */
export function subjectOf(by: readonly By[], catalog: Host['catalog']): SubjectOf {
  const parts = by.map((one) => partOf(one, catalog))
  return parts.length === 1 ? parts[0]! : (x, principal) => parts.map((part) => part(x, principal)).join(' ')
}

function partOf(by: By, catalog: Host['catalog']): SubjectOf {
  switch (by) {
    case 'key':
    case 'account':
      return (x, principal) => callerSubject(by, principal, x)
    case 'tier':
      return (_x, principal) => (principal?.tier === undefined ? 'no-tier' : `tier:${named(principal.tier)}`)
    case 'ip':
      return (x) => addressSubject(x.ip)
    case 'user':
      return (x, principal) => {
        const user = principal?.user ?? userIn(x.request.json)
        if (user === undefined) return callerSubject('key', principal, x)
        return `user:${principal === undefined ? '' : named(principal.account)}|${named(user)}`
      }
    case 'session':
      return (x, principal) => {
        const session = x.peek(Session)
        return session === undefined ? callerSubject('key', principal, x) : `session:${named(session.id)}`
      }
    case 'model':
      // named by the catalogue, so that invented model ids do not each get a count of their own
      return (x) => `model:${named(catalog.find(x.request.model)?.id ?? '')}`
    case 'all':
      return () => 'all'
  }
}

/** The name for `by: key` and `by: account`; callers without a key of their own are counted by address. */
export function callerSubject(by: 'key' | 'account', principal: PrincipalValue | undefined, x: Pick<Asking, 'ip'>): string {
  if (principal === undefined || principal.kind === 'anonymous') return addressSubject(x.ip)
  return by === 'key' ? `key:${named(principal.id)}` : `account:${named(principal.account)}`
}

/** The end user whom the body names, as OpenAI's and Anthropic's APIs spell it. */
function userIn(body: { readonly [key: string]: Json }): string | undefined {
  const { user, safety_identifier, metadata } = body
  const inMetadata =
    typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata) ? (metadata as { user_id?: Json }).user_id : undefined
  for (const found of [safety_identifier, user, inMetadata]) if (typeof found === 'string' && found !== '') return found
  return undefined
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

const plainName = /^[\w.:@+/-]{1,80}$/

/** A name that stands for itself when it is short and plain, and else for its SHA-256: callers write some of them. */
export function named(name: string): string {
  return plainName.test(name) ? name : `#${new Bun.CryptoHasher('sha256').update(name).digest('base64url')}`
}

const words: Readonly<Record<By, string>> = {
  key: 'this API key',
  account: 'this account',
  tier: 'this tier',
  ip: 'this address',
  user: 'this user',
  session: 'this session',
  model: 'this model',
  all: 'all callers together',
}

/** Who or what was counted, in words; `subject` tells who was counted by address for want of a key. */
export function whomText(by: readonly By[], subject: string): string {
  const parts = subject.split(' ')
  return [...new Set(by.map((one, i) => (parts[i]?.startsWith('ip:') ? words.ip : words[one])))].join(' and ')
}
