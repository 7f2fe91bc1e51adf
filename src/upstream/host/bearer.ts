/** Bearer tokens as a host's credential: into the header, and out of use when the host rejects them. */

import type { AccessToken } from '../credential/oauth.ts'
import type { CredentialSource } from '../credential/source.ts'
import type { HeaderEdit, ReplyAdapter } from './host.ts'

export const noEdit: HeaderEdit = {}

/** The token as a header, at once when there is a fresh one. */
export function bearer<T extends AccessToken>(
  tokens: CredentialSource<T>,
  more: (token: T) => readonly (readonly [string, string])[] = () => [],
): HeaderEdit | Promise<HeaderEdit> {
  const edit = (token: T): HeaderEdit => ({ set: [['authorization', `Bearer ${token.token}`], ...more(token)] })
  const token = tokens.get()
  return token instanceof Promise ? token.then(edit) : edit(token)
}

/** Replies pass as they are; a 401 puts the token in use out of it. */
export function rejecting<T extends AccessToken>(tokens: CredentialSource<T>): ReplyAdapter {
  return {
    reads: [],
    head(status) {
      if (status === 401) tokens.rejected()
      return { status }
    },
  }
}
