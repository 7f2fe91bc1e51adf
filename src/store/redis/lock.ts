/**
 * A lock in Redis: held by a token, renewed while the work runs, given up when it can't be.
 *
 *     free ──acquire──▶ held ──work ends──▶ released
 *                        │ └─ renewed at each third of its life
 *                        └──not renewed within its life, or another holds it──▶ lost (the signal is aborted)
 *
 * Only the holder of the token renews or releases, so one who lost the lock can't take it from the next. The holder's own clock runs
 * from before it asked, so it knows of the loss no later than Redis. One Redis decides; a failover to a replica may lose locks.
 */

import { StoreUnavailable } from '../../plugin/host.ts'

/** The three steps, each atomic. */
export interface LockSteps {
  acquire(token: string, ttl: number): Promise<boolean>
  /** False when the lock is another's, or nobody's. */
  renew(token: string, ttl: number): Promise<boolean>
  release(token: string): Promise<unknown>
}

/** Locks that are held, by what ends them: for closing. */
export type HeldLocks = Set<(reason: Error) => void>

/** Runs `work` under the lock; undefined when it is held elsewhere. @throws what `work` throws, or StoreUnavailable when it can't be asked for. */
export async function holdLock<T>(
  steps: LockSteps,
  held: HeldLocks,
  ttl: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const token = crypto.randomUUID()
  const asked = performance.now()
  if (!(await steps.acquire(token, ttl))) return undefined

  const lost = new AbortController()
  let end: ReturnType<typeof setTimeout> | undefined
  let next: ReturnType<typeof setTimeout> | undefined
  const stop = () => {
    clearTimeout(end)
    clearTimeout(next)
    held.delete(lose)
  }
  const lose = (reason: Error) => {
    stop()
    lost.abort(reason)
  }
  const live = (since: number) => {
    clearTimeout(end)
    end = setTimeout(() => lose(new StoreUnavailable('the lock could not be renewed')), Math.max(0, since + ttl - performance.now()))
    end.unref()
  }
  const renewLater = () => {
    next = setTimeout(() => void renew(), ttl / 3)
    next.unref()
  }
  const renew = async () => {
    const since = performance.now()
    try {
      if (!(await steps.renew(token, ttl))) return lose(new StoreUnavailable('the lock was lost'))
      if (held.has(lose)) live(since)
    } catch {
      // unreachable: try again until its life is over
    }
    if (held.has(lose)) renewLater()
  }

  held.add(lose)
  live(asked)
  renewLater()
  try {
    return await work(lost.signal)
  } finally {
    stop()
    await steps.release(token).catch(() => {}) // then it ends by itself
  }
}
