/**
 * The audit record of one settled exchange. Pure.
 *
 * It says who, what, where, how it ended and what it used. It never holds headers, bodies, keys, URLs, or sentences of the
 * upstream: those may quote any of them. Unknown figures are absent, never 0.
 */

import {
  type Attempt,
  attemptCost,
  type ChargeValue,
  type Cost,
  formatUsd,
  noCost,
  type Operation,
  type Outcome,
  outcomeCost,
  type Price,
  type PricesAt,
  type PrincipalValue,
  type PromptCacheValue,
  perMillion,
  priceClasses,
  type SessionValue,
  type Timings,
  type TrimValue,
  type Usage,
} from 'headgate/plugin'
import { type Savings, savingsOf } from './savings.ts'

/** What the record takes from an exchange. */
export interface Settled {
  readonly id: string
  readonly operation: Operation
  readonly dialect: string
  readonly path: string
  readonly shadowOf?: string | undefined
  readonly ip: string
  readonly receivedAt: number
  readonly target?: { readonly upstream: string; readonly dialect?: string } | undefined
}

/** What is known of an exchange besides its outcome. */
export interface About {
  readonly principal?: PrincipalValue | undefined
  readonly session?: SessionValue | undefined
  readonly trim?: TrimValue | undefined
  readonly promptCache?: PromptCacheValue | undefined
  /** What a plugin that charges made of a usage that nobody reported. */
  readonly charged?: ChargeValue | undefined
  /** The client's own id of the call, or of the trace that it belongs to. */
  readonly traceId?: string | undefined
  readonly edits?: EditsMade | undefined
  readonly hooks?: Outcome['hooks']
  /** Makes remarks of plugins fit to be kept. */
  readonly redact: (text: string) => string
}

/** What was changed in the request's body on its way. */
export interface EditsMade {
  readonly count: number
  /** Offset in bytes of the first difference from what was received; absent when only the model's name was changed. */
  readonly first_byte?: number
  /** Bytes that did not leave, and those that left instead; absent like `first_byte`. */
  readonly removed?: number
  readonly added?: number
  /** Where: offset and length in what was received, and length of what left instead. At most 20 of them. */
  readonly spans?: readonly (readonly [at: number, bytes: number, instead: number])[]
  /** At most 20 of them. */
  readonly list: readonly { readonly plugin: string; readonly what: string; readonly where: string }[]
}

/** All fields, in the order of a line. */
export const fieldNames = [
  'time',
  'id',
  'shadow_of',
  'thread',
  'trace_id',
  'principal',
  'account',
  'tier',
  'user',
  'session',
  'turn',
  'ip',
  'operation',
  'path',
  'dialect',
  'upstream_dialect',
  'model_asked',
  'model_served',
  'upstream',
  'dropped',
  'edits',
  'status',
  'end',
  'code',
  'by',
  'stream',
  'stream_state',
  'usage',
  'cost_usd',
  'cost_missing',
  'cost_at_least_usd',
  'cache_savings_usd',
  'cache_savings_gross_usd',
  'trim_savings_usd',
  'trimmed_tokens',
  'trim',
  'response_savings_usd',
  'cache_attribution',
  'cache_status',
  'price',
  'attempts',
  'hooks',
  'timings',
  'latency_ms',
  'bytes_in',
  'bytes_out',
  'verdicts',
] as const
export type FieldName = (typeof fieldNames)[number]

