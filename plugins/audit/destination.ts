/**
 * Where the lines go: a file that is opened anew for each group, so that it may be renamed or deleted by a log rotation at any
 * time, or standard output. Both through `fs.write`, which reports short writes and, unlike `process.stdout`, a closed pipe.
 */

import { write } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Appends bytes, tells how many it took. */
export type Append = (bytes: Uint8Array) => Promise<number>

/**
 * @param path absolute; its folder is created.
 * @throws Error when the file can't be opened for appending.
 */
export async function fileDestination(path: string): Promise<Append> {
  await mkdir(dirname(path), { recursive: true })
  const append: Append = async (bytes) => {
    const file = await open(path, 'a', 0o640)
    try {
      return (await file.write(bytes)).bytesWritten
    } finally {
      await file.close()
    }
  }
  await append(new Uint8Array(0))
  return append
}

export const standardOutput: Append = (bytes) =>
  new Promise((resolve, reject) => {
    write(1, bytes, 0, bytes.length, null, (error, taken) => (error ? reject(error) : resolve(taken)))
  })
