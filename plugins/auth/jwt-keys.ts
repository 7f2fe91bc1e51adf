/**
 * The keys of one issuer: those of the config, and those that it publishes (JWKS), cached and read again.
 *
 *   key wanted ──known kid──▶ it        every `refreshEvery` ms ──▶ read again, when it was read at all
 *      └──unknown kid──▶ read once, at most every `coolDown` ms ──▶ it, or none
 *
 * A secret can only verify HS…, a public key never: which of the two is decided by what the operator wrote, not by the token. While the
 * issuer can't be reached the keys read before stay good.
 */

import { createPublicKey } from 'node:crypto'
import { type Logger, StoreUnavailable } from 'headgate/plugin'
import type { CryptoKey, JWK } from 'jose'
import { type JwtIssuer, publicAlgorithms, secretAlgorithms } from './jwt-config.ts'

/** The functions of `jose` that are used; it is imported only when tokens are. */
export type Jose = typeof import('jose')

/** Milliseconds between reads of published keys. */
export const refreshEvery = 300_000
/** Milliseconds between reads that unknown keys cause: strangers can name as many as they like. */
const coolDown = 30_000
/** The same while nothing could be read yet. */
const retryAfter = 1000
/** Milliseconds for one read: less than a hook may take, so that a token is refused for want of keys and not for a failure. */
const patience = 4000
const mostKeys = 100
const largestSet = 1024 * 1024
/** Keys that are tried for one token. */
const mostTries = 8

/** What a token says of its key. */
export interface KeyHint {
  readonly alg: string
  readonly kid?: string | undefined
}

export interface IssuerKeys {
  readonly algorithms: readonly string[]
  /**
   * Keys that may have signed a token.
   * @throws StoreUnavailable when the issuer's keys were never read and can't be now
   */
  candidates(hint: KeyHint): Promise<readonly (CryptoKey | Uint8Array)[]>
  /** Reads the published keys again, where they were read before. Never rejects. */
  refresh(): Promise<void>
}

export interface IssuerKeysOptions {
  readonly jose: Jose
  readonly issuer: JwtIssuer
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>
  readonly now: () => number
  readonly log: Logger
  /** Called when published keys have changed: what was verified with those before is to be verified again. */
  readonly changed: () => void
}

/** @throws Error that says what is wrong with a key of the config; never its text. */
export function issuerKeys(options: IssuerKeysOptions): IssuerKeys {
  const { jose, issuer, fetch, now, log, changed } = options
  const { jwks_url: url } = issuer
  const own = issuer.keys.map((key, i) => ownKey(key, `keys[${i}] of the issuer ${issuer.issuer}`))
  const secrets = own.filter((key): key is Secret => 'secret' in key)
  const publics = own.filter((key): key is JWK => !('secret' in key))
  if (!url && own.length === 0) throw new Error(`the issuer ${issuer.issuer} has neither jwks_url nor keys`)
  const usable: readonly string[] = [
    ...(url || publics.length > 0 ? publicAlgorithms : []),
    ...(secrets.length > 0 ? secretAlgorithms : []),
  ]
  const algorithms = (issuer.algorithms ?? usable).filter((name) => usable.includes(name))
  if (algorithms.length === 0) throw new Error(`the issuer ${issuer.issuer} has no key for the algorithms ${issuer.algorithms?.join(', ')}`)

  let published: readonly JWK[] | undefined
  let print = ''
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  let failed = false
  let imported = new WeakMap<JWK, Map<string, Promise<CryptoKey | Uint8Array>>>()

  const read = (): Promise<void> => {
    readAt = now()
    reading ??= download().finally(() => {
      reading = undefined
    })
    return reading
  }
  const download = async (): Promise<void> => {
    try {
      const keys = await fetchKeys(fetch, url!)
      if (failed) log.info('the keys of a token issuer can be read again', { issuer: issuer.issuer })
      failed = false
      const next = JSON.stringify(keys)
      if (next === print) return
      const first = published === undefined
      print = next
      published = keys
      imported = new WeakMap()
      if (!first) changed()
    } catch (error) {
      const kept = published ? 'those read before stay good' : 'its tokens can not be verified'
      if (!failed) log.error(`the keys of a token issuer could not be read; ${kept}`, { issuer: issuer.issuer, error: messageOf(error) })
      failed = true
    }
  }
  const matching = ({ alg, kid }: KeyHint): JWK[] => [
    ...publics.filter((jwk) => fits(jwk, alg) && (jwk.kid === undefined || kid === undefined || jwk.kid === kid)),
    ...(published ?? []).filter((jwk) => fits(jwk, alg) && (kid === undefined || jwk.kid === kid)),
  ]
  const imports = (jwk: JWK, alg: string): Promise<CryptoKey | Uint8Array> => {
    const byAlg = imported.get(jwk) ?? new Map<string, Promise<CryptoKey | Uint8Array>>()
    imported.set(jwk, byAlg)
    const known = byAlg.get(alg) ?? jose.importJWK(jwk, alg)
    byAlg.set(alg, known)
    return known
  }

  return {
    algorithms,
    async candidates(hint) {
      if (!algorithms.includes(hint.alg)) return []
      if (hint.alg.startsWith('HS'))
        return secrets.filter(({ kid }) => kid === undefined || hint.kid === undefined || kid === hint.kid).map(({ secret }) => secret)
      let found = matching(hint)
      if (url && found.length === 0) {
        const pause = published === undefined ? retryAfter : coolDown
        if (reading || now() - readAt >= pause) await read()
        found = matching(hint)
        if (found.length === 0 && published === undefined) throw new StoreUnavailable(`the keys of ${issuer.issuer} can't be read`)
      }
      const keys = await Promise.allSettled(found.slice(0, mostTries).map((jwk) => imports(jwk, hint.alg)))
      for (const key of keys)
        if (key.status === 'rejected')
          log.warn('a key of a token issuer is unusable', { issuer: issuer.issuer, error: messageOf(key.reason) })
      return keys.flatMap((key) => (key.status === 'fulfilled' ? [key.value] : []))
    },
    async refresh() {
      if (published !== undefined) await read()
    },
  }
}

