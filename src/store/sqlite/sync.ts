/**
 * Makes commits durable without blocking the event loop: one `fdatasync` of the write-ahead log for all commits that wait for it.
 *
 * The connection commits with `synchronous = NORMAL`, which writes the log and does not sync it. Who waits here waits for a sync that
 * began after the commit. Only the `-wal` file is opened: closing a descriptor of the database file would drop SQLite's own locks on it.
 */

import { close, closeSync, fdatasync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { StoreUnavailable } from '../../plugin/host.ts'
import { syncFolder } from '../sync-folder.ts'

export interface WalSync {
  /** Resolves when what was committed until now is on the disk. @throws StoreUnavailable when the disk refuses */
  durable(): Promise<void>
  close(): void
}

/** @param path of the database file, whose log exists already */
export function walSync(path: string): WalSync {
  syncFolder(dirname(path))
  const fd = openSync(`${path}-wal`, 'r')
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  let closed = false
  const sync = () =>
    new Promise<void>((resolve, reject) => {
      fdatasync(fd, (error) => {
        running = undefined
        if (error) reject(new StoreUnavailable(`the records could not be synced to disk: ${error.message}`, { cause: error }))
        else resolve()
        if (closed) close(fd)
      })
    })
  const start = () => {
    next = undefined
    running = sync()
    return running
  }
  return {
    durable() {
      if (!running) return start()
      next ??= running.then(start, start)
      return next
    },
    close() {
      closed = true
      if (!running) closeSync(fd)
    },
  }
}
