/** A row as it is told to people and programs: the fields of a line, amounts as exact decimals, times as text. Pure. */

import { exactNumber, formatUsd } from 'headgate/plugin'
import { isoTime } from './iso-time.ts'
import type { EditsMade } from './record.ts'
import type { ExchangeRow } from './row.ts'
import type { TrimTold } from './savings.ts'

/** What `detail` may hold. */
export interface Detail {
  readonly trim?: TrimTold
  readonly shadow_of?: string
  readonly ip?: string
  readonly path?: string
  readonly upstream_dialect?: string
  readonly dropped?: readonly string[]
  readonly edits?: EditsMade
  readonly usage?: object
  readonly cost_missing?: readonly string[]
  readonly cost_estimated?: true
  readonly price?: Readonly<Record<string, unknown>>
  readonly attempts?: readonly AttemptTold[]
  readonly hooks?: readonly {
    readonly plugin: string
    readonly hook: string
    readonly at: number
    readonly ms: number
    readonly calls: number
  }[]
  readonly timings?: {
    readonly admitted?: number
    readonly body?: number
    readonly head?: number
    readonly first_content?: number
    readonly end: number
  }
  readonly bytes_in?: number
  readonly bytes_out?: number
  readonly verdicts?: readonly { readonly plugin: string; readonly hook?: string; readonly did: string; readonly detail?: string }[]
  readonly bodies?: object
  readonly lost_before?: number
  readonly interrupted_instance?: string
}
export interface AttemptTold {
  readonly upstream: string
  readonly model?: string
  readonly status?: number
  readonly failure?: string
  readonly at?: number
  readonly head?: number
  readonly first_content?: number
  readonly ms?: number
  readonly cost_usd?: string
}

/** The details of a row; empty when somebody has made them unreadable. */
export function detailOf(row: Pick<ExchangeRow, 'detail'>): Detail {
  try {
    return JSON.parse(row.detail) as Detail
  } catch {
    return {}
  }
}

/** USD of a cost: exact, `unknown`, or undefined where no provider is called. */
export function costTold(row: Pick<ExchangeRow, 'cost' | 'cost_least'>): string | undefined {
  if (row.cost !== null) return formatUsd(row.cost)
  return row.cost_least === null ? undefined : 'unknown'
}

const number = (value: bigint | null): number | undefined => (value === null ? undefined : Number(value))

/** A row with all that it holds, flat where it is asked for often. Absent is what is not known or does not apply. */
export function rowTold(row: ExchangeRow): Record<string, unknown> {
  const { attempts, bodies, interrupted_instance: interrupted, ...detail } = detailOf(row)
  const input = row.input === null ? undefined : row.input + (row.cache_read ?? 0n) + (row.cache_write ?? 0n)
  return {
    time: isoTime(Number(row.at)),
    request_id: row.request_id,
    thread: row.thread ?? undefined,
    trace_id: row.trace_id ?? undefined,
    reply_id: row.reply_id ?? undefined,
    key: row.caller ?? undefined,
    account: row.account ?? undefined,
    tier: row.tier ?? undefined,
    user: row.end_user ?? undefined,
    session: row.session ?? undefined,
    turn: number(row.turn),
    endpoint: row.operation,
    dialect: row.dialect,
    model: row.model_asked ?? undefined,
    model_served: row.model_served ?? undefined,
    upstream: row.upstream ?? undefined,
    status: Number(row.status),
    end: row.ending,
    code: row.code ?? undefined,
    by: row.answered_by ?? undefined,
    stream: row.stream,
    stream_state: row.stream_state,
    tokens_input: number(input ?? null),
    tokens_output: row.output === null ? undefined : Number(row.output + (row.reasoning ?? 0n)),
    tokens_cache_read: number(row.cache_read),
    tokens_cache_write: number(row.cache_write),
    tokens_reasoning: number(row.reasoning),
    usage_source: row.usage_source,
    cost_usd: costTold(row),
    cost_at_least_usd: row.cost_least ? formatUsd(row.cost_least) : undefined,
    cache_savings_usd: row.saved ? formatUsd(row.saved) : undefined,
    cache_savings_gross_usd: row.saved_gross ? formatUsd(row.saved_gross) : undefined,
    trim_savings_usd: row.trim_saved ? formatUsd(row.trim_saved) : undefined,
    trimmed_tokens: row.trimmed ? Number(row.trimmed) : undefined,
    response_savings_usd: row.response_saved ? formatUsd(row.response_saved) : undefined,
    cache_attribution: row.cache_attribution ?? undefined,
    cache_status: row.cache_status ?? undefined,
    latency_ms: Number(row.total_ms),
    first_content_ms: number(row.first_ms),
    upstream_ms: attempts?.reduce((sum, a) => sum + (a.ms ?? 0), 0),
    ...detail,
    attempts,
    bodies,
    interrupted_instance: interrupted,
    record: row.id,
    hash: row.hash,
  }
}

/** What a caller may learn of an exchange of its own: nothing of the operator's, of other attempts or plugins. */
export function generationTold(row: ExchangeRow): Record<string, unknown> {
  const all = rowTold(row)
  const { timings } = detailOf(row)
  return {
    id: row.request_id,
    reply_id: row.reply_id,
    trace_id: row.trace_id,
    created_at: all.time,
    endpoint: row.operation,
    model: row.model_asked,
    model_served: row.model_served,
    provider: row.upstream,
    status: Number(row.status),
    end: row.ending,
    streamed: row.stream,
    stream_state: row.stream_state,
    cancelled: row.ending === 'abandoned',
    tokens_input: all.tokens_input ?? null,
    tokens_output: all.tokens_output ?? null,
    tokens_cache_read: all.tokens_cache_read ?? null,
    tokens_cache_write: all.tokens_cache_write ?? null,
    tokens_reasoning: all.tokens_reasoning ?? null,
    usage_source: row.usage_source,
    cost_usd: all.cost_usd ?? null,
    cache_savings_usd: all.cache_savings_usd ?? '0',
    trim_savings_usd: all.trim_savings_usd ?? '0',
    trimmed_tokens: all.trimmed_tokens ?? 0,
    cache_status: row.cache_status,
    latency_ms: all.latency_ms,
    first_content_ms: all.first_content_ms ?? null,
    generation_ms: timings?.first_content === undefined ? null : Math.round(timings.end - timings.first_content),
    session: row.session,
    // the same by the names that OpenRouter's clients know
    total_cost: row.cost === null ? null : exactNumber(formatUsd(row.cost)),
    usage: row.cost === null ? null : exactNumber(formatUsd(row.cost)),
    provider_name: row.upstream,
    tokens_prompt: all.tokens_input ?? null,
    tokens_completion: all.tokens_output ?? null,
    native_tokens_prompt: all.tokens_input ?? null,
    native_tokens_completion: all.tokens_output ?? null,
    native_tokens_cached: all.tokens_cache_read ?? null,
    native_tokens_reasoning: all.tokens_reasoning ?? null,
    latency: all.first_content_ms ?? all.latency_ms,
    generation_time: timings?.first_content === undefined ? null : Math.round(timings.end - timings.first_content),
    is_byok: false,
  }
}
