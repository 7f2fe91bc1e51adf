/**
 * Asking for exchanges: filters become one statement per page, the newest first, so that a list of any length is read a page at a time.
 *
 * Used by the command line beside a running gateway, and by the endpoint for callers. Writes nothing.
 */

import type { SqlQuery, SqlValue } from 'headgate/plugin'
import type { ExchangeRow } from './row.ts'
import { type Condition, statement } from './statement.ts'
import { type Facet, type ZoneFilter, zoneRanges } from './zones.ts'

/** All of what is named must hold. */
export interface Filter {
  /** Milliseconds since the epoch; `to` is not in it. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly caller?: string | undefined
  readonly account?: string | undefined
  readonly tier?: string | undefined
  readonly user?: string | undefined
  readonly model?: string | undefined
  readonly upstream?: string | undefined
  readonly session?: string | undefined
  readonly thread?: string | undefined
  readonly status?: number | undefined
  readonly end?: string | undefined
  readonly code?: string | undefined
  readonly operation?: string | undefined
  readonly traceId?: string | undefined
  /** Picodollars. */
  readonly minCost?: bigint | undefined
}

/** Rows of one page. */
const pageSize = 500

/** The exchanges that a filter leaves, the newest first, at most `limit`. */
export async function* exchanges(sql: SqlQuery, filter: Filter, limit = Number.POSITIVE_INFINITY): AsyncGenerator<ExchangeRow> {
  const { account, caller } = filter
  if (account !== undefined && caller === undefined) {
    // most keys pay for themselves; the others have an index of their own
    const own = { ...filter, caller: account }
    yield* newestOf([matching(sql, own, limit, []), matching(sql, filter, limit, [[['account <> caller'], []]])], limit)
  } else yield* matching(sql, filter, limit, [])
}

/** Looks where an index leads; else in the zones that may have some. */
async function* matching(sql: SqlQuery, filter: Filter, limit: number, more: readonly Condition[]): AsyncGenerator<ExchangeRow> {
  const zones = more.length === 0 ? zonesFor(filter) : undefined
  if (!zones) {
    yield* pages(sql, filter, limit, more)
    return
  }
  let left = limit
  for await (const range of zoneRanges(sql, zones)) {
    for await (const row of pages(sql, { ...filter, ...range }, left, more)) {
      yield row
      left--
    }
    if (left <= 0) return
  }
}

const facets: Readonly<Partial<Record<keyof Filter, Facet>>> = {
  tier: 'tier',
  upstream: 'upstream',
  operation: 'operation',
  thread: 'thread',
  model: 'model_asked',
}

/** What zones are asked for; undefined where an index leads straight there, or nothing is named that zones know. */
function zonesFor(f: Filter): ZoneFilter | undefined {
  const straight = [f.caller, f.account, f.user, f.session, f.traceId, f.code].some((value) => value !== undefined)
  const bad = (f.status !== undefined && f.status !== 200) || (f.end !== undefined && f.end !== 'finished')
  if (straight || bad) return undefined
  const named = Object.entries(facets).flatMap(([name, column]) => {
    const value = f[name as keyof Filter]
    return value === undefined ? [] : [[column, String(value)] as const]
  })
  // a model alone has its index
  if (f.minCost === undefined && named.every(([column]) => column === 'model_asked')) return undefined
  return { facets: named, minCost: f.minCost, from: f.from, to: f.to }
}

/** The newest of several lists, each the newest first and nothing in two of them. */
async function* newestOf(lists: readonly AsyncGenerator<ExchangeRow>[], limit: number): AsyncGenerator<ExchangeRow> {
  const heads = await Promise.all(lists.map(async (list) => ({ list, next: await list.next() })))
  for (let left = limit; left > 0; left--) {
    const live = heads.filter((head) => !head.next.done)
    if (live.length === 0) return
    const newest = live.reduce((a, b) => (isNewer(b.next.value, a.next.value) ? b : a))
    yield newest.next.value
    newest.next = await newest.list.next()
  }
}

function isNewer(a: ExchangeRow, b: ExchangeRow): boolean {
  return a.at === b.at ? a.id > b.id : a.at > b.at
}

