/**
 * OAuth token endpoints: asking one for an access token, and reading what it says.
 *
 * What it says in an error is passed on (`error`, `error_description`), nothing of what it was sent.
 */

import { CredentialError, type Expiring } from './source.ts'
import type { Surroundings, TokenReply } from './surroundings.ts'

export interface AccessToken extends Expiring {
  readonly token: string
}

/** POSTs a grant as a form and gives the token. @throws CredentialError */
export async function requestToken(
  around: Surroundings,
  url: string,
  form: Readonly<Record<string, string>>,
  what: string,
): Promise<AccessToken> {
  const asked = around.now()
  const reply = await around.ask({
    url,
    method: 'POST',
    headers: [['content-type', 'application/x-www-form-urlencoded']],
    body: new URLSearchParams(form).toString(),
  })
  return tokenOf(reply, what, asked)
}

/**
 * The token of a reply with `access_token` and `expires_in`.
 * @param asked when it was asked for, in milliseconds since the epoch
 * @throws CredentialError
 */
export function tokenOf({ status, text }: TokenReply, what: string, asked: number): AccessToken {
  const reply = parsed(text)
  const { access_token: token, expires_in: life } = reply
  if (status === 200 && typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) {
    const seconds = Number(life)
    return { token, expiresAt: asked + (Number.isFinite(seconds) && seconds > 0 ? seconds : 300) * 1000 }
  }
  throw new CredentialError(`${what} got no access token: ${said(reply, status)}`)
}

/** A JSON object, or an empty one. */
export function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function said(reply: Readonly<Record<string, unknown>>, status: number): string {
  const words = [reply.error, reply.error_description].filter((word) => typeof word === 'string')
  return words.length === 0 ? `status ${status}.` : `${words.join(': ').slice(0, 300)} (status ${status}).`
}