/** Amounts in picodollars; the rest is what JSON can hold. Fields that do not apply are undefined. */
export interface AuditRecord extends Savings {
  readonly time: number
  readonly id: string
  /** Id of the exchange that it is a copy of. */
  readonly shadow_of: string | undefined
  readonly trace_id: string | undefined
  readonly principal: string | undefined
  readonly account: string | undefined
  readonly tier: string | undefined
  readonly user: string | undefined
  readonly session: string | undefined
  readonly turn: number | undefined
  readonly ip: string | undefined
  readonly operation: Operation
  readonly path: string | undefined
  readonly dialect: string
  readonly upstream_dialect: string | undefined
  readonly model_asked: string | undefined
  readonly model_served: string | undefined
  readonly upstream: string | undefined
  readonly dropped: readonly string[] | undefined
  readonly edits: EditsMade | undefined
  readonly status: number
  readonly end: string
  readonly code: string | undefined
  readonly by: string | undefined
  readonly stream: boolean
  readonly stream_state: string
  readonly usage: Usage
  /** Undefined where no provider is called. */
  readonly cost: Cost | undefined
  readonly price: object | undefined
  readonly attempts: readonly object[]
  readonly hooks: readonly object[] | undefined
  readonly timings: TimesTold
  readonly bytes_in: number
  readonly bytes_out: number
  readonly verdicts: readonly object[] | undefined
}

/** Milliseconds since the exchange was received. */
export interface TimesTold {
  readonly admitted?: number | undefined
  readonly body?: number | undefined
  readonly head?: number | undefined
  readonly first_content?: number | undefined
  readonly end: number
}

/** Makes the record. */
export function recordOf(x: Settled, o: Outcome, about: About, catalog: PricesAt['catalog']): AuditRecord {
  const prices = { catalog, at: x.receivedAt }
  const { principal, session } = about
  const { target } = x
  const { served } = o
  const own = costOfExchange(x.operation, o, prices)
  const { charged } = about
  // what a plugin that charges made of a usage that nobody reported
  const estimated = charged !== undefined && isEstimate(charged, own, o.usage) ? charged : undefined
  const usage = estimated?.usage ?? o.usage
  const cost: Cost | undefined = estimated ? { known: true, pico: estimated.cost, byClass: {}, estimated: true } : own
  const saved = savingsOf(o, about.trim, about.promptCache, prices)
  return {
    time: x.receivedAt,
    id: x.id,
    shadow_of: x.shadowOf,
    trace_id: about.traceId,
    principal: principal?.id,
    account: principal?.account,
    tier: principal?.tier,
    user: short(principal?.user),
    session: session?.id,
    turn: session?.turn,
    ip: x.ip || undefined,
    operation: x.operation,
    path: short(x.path),
    dialect: x.dialect,
    upstream_dialect: target && target.upstream === o.upstream ? target.dialect : undefined,
    model_asked: short(o.modelAsked),
    model_served: short(o.modelServed),
    upstream: o.upstream,
    dropped: o.dropped,
    edits: about.edits,
    status: o.status,
    end: o.end,
    code: o.code,
    by: o.by,
    stream: o.stream,
    stream_state: o.streamState,
    usage,
    cost,
    cache_savings: saved.cache_savings,
    cache_savings_gross: saved.cache_savings_gross,
    trim_savings: saved.trim_savings,
    trimmed_tokens: saved.trimmed_tokens,
    trim: saved.trim,
    response_savings: saved.response_savings,
    cache_attribution: saved.cache_attribution,
    cache_status: saved.cache_status,
    price: served?.price && priceTold(served.price),
    attempts: attemptsOf(o.attempts, prices, x.operation === 'count_tokens' ? undefined : own),
    hooks: about.hooks && hooksOf(about.hooks),
    timings: timingsOf(o.timings),
    bytes_in: o.bytesIn,
    bytes_out: o.bytesOut,
    verdicts: o.verdicts.length > 0 ? verdictsOf(o.verdicts, about.redact) : undefined,
  }
}

/** Names that a client or upstream chose are cut: a record has no size of their choosing. */
export function short(text: string | undefined, most = 200): string | undefined {
  return text !== undefined && text.length > most ? text.slice(0, most) : text
}

/** Token classes as they are billed; nothing but the source when nothing is known. Audio and work beside the reply are said when there was any. */
export function usageOf(u: Usage): object {
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
    extra: u.extra?.slice(0, mostExtras).map(({ kind, model, usage }) => ({ kind: short(kind), model: short(model), ...usageOf(usage) })),
  }
}

