/**
 * Finds the one credential that a request carries in its headers or query, or says what is wrong with what it carries.
 *
 * Pure, and hot: it runs for each request. It knows no keys, and nothing it returns but the credential itself may hold text of it.
 */

/** What is wrong with the credentials of a request. `missing_api_key` when there is none at all. */
export interface CredentialProblem {
  readonly code: 'missing_api_key' | 'invalid_api_key'
  readonly message: string
}

export interface CredentialPlaces {
  /** Header names in lower case; `authorization` is read as a bearer token, all others as the bare key. */
  readonly headers: readonly string[]
  /** Names of query parameters. */
  readonly query: readonly string[]
  /** Longest credential that is looked at, in characters; longer ones are refused unread. */
  readonly longest: number
}

/** Longest key, longest token of another issuer. */
export const longestKey = 512
export const longestToken = 16_384

/**
 * The credential in `headers` and `query` (the URL's, without `?`), or the problem.
 *
 * A header that was sent twice arrives joined by ", " (Bun), so a comma is a refusal: to choose one of two keys would be to
 * let the other one through unseen. Two places may carry a key only when it is the same one.
 */
export function findCredential(headers: Headers, query: string, places: CredentialPlaces): string | CredentialProblem {
  let key: string | undefined
  let foundIn = ''
  let emptyIn = ''
  for (const name of places.headers) {
    const value = headers.get(name)
    if (value === null) continue
    const read = name === 'authorization' ? bearer(value, places.longest) : bare(`${name} header`, value, places.longest)
    if (typeof read !== 'string') return read
    if (read === '') emptyIn ||= `${name} header`
    else if (key === undefined) {
      key = read
      foundIn = `${name} header`
    } else if (key !== read) return different(foundIn, `${name} header`)
  }
  if (query !== '') {
    for (const name of places.query) {
      if (!query.includes(`${name}=`)) continue
      for (const value of new URLSearchParams(query).getAll(name)) {
        const where = `query parameter ${name}`
        const read = bare(where, value, places.longest)
        if (typeof read !== 'string') return read
        if (read === '') emptyIn ||= where
        else if (key === undefined) {
          key = read
          foundIn = where
        } else if (key !== read) return different(foundIn, where)
      }
    }
  }
  if (key !== undefined) return key
  if (emptyIn) return { code: 'missing_api_key', message: `The ${emptyIn} is there, but the API key in it is empty.` }
  return noKey
}

const noKey: CredentialProblem = Object.freeze({
  code: 'missing_api_key',
  message: 'No API key. Send it as "Authorization: Bearer <key>" or "x-api-key: <key>".',
})

/** Token of a bearer header; empty when it has none. The scheme is case-insensitive (RFC 9110 11.1). */
function bearer(value: string, longest: number): string | CredentialProblem {
  const where = 'authorization header'
  if (value.startsWith('Bearer ')) return bare(where, value.slice(7).trimStart(), longest)
  const scheme = /^[^ ,]*/.exec(value)![0].toLowerCase()
  if (scheme === 'bearer') return bare(where, value.slice(6).trimStart(), longest)
  if (scheme === '') return bare(where, value, longest)
  return invalid('The authorization header must be "Bearer <key>"; it has another scheme or none.')
}

function bare(where: string, value: string, longest: number): string | CredentialProblem {
  if (value.length > longest) return invalid(`The API key in the ${where} is too long: at most ${longest} characters.`)
  if (value.includes(',')) return invalid(`The ${where} was sent more than once, or holds a comma. Send one key.`)
  if (!printable.test(value))
    return invalid(`The API key in the ${where} has characters that no key has. Was it copied whole, without spaces or line breaks?`)
  return value
}

const printable = /^[\x21-\x7e]*$/

function different(one: string, other: string): CredentialProblem {
  return invalid(`The ${one} and the ${other} carry different API keys. Send one key.`)
}

function invalid(message: string): CredentialProblem {
  return { code: 'invalid_api_key', message }
}
