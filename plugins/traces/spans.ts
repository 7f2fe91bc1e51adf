/**
 * The spans of one exchange as OTLP's JSON has them, named by OpenTelemetry's conventions for generative AI: one for the exchange, below it
 * one for each upstream call. What plugins said are events of the first. Pure. Holds no texts of bodies, keys or upstreams' sentences.
 */

import {
  type Attempt,
  formatUsd,
  inputTokens,
  type Operation,
  type Outcome,
  outcomeCost,
  outputTokens,
  type PricesAt,
  type Usage,
} from 'headgate/plugin'
import type { Context } from './context.ts'
import { randomHex } from './context.ts'

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string | undefined
  readonly name: string
  readonly kind: 2 | 3
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly events?: readonly { readonly timeUnixNano: string; readonly name: string; readonly attributes: readonly Attribute[] }[]
  readonly status: { readonly code?: 2; readonly message?: string }
}
export interface Attribute {
  readonly key: string
  readonly value:
    | { readonly stringValue: string }
    | { readonly intValue: string }
    | { readonly boolValue: boolean }
    | { readonly doubleValue: number }
}

/** What the spans take from an exchange. */
export interface Traced {
  readonly id: string
  readonly operation: Operation
  readonly method: string
  readonly path: string
  readonly receivedAt: number
  readonly dialect: string
}

const server = 2
const client = 3
const error = 2

/** Words of the conventions for what an endpoint does; others have none. */
const operations: Readonly<Partial<Record<Operation, string>>> = {
  chat: 'chat',
  responses: 'chat',
  messages: 'chat',
  converse: 'chat',
  generate: 'generate_content',
  completions: 'text_completion',
  embeddings: 'embeddings',
  embed: 'embeddings',
}

/** @param calls span ids by index of the call, as upstreams were told them */
export function spansOf(
  x: Traced,
  o: Outcome,
  context: Context,
  calls: readonly (string | undefined)[],
  more: { readonly caller?: string | undefined; readonly session?: string | undefined; readonly catalog: PricesAt['catalog'] },
): Span[] {
  const word = operations[x.operation]
  const at = (ms: number) => nanos(x.receivedAt + ms)
  const failed = o.status >= 500 || o.end === 'failed'
  const cost = o.attempts.length > 0 ? outcomeCost(o, { catalog: more.catalog, at: x.receivedAt }) : undefined
  const root: Span = {
    traceId: context.trace,
    spanId: context.span,
    parentSpanId: context.parent,
    name: word === undefined ? `${x.method} ${x.operation}` : `${word} ${short(o.modelAsked) ?? ''}`.trim(),
    kind: server,
    startTimeUnixNano: at(0),
    endTimeUnixNano: at(o.timings.endAt),
    attributes: attributes({
      'gen_ai.operation.name': word,
      'gen_ai.request.model': short(o.modelAsked),
      'gen_ai.response.model': short(o.modelServed),
      'gen_ai.conversation.id': more.session,
      ...(o.served?.usage && usage(o.served.usage)),
      'http.request.method': x.method,
      'url.path': short(x.path),
      'http.response.status_code': o.status,
      'error.type': failed || o.end === 'refused' ? (o.code ?? String(o.status)) : undefined,
      'headgate.request.id': x.id,
      'headgate.end': o.end,
      'headgate.stream_state': o.stream ? o.streamState : undefined,
      'headgate.key': more.caller,
      'headgate.refused_by': o.end === 'refused' ? o.by : undefined,
      'headgate.dialect': x.dialect,
      'headgate.cost_usd': cost?.known ? formatUsd(cost.pico) : undefined,
      'headgate.first_content_ms': o.timings.firstContentAt,
    }),
    events: o.verdicts.slice(0, 32).map((v) => ({
      timeUnixNano: at(o.timings.endAt),
      name: `headgate.plugin.${v.did}`,
      attributes: attributes({ 'headgate.plugin': v.plugin, 'headgate.hook': v.hook || undefined }),
    })),
    status: failed ? { code: error } : {},
  }
  return [root, ...o.attempts.map((a, i) => callSpan(a, calls[i] ?? randomHex(8), context, word, at, o.timings.endAt))]
}

function callSpan(a: Attempt, spanId: string, context: Context, word: string | undefined, at: (ms: number) => string, end: number): Span {
  const url = URL.canParse(a.url) ? new URL(a.url) : undefined
  return {
    traceId: context.trace,
    spanId,
    parentSpanId: context.span,
    name: `${word ?? 'call'} ${short(a.model) ?? ''}`.trim(),
    kind: client,
    startTimeUnixNano: at(a.startedAt),
    endTimeUnixNano: at(a.endedAt ?? end),
    attributes: attributes({
      'gen_ai.operation.name': word,
      'gen_ai.provider.name': a.upstream,
      'gen_ai.request.model': short(a.model),
      'gen_ai.response.model': short(a.modelServed),
      'gen_ai.response.id': short(a.replyId),
      ...(a.usage && usage(a.usage)),
      'server.address': url?.hostname,
      'server.port': url === undefined ? undefined : Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
      'http.response.status_code': a.status,
      'error.type': a.failure === 'status' ? String(a.status) : a.failure,
      'headgate.first_content_ms': a.firstContentAt === undefined ? undefined : a.firstContentAt - a.startedAt,
    }),
    status: a.failure === undefined ? {} : { code: error },
  }
}

function usage(u: Usage): Record<string, number | undefined> {
  if (u.source === 'unknown') return {}
  return {
    'gen_ai.usage.input_tokens': inputTokens(u),
    'gen_ai.usage.output_tokens': outputTokens(u),
    'gen_ai.usage.cache_read.input_tokens': u.cacheRead || undefined,
    'gen_ai.usage.cache_creation.input_tokens': u.cacheWrite5m + u.cacheWrite1h + u.cacheWriteOther || undefined,
  }
}

function attributes(values: Readonly<Record<string, string | number | boolean | undefined>>): Attribute[] {
  return Object.entries(values).flatMap(([key, value]): Attribute[] => {
    if (value === undefined) return []
    if (typeof value === 'string') return [{ key, value: { stringValue: value } }]
    if (typeof value === 'boolean') return [{ key, value: { boolValue: value } }]
    return [{ key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } }]
  })
}

/** Nanoseconds since the epoch, whose digits no float holds. */
function nanos(ms: number): string {
  const whole = Math.floor(ms)
  return `${whole}${String(Math.floor((ms - whole) * 1_000_000)).padStart(6, '0')}`
}

function short(text: string | undefined): string | undefined {
  return text !== undefined && text.length > 200 ? text.slice(0, 200) : text
}
