/**
 * What the host does for a plugin. Built-ins get no more than this.
 */

import type { CacheFacts } from './cache-facts.ts'
import type { Price, PriceList } from './price.ts'
import type { RefusalCode } from './refusal.ts'
import type { Refusal, RefusalOptions } from './reply.ts'
import type { PrincipalValue } from './slots.ts'

/** Where one upstream call can go. */
export interface Target {
  /** Name of an upstream of the config. */
  readonly upstream: string
  /** Model id in that upstream's own spelling. */
  readonly model: string
  /** API family that the upstream speaks: `openai` or `anthropic`. Filled in by the catalogue; absent = not known. */
  readonly dialect?: string
  /** What it costs here, by date. Filled in by the catalogue, empty when no price is known; absent = not looked up. */
  readonly price?: PriceList
  /** Its share where calls are spread; absent = 1. */
  readonly weight?: number
  /** Targets of a lower number come first; absent = 0. */
  readonly priority?: number
  /** Largest output in tokens of the model that is served here. Filled in by the catalogue. */
  readonly maxOutput?: number
  /** Limits of a call that differ from its upstream's. */
  readonly timeouts?: TargetTimeouts
}

/** All in milliseconds, 0 = none; what is absent is as the upstream has it. */
export interface TargetTimeouts {
  readonly connect?: number
  readonly firstByte?: number
  readonly firstToken?: number
  readonly idle?: number
  readonly total?: number
}

/** A model of the catalogue. What is absent is not known. */
export interface Model {
  readonly id: string
  /** What people call it. */
  readonly name?: string
  readonly description?: string
  /** When it came out, milliseconds since the epoch. */
  readonly created?: number
  /** Whose model it is. */
  readonly ownedBy?: string
  /** As the operator says; `Catalog.modalities` knows more. */
  readonly modalities?: Modalities
  readonly tokenizer?: string
  /** A name of this very version, where the id may come to mean another one. */
  readonly canonical?: string
  /** Tiers whose callers may use it; absent = all. */
  readonly tiers?: readonly string[]
  readonly deprecation?: Deprecation
  /** In the operator's order. */
  readonly targets: readonly Target[]
  /** Context window in tokens. */
  readonly context?: number
  /** Largest output in tokens. */
  readonly maxOutput?: number
  /** Its price by date: its own, else that of its first target. Absent = not known. */
  readonly price?: PriceList
}

/** What a model takes and gives: `text`, `image`, `audio`, `video`, `file`, `embeddings`. */
export interface Modalities {
  readonly input: readonly string[]
  readonly output: readonly string[]
}

/** That and since when something is on its way out. Times are milliseconds since the epoch. */
export interface Deprecation {
  readonly since: number
  /** When it ends. */
  readonly sunset?: number
  /** Where people can read about it. */
  readonly link?: string
}

export interface Catalog {
  /** The model with this id, or undefined. Exact ids first, then globs in the operator's order. */
  find(id: string): Model | undefined
  /** All models with exact ids, in the operator's order. */
  list(): readonly Model[]
  /** What a model takes and gives: as the operator says, else what is known of its kind at its first target, else text. */
  modalities(model: Model): Modalities
  /** Parameters of a request, by the names of OpenAI's API, that are understood at a target; undefined when nothing is known. */
  parameters(target: Target): readonly string[] | undefined
  /** Some model is for callers of some tiers only. */
  readonly tiered: boolean
  /** The nearest known ids, for "did you mean". */
  similar(id: string): readonly string[]
  /** The price in force at a time (milliseconds since the epoch) of what an upstream calls `model`; undefined when it is not known. */
  price(upstream: string, model: string, at: number): Price | undefined
  /** What is known of the prompt cache of what an upstream calls `model`; undefined when the upstream is unknown. A call says it of itself (`call.cache`). */
  promptCache(upstream: string, model: string): CacheFacts | undefined
}

