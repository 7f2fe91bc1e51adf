/** Days and months, which begin at 00:00 UTC. Pure. Times in milliseconds since the epoch. */

/** `2026-01`. */
export function monthOf(at: number): string {
  return new Date(at).toISOString().slice(0, 7)
}

/** The month after one: `2027-01` after `2026-12`. */
export function monthAfter(month: string): string {
  return monthOf(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 1))
}

/** Name of the period that a time lies in: `2026-01-31`, `2026-01`, or nothing for the one that never ends. */
export function periodOf(per: 'day' | 'month' | 'total', at: number): string {
  return per === 'total' ? '' : new Date(at).toISOString().slice(0, per === 'day' ? 10 : 7)
}

/** When that period ends; undefined for never. */
export function endOf(per: 'day' | 'month' | 'total', at: number): number | undefined {
  if (per === 'total') return undefined
  const date = new Date(at)
  if (per === 'day') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + 1)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
}
