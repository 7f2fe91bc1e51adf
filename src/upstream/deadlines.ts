/**
 * Deadlines for many calls with one timer.
 *
 * A timer per chunk or per request would cost more than the relay itself. Each watched call holds one number, the moment at which it is
 * too late, and moves it as it likes; one coarse interval looks at all of them and stops when there is none. Deadlines fire up to one
 * tick late, never early, and never for a call of which there is something to read.
 */

import { afterReading } from '../plugin/after-reading.ts'

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
  /** Where it stands among the watched ones; -1 = it is not watched. Written here alone. */
  place: number
  /** Milliseconds on the monotonic clock (`performance.now`); Infinity = none. */
  deadline: number
  /** Called once the deadline has passed; may move the deadline or unwatch. */
  expired(now: number): void
  /** Called at each look before that; cheap. */
  tick(): void
}

/**
 * A list in which each knows its place, not a Set: the tables that a Set outgrows hold what was watched then and lead to the next one, so that the
 * collector of young objects keeps nearly every finished call alive until it looks at all the memory.
 */
const watched: Watched[] = []
let timer: ReturnType<typeof setInterval> | undefined

/** Starts watching. Every `watch` needs its `unwatch`. */
export function watch(call: Watched): void {
  if (call.place >= 0) return
  call.place = watched.push(call) - 1
  if (timer !== undefined) return
  coarse.now = performance.now()
  timer = setInterval(sweep, tick)
}

/** Stops watching. */
export function unwatch(call: Watched): void {
  const { place } = call
  if (place < 0) return
  call.place = -1
  const last = watched.pop()!
  if (last === call) return
  watched[place] = last
  last.place = place
}

function sweep(): void {
  if (watched.length === 0) {
    clearInterval(timer)
    timer = undefined
    return
  }
  const now = performance.now()
  coarse.now = now
  let due = false
  // backwards: who takes the place of one that leaves has been looked at
  for (let i = watched.length - 1; i >= 0; i--) {
    const call = watched[i]
    if (call === undefined) continue // several left at once
    if (call.deadline <= now) due = true
    else call.tick()
  }
  if (due && !asked) {
    asked = true
    afterReading(expire)
  }
}

/** What came in time may not be read yet: all that is ready is read before anything is called late. */
let asked = false

function expire(): void {
  asked = false
  const now = performance.now()
  for (let i = watched.length - 1; i >= 0; i--) {
    const call = watched[i]
    if (call !== undefined && call.deadline <= now) call.expired(now)
  }
}
