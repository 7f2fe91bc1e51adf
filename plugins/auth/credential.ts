/**
 * Finds the one key that a request carries in its headers, or says what is wrong with what it carries.
 *
 * Pure, and hot: it runs for each request. It knows no keys, and nothing it returns but the key itself may hold key text.
 */

/** What is wrong with the credentials of a request. `missing_api_key` when there is none at all. */
export interface CredentialProblem {
  readonly code: 'missing_api_key' | 'invalid_api_key'
  readonly message: string
}

/** Longest key that is looked at, in characters; longer ones are refused unread. */
export const longestKey = 512

/**
 * The key text in `headers`, or the problem.
 * @param names header names in lower case; `authorization` is read as a bearer token, all others as the bare key.
 *
 * A header that was sent twice arrives joined by ", " (Bun), so a comma is a refusal: to choose one of two keys would be to
 * let the other one through unseen. Two headers may carry a key only when it is the same one.
 */
export function findCredential(headers: Headers, names: readonly string[]): string | CredentialProblem {
  let key: string | undefined
  let foundIn = ''
  let emptyIn = ''
  for (const name of names) {
    const value = headers.get(name)
    if (value === null) continue
    const read = name === 'authorization' ? bearer(value) : bare(name, value)
    if (typeof read !== 'string') return read
    if (read === '') emptyIn ||= name
    else if (key === undefined) {
      key = read
      foundIn = name
    } else if (key !== read) {
      return invalid(`The headers ${foundIn} and ${name} carry different API keys. Send one key.`)
    }
  }
  if (key !== undefined) return key
  if (emptyIn) return { code: 'missing_api_key', message: `The ${emptyIn} header is there, but the API key in it is empty.` }
  return noKey
}

const noKey: CredentialProblem = Object.freeze({
  code: 'missing_api_key',
  message: 'No API key. Send it as "Authorization: Bearer <key>" or "x-api-key: <key>".',
})

/** Token of a bearer header; empty when it has none. The scheme is case-insensitive (RFC 9110 11.1). */
function bearer(value: string): string | CredentialProblem {
  if (value.startsWith('Bearer ')) return bare('authorization', value.slice(7).trimStart())
  const scheme = /^[^ ,]*/.exec(value)![0].toLowerCase()
  if (scheme === 'bearer') return bare('authorization', value.slice(6).trimStart())
  if (scheme === '') return bare('authorization', value)
  return invalid('The authorization header must be "Bearer <key>"; it has another scheme or none.')
}

function bare(name: string, value: string): string | CredentialProblem {
  if (value.length > longestKey) return invalid(`The API key in ${name} is too long: at most ${longestKey} characters.`)
  if (value.includes(',')) return invalid(`The ${name} header was sent more than once, or holds a comma. Send one key.`)
  if (!printable.test(value))
    return invalid(`The API key in ${name} has characters that no key has. Was it copied whole, without spaces or line breaks?`)
  return value
}

const printable = /^[\x21-\x7e]*$/

function invalid(message: string): CredentialProblem {
  return { code: 'invalid_api_key', message }
}
