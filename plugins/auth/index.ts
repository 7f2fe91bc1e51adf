/**
 * `auth`: admits requests that carry a known credential, or none where the operator lets them, and says who they are.
 *
 * This file joins the parts to hooks. It fails closed, and nothing it says or logs may hold more of a key than its public id.
 */

import {
  type AdmitExchange,
  definePlugin,
  globMatcher,
  isForTier,
  Principal,
  type PrincipalValue,
  type Refusal,
  type RefusalCode,
  type RequestView,
} from 'headgate/plugin'
import { type Anonymous, anonymousCallers, anonymousSecret } from './anonymous.ts'
import { config } from './config.ts'
import { findCredential, longestKey, longestToken } from './credential.ts'
import { endUserOf } from './end-user.ts'
import type { TokenProblem } from './jwt.ts'
import { keyInfo } from './key-admin.ts'
import type { KeyEntry } from './key-index.ts'
import { knownKeys } from './known-keys.ts'

/** RFC 9110 wants it with each 401. */
const challenge = { 'www-authenticate': 'Bearer' }

interface Kept {
  entry: KeyEntry | undefined
}
type X = AdmitExchange<never, never, typeof Principal, Kept>

/** What a refusal needs of an exchange. */
interface Refusing<R> {
  refuse(code: RefusalCode, options: { message: string; headers: Record<string, string> }): R
}

