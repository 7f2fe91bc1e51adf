/**
 * API keys: how they are made, hashed and written down. Used by the plugin and by `headgate keys`.
 *
 * A key is `<key_prefix><8 public characters><secret>`, all base62. The secret has 238 random bits, so nobody can guess it from its hash
 * however fast the hash is: a salted SHA-256 (0.2 us) protects it as well as a slow password hash would, and lets each request
 * be checked in full, with no cache of plaintext keys. Only salt and hash are kept: a key can't be shown a second time.
 */

import { randomBytes } from 'node:crypto'
import { chmod, type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { KeyFields } from './key-fields.ts'
import { decodeKeys } from './keys-file.ts'

/** One key as it is stored. Nothing in it lets anybody in. */
export interface KeyRecord extends KeyFields {
  /** Public id, for logs, limits and audit. */
  readonly id: string
  /** The first characters of the key, up to its secret: by these it is found. */
  readonly prefix: string
  readonly salt: string
  /** SHA-256 of salt and key, in hex. */
  readonly hash: string
  /** ISO 8601 time. */
  readonly created: string
}

export interface CreateKeyOptions extends KeyFields {
  /** `key_prefix` of the config; `sk-hg-` when absent. */
  readonly keyPrefix?: string
  /** Milliseconds since the epoch; the clock when absent. */
  readonly now?: number
}

/** Makes a new key. `key` is to be shown once and then forgotten; `record` is what may be stored. */
export function createKey(options: CreateKeyOptions): { key: string; record: KeyRecord } {
  const { name, keyPrefix = 'sk-hg-', now = Date.now(), ...rest } = options
  const publicId = base62(publicLength)
  const prefix = keyPrefix + publicId
  const key = prefix + base62(secretLength)
  const salt = randomBytes(16).toString('hex')
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  const record = { id: `key_${publicId}`, name, prefix, salt, hash: hashKey(salt, key), created: new Date(now).toISOString(), ...given }
  return { key, record }
}

/** Characters of the public id, of the secret. */
export const publicLength = 8
export const secretLength = 40

/** SHA-256 of salt and key, in hex. */
export function hashKey(salt: string, key: string): string {
  return Bun.SHA256.hash(salt + key, 'hex')
}

/** `length` random characters of 0-9A-Za-z, each equally likely. */
function base62(length: number): string {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) if (byte < 248 && text.length < length) text += alphabet[byte % 62]
  }
  return text
}

/**
 * The keys in a keys file.
 * @throws when there is none (code ENOENT) or it is not a keys file; the message names the place, never a secret.
 */
export async function readKeys(path: string): Promise<KeyRecord[]> {
  return decodeKeys(await readFile(path, 'utf8'), path)
}

/** Adds a key to a keys file, which is created when it does not exist. */
export function addKeyToFile(path: string, record: KeyRecord): Promise<void> {
  return changeKeys(path, (keys) => [...keys, record])
}

/** Revokes a key: removes it by its id or its public prefix. Returns false when there is no such key. */
export async function removeKeyFromFile(path: string, idOrPrefix: string): Promise<boolean> {
  let removed = false
  await changeKeys(path, (keys) => {
    const kept = keys.filter((key) => key.id !== idOrPrefix && key.prefix !== idOrPrefix)
    removed = kept.length < keys.length
    return kept
  })
  return removed
}

/** Milliseconds to wait for another writer: one that lives needs a few. */
const writerPatience = 1000

/** A new file that nobody else has. @throws Error that says what to do when another has had it for too long, or has died with it */
async function openAlone(path: string): Promise<FileHandle> {
  for (const start = performance.now(); ; await Bun.sleep(10 + 20 * Math.random())) {
    try {
      return await open(path, 'wx', 0o600)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (performance.now() - start > writerPatience)
        throw new Error(`${path} exists: another process is changing the keys. If none is, remove that file and try again.`)
    }
  }
}

/**
 * Replaces the keys in a file, atomically: a reader sees the old file or the new one. The new file is written beside it under
 * a fixed name and so is the lock against another writer as well. Readable by its owner only.
 * @throws when another writer stays at it, or the file is broken.
 */
export async function changeKeys(path: string, change: (keys: readonly KeyRecord[]) => readonly KeyRecord[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const next = `${path}.new`
  const file = await openAlone(next)
  try {
    const keys = await readKeys(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    const text = `${JSON.stringify({ version: 1, keys: change(keys) }, null, 2)}\n`
    decodeKeys(text, path)
    await file.writeFile(text)
    await file.sync()
    await file.close()
    await chmod(next, 0o600)
    await rename(next, path)
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(next, { force: true })
    throw error
  }
}
