/**
 * Waiting for the records, but not for as long as a hook may take: a store that does not answer is away, and that is told as such
 * (503, and the client tries again), not as a failure of this plugin.
 */

import { StoreUnavailable } from 'headgate/plugin'

/** Milliseconds. A hook has five seconds unless the operator says otherwise. */
const patience = 4000

/** The work's result. What it does after its time is its own business. @throws StoreUnavailable when it takes too long */
export async function inTime<T>(work: Promise<T>, ms = patience): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreUnavailable(`the records did not answer within ${ms / 1000} s`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