async function* pages(sql: SqlQuery, filter: Filter, limit: number, more: readonly Condition[]): AsyncGenerator<ExchangeRow> {
  let after: { at: bigint; id: string } | undefined
  for (let left = limit; left > 0; ) {
    const size = Math.min(pageSize, left)
    const rows = await page(sql, filter, more, after, size)
    yield* rows
    left -= rows.length
    if (rows.length < size) return
    const { at, id } = rows.at(-1)!
    after = { at, id }
  }
}

async function page(
  sql: SqlQuery,
  f: Filter,
  more: readonly Condition[],
  after: { at: bigint; id: string } | undefined,
  size: number,
): Promise<ExchangeRow[]> {
  const conditions = [...conditionsOf(f), ...more]
  if (after)
    conditions.push([
      ['at <= ', ' AND (at < ', ' OR id < ', ')'],
      [after.at, after.at, after.id],
    ])
  const order = f.traceId === undefined ? 'ORDER BY at DESC, id DESC LIMIT ' : 'ORDER BY at + 0 DESC, id DESC LIMIT ' // as in findExchange
  return await sql<ExchangeRow>(...statement('SELECT * FROM audit_exchange', conditions, order, BigInt(size)))
}

/** Columns that have an index of their own, those first that tell most apart. */
const indexed = ['traceId', 'session', 'user', 'caller', 'account', 'code', 'model'] as const

/**
 * What a filter says in SQL.
 * @param leads false where something else leads the way, such as a few ids: then it is said so that no index serves it, for SQLite may well choose the
 * index of a whole month
 */
export function conditionsOf(f: Filter, leads = true): Condition[] {
  const list: Condition[] = []
  const best = indexed.find((name) => f[name] !== undefined)
  const at = leads ? 'at' : 'at + 0'
  const is = (column: string, value: SqlValue | undefined) => {
    if (value === undefined) return
    list.push([[leads || typeof value !== 'string' ? `${column} = ` : `coalesce(${column}, '') = `, ''], [value]])
  }
  /** Who compares twice leaves it to the other column's index to lead the way: SQLite does not know which one tells more apart. */
  const has = (name: (typeof indexed)[number], column: string) => {
    const value = f[name]
    if (value === undefined || name === best || !leads) is(column, value)
    else
      list.push([
        [`${column} >= `, ` AND ${column} <= `, ''],
        [value, value],
      ])
  }
  if (f.from !== undefined) list.push([[`${at} >= `, ''], [BigInt(Math.ceil(f.from))]])
  if (f.to !== undefined) list.push([[`${at} < `, ''], [BigInt(Math.ceil(f.to))]])
  has('traceId', 'trace_id')
  has('session', 'session')
  has('user', 'end_user')
  has('caller', 'caller')
  has('account', 'account')
  has('code', 'code')
  has('model', 'model_asked')
  is('tier', f.tier)
  is('upstream', f.upstream)
  is('thread', f.thread)
  is('status', f.status === undefined ? undefined : BigInt(f.status))
  is('ending', f.end)
  // says to the database that the index of what did not go well has them all
  if (f.end !== undefined && f.end !== 'finished') list.push([["ending <> 'finished'"], []])
  if (f.status !== undefined && f.status !== 200) list.push([['status <> 200'], []])
  is('operation', f.operation)
  if (f.minCost !== undefined) list.push([['cost >= ', ''], [f.minCost]])
  return list
}

/**
 * The exchange that an id means: that of the request, of the reply, of the trace, or of the row. The newest, where it means several.
 *
 * `at + 0` has no index: by that of `at` PostgreSQL would read all records backwards until it came upon the id, as long as it has no statistics of a table.
 */
export async function findExchange(sql: SqlQuery, id: string): Promise<ExchangeRow | undefined> {
  const [byRequest] = await sql<ExchangeRow>`SELECT * FROM audit_exchange WHERE request_id = ${id} ORDER BY at + 0 DESC LIMIT 1`
  if (byRequest) return byRequest
  const [byReply] = await sql<ExchangeRow>`SELECT * FROM audit_exchange WHERE reply_id = ${id} ORDER BY at + 0 DESC LIMIT 1`
  if (byReply) return byReply
  const [byTrace] = await sql<ExchangeRow>`SELECT * FROM audit_exchange WHERE trace_id = ${id} ORDER BY at + 0 DESC LIMIT 1`
  if (byTrace) return byTrace
  const [row] = await sql<ExchangeRow>`SELECT * FROM audit_exchange WHERE id = ${id}`
  return row
}
