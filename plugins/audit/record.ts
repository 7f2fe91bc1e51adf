/**
 * The audit record of one settled exchange. Pure.
 *
 * It says who, what, where, how it ended and what it used. It never holds headers, bodies, keys, URLs, or sentences of the
 * upstream: those may quote any of them. Unknown figures are absent, never 0.
 */

import {
  type Attempt,
  attemptCost,
  type Cost,
  formatUsd,
  noCost,
  type Operation,
  type Outcome,
  outcomeCost,
  type PricesAt,
  type PrincipalValue,
  type SessionValue,
  type Timings,
  type Usage,
} from 'headgate/plugin'

/** What the record takes from an exchange. */
export interface Settled {
  readonly id: string
  readonly operation: Operation
  readonly dialect: string
  readonly ip: string
  readonly receivedAt: number
}

/** All fields, in the order of a line. */
export const fieldNames = [
  'time',
  'id',
  'principal',
  'account',
  'tier',
  'session',
  'turn',
  'ip',
  'operation',
  'dialect',
  'model_asked',
  'model_served',
  'upstream',
  'dropped',
  'status',
  'end',
  'code',
  'by',
  'stream',
  'stream_state',
  'usage',
  'cost_usd',
  'cost_missing',
  'attempts',
  'timings',
  'bytes_in',
  'bytes_out',
] as const
export type FieldName = (typeof fieldNames)[number]
export type AuditRecord = Readonly<Record<FieldName, unknown>>

/** Makes the record; a field that does not apply is undefined. */
export function recordOf(
  x: Settled,
  o: Outcome,
  principal: PrincipalValue | undefined,
  session: SessionValue | undefined,
  catalog: PricesAt['catalog'],
): AuditRecord {
  const prices = { catalog, at: x.receivedAt }
  const cost = costOfExchange(x.operation, o, prices)
  return {
    time: isoTime(x.receivedAt),
    id: x.id,
    principal: principal?.id,
    account: principal?.account,
    tier: principal?.tier,
    session: session?.id,
    turn: session?.turn,
    ip: x.ip || undefined,
    operation: x.operation,
    dialect: x.dialect,
    model_asked: short(o.modelAsked),
    model_served: short(o.modelServed),
    upstream: o.upstream,
    dropped: o.dropped,
    status: o.status,
    end: o.end,
    code: o.code,
    by: o.by,
    stream: o.stream,
    stream_state: o.streamState,
    usage: usageOf(o.usage),
    cost_usd: cost && amount(cost),
    cost_missing: cost?.known === false ? cost.missing.map(short) : undefined,
    attempts: o.attempts.map((attempt) => attemptOf(attempt, prices)),
    timings: timingsOf(o.timings),
    bytes_in: o.bytesIn,
    bytes_out: o.bytesOut,
  }
}

/** One line of JSON with its line break; with `fields`, only those. */
export function lineOf(record: AuditRecord, fields?: readonly FieldName[]): string {
  if (fields === undefined) return `${JSON.stringify(record)}\n`
  const chosen: Partial<Record<FieldName, unknown>> = {}
  for (const name of fields) chosen[name] = record[name]
  return `${JSON.stringify(chosen)}\n`
}

let second = Number.NaN
let secondText = ''

/** ISO 8601 of a time in milliseconds; the text of the second is kept, for most lines share it with the one before. */
function isoTime(ms: number): string {
  const whole = Math.floor(ms / 1000)
  if (whole !== second) {
    second = whole
    secondText = new Date(whole * 1000).toISOString().slice(0, 20)
  }
  return `${secondText}${String(Math.floor(ms) - whole * 1000).padStart(3, '0')}Z`
}

/** Names that a client or upstream chose are cut: a line has no size of their choosing. */
function short(text: string | undefined): string | undefined {
  return text !== undefined && text.length > 200 ? text.slice(0, 200) : text
}

/** Token classes as they are billed; nothing but the source when nothing is known. Audio is said when there was any. */
function usageOf(u: Usage): object {
  if (u.source === 'unknown') return { source: 'unknown' }
  return {
    source: u.source,
    input_uncached: u.inputUncached,
    cache_read: u.cacheRead,
    cache_write_5m: u.cacheWrite5m,
    cache_write_1h: u.cacheWrite1h,
    cache_write_other: u.cacheWriteOther,
    output_visible: u.outputVisible,
    reasoning: u.reasoning,
    input_audio: u.inputAudio || undefined,
    output_audio: u.outputAudio || undefined,
  }
}

/** What providers charge for an exchange; undefined for endpoints that call none. Counting tokens is free and reports no usage. */
function costOfExchange(operation: Operation, o: Outcome, prices: PricesAt): Cost | undefined {
  if (operation === 'models' || operation === 'route') return undefined
  return operation === 'count_tokens' ? noCost : outcomeCost(o, prices)
}

/** A decimal text, exact; or the word that it is not known. */
function amount(cost: Cost): string {
  return cost.known ? formatUsd(cost.pico) : 'unknown'
}

/** One upstream call; `ms` from its start to its end. */
function attemptOf(a: Attempt, prices: PricesAt): object {
  return {
    upstream: a.upstream,
    model: short(a.model),
    status: a.status,
    failure: a.failure,
    ms: a.endedAt === undefined ? undefined : rounded(a.endedAt - a.startedAt),
    cost_usd: a.usage && amount(attemptCost(a, prices)),
  }
}

/** Milliseconds since the exchange was received. */
function timingsOf(t: Timings): object {
  return {
    admitted: rounded(t.admittedAt),
    body: rounded(t.bodyAt),
    head: rounded(t.headAt),
    first_content: rounded(t.firstContentAt),
    end: rounded(t.endAt),
  }
}

/** To a tenth of a millisecond. */
function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10
}