export default definePlugin({
  api: 1,
  name: 'auth',
  summary: 'Admits requests by API key, token or address, and says who calls',
  config,
  provides: [Principal],
  failure: 'closed',
  state: (): Kept => ({ entry: undefined }),

  async setup(host, config) {
    const tokens = config.jwt.length > 0 ? await import('./jwt.ts') : undefined
    const verifier = await tokens?.tokenVerifier(host, config.jwt)
    const keys = await knownKeys(host, config)
    const places = {
      headers: config.headers.map((name) => name.toLowerCase()),
      query: config.query,
      longest: verifier ? longestToken : longestKey,
    }
    let anonymous: Anonymous | undefined
    if (config.anonymous) {
      const { secret, ...options } = config.anonymous === true ? anyone : config.anonymous
      anonymous = anonymousCallers(options, await anonymousSecret(host, secret))
    }
    const namesUser = config.end_user || anonymous?.byUser === true

    for (const path of config.info_paths) {
      const summary = 'What is known of the key that asks'
      const handler = (principal: PrincipalValue | undefined) =>
        principal
          ? Response.json({ data: keyInfo(principal) })
          : Response.json({ error: { message: 'No key was asked for here.' } }, { status: 404 })
      host.route({ method: 'GET', path, summary, handler: (_request, _params, call) => handler(call.principal) })
    }

    const refuse = <R>(x: Refusing<R>, code: RefusalCode, message: string): R => x.refuse(code, { message, headers: challenge })
    const problemOf = (entry: KeyEntry | undefined, credential: string): [RefusalCode, string] | undefined => {
      if (entry === undefined) {
        const hint = credential.startsWith(config.key_prefix) ? '' : ` Keys made here begin with ${config.key_prefix}.`
        return ['invalid_api_key', `This API key is not known here: it is mistyped, was revoked, or belongs to another service.${hint}`]
      }
      const { principal, expiresAt, disabled } = entry
      if (expiresAt !== Number.POSITIVE_INFINITY && host.now() >= expiresAt) {
        const what = principal.kind === 'jwt' ? 'token of' : 'API key'
        return ['expired_api_key', `The ${what} ${principal.id} expired at ${new Date(expiresAt).toISOString()}. Ask for a new one.`]
      }
      return disabled ? ['invalid_api_key', `The API key ${principal.id} is switched off. Ask the operator.`] : undefined
    }

    const admitted = (x: X, entry: KeyEntry): undefined => {
      x.state.entry = entry
      x.put(Principal, entry.principal)
    }
    /** By the credential that the request carries. */
    const byCredential = (x: X): Refusal | undefined | Promise<Refusal | undefined> => {
      const found = findCredential(x.headers, x.query, places)
      if (typeof found !== 'string') {
        if (anonymous === undefined || found.code !== 'missing_api_key') return refuse(x, found.code, found.message)
        return admitted(x, anonymous.at(x.ip))
      }
      if (verifier && tokens!.looksLikeToken(found)) {
        const verified = verifier.verify(found)
        return verified instanceof Promise ? byTokenLater(x, verified, found) : judged(x, verified, found)
      }
      const entry = keys.find(found)
      return entry instanceof Promise ? byKeyLater(x, entry, found) : judged(x, entry, found)
    }
    const judged = (x: X, entry: KeyEntry | undefined, credential: string): Refusal | undefined => {
      const problem = problemOf(entry, credential)
      return problem ? refuse(x, ...problem) : admitted(x, entry!)
    }
    // closures stand in functions of their own: where one may be made, every request pays for its scope
    const byKeyLater = (x: X, entry: Promise<KeyEntry | undefined>, found: string) => entry.then((known) => judged(x, known, found))
    const byTokenLater = (x: X, verified: Promise<KeyEntry | TokenProblem>, found: string) =>
      verified.then((result) => ('principal' in result ? judged(x, result, found) : refuse(x, result.code, result.message)))
    /** For whom a plugin calls. A key must still be good, and what it may now counts; who came without one is who was admitted then. */
    const onBehalf = (x: X, caller: PrincipalValue | undefined): Refusal | undefined | Promise<Refusal | undefined> => {
      if (caller === undefined) return refuse(x, 'missing_api_key', 'This call is made for nobody.')
      if (!isOfKey(caller)) return admitted(x, entryFor(caller))
      const judged = (entry: KeyEntry | undefined) => {
        if (entry === undefined) {
          // issuers may say that their tokens are of these kinds, and no key has their id
          if (verifier && caller.kind !== 'key') return admitted(x, entryFor(caller))
          return refuse(x, 'invalid_api_key', `The API key ${caller.id}, for which this call is made, is revoked.`)
        }
        const problem = problemOf(entry, config.key_prefix)
        return problem ? refuse(x, ...problem) : admitted(x, entry)
      }
      const found = keys.current(caller.id)
      return found instanceof Promise ? found.then(judged) : judged(found)
    }

    return {
      admit(x) {
        if (x.inner) return onBehalf(x, x.inner.principal)
        const refusal = byCredential(x)
        // where no credential is asked for, a bad one is none
        if (!x.open) return refusal
        return refusal instanceof Promise ? refusal.then(() => undefined) : undefined
      },

      request(x) {
        const { entry } = x.state
        if (entry === undefined) return
        const { principal, allows } = entry
        const { tier } = principal
        if (namesUser && principal.user === undefined && (config.end_user || principal.kind === 'anonymous')) {
          const user = endUserOf(x.request)
          if (user !== undefined)
            x.put(
              Principal,
              principal.kind === 'anonymous' && anonymous!.byUser ? anonymous!.asUser(principal, user) : { ...principal, user },
            )
        }
        const other = host.catalog.tiered
          ? modelsNamed(x.request).find((name) => !isForTier(host.catalog.find(name)?.tiers, tier))
          : undefined
        if (other !== undefined) {
          const tiers = host.catalog.find(other)!.tiers!.join(', ')
          const message = `The model ${JSON.stringify(other.slice(0, 100))} is for callers of the tier ${tiers}; yours is ${tier ?? 'none'}.`
          return x.refuse('permission_denied', { message, param: 'model' })
        }
        if (allows === undefined) return
        const model = modelsNamed(x.request).find((name) => !allows(name))
        if (model === undefined) return
        const allowed = principal.models?.join(', ') || 'none'
        const [who, only] =
          principal.kind === 'anonymous' ? ['Callers without an API key', 'They may use:'] : [`The API key ${principal.id}`, 'It may use:']
        return x.refuse('permission_denied', {
          message: `${who} may not use the model ${JSON.stringify(model.slice(0, 100))}. ${only} ${allowed}.`,
          param: 'model',
        })
      },
    }
  },
})

/** Whether a caller came by a key of its own. */
function isOfKey({ kind }: PrincipalValue): boolean {
  return kind === 'key' || kind === 'instance' || kind === 'self_host'
}

/** A caller who was admitted before. */
function entryFor(principal: PrincipalValue): KeyEntry {
  const { models } = principal
  return { principal, expiresAt: Number.POSITIVE_INFINITY, ...(models && { allows: globMatcher(models) }) }
}

/** The models that a request names: its own, and those that it would fall back to (`models`, as OpenRouter has it). */
function modelsNamed(request: RequestView): readonly string[] {
  const list = request.at('/models')
  const more = Array.isArray(list) ? list.filter((name) => typeof name === 'string') : []
  return request.model === '' ? more : [request.model, ...more]
}

const anyone = { by: 'ip', tier: 'anonymous', account: 'anonymous', tags: [], secret: undefined } as const
