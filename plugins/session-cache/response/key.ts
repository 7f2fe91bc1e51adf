/**
 * The name under which an answer is kept: a digest of whose it is and of everything that the answer depends on.
 *
 * Whose it is comes first and is a part of every key, so that no two tenants can meet in an entry, whatever they send.
 */

import { createHash } from 'node:crypto'
import type { Json, PrincipalValue } from 'headgate/plugin'

export interface Asked {
  readonly operation: string
  readonly dialect: string
  readonly path: string
  readonly query: string
  readonly headers: Headers
  readonly ip: string
  readonly body: { readonly [key: string]: Json }
  /** The model asked for, where it can be served, and as what. */
  readonly places: string
}

/** Changes when what is kept changes its meaning. */
const version = 'r1'

/** Members that say how an answer is told and for whom, not what it is; and the model, which may be a provider's name for it by now. */
const ignored = new Set([
  'model',
  'stream',
  'stream_options',
  'user',
  'metadata',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
])
/** Headers of providers that change an answer. */
const providers = ['anthropic-version', 'anthropic-beta', 'openai-beta', 'openai-organization', 'openai-project']
const credentials = ['authorization', 'x-api-key', 'x-goog-api-key', 'api-key', 'cookie']

/**
 * Whose answers these are.
 * @param scope `everyone`: all callers that the gateway lets in
 */
export function namespaceOf(scope: 'key' | 'account' | 'everyone', principal: PrincipalValue | undefined, asked: Asked): string {
  if (scope === 'everyone') return 'everyone'
  if (principal && principal.kind !== 'anonymous')
    return JSON.stringify(scope === 'key' ? ['key', principal.account, principal.id, principal.user ?? ''] : ['account', principal.account])
  // nobody says who this is: whoever holds the same credential, or sits at the same address
  const held = [...credentials.map((name) => asked.headers.get(name) ?? ''), ...new URLSearchParams(asked.query).getAll('key')]
  return JSON.stringify(['caller', held, held.some((value) => value !== '') ? '' : asked.ip, principal?.user ?? ''])
}

/** @param vary more headers that count */
export function keyOf(namespace: string, asked: Asked, vary: readonly string[]): string {
  const { operation, dialect, path, query, headers, body, places } = asked
  const told = [...providers, ...vary].map((name) => headers.get(name) ?? '')
  const kept = Object.fromEntries(Object.entries(body).filter(([name]) => !ignored.has(name)))
  // in Gemini the path says whether a stream is wanted
  const way = path.replace(/:(streamGenerateContent|generateContent)$/, ':generate')
  const asks = query.split('&').filter((part) => part !== '' && !/^(alt|key)=/.test(part))
  const said = JSON.stringify([version, namespace, operation, dialect, way, asks, told, places, sorted(kept)])
  return createHash('sha256').update(said).digest('base64url')
}

/** The same value with the members of its objects in one order. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value as { readonly [key: string]: Json })
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([name, inner]) => [name, sorted(inner)]),
  )
}
