/**
 * Keys as they are looked up: what a key stands for, and the index of those that are all known (keys file, config).
 *
 * Hot: `find` runs for each request. A key is found by its public prefix and then compared in constant time, so the time
 * taken says nothing about a secret. There is no cache of accepted keys: the full check is one SHA-256 (0.2 us), and a cache
 * would have to hash as well, or to hold plaintext.
 */

import { timingSafeEqual } from 'node:crypto'
import { globMatcher, type PrincipalValue } from 'headgate/plugin'
import { expiryTime, type KeyFields } from './key-fields.ts'
import type { KeyRecord } from './keys.ts'

/** A key of the config: the hash of its whole text, unsalted. */
export interface InlineKey extends Partial<Omit<KeyFields, 'kind'>> {
  readonly id: string
  readonly hash: string
  readonly kind?: PrincipalValue['kind']
}

/** Who a key stands for; made once per key, shared by all its requests. */
export interface KeyEntry {
  readonly principal: PrincipalValue
  /** Milliseconds since the epoch; Infinity when it never expires. */
  readonly expiresAt: number
  /** Switched off: refused until it is switched on again. */
  readonly disabled?: boolean
  /** Whether the key may use a model; absent = it may use all. */
  readonly allows?: (model: string) => boolean
}

export interface KeyIndex {
  readonly size: number
  /** The entry of exactly this key; expiry is the caller's business. */
  find(key: string): KeyEntry | undefined
  /** The entry of the key with this id. */
  byId(id: string): KeyEntry | undefined
}

export interface SaltedEntry extends KeyEntry {
  readonly salt: string
  readonly digest: Uint8Array
}

const scratch = new Uint8Array(32)

/** Whether an entry is that of exactly this key; in constant time. */
export function sameKey(entry: SaltedEntry, key: string): boolean {
  Bun.SHA256.hash(entry.salt + key, scratch)
  return timingSafeEqual(scratch, entry.digest)
}

/** An entry from a stored record. `tier` is that of keys that name none. @throws Error when `expires` is not a date */
export function saltedEntry(record: KeyRecord, tier?: string): SaltedEntry {
  return { ...entryOf(record, tier), salt: record.salt, digest: Uint8Array.fromHex(record.hash) }
}

/**
 * Builds the index.
 * @throws Error when two keys share an id or a hash, or an `expires` is not a date.
 */
export function indexKeys(records: readonly KeyRecord[], inline: readonly InlineKey[], tier?: string): KeyIndex {
  const byPrefix = new Map<string, SaltedEntry>()
  const byHash = new Map<string, KeyEntry>()
  const ids = new Map<string, KeyEntry>()
  const once = (entry: KeyEntry): void => {
    const { id } = entry.principal
    if (ids.has(id)) throw new Error(`two API keys have the id ${id}`)
    ids.set(id, entry)
  }
  for (const record of records) {
    const entry = saltedEntry(record, tier)
    once(entry)
    byPrefix.set(record.prefix, entry)
  }
  for (const key of inline) {
    const entry = entryOf(key, tier)
    once(entry)
    const hash = key.hash.toLowerCase()
    const other = byHash.get(hash)
    if (other !== undefined) throw new Error(`the API keys ${other.principal.id} and ${key.id} have the same hash: which of them is meant?`)
    byHash.set(hash, entry)
  }
  // One length as a rule; several when keys were made under several `key_prefix`es.
  const lengths = [...new Set(records.map((record) => record.prefix.length))]

  return {
    size: ids.size,
    byId: (id) => ids.get(id),
    find(key) {
      for (const length of lengths) {
        const entry = byPrefix.get(key.slice(0, length))
        if (entry !== undefined && sameKey(entry, key)) return entry
      }
      return byHash.size > 0 ? byHash.get(Bun.SHA256.hash(key, 'hex')) : undefined
    },
  }
}

function entryOf(key: InlineKey, usual: string | undefined): KeyEntry {
  const expiresAt = key.expires === undefined ? Number.POSITIVE_INFINITY : expiryTime(key.expires)
  if (expiresAt === undefined) throw new Error(`API key ${key.id}: expires is not an ISO 8601 date or time`)
  const { id, kind = 'key', account = id, name, limits, caps, models, disabled } = key
  const tier = key.tier ?? (kind === 'self_host' ? 'self-host' : usual)
  const principal: PrincipalValue = Object.freeze({
    id,
    kind,
    account,
    tags: Object.freeze([...(key.tags ?? [])]),
    ...(name && { name }),
    ...(tier !== undefined && { tier }),
    ...(models && { models: Object.freeze([...models]) }),
    ...(limits && { limits: Object.freeze([...limits]) }),
    ...(caps && { caps: Object.freeze([...caps]) }),
    ...(key.expires !== undefined && { expiresAt }),
  })
  return { principal, expiresAt, ...(disabled && { disabled }), ...(models && { allows: globMatcher(models) }) }
}
