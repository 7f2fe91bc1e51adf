/** Times on the command line: dates, months, moments, and durations back from now. All dates are UTC. Pure. */

import { parseMoment } from '../plugin/moment.ts'
import { parseDuration } from '../plugin/units.ts'
import { type Args, UsageError } from './args.ts'

export interface TimeRange {
  /** Milliseconds since the epoch; `to` is not in it. */
  readonly from?: number
  readonly to?: number
}

export const rangeOptions = ['from', 'since', 'to', 'month'] as const
export const rangeHelp = `  --from <time>       a date (2026-11-21), month (2026-11), moment (2026-11-21T08:00:00Z) or time ago (24h, 7d); UTC
  --since <time>      the same as --from
  --to <time>         up to then; a date or month is included
  --month <yyyy-mm>   all of a month`

/** The range that options name. @throws UsageError */
export function rangeOf({ options }: Pick<Args, 'options'>, now: number): TimeRange {
  const { since, to, month } = options
  if (since !== undefined && options.from !== undefined) throw new UsageError('--since is --from by another name: give one of them')
  const from = options.from ?? since
  if (month !== undefined) {
    if (from !== undefined || to !== undefined) throw new UsageError('--month excludes --from, --since and --to')
    if (!/^\d{4}-\d{2}$/.test(month)) throw new UsageError(`--month ${JSON.stringify(month)} is no month such as 2026-11`)
    return { from: begin(month, '--month', now), to: end(month, '--month', now) }
  }
  return {
    ...(from !== undefined && { from: begin(from, '--from', now) }),
    ...(to !== undefined && { to: end(to, '--to', now) }),
  }
}

function begin(text: string, option: string, now: number): number {
  const ago = parseDuration(text)
  if (ago !== undefined) return now - ago
  const full = /^\d{4}-\d{2}$/.test(text) ? `${text}-01` : text
  const at = parseMoment(full)
  if (at === undefined)
    throw new UsageError(`${option} ${JSON.stringify(text)} is no time that exists: write 2026-11-21, 2026-11, a moment in UTC, or 24h`)
  return at
}

/** The end of what a text names. */
function end(text: string, option: string, now: number): number {
  const at = begin(text, option, now)
  if (/^\d{4}-\d{2}$/.test(text)) {
    const date = new Date(at)
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
  }
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? at + 86_400_000 : at
}
