/**
 * `defineDialect`: a dialect that a plugin brings, with the operations that its API has.
 *
 * What comes out is of the same shape as the families of the gateway's own, so that nothing else tells them apart.
 */

import type { PluginDialect } from '../plugin/define.ts'
import type { CapabilityEdit } from './capability.ts'
import type { Dialect } from './codec.ts'
import type { FamilyApi, OperationSpec } from './family.ts'

export interface DialectDefinition {
  /** Kebab-case; what upstreams name as `dialect` and mounts as `api`. */
  readonly name: string
  /**
   * What can be called. `suffix` is the path below the base URL of an upstream and below a mount. Where upstreams have the model in the path, `path` says it for
   * them, and `upstreamOnly` keeps mounts from serving it.
   */
  readonly operations: readonly DialectOperation[]
  /** Where models of this API differ from OpenAI's; the config of an upstream wins. */
  readonly capabilities?: CapabilityEdit
}

/** One operation: `chat` for requests for an answer, whatever the API calls them. */
export type DialectOperation = Pick<OperationSpec, 'suffix' | 'dialect' | 'path' | 'upstreamOnly' | 'counted'> & {
  readonly operation: 'chat' | 'embeddings' | 'count_tokens'
}

/** A dialect of a plugin: what `definePlugin` takes. */
export interface DefinedDialect extends PluginDialect, FamilyApi {}

/**
 * Declares a dialect.
 * @throws TypeError when the definition is not usable: name not kebab-case, no operation, a suffix that is no path, an incomplete codec
 */
export function defineDialect(definition: DialectDefinition): DefinedDialect {
  const { name, operations, capabilities } = definition
  if (!/^[a-z][a-z0-9-]*$/.test(name)) throw new TypeError(`dialect name ${JSON.stringify(name)} must be kebab-case`)
  if (operations.length === 0) throw new TypeError(`dialect ${name}: there is no operation`)
  const seen = new Set<string>()
  for (const { operation, suffix, dialect } of operations) {
    if (!suffix.startsWith('/')) throw new TypeError(`dialect ${name}: the suffix ${JSON.stringify(suffix)} must start with /`)
    if (seen.has(operation)) throw new TypeError(`dialect ${name}: the operation ${operation} is there twice`)
    seen.add(operation)
    const missing = methods.filter((method) => typeof dialect[method] !== 'function')
    if (missing.length > 0) throw new TypeError(`dialect ${name}: its codec lacks ${missing.join(', ')}`)
  }
  const { family } = operations[0]!.dialect
  return Object.freeze({ kind: 'dialect', name, family, operations, ...(capabilities && { capabilities }) })
}

const methods = [
  'parts',
  'interesting',
  'decoder',
  'encoder',
  'summary',
  'decodeWhole',
  'encodeWhole',
  'errorBody',
  'errorFrames',
  'readError',
] as const satisfies readonly (keyof Dialect)[]
