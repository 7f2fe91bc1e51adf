/**
 * Where the lines go: a file that is opened anew for each group, so that it may be renamed or deleted by a log rotation at any
 * time (ours or another), or standard output. Both through `fs.write`, which reports short writes and, unlike `process.stdout`, a closed pipe.
 */

import { write } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Appends bytes, tells how many it took. */
export type Append = (bytes: Uint8Array) => Promise<number>

/** When a file is renamed to make place for a new one. */
export interface Rotation {
  /** Bytes that it may have. */
  readonly size?: number
  /** Milliseconds: it holds what was written between two multiples of this. */
  readonly every?: number
  /** Old files that stay. */
  readonly keep: number
}

/**
 * @param path absolute; its folder is created.
 * @param now milliseconds since the epoch
 * @throws Error when the file can't be opened for appending.
 */
export async function fileDestination(path: string, rotation?: Rotation, now: () => number = Date.now): Promise<Append> {
  await mkdir(dirname(path), { recursive: true })
  /** When this process wrote last; the file says it of those before. */
  let writtenAt: number | undefined
  const append: Append = async (bytes) => {
    if (rotation && bytes.length > 0) await rotate(path, rotation, bytes.length, now(), writtenAt)
    const file = await open(path, 'a', 0o640)
    try {
      const { bytesWritten } = await file.write(bytes)
      if (bytesWritten > 0) writtenAt = now()
      return bytesWritten
    } finally {
      await file.close()
    }
  }
  await append(new Uint8Array(0))
  return append
}

/** Renames the file when it is full or its time is over, and removes the oldest beyond those that stay. */
async function rotate(
  path: string,
  { size, every, keep }: Rotation,
  more: number,
  now: number,
  writtenAt: number | undefined,
): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (!found || found.size === 0) return
  const full = size !== undefined && found.size + more > size
  const over = every !== undefined && every > 0 && Math.floor((writtenAt ?? found.mtimeMs) / every) !== Math.floor(now / every)
  if (!full && !over) return
  const name = `${path}.${new Date(now).toISOString().replace(/[-:.]/g, '')}`
  // a second one within a millisecond must not replace the first
  const taken = (await stat(name).catch(() => undefined)) !== undefined
  await rename(path, taken ? `${name}-${crypto.randomUUID().slice(0, 8)}` : name)
  const prefix = `${basename(path)}.`
  const old = (await readdir(dirname(path))).filter((n) => n.startsWith(prefix) && /^\d{8}T\d{9}Z(-|$)/.test(n.slice(prefix.length))).sort()
  for (const one of old.slice(0, Math.max(0, old.length - keep))) await rm(join(dirname(path), one), { force: true })
}

export const standardOutput: Append = (bytes) =>
  new Promise((resolve, reject) => {
    write(1, bytes, 0, bytes.length, null, (error, taken) => (error ? reject(error) : resolve(taken)))
  })
