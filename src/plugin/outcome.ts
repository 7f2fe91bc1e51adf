/**
 * What is known when an exchange is over: how it ended, what it used, which upstream calls were made.
 *
 * Every exchange has exactly one outcome. Unknown figures are absent, never 0. This file holds shapes only.
 */

import type { Price } from './price.ts'

/** Where the token figures come from. `unknown`: nothing reported and nothing estimated. */
export type UsageSource = 'reported' | 'partial' | 'estimated' | 'unknown'

/** Token usage in disjoint classes (PROTOCOL §0.6): the classes of a side add up to that side's total. Unit: tokens. */
export interface Usage {
  readonly source: UsageSource
  /** Input billed at the full rate. */
  readonly inputUncached: number
  readonly cacheRead: number
  readonly cacheWrite5m: number
  readonly cacheWrite1h: number
  /** Cache writes of no stated lifetime. */
  readonly cacheWriteOther: number
  /** Output less reasoning. */
  readonly outputVisible: number
  readonly reasoning: number
  /** Audio parts, contained in the figures above. */
  readonly inputAudio: number
  readonly outputAudio: number
  /** The upstream's own usage object as JSON text, for the record. */
  readonly raw?: string
  /** Work that the figures above leave out and that is billed apart: compaction, an adviser on another model (E04). */
  readonly extra?: readonly ExtraUsage[]
}
export interface ExtraUsage {
  /** The upstream's word for it. */
  readonly kind: string
  /** The model that did it, where another one did. */
  readonly model?: string
  readonly usage: Usage
}

export const unknownUsage: Usage = Object.freeze({
  source: 'unknown',
  inputUncached: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  cacheWriteOther: 0,
  outputVisible: 0,
  reasoning: 0,
  inputAudio: 0,
  outputAudio: 0,
})

/** All input tokens of a usage. */
export function inputTokens(u: Usage): number {
  return u.inputUncached + u.cacheRead + u.cacheWrite5m + u.cacheWrite1h + u.cacheWriteOther
}
/** All output tokens of a usage. */
export function outputTokens(u: Usage): number {
  return u.outputVisible + u.reasoning
}

/** A usage, and those of the work that it leaves out (`extra`), whichever model did it. */
export function everyUsage(u: Usage): readonly Usage[] {
  return u.extra ? [u, ...u.extra.flatMap(({ usage }) => everyUsage(usage))] : [u]
}

/** Two usages as one. What one of them does not know the sum does not know either: it is partial then. */
export function addUsage(a: Usage, b: Usage): Usage {
  const sources = [a.source, b.source]
  const whole = !sources.includes('unknown') && !sources.includes('partial')
  const source = sources.every((one) => one === 'unknown')
    ? 'unknown'
    : !whole
      ? 'partial'
      : sources.includes('estimated')
        ? 'estimated'
        : 'reported'
  const extra = [...(a.extra ?? []), ...(b.extra ?? [])]
  return {
    source,
    inputUncached: a.inputUncached + b.inputUncached,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite5m: a.cacheWrite5m + b.cacheWrite5m,
    cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
    cacheWriteOther: a.cacheWriteOther + b.cacheWriteOther,
    outputVisible: a.outputVisible + b.outputVisible,
    reasoning: a.reasoning + b.reasoning,
    inputAudio: a.inputAudio + b.inputAudio,
    outputAudio: a.outputAudio + b.outputAudio,
    ...(extra.length > 0 && { extra }),
  }
}

/** Why one upstream call failed. `status` failures carry the upstream's own status. */
export type AttemptFailure =
  | 'connect' // refused, unresolved, TLS
  | 'connect_timeout'
  | 'first_byte_timeout'
  | 'first_token_timeout'
  | 'idle_timeout'
  | 'total_timeout'
  | 'status' // an HTTP error status
  | 'error_in_reply' // an error inside a 200 (B07, G03)
  | 'empty' // a 200 without content (B12)
  | 'bad_reply' // not what the dialect says
  | 'truncated' // ended without its terminal event (B01)
  | 'reset' // connection broke
  | 'aborted' // by us: client gone, or another branch won
  | 'refused' // an `attempt` hook refused