/** Pieces of work beside the reply, such as compactions, that a record tells of. */
const mostExtras = 50

/** Whether what was charged stands in the place of a usage that nobody reported, and of its cost. */
function isEstimate({ guessed, usage }: ChargeValue, cost: Cost | undefined, told: Usage): boolean {
  const whole = told.source !== 'unknown' && told.source !== 'partial'
  return !guessed && usage.source === 'estimated' && cost !== undefined && !(cost.known && whole)
}

/** What providers charge for an exchange; undefined for endpoints that call none. Counting tokens is free and reports no usage. */
function costOfExchange(operation: Operation, o: Outcome, prices: PricesAt): Cost | undefined {
  if (operation === 'models' || operation === 'route') return undefined
  return operation === 'count_tokens' ? noCost : outcomeCost(o, prices)
}

/** A decimal text, exact; or the word that it is not known. */
export function amount(cost: Cost): string {
  return cost.known ? formatUsd(cost.pico) : 'unknown'
}

const toldPrices = new WeakMap<Price, object>()

/** A price as the config spells it: USD per million tokens. Made once per price. */
function priceTold(price: Price): object {
  let told = toldPrices.get(price)
  if (told) return told
  const rates = (p: Partial<Record<string, unknown>>) =>
    Object.fromEntries(priceClasses.flatMap((name) => (typeof p[name] === 'bigint' ? [[name, rate(name, p[name])]] : [])))
  const rate = (name: string, pico: bigint) => formatUsd(name === 'request' ? pico : perMillion(pico))
  const { longContext } = price
  told = { ...rates(price as never), ...(longContext && { long_context: { above: longContext.above, ...rates(longContext as never) } }) }
  toldPrices.set(price, told)
  return told
}

/** The upstream calls. The cost of a lone one is that of the exchange, and need not be counted twice. */
function attemptsOf(attempts: readonly Attempt[], prices: PricesAt, cost: Cost | undefined): object[] {
  if (attempts.length === 1) return [attemptOf(attempts[0]!, prices, cost)]
  return attempts.map((attempt) => attemptOf(attempt, prices, undefined))
}

/** One upstream call; `at` is when it began and `ms` its length. */
function attemptOf(a: Attempt, prices: PricesAt, cost: Cost | undefined): object {
  return {
    upstream: a.upstream,
    model: short(a.model),
    status: a.status,
    failure: a.failure,
    at: rounded(a.startedAt),
    head: rounded(a.headAt),
    first_content: rounded(a.firstContentAt),
    ms: a.endedAt === undefined ? undefined : rounded(a.endedAt - a.startedAt),
    cost_usd: a.usage && amount(cost ?? attemptCost(a, prices)),
    upstream_request_id: short(a.upstreamRequestId),
  }
}

function hooksOf(hooks: NonNullable<Outcome['hooks']>): object[] {
  return hooks
    .slice(0, mostHooks)
    .map((h) => ({ plugin: h.plugin, hook: h.hook, at: rounded(h.startedAt), ms: exact(h.ownMs), calls: h.calls }))
}

const mostVerdicts = 50

function verdictsOf(verdicts: Outcome['verdicts'], redact: (text: string) => string): object[] {
  return verdicts.slice(0, mostVerdicts).map(({ plugin, hook, did, detail }) => ({
    plugin,
    hook: hook || undefined,
    did,
    detail: detail === undefined ? undefined : redact(short(detail, 500)!),
  }))
}

function timingsOf(t: Timings): TimesTold {
  return {
    admitted: rounded(t.admittedAt),
    body: rounded(t.bodyAt),
    head: rounded(t.headAt),
    first_content: rounded(t.firstContentAt),
    end: rounded(t.endAt)!,
  }
}

const mostHooks = 200

/** To a microsecond: hooks take a few. */
function exact(ms: number): number {
  return Math.round(ms * 1000) / 1000
}

/** To a tenth of a millisecond. */
function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10
}
