/** From the claims of a verified token to who calls. Pure. */

import type { PrincipalValue } from 'headgate/plugin'
import type { JwtIssuer } from './jwt-config.ts'

export type Claims = Readonly<Record<string, unknown>>

const longest = 256
/** The last moment that a Date holds, in milliseconds (ECMA-262 21.4.1.1). */
const latest = 8.64e15

/**
 * Who a token stands for.
 * @throws TypeError that names the claim when one says something else than it should. Never its value.
 */
export function principalOf(claims: Claims, issuer: JwtIssuer): PrincipalValue {
  const { claims: names, kind } = issuer
  const subject = word(claims, names.id)
  if (subject === undefined) throw new TypeError(`The token has no claim ${names.id}.`)
  const id = issuer.id_prefix + subject
  const name = names.name && word(claims, names.name)
  const tier = (names.tier && word(claims, names.tier)) ?? issuer.tier ?? (kind === 'self_host' ? 'self-host' : undefined)
  const user = names.user && word(claims, names.user)
  const models = (names.models && words(claims, names.models)) ?? issuer.models
  const expires = typeof claims.exp === 'number' ? claims.exp * 1000 : undefined
  if (expires !== undefined && !(expires <= latest)) throw new TypeError('The claim exp of the token must be a time in seconds.')
  return Object.freeze({
    id,
    kind,
    account: (names.account && word(claims, names.account)) ?? issuer.account ?? id,
    tags: Object.freeze((names.tags === undefined ? undefined : words(claims, names.tags)) ?? []),
    ...(name !== undefined && { name }),
    ...(tier !== undefined && { tier }),
    ...(user !== undefined && { user }),
    ...(models && { models: Object.freeze(models) }),
    ...(expires !== undefined && { expiresAt: expires }),
  })
}

/** A claim by its whole name, else by its dotted way into nested claims. */
function claim(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return value
}

function word(claims: Claims, name: string): string | undefined {
  const value = claim(claims, name)
  if (value === undefined || value === null) return undefined
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value
  if (typeof text === 'string' && text !== '' && text.length <= longest && !/\p{Cc}/u.test(text)) return text
  throw new TypeError(`The claim ${name} of the token must be a text of 1 to ${longest} characters.`)
}

/** A claim that restricts must not be passed over because it has another form. */
function words(claims: Claims, name: string): readonly string[] | undefined {
  const value = claim(claims, name)
  if (value === undefined || value === null) return undefined
  const list = typeof value === 'string' ? value.split(/[\s,]+/).filter((item) => item !== '') : value
  const fine = (item: unknown) => typeof item === 'string' && item !== '' && item.length <= longest
  if (Array.isArray(list) && list.length <= 100 && list.every(fine)) return list as string[]
  throw new TypeError(`The claim ${name} of the token must be a list of texts, or words.`)
}
