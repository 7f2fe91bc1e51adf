/**
 * A bounded map whose entries end: the memory of shared state.
 *
 * What is over is never seen. It is also removed without a timer: each insertion looks at the next two entries in turn, so that dead
 * entries never outnumber the living for long. When the map is full the oldest hundredth goes; a limit that forgets is better than a
 * process that dies, and the bound is far above what a healthy gateway holds.
 */

/** What the map needs to know of an entry. */
export interface Expiring {
  /** Milliseconds since the epoch. */
  readonly endsAt: number
  /** What it counts against the bound on size; 0 where only the number of entries matters. */
  readonly size: number
}

export class ExpiringMap<T extends Expiring> {
  private readonly map = new Map<string, T>()
  private turn = this.map.entries()
  private total = 0

  /** `most` entries whose sizes sum to at most `mostSize`. */
  constructor(
    private readonly most: number,
    private readonly mostSize = Number.POSITIVE_INFINITY,
  ) {}

  /** Entries held, those that are over and not yet removed included. */
  get count(): number {
    return this.map.size
  }

  /** The entry, unless it is over at `now`. */
  get(key: string, now: number): T | undefined {
    const entry = this.map.get(key)
    return entry !== undefined && entry.endsAt > now ? entry : undefined
  }

  /** Keeps an entry, except one that alone would fill a quarter of the bound. */
  set(key: string, entry: T, now: number): void {
    this.delete(key)
    this.sweep(now)
    if (entry.size > this.mostSize / 4) return // not worth forgetting all others for
    if (this.map.size >= this.most || this.total + entry.size > this.mostSize) this.makeRoom(entry.size)
    this.map.set(key, entry)
    this.total += entry.size
  }

  delete(key: string): void {
    const entry = this.map.get(key)
    if (entry === undefined) return
    this.map.delete(key)
    this.total -= entry.size
  }

  clear(): void {
    this.map.clear()
    this.total = 0
  }

  private sweep(now: number): void {
    for (let i = 0; i < 2; i++) {
      const next = this.turn.next()
      if (next.done) {
        this.turn = this.map.entries()
        return
      }
      const [key, entry] = next.value
      if (entry.endsAt <= now) this.delete(key)
    }
  }

  /** Drops the oldest hundredth: few of what is left are over, since the sweep goes round faster than the map fills. */
  private makeRoom(wanted: number): void {
    const count = Math.floor(this.most * 0.99)
    const size = Math.floor(this.mostSize * 0.99) - wanted
    for (const key of this.map.keys()) {
      if (this.map.size <= count && this.total <= size) break
      this.delete(key)
    }
  }
}
