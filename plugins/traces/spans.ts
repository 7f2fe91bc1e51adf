/**
 * The spans of one exchange as OTLP's JSON has them, named by OpenTelemetry's conventions for generative AI: one for the exchange, below it
 * one for each plugin that ran and one for each upstream call. Pure. Holds no texts of bodies, keys or upstreams' sentences.
 */

import {
  type Attempt,
  formatUsd,
  type HookRun,
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
  readonly kind: 1 | 2 | 3
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

/** What is known of an upstream call before it is made. */
export interface CallSpan {
  /** As the upstream was told it. */
  readonly span: string
  readonly dialect: string
}

const internal = 1
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

/** The conventions' names of providers, by what a call speaks. An upstream that is a copy of one counts as it, as the conventions want it. */
const providers: Readonly<Record<string, string>> = {
  'openai-chat': 'openai',
  'openai-completions': 'openai',
  'openai-responses': 'openai',
  'openai-embeddings': 'openai',
  'anthropic-messages': 'anthropic',
  'gemini-generate': 'gcp.gemini',
  'bedrock-converse': 'aws.bedrock',
  'bedrock-embeddings': 'aws.bedrock',
  'cohere-embed': 'cohere',
}

/** Spans of plugins in one exchange: more say nothing. */
const mostPlugins = 64

/** @param calls by index of the call */
export function spansOf(
  x: Traced,
  o: Outcome,
  context: Context,
  calls: readonly (CallSpan | undefined)[],
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
      ...usage(o.usage),
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
    status: failed ? { code: error } : {},
  }
  const called = o.attempts.map((a, i) => callSpan(a, calls[i], context, o, word, at))
  return [root, ...pluginSpans(o, context, at), ...called]
}

/** One span for each plugin that ran, from its first hook to the end of its last; each hook is an event in it. What settles later has none. */
function pluginSpans(o: Outcome, context: Context, at: (ms: number) => string): Span[] {
  const runs = Map.groupBy(o.hooks ?? [], (run) => run.plugin)
  return [...runs].slice(0, mostPlugins).map(([plugin, hooks]): Span => {
    const verdicts = o.verdicts.filter((v) => v.plugin === plugin)
    const failed = verdicts.some((v) => v.did.startsWith('failed'))
    // accounting comes when the client has its answer: a plugin that does more is not as long as the reply because of it
    const before = hooks.filter((run) => run.hook !== 'settle')
    const shown = before.length > 0 ? before : hooks
    return {
      traceId: context.trace,
      spanId: randomHex(8),
      parentSpanId: context.span,
      name: `plugin ${plugin}`,
      kind: internal,
      startTimeUnixNano: at(Math.min(...shown.map((run) => run.startedAt))),
      endTimeUnixNano: at(Math.max(...shown.map((run) => run.endedAt))),
      attributes: attributes({
        'headgate.plugin': plugin,
        'headgate.plugin.own_ms': sum(hooks),
        'headgate.plugin.did': verdicts.map((v) => v.did).join(' ') || undefined,
        'error.type': failed ? 'plugin_failed' : undefined,
      }),
      events: hooks.slice(0, 32).map((run) => ({
        timeUnixNano: at(run.startedAt),
        name: `headgate.hook.${run.hook}`,
        attributes: attributes({
          'headgate.hook.own_ms': rounded(run.ownMs),
          'headgate.hook.calls': run.calls > 1 ? run.calls : undefined,
        }),
      })),
      status: failed ? { code: error } : {},
    }
  })
}

function sum(runs: readonly HookRun[]): number {
  return rounded(runs.reduce((all, run) => all + run.ownMs, 0))
}

/** To a microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}

function callSpan(
  a: Attempt,
  call: CallSpan | undefined,
  context: Context,
  o: Outcome,
  word: string | undefined,
  at: (ms: number) => string,
): Span {
  const url = URL.canParse(a.url) ? new URL(a.url) : undefined
  const end = o.timings.endAt
  return {
    traceId: context.trace,
    spanId: call?.span ?? randomHex(8),
    parentSpanId: context.span,
    name: `${word ?? 'call'} ${short(a.model) ?? ''}`.trim(),
    kind: client,
    startTimeUnixNano: at(a.startedAt),
    endTimeUnixNano: at(a.endedAt ?? end),
    attributes: attributes({
      'gen_ai.operation.name': word,
      'gen_ai.provider.name': (call && providers[call.dialect]) ?? a.upstream,
      'headgate.upstream': a.upstream,
      'gen_ai.request.stream': o.stream || undefined,
      'gen_ai.request.model': short(a.model),
      'gen_ai.response.model': short(a.modelServed),
      'gen_ai.response.id': short(a.replyId),
      ...(a.usage && usage(a.usage)),
      'server.address': url?.hostname,
      'server.port': url === undefined ? undefined : Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
      'http.response.status_code': a.status,
      'error.type': a.failure === 'status' ? String(a.status) : a.failure,
      // seconds, and of streams only, as the conventions have it
      'gen_ai.response.time_to_first_chunk':
        o.stream && a.firstContentAt !== undefined ? rounded(a.firstContentAt - a.startedAt) / 1000 : undefined,
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
    'gen_ai.usage.cache_write.input_tokens': u.cacheWrite5m + u.cacheWrite1h + u.cacheWriteOther || undefined,
    'gen_ai.usage.reasoning.output_tokens': u.reasoning || undefined,
    'gen_ai.usage.audio.input_tokens': u.inputAudio || undefined,
    'gen_ai.usage.audio.output_tokens': u.outputAudio || undefined,
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