/** Upstreams that are `optional` and miss a variable or file, and what only they serve. */
export interface LeftOut extends Pick<Catalog, 'find' | 'list'> {
  /** As the file names them: one of several keys stands under the name of its upstream. */
  readonly upstreams: readonly string[]
  /** A model with the targets that it has lost; it may be in the catalogue with others. */
  find(id: string): Model | undefined
}

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

/**
 * Fast shared state: in this process, or in Redis when several instances run. Keys are scoped to the plugin instance. Values are JSON.
 *
 * A call fails with {@link StoreUnavailable} within a second when the store can't be reached: then the plugin's failure mode decides.
 * What stands here may be lost (a full memory, a Redis that was flushed): limits and caches belong here, money belongs in {@link Records}.
 */
export interface State {
  get<T>(key: string): Promise<T | undefined>
  /** `ttl` in milliseconds; 30 days when absent. */
  set(key: string, value: unknown, ttl?: number): Promise<void>
  /** Sets a value only where there is none; true when it was set. Atomic. */
  setIfAbsent(key: string, value: unknown, ttl?: number): Promise<boolean>
  delete(key: string): Promise<void>
  /** Adds to a counter and gives its new value. `ttl` in milliseconds counts from the counter's first use. Atomic. */
  add(key: string, amount: number, ttl?: number): Promise<number>
  /**
   * Takes `amount` from a window of `limit` per `window` milliseconds, all or nothing, atomically. Windows are fixed and start at multiples of `window`.
   * Synchronous when the store is in this process.
   */
  take(key: string, amount: number, limit: number, window: number): TakeResult | Promise<TakeResult>
  /**
   * Takes from several limits at once: from all of them or from none, atomically, also across instances. Results in order; after a refusal
   * all say `taken: false` and what stands in them, so those that were short are those with `remaining` below their `amount`. Synchronous
   * when the store is in this process.
   */
  takeAll(takes: readonly Take[]): readonly TakeResult[] | Promise<readonly TakeResult[]>
  /**
   * Corrects what was taken, without a limit: positive gives back, negative takes more, also beyond the limit. `at` is the `resetAt` of the take, so
   * that a correction for a window that is over changes nothing.
   */
  give(corrections: readonly Give[]): void | Promise<void>
  /**
   * Runs `work` while holding a lock that no other holder has, on any instance; undefined when it is held elsewhere. A holder that dies loses it
   * after `ttl` milliseconds; while it lives it is renewed.
   */
  lock<T>(key: string, ttl: number, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined>
}

/** One limit to take from. */
export interface Take {
  readonly key: string
  readonly amount: number
  readonly limit: number
  /** Milliseconds. */
  readonly window: number
  /**
   * `fixed` (default): windows start at multiples of `window`. `bucket`: a token bucket that holds `burst` (default: `limit`) and is refilled evenly by `limit` per `window`.
   */
  readonly kind?: 'fixed' | 'bucket'
  readonly burst?: number
}

export interface Give {
  readonly key: string
  readonly amount: number
  readonly window: number
  readonly kind?: 'fixed' | 'bucket'
  readonly limit: number
  readonly burst?: number
  readonly at: number
}

export interface TakeResult {
  readonly taken: boolean
  /** What is left in the window. */
  readonly remaining: number
  /** When the window ends: milliseconds since the epoch, by the clock of the store. For a bucket: when it is full again. */
  readonly resetAt: number
  /** For a bucket that had not enough: milliseconds until it has. Absent when it can never hold so much. */
  readonly waitFor?: number
}

/** A value that SQL can hold. `bigint` is a signed 64-bit integer: money is counted in it. */
export type SqlValue = string | number | bigint | boolean | null | Uint8Array
export type SqlRow = Readonly<Record<string, SqlValue>>

/** Runs one statement written as a tagged template: values are bound, never part of the text. Gives the rows of SELECT and RETURNING. */
export type SqlQuery = <Row = SqlRow>(text: TemplateStringsArray, ...values: readonly SqlValue[]) => Promise<Row[]>

/**
 * Durable records: SQLite, or PostgreSQL when several instances share them. The text is the portable subset of both (see `src/store/README.md`);
 * columns come back as declared (`BIGINT` as bigint, `INTEGER` as number); a whole number that is no column, such as `count(*)`, is a bigint.
 *
 * A call fails with {@link StoreUnavailable} within seconds when the store can't be reached: then the plugin's failure mode decides.
 */
export interface Records {
  readonly sql: SqlQuery
  /** All statements of `run`, or none. Isolated from all others; run again from its start after a conflict, so it may only do SQL. */
  transaction<T>(run: (sql: SqlQuery) => Promise<T>, options?: TransactionOptions): Promise<T>
  /**
   * Appends rows that may not be lost. Resolves when they are durable: in the store or, while that is down, in a spool on disk that is replayed in
   * order, exactly once, when it is back. `id` is the primary key: a row whose id is there already is not written again. Many small appends share a commit.
   */
  append(table: string, rows: readonly (Readonly<Record<string, SqlValue>> & { readonly id: string })[]): Promise<void>
  /** Makes the plugin's tables: each migration runs once per database, under a lock, in order. Call it in `setup`. Table names carry the plugin's own prefix. */
  migrate(migrations: readonly Migration[]): Promise<void>
  /**
   * Divides a table of `append` by ranges of `id`, where the database can (PostgreSQL; elsewhere nothing happens): a part reaches from each of these ids
   * to the next, the rest lies apart. Call it again for further parts. Of a table that has rows, those become one part, which ends at the second id.
   */
  divide(table: string, bounds: readonly string[]): Promise<void>
  /**
   * Removes, all at once, the parts of a divided table that end at or before an id, and does `also` before, in the same transaction (`until`: where the
   * last of them ends); how many it were. Undefined when the table is not divided: then delete its rows a few at a time.
   */
  dropParts(table: string, before: string, also?: (sql: SqlQuery, until: string) => Promise<void>): Promise<number | undefined>
  /** False while the store can't be reached. */
  readonly available: boolean
}

export interface TransactionOptions {
  /**
   * `all` (default): serializable, as if nobody else were there. `rows`: a row that was written stays as it is until the end, and who wants to write it
   * waits; what is only read may change. Enough where every write says its condition (`UPDATE … SET held = held + 5 WHERE balance - held >= 5`),
   * and several times faster on rows that everybody wants. Touch rows in the same order everywhere.
   */
  readonly isolation?: 'all' | 'rows'
}

export interface Migration {
  /** Unique within the plugin; never changed or removed once released. */
  readonly id: string
  /** Portable statements, in order. */
  readonly statements: readonly string[]
}

/** This gateway takes no more work: it is ending, or has not begun. */
export class ShuttingDown extends Error {
  override readonly name = 'ShuttingDown'
}

/** A store that can't be reached now. Not a mistake of the caller. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}

export interface Counter {
  add(value?: number, labels?: Readonly<Record<string, string>>): void
}
export interface Histogram {
  observe(value: number, labels?: Readonly<Record<string, string>>): void
}

/** What a gauge says of one set of labels. An exact decimal may be a text. */
export interface GaugeReading {
  readonly value: number | bigint | string
  readonly labels?: Readonly<Record<string, string>>
}

/** What is known of a call to an extra endpoint, besides its request. */
export interface RouteCall {
  /** Request id; leaves as `x-request-id`. */
  readonly id: string
  /** Who calls; absent where no plugin says so. */
  readonly principal?: PrincipalValue | undefined
  /** Dialect that the caller speaks, as far as its path and headers tell: `openai-chat`, `anthropic-messages`, `gemini-generate`. */
  readonly dialect: string
  /** Makes a refusal; return it from the handler. It leaves in the caller's dialect, as those of hooks do. */
  refuse(code: RefusalCode, options?: RefusalOptions | string): Refusal
}

/** What a handler answers. Nothing: the gateway answers by itself where it has something at that path (its own model lists), else 404. */
export type RouteAnswer = Response | Refusal | undefined

/** An extra endpoint. */
export interface RouteSpec {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Absolute path on the listener. `:name` stands for one segment, `*` as the last segment for all the rest, slashes too: `params['*']`, decoded. */
  path: string
  summary: string
  /** Answers callers without a credential too: see `x.open`. */
  open?: boolean
  handler(request: Request, params: Readonly<Record<string, string>>, call: RouteCall): RouteAnswer | Promise<RouteAnswer>
}

/** An endpoint on the admin listener. */
export interface AdminSpec extends Pick<RouteSpec, 'method' | 'path' | 'summary'> {
  handler(request: Request, params: Readonly<Record<string, string>>, call: Pick<RouteCall, 'id'>): Response | Promise<Response>
}

/** On whose behalf a plugin makes a call, and as what. */
export interface CallOptions {
  /** Who submitted it: limits, budgets and records are theirs. Absent: a caller without a credential. */
  readonly principal?: PrincipalValue | undefined
  /**
   * A name that is the same whenever this call is repeated because nobody knows what became of it: it is charged once under this name, whatever was
   * done before. Unique within the plugin instance.
   */
  readonly once?: string
  /** Cancels the call, as a client that leaves does. */
  readonly signal?: AbortSignal
}

/** What a plugin may ask of an upstream besides inference. */
export interface Upstream {
  /**
   * The status that it answers a GET with, at an absolute path on its host, with its own credential. Redirects are not followed.
   * @throws when there is no answer, or the signal is aborted
   */
  look(path: string, signal: AbortSignal): Promise<number>
  /** Whether a model of it, by its own name, goes on with an assistant message that stands last; others refuse that, or answer it. */
  prefills(model: string): boolean
}

export interface Host {
  /** Id of this plugin instance in the list. */
  readonly id: string
  readonly log: Logger
  /** Milliseconds since the epoch. Fake in the test kit. */
  now(): number
  readonly state: State
  /** Durable records. Present when the config names a store for them, which the default does. */
  readonly records: Records
  readonly catalog: Catalog
  /** Names of the configured upstreams. */
  readonly upstreams: readonly string[]
  /** What the config names but the gateway runs without: a name that is neither in force nor here is a mistake. */
  readonly leftOut: LeftOut
  /** An upstream of the config in force, by its name; undefined when there is none. Not known yet during `setup` and `ready`. */
  upstream(name: string): Upstream | undefined
  /** `fetch` with a total timeout of 30 s unless the caller's signal is sooner. For the plugin's own calls, not for inference. */
  fetch(url: string, init?: RequestInit): Promise<Response>
  /** Absolute path of a file named in this plugin's config: relative paths are relative to gateway.yaml. */
  file(path: string): string
  counter(name: string, help: string): Counter
  histogram(name: string, help: string): Histogram
  /** A figure that is asked for whenever somebody looks at the metrics. */
  gauge(name: string, help: string, read: () => Iterable<GaugeReading>): void
  /** Supervised background work: an error is logged and `run` called again after a pause; drained on close. Runs every `every` milliseconds. */
  task(name: string, every: number, run: (signal: AbortSignal) => void | Promise<void>): void
  /**
   * Makes an inference call to this gateway itself, inside the process: an exchange like any other, with all plugins of the list, limits, budget and
   * record. `request` names a path that is served and has a JSON body; the response, whose body must be read or cancelled, is what a client would get;
   * it ends when the exchange has settled, so that who has the whole of it knows that it is charged.
   * A signal that is aborted on the way ends it as a client that leaves does (499); before, the call rejects. It rejects with {@link ShuttingDown}
   * while nothing is served: nothing was done then, and it may be made again later.
   */
  call(request: Request, options?: CallOptions): Promise<Response>
  /**
   * Adds a member to what `/health` tells, asked whenever somebody looks; JSON, and no secret: everybody may read it. `/health` says 200 as long as the
   * process lives, whatever stands there; who is fit for traffic says the hook `health`, in `/ready`.
   */
  health(name: string, read: () => unknown): void
  /** A public endpoint; it passes the same `admit` hooks. */
  route(spec: RouteSpec): void
  /** An endpoint on the admin listener. */
  admin(spec: AdminSpec): void
}
