/**
 * Tells when the keys file has changed, and reads it then. One `stat` per look; no watcher of the operating system, since those miss
 * renames and network file systems.
 */

import { stat } from 'node:fs/promises'
import { type KeyRecord, readKeys } from './keys.ts'

export interface KeysWatch {
  /**
   * The keys, when the file is not the one that was looked at last; undefined when it is.
   * @throws when the file has changed and is broken, or has gone: once for each such change.
   */
  look(): Promise<readonly KeyRecord[] | undefined>
}

export function watchKeys(path: string): KeysWatch {
  let last = 'never looked'
  return {
    async look() {
      let now = 'none'
      let failure: unknown
      try {
        const s = await stat(path, { bigint: true })
        now = `${s.mtimeNs} ${s.size} ${s.ino}`
      } catch (error) {
        failure = error
      }
      if (now === last) return undefined
      // Noted before it is read: a file that changes meanwhile is read again at the next look.
      last = now
      if (failure !== undefined) throw failure
      return readKeys(path)
    },
  }
}
