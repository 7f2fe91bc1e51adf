/**
 * Brings rows into the records, in their order, and loses none that it has taken.
 *
 *     add ──▶ queue ──▶ one append at a time (rows that came meanwhile go together) ──▶ durable, told to `onDurable`
 *                          └▶ fails (store down and spool full) ──▶ kept, tried again with growing pauses
 *
 * `full` says that no more should be taken; who adds nevertheless is taken up to twice the limit, for exchanges under way.
 */

/** Rows of one append: the store commits so many together. */
const batchRows = 200
const firstPause = 250
const longestPause = 5000

export interface WriterOptions<R> {
  /** Resolves when the rows are durable. */
  append(rows: readonly R[]): Promise<void>
  /** Rows that may wait before `full`. */
  readonly limit: number
  /** These are on the disk. */
  onDurable(entries: readonly Entry<R>[]): void
  onFailure(error: unknown): void
  onRecovery(): void
}

export interface Entry<R> {
  readonly row: R
  /** Place of the exchange in the list of those under way; -1 for none. */
  readonly slot: number
  /** Called at least once: the row is on the disk, or nobody knows when it will be. */
  readonly done?: (() => void) | undefined
}

export interface Writer<R> {
  readonly waiting: number
  readonly full: boolean
  /** No room is left even for exchanges under way. */
  readonly overfull: boolean
  readonly failing: boolean
  add(entry: Entry<R>): void
  /** Resolves when nothing waits; false when `ms` were not enough. */
  flush(ms: number): Promise<boolean>
  close(): void
}

export function rowWriter<R>({ append, limit, onDurable, onFailure, onRecovery }: WriterOptions<R>): Writer<R> {
  let queue: Entry<R>[] = []
  /** Rows of the append under way. */
  let under = 0
  let working = false
  let failing = false
  let closed = false
  let wake: (() => void) | undefined

  const work = async (): Promise<void> => {
    for (let pause = firstPause; queue.length > 0 && !closed; ) {
      const batch = queue.slice(0, batchRows)
      queue = queue.slice(batch.length)
      under = batch.length
      try {
        await append(batch.map((entry) => entry.row))
        under = 0
        if (failing) onRecovery()
        failing = false
        pause = firstPause
        onDurable(batch)
        for (const { done } of batch) done?.()
      } catch (error) {
        queue = batch.concat(queue)
        under = 0
        if (!failing) {
          onFailure(error)
          for (const { done } of queue) done?.()
        }
        failing = true
        await paused(pause)
        pause = Math.min(pause * 2, longestPause)
      }
    }
    working = false
  }

  /** Waits; `flush` and `close` cut it short. */
  const paused = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(done, ms)
      function done() {
        clearTimeout(timer)
        wake = undefined
        resolve()
      }
      wake = done
    })

  return {
    get waiting() {
      return queue.length + under
    },
    get full() {
      return queue.length + under >= limit
    },
    get overfull() {
      return queue.length + under >= limit * 2
    },
    get failing() {
      return failing
    },
    add(entry) {
      queue.push(entry)
      if (failing) entry.done?.()
      if (working || closed) return
      working = true
      // what settles in the same turn goes along
      setImmediate(() => void work())
    },
    async flush(ms) {
      const until = performance.now() + ms
      for (wake?.(); working && performance.now() < until; ) await Bun.sleep(2)
      return !working && queue.length === 0
    },
    close() {
      closed = true
      wake?.()
    },
  }
}
