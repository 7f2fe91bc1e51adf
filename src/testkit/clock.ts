/**
 * The fake clock: time that stands still until a test moves it.
 *
 * It drives what the host gives a plugin: `host.now()`, expiry and windows of `host.state`, and `host.task`. It does not drive
 * `setTimeout` of the plugin itself, nor hook timeouts, which guard against code that hangs for real.
 */

export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Moves time forward by so many milliseconds and runs the tasks that fall due on the way, in order. Resolves when those are done. */
  advance(ms: number): Promise<void>
}

type Later = (run: () => void | Promise<void>, ms: number) => () => void

/** 2026-01-01T00:00:00Z: the start of every usual window, so that windows are easy to reckon with. */
const start = Date.UTC(2026, 0, 1)

export function fakeClock(begin: number = start): Clock & { readonly later: Later } {
  let now = begin
  const waiting = new Set<{ readonly at: number; readonly run: () => void | Promise<void> }>()
  return {
    get now() {
      return now
    },
    async advance(ms) {
      const end = now + ms
      for (;;) {
        const due = [...waiting].filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
        if (!due) break
        waiting.delete(due)
        now = Math.max(now, due.at)
        await due.run()
      }
      now = Math.max(now, end)
    },
    later(run, ms) {
      const timer = { at: now + ms, run }
      waiting.add(timer)
      return () => waiting.delete(timer)
    },
  }
}
