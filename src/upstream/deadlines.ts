/**
 * Deadlines for many calls with one timer.
 *
 * A timer per chunk or per request would cost more than the relay itself. Each watched call holds one number, the moment at which it is
 * too late, and moves it as it likes; one coarse interval looks at all of them and stops when there is none. Deadlines fire up to one
 * tick late, never early.
 */

const tick = 50

/** The monotonic clock as of the last look, at most one tick ago while something is watched: for limits that need no better, at no cost. */
const coarse = { now: performance.now() }

/** Limits below this are kept by the exact clock: the coarse one stands still while the event loop is blocked. */
const exactBelow = 10_000

/** The deadline that lies `ms` ahead: long limits by the coarse clock, up to a tick late. */
export function ahead(ms: number): number {
  return ms < exactBelow ? performance.now() + ms : coarse.now + tick + ms
}

/** The moment at which a limit of `ms` that began at `now` is over; 0 = no limit. */
export function limitAt(now: number, ms: number): number {
  return ms > 0 ? now + ms : Number.POSITIVE_INFINITY
}

export interface Watched {
  /** Milliseconds on the monotonic clock (`performance.now`); Infinity = none. */
  deadline: number
  /** Called once the deadline has passed; may move the deadline or unwatch. */
  expired(now: number): void
  /** Called at each look before that; cheap. */
  tick(): void
}

const watched = new Set<Watched>()
let timer: ReturnType<typeof setInterval> | undefined

/** Starts watching. Every `watch` needs its `unwatch`. */
export function watch(call: Watched): void {
  watched.add(call)
  if (timer !== undefined) return
  coarse.now = performance.now()
  timer = setInterval(sweep, tick)
}

/** Stops watching. */
export function unwatch(call: Watched): void {
  watched.delete(call)
}

function sweep(): void {
  if (watched.size === 0) {
    clearInterval(timer)
    timer = undefined
    return
  }
  const now = performance.now()
  coarse.now = now
  for (const call of watched) {
    if (call.deadline <= now) call.expired(now)
    else call.tick()
  }
}
