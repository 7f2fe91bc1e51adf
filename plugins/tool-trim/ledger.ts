/**
 * What was sent, kept where a restarted gateway and other instances find it (`key-store.ts`).
 *
 * A decision is written once and never changed: who comes second takes what is there. Nothing here fails: when the store is away, what it would have known
 * is worked out anew, which gives the same bytes unless versions differ. Long texts are compressed.
 */

import { type Json, StoreUnavailable } from 'headgate/plugin'
import type { KeyStore } from './key-store.ts'

export interface Ledger {
  /** What is kept under each key; undefined for what is not. */
  read(keys: readonly string[]): Promise<(Json | undefined)[]>
  /** Writes what is not there yet; for each key what was there before, undefined when it was written. */
  claim(entries: readonly (readonly [key: string, value: Json])[]): Promise<(Json | undefined)[]>
  /** Writes over what is there; false when that can't be known to have worked. */
  write(entries: readonly (readonly [key: string, value: Json])[]): Promise<boolean>
  /** The store did not answer the last time. */
  readonly away: boolean
}

/** @param failed told of each call that the store did not answer */
export function ledger(store: KeyStore, ttl: number, failed: () => void): Ledger {
  let away = false
  const trying = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      const result = await work()
      away = false
      return result
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      away = true
      failed()
      return undefined
    }
  }
  return {
    get away() {
      return away
    },
    async read(keys) {
      if (keys.length === 0) return []
      const values = await trying(() => Promise.all(keys.map((key) => store.get(key))))
      return values?.map((value) => value ?? undefined) ?? keys.map(() => undefined)
    },
    async claim(entries) {
      if (entries.length === 0) return []
      const results = await trying(() =>
        Promise.all(
          entries.map(async ([key, value]) =>
            (await store.setIfAbsent(key, value, ttl)) ? undefined : ((await store.get(key)) ?? undefined),
          ),
        ),
      )
      return results ?? entries.map(() => undefined)
    },
    async write(entries) {
      if (entries.length === 0) return true
      return (await trying(() => Promise.all(entries.map(([key, value]) => store.set(key, value, ttl))))) !== undefined
    },
  }
}

/** Texts above this are worth compressing. */
const longText = 300

/** A text as it is kept: itself, or compressed in a list, with its encoding. */
export function packed(text: string): Json {
  if (text.length < longText) return text
  // what has no UTF-8 form of its own would come back as something else
  const encoding = text.isWellFormed() ? 'utf8' : 'utf16le'
  return [encoding, Bun.zstdCompressSync(Buffer.from(text, encoding), { level: 1 }).toString('base64')]
}

/** @returns undefined when nobody knows how it was kept */
export function unpacked(kept: Json | undefined): string | undefined {
  if (typeof kept === 'string') return kept
  const [encoding, data] = Array.isArray(kept) ? (kept as readonly Json[]) : []
  if ((encoding !== 'utf8' && encoding !== 'utf16le') || typeof data !== 'string') return undefined
  try {
    return Bun.zstdDecompressSync(Buffer.from(data, 'base64')).toString(encoding)
  } catch {
    return undefined
  }
}
