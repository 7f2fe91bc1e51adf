/**
 * State in this process: a bounded map with expiry, and windows that are exact because nothing here is asynchronous.
 *
 * When the map is full the entries nearest to their end go first, then the oldest; a limit that forgets is better than a process that
 * dies, and the bound is far above what a healthy gateway holds.
 */

import type { State, TakeResult } from '../plugin/host.ts'

interface Entry {
  value: unknown
  /** Milliseconds since the epoch; Infinity = never. */
  readonly expiresAt: number
}
interface Window {
  used: number
  endsAt: number
}

export interface MemoryStateOptions {
  readonly now: () => number
  /** Entries of each kind. */
  readonly maxEntries?: number
}

export class MemoryState {
  private readonly entries = new Map<string, Entry>()
  private readonly windows = new Map<string, Window>()
  private readonly now: () => number
  private readonly max: number

  constructor(options: MemoryStateOptions) {
    this.now = options.now
    this.max = options.maxEntries ?? 1_000_000
  }

  /** The state of one plugin instance: keys are prefixed by `scope`. */
  scoped(scope: string): State {
    const prefix = `${scope}\n`
    return {
      get: async <T>(key: string) => this.get(prefix + key) as T | undefined,
      set: async (key, value, ttl) => this.set(prefix + key, value, ttl),
      delete: async (key) => {
        this.entries.delete(prefix + key)
      },
      take: (key, amount, limit, window) => this.take(prefix + key, amount, limit, window),
    }
  }

  /** Entries and windows held; for tests of bounds. */
  get size(): number {
    return this.entries.size + this.windows.size
  }

  private get(key: string): unknown {
    const entry = this.entries.get(key)
    if (!entry) return undefined
    if (entry.expiresAt > this.now()) return structuredClone(entry.value)
    this.entries.delete(key)
    return undefined
  }

  private set(key: string, value: unknown, ttl: number | undefined): void {
    this.entries.delete(key)
    if (this.entries.size >= this.max) this.makeRoom(this.entries, (e) => e.expiresAt)
    this.entries.set(key, { value: structuredClone(value), expiresAt: ttl === undefined ? Number.POSITIVE_INFINITY : this.now() + ttl })
  }

  private take(key: string, amount: number, limit: number, length: number): TakeResult {
    const now = this.now()
    let window = this.windows.get(key)
    if (!window || window.endsAt <= now) {
      if (!window && this.windows.size >= this.max) this.makeRoom(this.windows, (w) => w.endsAt)
      window = { used: 0, endsAt: now - (now % length) + length }
      this.windows.set(key, window)
    }
    const taken = window.used + amount <= limit
    if (taken) window.used += amount
    return { taken, remaining: Math.max(0, limit - window.used), resetAt: window.endsAt }
  }

  /** Drops what is over; when nothing is, the oldest tenth. Linear, and called at most once per tenth of the bound. */
  private makeRoom<T>(map: Map<string, T>, endOf: (value: T) => number): void {
    const now = this.now()
    for (const [key, value] of map) if (endOf(value) <= now) map.delete(key)
    let surplus = map.size - Math.floor(this.max * 0.9)
    for (const key of map.keys()) {
      if (surplus-- <= 0) break
      map.delete(key)
    }
  }
}
