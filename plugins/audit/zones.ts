/**
 * Zones: stretches of five minutes, and what each of them holds of that of which there are few kinds (tiers, models, upstreams …), with the
 * greatest cost. Who looks for the newest exchanges of a rare tier, or dear ones, reads the zones that have some and no others.
 *
 * An index per column would do the same and make every write dearer; zones are entered in the background, with the sums (`daily.ts`). What is not
 * entered yet is looked for in the exchanges that are not rolled up.
 */

import type { SqlQuery, SqlValue } from 'headgate/plugin'
import { type Condition, statement, template } from './statement.ts'
import { endOfInstance, rowId } from './tables.ts'
import { unrolled } from './unrolled.ts'

/** Milliseconds. The tables know it too. */
export const zoneLength = 300_000
/** Columns whose values a zone knows; '' stands for all exchanges. */
const facetColumns = ['tier', 'upstream', 'operation', 'thread', 'model_asked'] as const
export type Facet = (typeof facetColumns)[number]
/** Zones read at a time. */
const pageSize = 500

/** What zones are asked for: all of it must hold. */
export interface ZoneFilter {
  readonly facets: readonly (readonly [Facet, string])[]
  /** Picodollars. */
  readonly minCost: bigint | undefined
  /** Milliseconds since the epoch. */
  readonly from: number | undefined
  readonly to: number | undefined
}

/** A stretch of time: milliseconds, `to` not in it. */
export interface Range {
  readonly from: number
  readonly to: number
}

const entries = ['', ...facetColumns].map((column) =>
  template([
    `INSERT INTO audit_zone (facet, zone, most) SELECT ${column === '' ? "''" : `'${column}=' || ${column}`}, at - at % ${zoneLength}, max(coalesce(cost, 0))
      FROM audit_exchange WHERE id > `,
    ' AND id <= ',
    `${column === '' ? '' : ` AND ${column} IS NOT NULL`} GROUP BY ${column === '' ? '' : `${column}, `}at - at % ${zoneLength} ORDER BY 1, 2
      ON CONFLICT (facet, zone) DO UPDATE SET most = CASE WHEN excluded.most > audit_zone.most THEN excluded.most ELSE audit_zone.most END`,
  ]),
)

/** Enters the zones of the rows between two ids. */
export async function enterZones(sql: SqlQuery, after: string, end: string): Promise<void> {
  for (const entry of entries) await sql(entry, after, end)
}

/** Stretches that may hold what is asked for, the latest first; nothing outside of them does. */
export async function* zoneRanges(sql: SqlQuery, filter: ZoneFilter): AsyncGenerator<Range> {
  const fresh = await freshZones(sql)
  let open: Range | undefined
  for await (const zone of latestFirst(sql, filter, fresh)) {
    const range = { from: Math.max(zone, filter.from ?? 0), to: Math.min(zone + zoneLength, filter.to ?? Number.POSITIVE_INFINITY) }
    if (range.from >= range.to) continue
    if (open && range.to === open.from) open = { from: range.from, to: open.to }
    else {
      if (open) yield open
      open = range
    }
    // who finds enough in the first hours need not wait for the rest
    if (open.to - open.from >= 24 * zoneLength * 2) {
      yield open
      open = undefined
    }
  }
  if (open) yield open
}

/** Zones of exchanges that are not rolled up, the latest first. */
async function freshZones(sql: SqlQuery): Promise<number[]> {
  const zones = new Set<number>()
  for (const { id, rolled } of await unrolled(sql)) {
    const rows = await sql<{ zone: bigint }>`SELECT DISTINCT at - at % 300000 AS zone FROM audit_exchange
      WHERE id > ${rowId(id, rolled)} AND id < ${endOfInstance(id)}`
    for (const { zone } of rows) zones.add(Number(zone))
  }
  return [...zones].sort((a, b) => b - a)
}

async function* latestFirst(sql: SqlQuery, filter: ZoneFilter, fresh: readonly number[]): AsyncGenerator<number> {
  let next = 0
  for (let before: number | undefined; ; ) {
    const page = await entered(sql, filter, before)
    for (const zone of page) {
      for (; next < fresh.length && fresh[next]! > zone; next++) yield fresh[next]!
      if (fresh[next] === zone) next++
      yield zone
    }
    if (page.length < pageSize) break
    before = page.at(-1)
  }
  for (; next < fresh.length; next++) yield fresh[next]!
}

/** A page of zones that were entered. */
async function entered(sql: SqlQuery, { facets, minCost, from, to }: ZoneFilter, before: number | undefined): Promise<number[]> {
  const names = facets.length === 0 ? [''] : facets.map(([column, value]) => `${column}=${value}`)
  const conditions: Condition[] = [[['z.facet = ', ''], [names[0]!]]]
  const is = (text: string, value: SqlValue) => conditions.push([[text, ''], [value]])
  if (minCost !== undefined) is('z.most >= ', minCost)
  if (from !== undefined) is('z.zone > ', BigInt(Math.floor(from - zoneLength)))
  if (to !== undefined) is('z.zone < ', BigInt(Math.ceil(to)))
  if (before !== undefined) is('z.zone < ', BigInt(before))
  for (const name of names.slice(1)) {
    conditions.push([['EXISTS (SELECT o.zone FROM audit_zone o WHERE o.zone = z.zone AND o.facet = ', ')'], [name]])
  }
  const found = await sql<{ zone: bigint }>(
    ...statement('SELECT z.zone FROM audit_zone z', conditions, 'ORDER BY z.zone DESC LIMIT ', BigInt(pageSize)),
  )
  return found.map(({ zone }) => Number(zone))
}