/** One upstream HTTP call. Times are milliseconds since the exchange was received. */
export interface Attempt {
  readonly upstream: string
  /** Model name as sent. */
  readonly model: string
  /** Without a query. */
  url: string
  readonly startedAt: number
  /** The price that was in force for it; absent = not known. `attemptCost` counts with it. */
  readonly price?: Price | undefined
  /** First byte of the reply head; absent if none came. */
  headAt?: number
  /** First content-bearing event. */
  firstContentAt?: number
  endedAt?: number
  status?: number
  failure?: AttemptFailure
  /** The upstream's own sentence, or the system's error. */
  message?: string
  /** Seconds that the upstream asked to wait. */
  retryAfter?: number
  /** The upstream's request id. */
  upstreamRequestId?: string
  /** The upstream's id of its reply. */
  replyId?: string
  /** Model id as this upstream reported it. */
  modelServed?: string
  /** What this call used, as far as its upstream said. */
  usage?: Usage
  /** Output tokens, estimated, that the client had of its reply when that broke off, for whoever has to know what each of several calls gave. */
  delivered?: number
}

/** What one of several calls used that went on with a reply, one after the other. */
export interface CallUsage {
  readonly attempt: Attempt
  /** Partial for one that broke off before its upstream had told all. */
  readonly usage: Usage
}

/** How an exchange ended. `abandoned`: the client left before it had everything. */
export type End = 'finished' | 'refused' | 'failed' | 'abandoned'

/** What one plugin said or did; in list order. */
export interface Verdict {
  /** Plugin instance id. */
  readonly plugin: string
  readonly hook: string
  /** `refused`, `replied`, `ended`, `edited`, `failed-open`, `failed-closed`, `noted`. */
  readonly did: string
  readonly detail?: string
}

/**
 * What one hook of a plugin did with the time, in milliseconds since the exchange was received. The calls of `event` and `inspect` for one reply are
 * one run.
 */
export interface HookRun {
  /** Plugin instance id. */
  readonly plugin: string
  readonly hook: string
  readonly startedAt: number
  readonly endedAt: number
  /** Of the plugin itself: of `around` without what is below it, of many calls their sum. */
  readonly ownMs: number
  readonly calls: number
}

/** One change that a plugin made to the request's body. */
export interface Edit {
  /** Plugin instance id. */
  readonly plugin: string
  readonly what: 'model' | 'set' | 'remove' | 'text'
  /** The new model, or the JSON pointer. */
  readonly where: string
}

/** Times in milliseconds since the exchange was received; absent = not reached. */
export interface Timings {
  readonly admittedAt?: number | undefined
  readonly bodyAt?: number | undefined
  readonly headAt?: number | undefined
  readonly firstContentAt?: number | undefined
  readonly endAt: number
}

export interface Outcome {
  readonly end: End
  /** HTTP status that the client saw; 499 when it left before the head. */
  readonly status: number
  /** Refusal or error code from the catalogue. */
  readonly code?: string | undefined
  /** Instance id of the plugin that refused or answered; absent when the upstream did. */
  readonly by?: string | undefined
  readonly message?: string | undefined
  readonly usage: Usage
  readonly attempts: readonly Attempt[]
  /** The call whose reply the client was given, whole or in part; absent when it was given none. One of `attempts`. */
  readonly served?: Attempt | undefined
  /** The calls that went on with that reply after it had broken off, in order; absent when none did. Of `attempts`, too. */
  readonly continued?: readonly Attempt[] | undefined
  /** Model id the client asked for. */
  readonly modelAsked?: string | undefined
  /** Model id as the upstream reported it. */
  readonly modelServed?: string | undefined
  /** Name of the upstream that served. */
  readonly upstream?: string | undefined
  readonly stream: boolean
  /** `completed`, `client_disconnect`, `upstream_error`, `timeout`, `none` (nothing was sent). */
  readonly streamState: 'completed' | 'client_disconnect' | 'upstream_error' | 'timeout' | 'none'
  readonly bytesIn: number
  readonly bytesOut: number
  readonly timings: Timings
  readonly verdicts: readonly Verdict[]
  /** Fields of the request that translation to the upstream's dialect had to leave out; absent when none. */
  readonly dropped?: readonly string[] | undefined
  /** What plugins changed in the request's body, in order, at most 1000; absent when nothing. */
  readonly edits?: readonly Edit[] | undefined
  /** How long each hook took, as they began; told only while a plugin with `hookTimes` is in the list. Those that settle later are added then. */
  readonly hooks?: readonly HookRun[] | undefined
}
