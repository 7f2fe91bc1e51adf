/**
 * The time that a plugin has to set itself up. The clock stands while its tables are made: of millions of rows that an earlier version wrote, that
 * takes minutes, and a start that gave up would begin anew each time.
 */

import { HookTimeout } from '../pipeline/fence.ts'
import type { Logger } from '../plugin/host.ts'

/** Milliseconds between looks at the clock, and until the log says what the start waits for. */
const tick = 1000
const sayAfter = 5000

/** Resolves or rejects with `running`, or rejects with `HookTimeout` when that has had `limit` milliseconds of its own. 0 = no limit. */
export function withinSetup<T>(running: Promise<T>, limit: number, records: { readonly migrating: boolean }, log: Logger): Promise<T> {
  if (limit <= 0) return running
  return new Promise<T>((resolve, reject) => {
    const step = Math.min(limit, tick)
    let own = 0
    let tables = 0
    const timer = setInterval(() => {
      if (records.migrating) {
        tables += step
        if (tables - step < sayAfter && tables >= sayAfter)
          log.warn('its tables are being brought to this version; the start waits for that, minutes where they have millions of rows')
      } else if ((own += step) >= limit) {
        clearInterval(timer)
        reject(new HookTimeout(limit))
      }
    }, step)
    running.then(resolve, reject).finally(() => clearInterval(timer))
  })
}
