/**
 * Whose a session is. Callers whom an auth plugin knows have their account and key. All others are told apart by their address, by the end user that they
 * were admitted as, and by the credential that they hold, for some gateways hand that on to a provider unseen. Pure.
 */

import { createHash } from 'node:crypto'
import type { PrincipalValue } from 'headgate/plugin'
import type { Owner } from './known.ts'

/** An owner as operators see it, and what its ids are made of besides. */
export interface Named {
  readonly owner: Owner
  readonly key: string
}

const credentials = ['authorization', 'x-api-key', 'x-goog-api-key', 'api-key'] as const

export function ownerOf(
  principal: PrincipalValue | undefined,
  { headers, query, ip }: { readonly headers: Headers; readonly query: string; readonly ip: string },
): Named {
  if (principal && principal.kind !== 'anonymous') return { owner: { key: principal.id, account: principal.account }, key: principal.id }
  const owner = { key: principal?.id ?? 'anonymous', account: `address ${ip}` }
  const held = credentials.flatMap((name) => headers.get(name) ?? [])
  if (query !== '') held.push(...new URLSearchParams(query).getAll('key'))
  const own = held.length === 0 ? '' : createHash('sha256').update(JSON.stringify(held)).digest('base64url')
  return { owner, key: own === '' ? owner.key : `${owner.key} ${own}` }
}
