/**
 * All keys that let somebody in: those of the config and the keys file, which are all in memory, and the issued ones of the records.
 *
 * Sets up what keeps them current. Decides nothing about requests.
 */

import { type Host, StoreUnavailable } from 'headgate/plugin'
import type { AuthConfig } from './config.ts'
import { type IssuedKeys, issuedKeys, pollEvery } from './issued-keys.ts'
import { addKeyRoutes, type KeyAdminOptions } from './key-admin.ts'
import { fieldProblem } from './key-fields.ts'
import { type InlineKey, indexKeys, type KeyEntry, saltedEntry } from './key-index.ts'
import { migrations, recordsKeySource, recordsKeyStore } from './key-records.ts'
import { fileKeyStore, type KeyStore } from './key-store.ts'
import { watchKeys } from './keys-watch.ts'

export interface KnownKeys {
  /**
   * The entry of exactly this key; a promise only when the records must be asked.
   * @throws StoreUnavailable, now or later, when nobody can say
   */
  find(key: string): KeyEntry | undefined | Promise<KeyEntry | undefined>
  /** The key with this id as it stands now; undefined when there is none any more. @throws StoreUnavailable */
  current(id: string): KeyEntry | undefined | Promise<KeyEntry | undefined>
}

/** @throws Error when there is no way in, or the keys file is broken */
export async function knownKeys(host: Host, config: AuthConfig): Promise<KnownKeys> {
  const path = host.file(config.keys_file)
  const now = () => host.now()
  const inline = config.keys as readonly InlineKey[]
  for (const [i, key] of inline.entries()) mustRestrict(`keys[${i}]`, key)
  if (typeof config.anonymous === 'object') mustRestrict('anonymous', config.anonymous)
  const watch = watchKeys(path)
  const first = await watch.look().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    if (inline.length > 0 || config.anonymous || config.jwt.length > 0 || config.store === 'records') return undefined
    throw new Error(`there are no API keys: ${path} does not exist. Make the first key with: headgate keys create`)
  })
  let index = indexKeys(first ?? [], inline, config.tier)
  let missing = first === undefined

  const lookAtFile = async () => {
    try {
      const changed = await watch.look()
      if (changed === undefined) return
      index = indexKeys(changed, inline, config.tier)
      missing = false
      host.log.info('API keys reloaded', { keys: index.size })
    } catch (error) {
      // one that was never there need not be
      if (missing && (error as NodeJS.ErrnoException).code === 'ENOENT') return
      host.log.error('the keys file could not be read; the keys read before stay valid', {
        file: path,
        error: error instanceof Error ? error.message : String(error),
      })
    }
  }
  host.task('keys-file', pollEvery, lookAtFile)

  let issued: IssuedKeys | undefined
  let stored: KeyStore | undefined
  const addAdmin = async (options: KeyAdminOptions): Promise<void> => {
    addKeyRoutes(host, options)
    if (config.admin_style === 'litellm') (await import('./key-admin-litellm.ts')).addLitellmRoutes(host, options)
  }
  if (config.store === 'records') {
    await host.records.migrate(migrations)
    const source = recordsKeySource(host.records, host.id)
    issued = issuedKeys({ source, now, size: config.cache, staleFor: Math.max(config.stale_for, leastStale), tier: config.tier })
    const sync = quietly(issued.sync)
    await sync()
    host.task('keys', pollEvery, sync)
    stored = recordsKeyStore(host.records, host.id, now)
    await addAdmin({ store: stored, keyPrefix: config.key_prefix, now, changed: sync })
  } else {
    await addAdmin({ store: fileKeyStore(path), keyPrefix: config.key_prefix, now, changed: lookAtFile })
  }

  return {
    find: (key) => index.find(key) ?? issued?.find(key),
    current: (id) =>
      index.byId(id) ?? stored?.get(id).then((record) => (record === undefined ? undefined : saltedEntry(record, config.tier))),
  }
}

/** Limits and caps of the config restrict something, as those of issued keys must. @throws Error that names the field */
function mustRestrict(where: string, { limits, caps }: { readonly limits?: unknown; readonly caps?: unknown }): void {
  const problem = fieldProblem({ limits, caps })
  if (problem !== undefined) throw new Error(where + problem.replace('window: milliseconds', 'window: longer than 0'))
}

/** Milliseconds: a few looks for changes. */
const leastStale = 2000

/** Without what has been said already: an outage, by the store itself; any other failure, the first time that it came. */
function quietly(work: () => Promise<void>): () => Promise<void> {
  let said: string | undefined
  return async () => {
    try {
      await work()
      said = undefined
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (error instanceof StoreUnavailable || message === said) return
      said = message
      throw error
    }
  }
}
