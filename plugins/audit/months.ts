/**
 * Months, UTC, as ranges of ids: ids begin with the time at which their chain began, and no chain goes on into another month. Pure.
 */

/** Months ahead for which there is a part. */
const ahead = 3

/** When the month of a time begins, or one so many months later. Milliseconds since the epoch. */
export function monthStart(ms: number, later = 0): number {
  const date = new Date(ms)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later, 1)
}

/** Not greater than the id of any chain that begins at this time or later, and greater than all others. */
export function boundOf(ms: number): string {
  return Math.max(0, Math.floor(ms)).toString(36).padStart(9, '0')
}

/** Bounds of this month and the next ones. */
export function boundsFrom(now: number): string[] {
  return Array.from({ length: ahead + 1 }, (_, i) => boundOf(monthStart(now, i)))
}
