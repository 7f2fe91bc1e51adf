/**
 * Tokens of other issuers (JWT): which issuer's, whether its signature holds, whether it is meant for here and now, and who it stands for.
 *
 * `jose` checks; this file chooses keys, tells the ways of being refused apart, and remembers for a minute what it has verified, so that a
 * token which comes with each request is verified once. What is remembered is under the SHA-256 of the token; no token is kept.
 */

import { globMatcher, type Host, type RefusalCode } from 'headgate/plugin'
import { principalOf } from './jwt-claims.ts'
import type { JwtIssuer } from './jwt-config.ts'
import { type IssuerKeys, issuerKeys, type Jose, refreshEvery } from './jwt-keys.ts'
import type { KeyEntry } from './key-index.ts'

/** Why a token is refused. */
export interface TokenProblem {
  readonly code: RefusalCode
  readonly message: string
}

export interface TokenVerifier {
  /** @throws StoreUnavailable when the keys of its issuer can't be read */
  verify(token: string): KeyEntry | Promise<KeyEntry | TokenProblem>
}

interface Issuer {
  readonly config: JwtIssuer
  readonly keys: IssuerKeys
}

interface Verified {
  readonly entry: KeyEntry
  readonly until: number
}

const mostVerified = 10_000
const verifiedFor = 60_000

/** Three parts, of which the first is the beginning of a JSON object. */
export function looksLikeToken(text: string): boolean {
  return text.startsWith('eyJ') && /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)
}

/**
 * The verifier for the issuers of a config.
 * @throws Error that says what is wrong with their keys.
 */
export async function tokenVerifier(host: Host, issuers: readonly JwtIssuer[]): Promise<TokenVerifier> {
  const jose = await import('jose')
  const verified = new Map<string, Verified>()
  const known = new Map<string, Issuer>()
  const prefixes = new Map<string, string>()
  for (const config of issuers) {
    if (known.has(config.issuer)) throw new Error(`the issuer ${config.issuer} stands in jwt twice`)
    const other = prefixes.get(config.id_prefix)
    if (other !== undefined)
      throw new Error(`${other} and ${config.issuer} have the same id_prefix: a subject of the one would be taken for one of the other`)
    prefixes.set(config.id_prefix, config.issuer)
    const { log } = host
    const keys = issuerKeys({
      jose,
      issuer: config,
      fetch: (url, init) => host.fetch(url, init),
      now: () => host.now(),
      log,
      changed: () => verified.clear(),
    })
    known.set(config.issuer, { config, keys })
    if (config.jwks_url !== undefined) host.task('token-keys', refreshEvery, () => keys.refresh())
  }

  const check = async (token: string, print: string): Promise<KeyEntry | TokenProblem> => {
    const found = readToken(jose, token)
    if (found === undefined) return invalid('The token is malformed: it is not a JWT.')
    const issuer = found.issuer === undefined ? undefined : known.get(found.issuer)
    if (issuer === undefined) return invalid('The token is not known here: its issuer is not one that this gateway trusts.')
    const result = await verifyWith(jose, token, issuer, found, host.now())
    if ('principal' in result) {
      if (verified.size >= mostVerified) verified.delete(verified.keys().next().value!)
      verified.set(print, { entry: result, until: Math.min(host.now() + verifiedFor, result.expiresAt) })
    }
    return result
  }

  return {
    verify(token) {
      const print = Bun.SHA256.hash(token, 'base64')
      const before = verified.get(print)
      if (before !== undefined) {
        if (host.now() < before.until) return before.entry
        verified.delete(print)
      }
      return check(token, print)
    },
  }
}

interface TokenHead {
  readonly alg: string
  readonly kid?: string | undefined
  readonly issuer?: string | undefined
}

/** What an unverified token says of itself; undefined when it is none. */
function readToken(jose: Jose, token: string): TokenHead | undefined {
  try {
    const { alg, kid } = jose.decodeProtectedHeader(token)
    const { iss } = jose.decodeJwt(token)
    if (typeof alg !== 'string') return undefined
    return { alg, ...(typeof kid === 'string' && { kid }), ...(typeof iss === 'string' && { issuer: iss }) }
  } catch {
    return undefined
  }
}

async function verifyWith(
  jose: Jose,
  token: string,
  { config, keys }: Issuer,
  head: TokenHead,
  now: number,
): Promise<KeyEntry | TokenProblem> {
  if (!keys.algorithms.includes(head.alg)) {
    return {
      code: 'invalid_signature',
      message: `The token has no signature that counts here. Its issuer signs with ${keys.algorithms.join(', ')}.`,
    }
  }
  for (const key of await keys.candidates(head)) {
    try {
      const { payload } = await jose.jwtVerify(token, key, {
        issuer: config.issuer,
        algorithms: [head.alg],
        clockTolerance: config.leeway / 1000,
        currentDate: new Date(now),
        requiredClaims: [...config.required],
        ...(config.audience && { audience: [...config.audience] }),
      })
      const principal = principalOf(payload, config)
      const expiresAt = principal.expiresAt === undefined ? Number.POSITIVE_INFINITY : principal.expiresAt + config.leeway
      return { principal, expiresAt, ...(principal.models && { allows: globMatcher(principal.models) }) }
    } catch (error) {
      if (error instanceof jose.errors.JWSSignatureVerificationFailed) continue
      return problemOf(jose, error)
    }
  }
  return { code: 'invalid_signature', message: 'The signature of the token is not that of its issuer, or its key is not known.' }
}

function problemOf(jose: Jose, error: unknown): TokenProblem {
  const { errors } = jose
  if (error instanceof errors.JWTExpired)
    return { code: 'expired_api_key', message: 'The token has expired. Get a new one from its issuer.' }
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error
    if (reason === 'missing') return invalid(`The token has no claim ${claim}.`)
    if (claim === 'nbf') return invalid('The token is not valid yet. Is the clock of its issuer right?')
    if (claim === 'aud') return invalid('The token is meant for another service: its audience (aud) is not this gateway.')
    return invalid(`The claim ${claim} of the token is not as it must be.`)
  }
  if (error instanceof errors.JOSEError) return invalid('The token is malformed, or made in a way that is not served here.')
  if (error instanceof TypeError)
    return invalid(error.message.startsWith('The ') ? error.message : 'The key of the token is not fit for its signature.')
  throw error
}

function invalid(message: string): TokenProblem {
  return { code: 'invalid_api_key', message }
}
