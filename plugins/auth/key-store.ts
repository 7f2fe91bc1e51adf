/**
 * Where issued keys are kept: what the command line and the admin API need of it. Two stores do it: the keys file and the records.
 *
 * A store holds hashes only. It does not answer requests of clients: `key-index.ts` and `issued-keys.ts` do.
 */

import { StoreUnavailable } from 'headgate/plugin'
import type { KeyFields } from './key-fields.ts'
import { changeKeys, type KeyRecord, readKeys } from './keys.ts'

/** Fields to set; null takes a field away. */
export type KeyChanges = { readonly [K in keyof KeyFields]?: KeyFields[K] | null }

export interface KeyPage {
  readonly keys: readonly KeyRecord[]
  /** Give this as `after` for the next page; absent on the last one. */
  readonly next?: string
}

export interface KeyStore {
  /** Keys in the order in which they were made. `limit` at most 1000. */
  list(options?: { readonly after?: string; readonly limit?: number; readonly account?: string }): Promise<KeyPage>
  /** By id or public prefix. */
  get(idOrPrefix: string): Promise<KeyRecord | undefined>
  add(record: KeyRecord): Promise<void>
  /** The key as it is then; undefined when there is none with this id. */
  change(id: string, changes: KeyChanges): Promise<KeyRecord | undefined>
  /** Revokes it for ever. False when there is none with this id. */
  revoke(id: string): Promise<boolean>
}

/** A record with changes applied. */
export function changed(record: KeyRecord, changes: KeyChanges): KeyRecord {
  const merged = { ...record, ...changes }
  const kept = Object.entries(merged).filter(([, value]) => value !== null && value !== undefined)
  return { ...(Object.fromEntries(kept) as unknown as KeyRecord), name: merged.name ?? '' }
}

/** A key as it may be shown: without salt and hash. */
export function shown(record: KeyRecord): Omit<KeyRecord, 'salt' | 'hash'> {
  const { salt: _salt, hash: _hash, ...rest } = record
  return rest
}

/** What keeps the keys file from being read or changed, in the words of that file: an operator can act on it. */
function unusable(error: unknown): StoreUnavailable {
  return new StoreUnavailable(error instanceof Error ? error.message : String(error), { cause: error })
}

/**
 * The keys file as a store. One change at a time in this process.
 * @throws StoreUnavailable that says why: another process is at it, it is broken, or may not be written
 */
export function fileKeyStore(path: string): KeyStore {
  let turn: Promise<unknown> = Promise.resolve()
  const change = <T>(edit: (keys: readonly KeyRecord[]) => { readonly keys: readonly KeyRecord[]; readonly result: T }): Promise<T> => {
    const next = turn.then(async () => {
      let result: T | undefined
      await changeKeys(path, (keys) => {
        const edited = edit(keys)
        result = edited.result
        return edited.keys
      }).catch((error: unknown) => {
        throw unusable(error)
      })
      return result as T
    })
    turn = next.catch(() => {})
    return next
  }
  const read = async (): Promise<readonly KeyRecord[]> => {
    try {
      return await readKeys(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw unusable(error)
    }
  }
  return {
    async list({ after, limit = 1000, account } = {}) {
      const all = (await read()).filter((key) => account === undefined || (key.account ?? key.id) === account)
      const from = after === undefined ? 0 : all.findIndex((key) => key.id === after) + 1
      const keys = all.slice(from, from + limit)
      return from + limit < all.length ? { keys, next: keys[keys.length - 1]!.id } : { keys }
    },
    get: async (idOrPrefix) => (await read()).find((key) => key.id === idOrPrefix || key.prefix === idOrPrefix),
    add: (record) => change((keys) => ({ keys: [...keys, record], result: undefined })),
    change: (id, changes) =>
      change((keys) => {
        const found = keys.find((key) => key.id === id)
        const result = found && changed(found, changes)
        return { keys: keys.map((key) => (key === found ? result! : key)), result }
      }),
    revoke: (id) =>
      change((keys) => {
        const kept = keys.filter((key) => key.id !== id)
        return { keys: kept, result: kept.length < keys.length }
      }),
  }
}
