/**
 * A record as a row of `audit_exchange`, and back. Pure.
 *
 * What is asked for often has a column of its own; the rest is JSON in `detail`. Nothing stands in both. Texts are made such that both
 * databases give them back as they were: the hash of a row covers every column.
 */

import type { SqlValue } from 'headgate/plugin'
import type { AuditRecord } from './record.ts'
import { short, usageOf } from './record.ts'

/** All columns but the hash, in the order in which they are hashed. New ones stand at the end: rows of an earlier version are hashed without them. */
export const hashedColumns = [
  'id',
  'v',
  'instance',
  'seq',
  'thread',
  'request_id',
  'trace_id',
  'reply_id',
  'at',
  'ended_at',
  'caller',
  'account',
  'tier',
  'end_user',
  'session',
  'turn',
  'operation',
  'dialect',
  'model_asked',
  'model_served',
  'upstream',
  'status',
  'ending',
  'code',
  'answered_by',
  'stream',
  'stream_state',
  'usage_source',
  'input',
  'cache_read',
  'cache_write',
  'output',
  'reasoning',
  'cost',
  'cost_least',
  'saved',
  'attempts',
  'first_ms',
  'total_ms',
  'detail',
  'saved_gross',
  'trim_saved',
  'trimmed',
  'cache_status',
  'cache_attribution',
  'response_saved',
] as const
/** How many of them rows of each version are hashed with. */
export const hashedOf: Readonly<Record<number, number>> = { 1: 40, 2: 45, 3: hashedColumns.length }
export type HashedColumn = (typeof hashedColumns)[number]

/** What a row says before it has its place in a chain. */
export type RowBody = Readonly<Record<Exclude<HashedColumn, 'id' | 'v' | 'instance' | 'seq'>, SqlValue>>
export type ChainedRow = Readonly<Record<HashedColumn, SqlValue>> & { readonly id: string; readonly hash: string }

/** A row as it comes out of the records. */
export interface ExchangeRow {
  readonly id: string
  readonly v: number
  readonly instance: string
  readonly seq: bigint
  readonly thread: string | null
  readonly request_id: string
  readonly trace_id: string | null
  readonly reply_id: string | null
  readonly at: bigint
  readonly ended_at: bigint
  readonly caller: string | null
  readonly account: string | null
  readonly tier: string | null
  readonly end_user: string | null
  readonly session: string | null
  readonly turn: bigint | null
  readonly operation: string
  readonly dialect: string
  readonly model_asked: string | null
  readonly model_served: string | null
  readonly upstream: string | null
  readonly status: bigint
  readonly ending: string
  readonly code: string | null
  readonly answered_by: string | null
  readonly stream: boolean
  readonly stream_state: string
  readonly usage_source: string
  readonly input: bigint | null
  readonly cache_read: bigint | null
  readonly cache_write: bigint | null
  readonly output: bigint | null
  readonly reasoning: bigint | null
  readonly cost: bigint | null
  readonly cost_least: bigint | null
  readonly saved: bigint | null
  readonly attempts: bigint
  readonly first_ms: bigint | null
  readonly total_ms: bigint
  readonly detail: string
  readonly saved_gross: bigint | null
  readonly trim_saved: bigint | null
  readonly trimmed: bigint | null
  readonly cache_status: string | null
  readonly cache_attribution: string | null
  readonly response_saved: bigint | null
  readonly hash: string
}

export interface RowOptions {
  readonly thread: string | undefined
  /** Sums over the bodies that were kept, so that the chain covers them too. */
  readonly bodies?: object | undefined
  /** Records that were lost since the one before. */
  readonly lost?: number
  readonly replyId?: string | undefined
}

/** Makes the row of a record. */
export function rowOf(r: AuditRecord, options: RowOptions): RowBody {
  const { usage, cost } = r
  const known = usage.source !== 'unknown'
  const tokens = (count: number) => (known ? whole(count) : null)
  return {
    thread: text(options.thread),
    request_id: text(r.id)!,
    trace_id: text(r.trace_id),
    reply_id: text(short(options.replyId)),
    at: BigInt(Math.floor(r.time)),
    ended_at: BigInt(Math.floor(r.time + r.timings.end)),
    caller: text(r.principal),
    account: text(r.account),
    tier: text(r.tier),
    end_user: text(r.user),
    session: text(r.session),
    turn: r.turn === undefined ? null : whole(r.turn),
    operation: r.operation,
    dialect: r.dialect,
    model_asked: text(r.model_asked),
    model_served: text(r.model_served),
    upstream: text(r.upstream),
    status: whole(r.status),
    ending: r.end,
    code: text(r.code),
    answered_by: text(r.by),
    stream: r.stream,
    stream_state: r.stream_state,
    usage_source: usage.source,
    input: tokens(usage.inputUncached),
    cache_read: tokens(usage.cacheRead),
    cache_write: tokens(usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther),
    output: tokens(usage.outputVisible),
    reasoning: tokens(usage.reasoning),
    cost: cost?.known ? cost.pico : null,
    cost_least: cost && !cost.known ? cost.atLeast : null,
    saved: r.cache_savings ?? null,
    attempts: BigInt(r.attempts.length),
    first_ms: r.timings.first_content === undefined ? null : whole(r.timings.first_content),
    total_ms: whole(r.timings.end),
    detail: text(JSON.stringify(detailOf(r, options)))!,
    saved_gross: r.cache_savings_gross ?? null,
    trim_saved: r.trim_savings ?? null,
    trimmed: r.trimmed_tokens === undefined ? null : whole(r.trimmed_tokens),
    cache_status: r.cache_status ?? null,
    cache_attribution: text(r.cache_attribution),
    response_saved: r.response_savings ?? null,
  }
}

function detailOf(r: AuditRecord, { bodies, lost }: RowOptions): object {
  const { usage, cost } = r
  const fine = usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther + usage.inputAudio + usage.outputAudio > 0
  return {
    // the first, so that sums find it without reading JSON: see sums.ts
    trim: r.trim,
    shadow_of: r.shadow_of,
    ip: r.ip,
    path: r.path,
    upstream_dialect: r.upstream_dialect,
    dropped: r.dropped,
    edits: r.edits,
    usage: fine ? usageOf(usage) : undefined,
    cost_missing: cost?.known === false ? cost.missing.map((what) => short(what)) : undefined,
    cost_estimated: cost?.known && cost.estimated ? true : undefined,
    price: r.price,
    attempts: r.attempts.length > 0 ? r.attempts : undefined,
    hooks: r.hooks,
    timings: r.timings,
    bytes_in: r.bytes_in || undefined,
    bytes_out: r.bytes_out || undefined,
    verdicts: r.verdicts,
    bodies,
    lost_before: lost || undefined,
  }
}

/** A figure as a database holds it, whatever an upstream may have called a number. */
function whole(value: number): bigint {
  if (!(value > 0)) return 0n
  return BigInt(Math.min(Math.round(value), Number.MAX_SAFE_INTEGER))
}

/** A text that both databases give back as it went in: no NUL, no half of a pair. */
function text(value: string | undefined): string | null {
  if (value === undefined) return null
  const well = value.isWellFormed() ? value : value.toWellFormed()
  return well.includes('\0') ? well.replaceAll('\0', '\ufffd') : well
}
