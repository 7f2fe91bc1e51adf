/**
 * What is said of something that is on its way out, in headers: `Deprecation` (RFC 9745), `Sunset` (RFC 8594), `Link` (RFC 8288). Pure.
 */

import type { Deprecation } from 'headgate/plugin'

/** What a route or model says of its end. Times are milliseconds since the epoch. */
export interface Mark extends Deprecation {
  readonly successor?: string
}

export interface MarkHeaders {
  /** A date of structured fields: `@` and seconds since the epoch. */
  readonly deprecation: string
  /** An HTTP date. */
  readonly sunset?: string
  readonly links: readonly string[]
}

/** The headers of one mark or of several together: what comes first counts. */
export function headersOf(marks: readonly [Mark, ...Mark[]]): MarkHeaders {
  const since = Math.min(...marks.map((mark) => mark.since))
  const ends = marks.flatMap(({ sunset }) => (sunset === undefined ? [] : [sunset]))
  const links = marks.flatMap(({ link, successor }) => [
    ...(link === undefined ? [] : [`<${link}>; rel="deprecation"`]),
    ...(successor === undefined ? [] : [`<${successor}>; rel="successor-version"`]),
  ])
  return {
    deprecation: `@${Math.floor(since / 1000)}`,
    ...(ends.length > 0 && { sunset: new Date(Math.min(...ends)).toUTCString() }),
    links: [...new Set(links)],
  }
}

/** Milliseconds of a date or a moment in UTC. @throws Error when there is no such day */
export function momentOf(text: string, where: string): number {
  const at = Date.parse(text)
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text.slice(0, 10)) throw new Error(`${where}: ${text} is not a date`)
  return at
}
