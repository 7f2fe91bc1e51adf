/**
 * State in this process: values, counters, limits and locks, bounded in number and size.
 *
 * Values are kept as JSON, so that they behave as they do in Redis. Takes answer at once, without a promise. What stands here is gone
 * with the process; a lock needs no renewal, since nobody else can hold it.
 */

import type { State } from '../plugin/host.ts'
import { checkCount, checkGive, checkTake, closedStore, encode, notACounter, type StateStore, ttlOf } from './state.ts'
import { type Expiring, ExpiringMap } from './state-expiring.ts'
import { Windows } from './state-windows.ts'

interface Entry extends Expiring {
  readonly text: string
}

export interface MemoryStateOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Values, fixed windows and buckets, each; a million when absent. */
  readonly maxEntries?: number
  /** Characters of all values and their keys together; 256 Mi when absent. */
  readonly maxSize?: number
}

export class MemoryState implements StateStore {
  private readonly values: ExpiringMap<Entry>
  private readonly windows: Windows
  private readonly locks = new Map<string, AbortController>()
  private readonly now: () => number
  private closed = false

  constructor(options: MemoryStateOptions) {
    this.now = options.now
    const most = options.maxEntries ?? 1_000_000
    this.values = new ExpiringMap(most, options.maxSize ?? 256 * 1024 * 1024)
    this.windows = new Windows(most)
  }

  scoped(scope: string): State {
    const prefix = `${scope}\n`
    return {
      get: async <T>(key: string) => this.get(prefix + key) as T | undefined,
      set: async (key, value, ttl) => this.set(prefix + key, encode(value), ttlOf(ttl)),
      setIfAbsent: async (key, value, ttl) => this.setIfAbsent(prefix + key, encode(value), ttlOf(ttl)),
      delete: async (key) => {
        this.open()
        this.values.delete(prefix + key)
      },
      add: async (key, amount, ttl) => this.add(prefix + key, key, amount, ttlOf(ttl)),
      take: (key, amount, limit, window) => {
        checkTake({ key, amount, limit, window })
        this.open()
        return this.windows.take(prefix, key, amount, limit, window, this.now())
      },
      takeAll: (takes) => {
        for (const take of takes) checkTake(take)
        this.open()
        return this.windows.takeAll(prefix, takes, this.now())
      },
      give: (corrections) => {
        for (const give of corrections) checkGive(give)
        this.open()
        this.windows.give(prefix, corrections, this.now())
      },
      lock: (key, ttl, work) => this.lock(prefix + key, ttlOf(ttl), work),
    }
  }

  /** Entries, windows and buckets held; for tests of bounds. */
  get size(): number {
    return this.values.count + this.windows.count
  }

  get problem(): undefined {
    return undefined
  }

  async close(): Promise<void> {
    this.closed = true
    for (const held of this.locks.values()) held.abort(closedStore())
    this.values.clear()
    this.windows.clear()
  }

  private open(): void {
    if (this.closed) throw closedStore()
  }

  private get(key: string): unknown {
    this.open()
    const entry = this.values.get(key, this.now())
    return entry && JSON.parse(entry.text)
  }

  private set(key: string, text: string, ttl: number): void {
    this.open()
    const now = this.now()
    this.values.set(key, { text, size: key.length + text.length, endsAt: now + ttl }, now)
  }

  private setIfAbsent(key: string, text: string, ttl: number): boolean {
    this.open()
    if (this.values.get(key, this.now())) return false
    this.set(key, text, ttl)
    return true
  }

  private add(key: string, name: string, amount: number, ttl: number): number {
    checkCount(amount)
    this.open()
    const now = this.now()
    const known = this.values.get(key, now)
    const before = known ? Number(known.text) : 0
    const after = before + amount
    if (!Number.isSafeInteger(before) || !Number.isSafeInteger(after)) throw notACounter(name)
    const text = String(after)
    this.values.set(key, { text, size: key.length + text.length, endsAt: known?.endsAt ?? now + ttl }, now)
    return after
  }

  private async lock<T>(key: string, _ttl: number, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    this.open()
    if (this.locks.has(key)) return undefined
    const held = new AbortController()
    this.locks.set(key, held)
    try {
      return await work(held.signal)
    } finally {
      this.locks.delete(key)
    }
  }
}
