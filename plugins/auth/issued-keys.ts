/**
 * The issued keys of a running gateway: a bounded cache over the records, which answers at once for every key that it knows.
 *
 *   key ──known──▶ entry (no promise)        every `pollEvery` ms: rows changed since the last tick ──▶ cache
 *    └──not known──▶ one look into the records ──▶ cache, or a bounded list of what is not there
 *
 * A key that is being looked up while its row changes gets the newer row. While the records can't be reached, known keys stay good for
 * `staleFor`, and for unknown ones the call fails: nobody is told that a key is wrong when nobody could look. Records that come back are read
 * anew, since a replica or a backup may stand in their place.
 */

import { StoreUnavailable } from 'headgate/plugin'
import { type KeyEntry, type SaltedEntry, saltedEntry, sameKey } from './key-index.ts'
import type { KeyRow, KeySource } from './key-records.ts'
import { publicLength, secretLength } from './keys.ts'

/** Milliseconds between looks for changes: a change acts everywhere within this and the time of one query. */
export const pollEvery = 400
/** Rows of one look. */
const pageSize = 1000
/** Lookups that may run at once: more wait for nobody, so that a flood of made-up keys can't fill the database's queue. */
const mostLoads = 64
/** Milliseconds that a request waits for a lookup: less than a hook may take, so that it ends as an outage of the store. */
const patience = 3000
/** Keys known not to be there, and for how many milliseconds. */
const mostAbsent = 10_000
const absentFor = 10_000
/** After so many milliseconds without a look the cache is made anew. */
const longGap = 3_600_000

export interface IssuedKeysOptions {
  readonly source: KeySource
  readonly now: () => number
  /** Keys kept in memory. */
  readonly size: number
  /** Milliseconds for which known keys are good without the records. */
  readonly staleFor: number
  /** Tier of keys that name none. */
  readonly tier?: string | undefined
}

export interface IssuedKeys {
  /**
   * The entry of exactly this key; expiry is the caller's business. A promise only when the records must be asked.
   * @throws StoreUnavailable, now or later, when nobody can say.
   */
  find(key: string): KeyEntry | undefined | Promise<KeyEntry | undefined>
  /** Takes over what has changed. @throws StoreUnavailable */
  sync(): Promise<void>
  readonly size: number
}

interface Cached {
  readonly salted: SaltedEntry
  readonly loadedAt: number
  /** Asked for since it was last spared. */
  used: boolean
}

interface Load {
  readonly done: Promise<Cached | undefined>
  /** The row as a look for changes has seen it meanwhile. */
  newer: KeyRow | undefined
}

const form = new RegExp(`[0-9A-Za-z]{${publicLength + secretLength}}$`)

export function issuedKeys({ source, now, size, staleFor, tier }: IssuedKeysOptions): IssuedKeys {
  const cache = new Map<string, Cached>()
  const absent = new Map<string, number>()
  const loading = new Map<string, Load>()
  let tick = 0n
  let syncedAt = Number.NEGATIVE_INFINITY
  /** How often the cache was made anew. */
  let starts = 0
  /** The last look failed: what answers next may be another server, which lacks the last changes and has made others under the same ticks. */
  let lost = false

  const keep = (row: KeyRow): Cached => {
    const { prefix } = row.record
    const used = cache.get(prefix)?.used ?? false
    const cached = { salted: saltedEntry(row.record, tier), loadedAt: now(), used }
    cache.set(prefix, cached)
    absent.delete(prefix)
    while (cache.size > size) evict(prefix)
    return cached
  }
  /** Drops the oldest that nobody has asked for since it was last spared. */
  const evict = (not: string): void => {
    for (const [prefix, cached] of cache) {
      if (prefix === not) continue
      cache.delete(prefix)
      if (!cached.used) return
      cached.used = false
      cache.set(prefix, cached)
    }
  }
  const drop = (prefix: string): undefined => {
    cache.delete(prefix)
    absent.delete(prefix)
    absent.set(prefix, now() + absentFor)
    if (absent.size > mostAbsent) absent.delete(absent.keys().next().value!)
    return undefined
  }
  const apply = (row: KeyRow): void => {
    const { prefix } = row.record
    const load = loading.get(prefix)
    if (load) load.newer = row
    if (row.revoked) drop(prefix)
    else if (cache.has(prefix) || cache.size < size) keep(row)
    else absent.delete(prefix)
  }
  const isFresh = (since: number): boolean => now() - Math.max(syncedAt, since) <= staleFor

  const load = (prefix: string): Promise<Cached | undefined> => {
    const running = loading.get(prefix)
    if (running) return running.done
    if (loading.size >= mostLoads) throw new StoreUnavailable('too many unknown keys are being looked up')
    const ask = async (): Promise<Cached | undefined> => {
      try {
        let found: KeyRow | undefined
        let round: number
        do {
          round = starts
          found = await source.find(prefix)
        } while (round !== starts) // what was read before the cache was made anew may be older than what is in it
        const { newer } = own
        const row = newer && (!found || newer.changed > found.changed) ? newer : found
        return row && !row.revoked ? keep(row) : drop(prefix)
      } finally {
        loading.delete(prefix)
      }
    }
    const own: Load = { done: Promise.resolve().then(ask), newer: undefined }
    loading.set(prefix, own)
    return own.done
  }

  const start = async (): Promise<void> => {
    const began = now()
    const recent = await source.recent(size)
    starts++
    cache.clear()
    absent.clear()
    for (const row of recent.rows.toReversed()) keep(row)
    tick = recent.tick
    syncedAt = began
  }

  const follow = async (): Promise<void> => {
    for (;;) {
      const began = now()
      const rows = await source.changes(tick, pageSize)
      for (const row of rows) {
        tick = row.changed
        apply(row)
      }
      if (rows.length < pageSize) {
        syncedAt = began
        return
      }
    }
  }

  return {
    get size() {
      return cache.size
    },
    find(key) {
      const prefix = key.slice(0, -secretLength)
      const known = cache.get(prefix)
      if (known) {
        if (!isFresh(known.loadedAt)) throw new StoreUnavailable('the records have been away for longer than keys may be trusted')
        known.used = true
        return sameKey(known.salted, key) ? known.salted : undefined
      }
      if (!form.test(key)) return undefined
      if ((absent.get(prefix) ?? 0) > now()) return undefined
      return inTime(load(prefix)).then((found) => (found && sameKey(found.salted, key) ? found.salted : undefined))
    },
    async sync() {
      try {
        // a clock behind the last change that was seen: the records were put back
        if (lost || now() - syncedAt > longGap || (await source.tick()) < tick) await start()
        else await follow()
        lost = false
      } catch (error) {
        lost = true
        throw error
      }
    },
  }
}

/** The lookup itself goes on: whoever asks next may find its result. */
function inTime<T>(lookup: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new StoreUnavailable('the records do not answer')), patience)
    lookup.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
