/** An audit record as one line of JSON. Pure. */

import { formatUsd } from 'headgate/plugin'
import { isoTime } from './iso-time.ts'
import { type AuditRecord, amount, type FieldName, fieldNames, short, usageOf } from './record.ts'

/** One line of JSON with its line break: all fields, or those named, in that order. */
export function lineOf(record: AuditRecord, fields: readonly FieldName[] = fieldNames, thread?: string): string {
  const told = toldRecord(record, thread)
  if (fields === fieldNames) return `${JSON.stringify(told)}\n`
  const chosen: Partial<Record<FieldName, unknown>> = {}
  for (const name of fields) chosen[name] = told[name]
  return `${JSON.stringify(chosen)}\n`
}

/**
 * A record as JSON tells it: times as text, amounts in USD. HOT PATH: one literal with the members in the order of a line, which is three times cheaper to make
 * and to write than one that is put together.
 */
export function toldRecord(r: AuditRecord, thread: string | undefined): Record<FieldName, unknown> {
  const { cost } = r
  const unknown = cost?.known === false ? cost : undefined
  return {
    time: isoTime(r.time),
    id: r.id,
    shadow_of: r.shadow_of,
    thread,
    trace_id: r.trace_id,
    principal: r.principal,
    account: r.account,
    tier: r.tier,
    user: r.user,
    session: r.session,
    turn: r.turn,
    ip: r.ip,
    operation: r.operation,
    path: r.path,
    dialect: r.dialect,
    upstream_dialect: r.upstream_dialect,
    model_asked: r.model_asked,
    model_served: r.model_served,
    upstream: r.upstream,
    dropped: r.dropped,
    edits: r.edits,
    status: r.status,
    end: r.end,
    code: r.code,
    by: r.by,
    stream: r.stream,
    stream_state: r.stream_state,
    usage: usageOf(r.usage),
    cost_usd: cost && amount(cost),
    cost_missing: unknown?.missing.map((what) => short(what)),
    cost_at_least_usd: unknown && unknown.atLeast > 0n ? formatUsd(unknown.atLeast) : undefined,
    cache_savings_usd: usd(r.cache_savings),
    cache_savings_gross_usd: usd(r.cache_savings_gross),
    trim_savings_usd: usd(r.trim_savings),
    trimmed_tokens: r.trimmed_tokens,
    trim: r.trim,
    response_savings_usd: usd(r.response_savings),
    cache_attribution: r.cache_attribution,
    cache_status: r.cache_status,
    price: r.price,
    attempts: r.attempts,
    hooks: r.hooks,
    timings: r.timings,
    latency_ms: Math.round(r.timings.end),
    bytes_in: r.bytes_in,
    bytes_out: r.bytes_out,
    verdicts: r.verdicts,
  }
}

/** An amount; what is nothing is not said. */
function usd(pico: bigint | undefined): string | undefined {
  return pico ? formatUsd(pico) : undefined
}
