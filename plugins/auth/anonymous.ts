/**
 * Callers without a credential: who they are as far as limits, caps and records need to tell them apart.
 *
 * By address: IPv4 as it is, IPv6 by its /64 network, which is what one customer gets. The id is a keyed hash, because a plain one of so few
 * addresses can be undone by trying all. Or by the end user that the request names, which anybody can make up: fit for caps, not for
 * throttling, so the address stays what the rate-limit plugin counts.
 */

import { createHmac, randomBytes } from 'node:crypto'
import { globMatcher, type Host, type PrincipalCap, type PrincipalLimit, type PrincipalValue } from 'headgate/plugin'
import type { KeyEntry } from './key-index.ts'

export interface AnonymousOptions {
  readonly by: 'ip' | 'user'
  readonly tier: string
  readonly account: string
  readonly tags: readonly string[]
  readonly models?: readonly string[]
  readonly limits?: readonly PrincipalLimit[]
  readonly caps?: readonly PrincipalCap[]
}

export interface Anonymous {
  readonly byUser: boolean
  /** The caller at an address. */
  at(ip: string): KeyEntry
  /** The same caller as the end user that it names. */
  asUser(principal: PrincipalValue, user: string): PrincipalValue
}

/** Addresses whose caller is kept ready. */
const mostKept = 10_000

/** @param secret keys the hashes: the same for all instances, or a caller has another id at each */
export function anonymousCallers(options: AnonymousOptions, secret: string): Anonymous {
  const { by, tier, account, tags, models, limits, caps } = options
  const kept = new Map<string, KeyEntry>()
  const allows = models && globMatcher(models)
  const idOf = (what: string) => `anon_${createHmac('sha256', secret).update(what).digest('hex').slice(0, 20)}`
  return {
    byUser: by === 'user',
    at(ip) {
      const known = kept.get(ip)
      if (known) return known
      const principal: PrincipalValue = Object.freeze({
        id: idOf(`ip ${networkOf(ip)}`),
        kind: 'anonymous',
        account,
        tier,
        tags,
        ...(models && { models }),
        ...(limits && { limits }),
        ...(caps && { caps }),
      })
      const entry: KeyEntry = { principal, expiresAt: Number.POSITIVE_INFINITY, ...(allows && { allows }) }
      if (kept.size >= mostKept) kept.delete(kept.keys().next().value!)
      kept.set(ip, entry)
      return entry
    },
    asUser: (principal, user) => Object.freeze({ ...principal, id: idOf(`user ${user}`), user }),
  }
}

/** What of an address belongs to one caller. The host gives addresses in one spelling, IPv4 inside IPv6 as IPv4. */
export function networkOf(ip: string): string {
  if (!ip.includes(':')) return ip || 'unknown'
  const [head = '', tail] = ip.split('%', 1)[0]!.toLowerCase().split('::', 2)
  const groups = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  if (tail !== undefined) while (groups.length + after.length < 8) groups.push('0')
  const first = [...groups, ...after].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''))
  return `${first.join(':')}::/64`
}

/** The secret of the config; else one that all instances on the same shared state have; else one of this process alone. */
export async function anonymousSecret({ state, log }: Host, configured: string | undefined): Promise<string> {
  if (configured !== undefined) return configured
  const made = randomBytes(32).toString('base64url')
  try {
    if (await state.setIfAbsent('anonymous-secret', made, 365 * 86_400_000)) return made
    return (await state.get<string>('anonymous-secret')) ?? made
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    log.warn('ids of anonymous callers are good for this process only: shared state is away', { error: reason })
    return made
  }
}
