/**
 * Where a config's `auth` plugin keeps its keys, as `keys`, `check`, `explain` and the first start need to know.
 *
 * Reads the config and the plugin's own schema; sets nothing up and writes nothing.
 */

import { dirname, isAbsolute, resolve } from 'node:path'
import type { LoadResult } from '../config/load.ts'
import { checkPluginConfig } from '../config/plugin-config.ts'
import type { Builtins } from '../runtime/load-plugin.ts'
import type { KeyInfo } from './command.ts'

export interface KeysPlace {
  /** Id of the plugin instance. */
  readonly id: string
  /** Its position in the list. */
  readonly index: number
  /** Absolute path of the keys file. */
  readonly file: string
  /** How new keys begin. */
  readonly prefix: string
  /** Where issued keys are kept: in that file, or in the records of the gateway. */
  readonly store: 'file' | 'records'
  /** It starts without a keys file: it has keys of its own, or lets anybody in. */
  readonly open: boolean
  /** Keys that stand in the config itself, without their hashes. */
  readonly own: readonly Partial<KeyInfo>[]
}

/** What of the plugin's config says where its keys are. */
interface PlaceConfig {
  readonly keys_file: string
  readonly key_prefix: string
  readonly store: 'file' | 'records'
  readonly anonymous: unknown
  readonly keys: readonly (Omit<Partial<KeyInfo>, 'kind'> & {
    readonly hash: unknown
    readonly kind: 'key' | NonNullable<KeyInfo['kind']>
  })[]
  readonly jwt: readonly unknown[]
}

/** The keys files of all `auth` entries whose `with` is right, in list order. */
export async function keysPlaces(load: LoadResult, configPath: string, builtins: Builtins): Promise<KeysPlace[]> {
  const entries = load.plugins.filter((p) => p.use === 'auth')
  const builtin = builtins.auth
  if (entries.length === 0 || !builtin) return []
  const schema = (await builtin()).default.config
  return entries.flatMap((entry) => {
    const checked = checkPluginConfig(schema, entry.with, load.place(['plugins', entry.index, 'with']))
    const value = checked.value as PlaceConfig | undefined
    if (!value) return []
    const { keys_file, key_prefix: prefix, store } = value
    const file = isAbsolute(keys_file) ? keys_file : resolve(dirname(configPath), keys_file)
    const open = value.anonymous !== false || value.keys.length > 0 || value.jwt.length > 0 || store === 'records'
    const own = value.keys.map(({ hash: _, kind, ...key }) => ({ ...key, ...(kind !== 'key' && { kind }) }))
    return [{ id: entry.id, index: entry.index, file, prefix, store, open, own }]
  })
}
