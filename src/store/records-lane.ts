/**
 * One after the other: who may use what only one can use, such as the one connection of SQLite.
 *
 * The queue is bounded; who does not get in is told that the store is unavailable.
 */

import { StoreBusy } from './records-driver.ts'

const longest = 10_000

export interface Lane {
  /** How many wait. */
  readonly waiting: number
  /** Runs `work` alone. */
  run<T>(work: () => T | Promise<T>): Promise<T>
}

export function createLane(): Lane {
  let held = false
  const waiting: (() => void)[] = []
  const release = () => {
    const next = waiting.shift()
    if (next) next()
    else held = false
  }
  return {
    get waiting() {
      return waiting.length
    },
    async run(work) {
      if (held) {
        if (waiting.length >= longest) throw new StoreBusy('too many statements wait for the records')
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
      held = true
      try {
        return await work()
      } finally {
        release()
      }
    },
  }
}
