/**
 * The spool: where appended rows wait while the store can't be reached.
 *
 * Calls come one after the other (`records-append.ts` sees to that). Rows come out in the order in which they went in, and are gone
 * only after `done`: a process that dies in between replays them, and their ids keep them from being written twice.
 */

import { StoreUnavailable } from '../plugin/host.ts'
import type { TableRows } from './records-driver.ts'

export interface Spool {
  /** Whether rows wait. */
  readonly empty: boolean
  /** How much waits: bytes on the disk, rows where it is in memory. */
  readonly depth: number
  /** Keeps rows. Durable when it resolves. @throws StoreUnavailable when there is no room, or the disk refuses */
  write(batch: readonly TableRows[]): Promise<void>
  /** The next rows, at most about `max`; undefined when none wait. The same ones again until `done`. */
  read(max: number): Promise<readonly TableRows[] | undefined>
  /** What `read` gave last is in the store. */
  done(): Promise<void>
  /** Keeps a row that the database will never take where an operator finds it. */
  reject(row: TableRows, reason: string): Promise<void>
  close(): Promise<void>
}

/** A spool that dies with the process: for tests and rehearsals. */
export function memorySpool(limit = 10_000): Spool & { readonly rejected: readonly TableRows[] } {
  const waiting: TableRows[] = []
  const rejected: TableRows[] = []
  let given = 0
  return {
    rejected,
    get empty() {
      return waiting.length === 0
    },
    get depth() {
      return waiting.length
    },
    async write(batch) {
      if (waiting.length + batch.length > limit) throw new StoreUnavailable('the spool of the records is full')
      waiting.push(...batch)
    },
    async read(max) {
      given = Math.min(max, waiting.length)
      return given === 0 ? undefined : waiting.slice(0, given)
    },
    async done() {
      waiting.splice(0, given)
      given = 0
    },
    async reject(row) {
      rejected.push(row)
    },
    async close() {},
  }
}
