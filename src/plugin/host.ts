/**
 * What the host does for a plugin. Built-ins get no more than this.
 */

/** Where one upstream call can go. */
export interface Target {
  /** Name of an upstream of the config. */
  readonly upstream: string
  /** Model id in that upstream's own spelling. */
  readonly model: string
  /** API family that the upstream speaks: `openai` or `anthropic`. Filled in by the catalogue; absent = not known. */
  readonly dialect?: string
}

/** A model of the catalogue. */
export interface Model {
  readonly id: string
  /** In the operator's order. */
  readonly targets: readonly Target[]
  /** Context window in tokens. */
  readonly context?: number
  /** Largest output in tokens. */
  readonly maxOutput?: number
  /** USD per million tokens, as decimal strings: money is never a float. */
  readonly price?: Readonly<Record<string, string>>
}

export interface Catalog {
  /** The model with this id, or undefined. Exact ids first, then globs in the operator's order. */
  find(id: string): Model | undefined
  /** All models with exact ids, in the operator's order. */
  list(): readonly Model[]
  /** The nearest known ids, for "did you mean". */
  similar(id: string): readonly string[]
}

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

/** Fast shared state. Keys are scoped to the plugin instance. Values are JSON. */
export interface State {
  get<T>(key: string): Promise<T | undefined>
  /** `ttl` in milliseconds. */
  set(key: string, value: unknown, ttl?: number): Promise<void>
  delete(key: string): Promise<void>
  /**
   * Takes `amount` from a window of `limit` per `window` milliseconds, all or nothing, atomically. Windows are fixed and start at multiples of `window`.
   * Synchronous when the store is in this process.
   */
  take(key: string, amount: number, limit: number, window: number): TakeResult | Promise<TakeResult>
}

export interface TakeResult {
  readonly taken: boolean
  /** What is left in the window. */
  readonly remaining: number
  /** When the window ends: milliseconds since the epoch. */
  readonly resetAt: number
}

export interface Counter {
  add(value?: number, labels?: Readonly<Record<string, string>>): void
}
export interface Histogram {
  observe(value: number, labels?: Readonly<Record<string, string>>): void
}

/** A handler of an extra endpoint. `path` may contain `:name` segments. */
export interface RouteSpec {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Absolute path on the listener. */
  path: string
  summary: string
  handler(request: Request, params: Readonly<Record<string, string>>): Response | Promise<Response>
}

export interface Host {
  /** Id of this plugin instance in the list. */
  readonly id: string
  readonly log: Logger
  /** Milliseconds since the epoch. Fake in the test kit. */
  now(): number
  readonly state: State
  readonly catalog: Catalog
  /** Names of the configured upstreams. */
  readonly upstreams: readonly string[]
  /** `fetch` with a total timeout of 30 s unless the caller's signal is sooner. For the plugin's own calls, not for inference. */
  fetch(url: string, init?: RequestInit): Promise<Response>
  /** Absolute path of a file named in this plugin's config: relative paths are relative to gateway.yaml. */
  file(path: string): string
  counter(name: string, help: string): Counter
  histogram(name: string, help: string): Histogram
  /** Supervised background work: an error is logged and `run` called again after a pause; drained on close. Runs every `every` milliseconds. */
  task(name: string, every: number, run: (signal: AbortSignal) => void | Promise<void>): void
  /** A public endpoint; it passes the same `admit` hooks. */
  route(spec: RouteSpec): void
  /** An endpoint on the admin listener. */
  admin(spec: RouteSpec): void
}
