/**
 * Asking for exchanges: filters become one statement per page, the newest first, so that a list of any length is read a page at a time.
 *
 * Used by the command line beside a running gateway, and by the endpoint for callers. Writes nothing.
 */

import type { SqlQuery, SqlValue } from 'headgate/plugin'
import type { ExchangeRow } from './row.ts'

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
  let after: { at: bigint; id: string } | undefined
  for (let left = limit; left > 0; ) {
    const size = Math.min(pageSize, left)
    const rows = await page(sql, filter, after, size)
    yield* rows
    left -= rows.length
    if (rows.length < size) return
    const { at, id } = rows.at(-1)!
    after = { at, id }
  }
}

async function page(sql: SqlQuery, f: Filter, after: { at: bigint; id: string } | undefined, size: number): Promise<ExchangeRow[]> {
  const conditions = conditionsOf(f)
  if (after)
    conditions.push([
      ['at <= ', ' AND (at < ', ' OR id < ', ')'],
      [after.at, after.at, after.id],
    ])
  return await sql<ExchangeRow>(...statement('SELECT * FROM audit_exchange', conditions, 'ORDER BY at DESC, id DESC LIMIT ', BigInt(size)))
}

/** A piece of a statement: texts, and the values between them. */
export type Condition = readonly [texts: readonly string[], values: readonly SqlValue[]]

/** What a filter says in SQL. */
export function conditionsOf(f: Filter): Condition[] {
  const list: Condition[] = []
  const is = (column: string, value: SqlValue | undefined) => {
    if (value !== undefined) list.push([[`${column} = `, ''], [value]])
  }
  if (f.from !== undefined) list.push([['at >= ', ''], [BigInt(Math.ceil(f.from))]])
  if (f.to !== undefined) list.push([['at < ', ''], [BigInt(Math.ceil(f.to))]])
  is('caller', f.caller)
  is('account', f.account)
  is('tier', f.tier)
  is('end_user', f.user)
  is('model_asked', f.model)
  is('upstream', f.upstream)
  is('session', f.session)
  is('thread', f.thread)
  is('status', f.status === undefined ? undefined : BigInt(f.status))
  is('ending', f.end)
  // says to the database that the index of what did not go well has them all
  if (f.end !== undefined && f.end !== 'finished') list.push([["ending <> 'finished'"], []])
  is('code', f.code)
  is('operation', f.operation)
  is('trace_id', f.traceId)
  if (f.minCost !== undefined) list.push([['cost >= ', ''], [f.minCost]])
  return list
}

const templates = new Map<string, TemplateStringsArray>()

/** A statement of these conditions, as a template for `sql`. The texts are few, so each is made once. */
export function statement(
  head: string,
  conditions: readonly Condition[],
  tail: string,
  ...last: readonly SqlValue[]
): [TemplateStringsArray, ...SqlValue[]] {
  const texts = [head]
  const values: SqlValue[] = []
  for (const [i, [parts, own]] of conditions.entries()) {
    texts[texts.length - 1] += `${i === 0 ? ' WHERE ' : ' AND '}${parts[0]}`
    texts.push(...parts.slice(1))
    values.push(...own)
  }
  texts[texts.length - 1] += ` ${tail}`
  for (const _ of last) texts.push('')
  const key = texts.join('\0')
  let template = templates.get(key)
  if (!template) {
    if (templates.size > 500) templates.clear()
    template = Object.assign([...texts], { raw: texts }) as unknown as TemplateStringsArray
    templates.set(key, template)
  }
  return [template, ...values, ...last]
}

/** The exchange that an id means: that of the request, of the reply, or of the row. The newest, where it means several. */
export async function findExchange(sql: SqlQuery, id: string): Promise<ExchangeRow | undefined> {
  const [byRequest] = await sql<ExchangeRow>`SELECT * FROM audit_exchange WHERE request_id = ${id} ORDER BY at DESC LIMIT 1`
  if (byRequest) return byRequest
  const [byReply] = await sql<ExchangeRow>`SELECT * FROM audit_exchange WHERE reply_id = ${id} ORDER BY at DESC LIMIT 1`
  if (byReply) return byReply
  const [byTrace] = await sql<ExchangeRow>`SELECT * FROM audit_exchange WHERE trace_id = ${id} ORDER BY at DESC LIMIT 1`
  if (byTrace) return byTrace
  const [row] = await sql<ExchangeRow>`SELECT * FROM audit_exchange WHERE id = ${id}`
  return row
}
