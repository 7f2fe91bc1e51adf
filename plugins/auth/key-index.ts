/**
 * All valid keys, ready to be looked up: an immutable index, replaced as a whole when the keys file changes.
 *
 * Hot: `find` runs for each request. A key is found by its public prefix and then compared in constant time, so the time
 * taken says nothing about a secret. There is no cache of accepted keys: the full check is one SHA-256 (0.2 us), and a cache
 * would have to hash as well, or to hold plaintext.
 */

import { timingSafeEqual } from 'node:crypto'
import type { PrincipalValue } from 'headgate/plugin'
import { matchesAny } from './glob.ts'
import type { KeyRecord } from './keys.ts'
import { expiryTime } from './keys-file.ts'

/** A key of the config: the hash of its whole text, unsalted. */
export interface InlineKey {
  readonly id: string
  readonly hash: string
  readonly name?: string
  readonly account?: string
  readonly tier?: string
  readonly tags?: readonly string[]
  readonly models?: readonly string[]
  readonly expires?: string
}

/** Who a key stands for; made once per key, shared by all its requests. */
export interface KeyEntry {
  readonly principal: PrincipalValue
  /** Milliseconds since the epoch; Infinity when it never expires. */
  readonly expiresAt: number
  /** Whether the key may use a model; absent = it may use all. */
  readonly allows?: (model: string) => boolean
}

export interface KeyIndex {
  readonly size: number
  /** The entry of exactly this key; expiry is the caller's business. */
  find(key: string): KeyEntry | undefined
}

interface SaltedEntry extends KeyEntry {
  readonly salt: string
  readonly digest: Uint8Array
}

/**
 * Builds the index.
 * @throws Error when two keys share an id, or an `expires` is not a date.
 */
export function indexKeys(records: readonly KeyRecord[], inline: readonly InlineKey[]): KeyIndex {
  const byPrefix = new Map<string, SaltedEntry>()
  const byHash = new Map<string, KeyEntry>()
  const ids = new Set<string>()
  const once = (id: string): void => {
    if (ids.has(id)) throw new Error(`two API keys have the id ${id}`)
    ids.add(id)
  }
  for (const record of records) {
    once(record.id)
    byPrefix.set(record.prefix, { ...entryOf(record), salt: record.salt, digest: Uint8Array.fromHex(record.hash) })
  }
  for (const key of inline) {
    once(key.id)
    byHash.set(key.hash.toLowerCase(), entryOf(key))
  }
  // One length as a rule; several when keys were made under several `key_prefix`es.
  const lengths = [...new Set(records.map((record) => record.prefix.length))]
  const scratch = new Uint8Array(32)

  return {
    size: ids.size,
    find(key) {
      for (const length of lengths) {
        const entry = byPrefix.get(key.slice(0, length))
        if (entry === undefined) continue
        Bun.SHA256.hash(entry.salt + key, scratch)
        if (timingSafeEqual(scratch, entry.digest)) return entry
      }
      return byHash.size > 0 ? byHash.get(Bun.SHA256.hash(key, 'hex')) : undefined
    },
  }
}

function entryOf(key: InlineKey): KeyEntry {
  const expiresAt = key.expires === undefined ? Number.POSITIVE_INFINITY : expiryTime(key.expires)
  if (expiresAt === undefined) throw new Error(`API key ${key.id}: expires is not an ISO 8601 date or time`)
  const principal: PrincipalValue = Object.freeze({
    id: key.id,
    kind: 'key',
    account: key.account ?? key.id,
    tags: Object.freeze([...(key.tags ?? [])]),
    ...(key.name && { name: key.name }),
    ...(key.tier !== undefined && { tier: key.tier }),
    ...(key.models && { models: Object.freeze([...key.models]) }),
  })
  return { principal, expiresAt, ...(key.models && { allows: matchesAny(key.models) }) }
}
