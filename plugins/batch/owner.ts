/** Whose a batch or file is: what is written with it, and what is asked for with each look. Nobody finds what is another's. Pure. */

import type { PrincipalValue } from 'headgate/plugin'

export interface Owner {
  /** The key, or the caller without one. */
  readonly caller: string
  /** The account, where several keys may share one; empty for callers without a key. */
  readonly shared: string
  /** The account whose batches and files may be seen besides those of the key; one that there is not where only the key's own may be. */
  readonly sees: string
  /** By what limits per account count. */
  readonly account: string
}

/** No account: longer than any name of one. */
const none = `(none)${'-'.repeat(500)}`

/** Callers whom no plugin names are one: there is nobody else. */
export function ownerOf(principal: PrincipalValue | undefined, visibleTo: 'key' | 'account'): Owner {
  if (!principal) return { caller: '(nobody)', shared: '', sees: none, account: '(nobody)' }
  const { id, account, kind } = principal
  // an account that everybody without a key has is nobody's
  if (kind === 'anonymous') return { caller: `anonymous ${id}`, shared: '', sees: none, account: `anonymous ${id}` }
  return { caller: `key ${id}`, shared: account, sees: visibleTo === 'account' ? account : none, account }
}