interface Secret {
  readonly kid?: string
  readonly secret: Uint8Array
}

function ownKey(key: JwtIssuer['keys'][number], where: string): Secret | JWK {
  const { kid, secret, pem, jwk } = key
  if ([secret, pem, jwk].filter((one) => one !== undefined).length !== 1) throw new Error(`${where} must have one of secret, pem and jwk`)
  if (secret !== undefined) {
    const bytes = new TextEncoder().encode(secret)
    if (bytes.length < 32) throw new Error(`${where}: the secret is too short to withstand guessing; take 32 bytes or more`)
    return { secret: bytes, ...(kid !== undefined && { kid }) }
  }
  try {
    const made = createPublicKey(pem ?? { key: jwk as never, format: 'jwk' }).export({ format: 'jwk' }) as JWK
    const named = kid ?? (jwk as JWK | undefined)?.kid
    return named === undefined ? made : { ...made, kid: named }
  } catch {
    throw new Error(`${where} is no public key, neither as PEM nor as JWK`)
  }
}

/** Whether a public key can verify an algorithm. */
function fits(jwk: JWK, alg: string): boolean {
  if (jwk.alg !== undefined && jwk.alg !== alg && !(alg === 'EdDSA' && jwk.alg === 'Ed25519')) return false
  if (jwk.use !== undefined && jwk.use !== 'sig') return false
  if (alg.startsWith('RS') || alg.startsWith('PS')) return jwk.kty === 'RSA'
  if (alg === 'EdDSA') return jwk.kty === 'OKP' && jwk.crv === 'Ed25519'
  return jwk.kty === 'EC' && jwk.crv === { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg]
}

async function fetchKeys(fetch: IssuerKeysOptions['fetch'], url: string): Promise<JWK[]> {
  const response = await fetch(url, { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(patience) })
  if (!response.ok) {
    await response.body?.cancel()
    throw new Error(`${response.status} from ${url}`)
  }
  if (Number(response.headers.get('content-length') ?? 0) > largestSet) {
    await response.body?.cancel()
    throw new Error(`${url} gave more than 1 MB`)
  }
  const text = await response.text()
  if (text.length > largestSet) throw new Error(`${url} gave more than 1 MB`)
  const { keys } = JSON.parse(text) as { keys?: unknown }
  if (!Array.isArray(keys)) throw new Error(`${url} gave no list "keys"`)
  return keys.slice(0, mostKeys).filter((key): key is JWK => typeof key?.kty === 'string' && key.kty !== 'oct')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
