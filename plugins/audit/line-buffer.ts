/**
 * Lines on their way to a file: gathered in memory and written in groups, so that an exchange never waits for a disk that is up
 * to speed, and nothing is lost when it is not.
 *
 * States: idle (nothing pending) -> lingering (a timer runs) -> writing (one group) -> idle or lingering; writing -> failing when
 * an append throws (the group is kept, a retry timer runs) -> writing. The text of a record is made a few dozen at a time: one after another they cost a
 * fraction of what each costs alone between two requests. A full buffer makes callers wait while the writer is
 * merely slow. Only when it is full and failing, when thousands wait, or when it is closed, is a line lost, and each such line is counted.
 */

export interface LineBufferOptions<T> {
  /** One line, line break included. */
  text(record: T): string
  /** Appends bytes and says how many of them it took. */
  append(bytes: Uint8Array): Promise<number>
  /** Bytes that may be pending before callers wait. */
  limit: number
  /** Milliseconds that a first line waits for company. */
  linger: number
  /** Milliseconds between tries after a failure. */
  retry: number
  /** Called when appending begins to fail, not for each try. */
  onFailure(error: unknown): void
  /** Called when it works again. */
  onRecovery(): void
  /** Called with a number of lines that could not be kept. */
  onLost(lines: number): void
}

export interface LineBuffer<T> {
  /** Takes a record. Gives a promise only when the caller should wait. */
  add(record: T): undefined | Promise<void>
  /** True while appending fails. */
  readonly failing: boolean
  /** No room is left: callers wait, or lines are lost. */
  readonly full: boolean
  /** Writes what is pending, trying a few times, and stops. */
  close(): Promise<void>
}

/** Records whose text is made at once. */
const batch = 32
const triesAtClose = 3
/** Lines whose callers wait. */
const mostWaiting = 10_000
/** Sizes in bytes: of the first block, and of the largest that is kept for the next group. */
const firstBlock = 64 * 1024
const largestIdle = 1024 * 1024

export function lineBuffer<T>(options: LineBufferOptions<T>): LineBuffer<T> {
  /** Records whose text is still to be made. */
  const fresh: T[] = []
  /** Bytes of the largest line so far: what those records may become. */
  let largest = 0
  /** Lines are encoded as they come: as strings they would be thousands of live objects for the collector to visit. */
  let block = utf8Buffer(firstBlock)
  let used = 0
  let lines = 0
  /** The group being written, what is left of it. */
  let group: { bytes: Uint8Array; readonly size: number; readonly lines: number } | undefined
  /** Bytes in the block and in the group. */
  let pending = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let writing: Promise<void> | undefined
  let failing = false
  let closed = false
  /** Lines whose callers wait for room; no more than exchanges that settle at once. */
  let waiting: { readonly line: string; readonly resolve: () => void }[] = []

  function add(record: T): undefined | Promise<void> {
    if (closed || (failing && pending >= options.limit)) {
      options.onLost(1)
      return undefined
    }
    if (pending >= options.limit) return wait(options.text(record))
    fresh.push(record)
    if (fresh.length >= batch || failing || largest === 0 || pending + fresh.length * largest >= options.limit) keepFresh()
    if (timer === undefined && writing === undefined) arm(options.linger)
    return undefined
  }

  function keepFresh(): void {
    for (const record of fresh) keep(options.text(record))
    fresh.length = 0
  }

  function wait(line: string): Promise<void> | undefined {
    if (waiting.length >= mostWaiting) {
      options.onLost(1)
      return undefined
    }
    return new Promise((resolve) => waiting.push({ line, resolve }))
  }

  function keep(line: string): void {
    const most = line.length * 3 // UTF-8 needs at most three bytes for a UTF-16 unit
    if (used + most > block.length) {
      const larger = utf8Buffer(Math.max(block.length * 2, used + most))
      block.copy(larger, 0, 0, used)
      block = larger
    }
    const size = block.utf8Write(line, used)
    used += size
    if (size > largest) largest = size
    pending += size
    lines++
  }

  /** Takes in waiting lines as far as there is room; while failing, those beyond it are lost. */
  function admitWaiting(): void {
    const queue = waiting
    waiting = []
    for (const entry of queue) {
      if (pending < options.limit) keep(entry.line)
      else if (failing) options.onLost(1)
      else {
        waiting.push(entry)
        continue
      }
      entry.resolve()
    }
  }

  function arm(ms: number): void {
    timer = setTimeout(() => {
      timer = undefined
      writing = write().finally(() => {
        writing = undefined
        if (!closed && (pending > 0 || fresh.length > 0)) arm(failing ? options.retry : options.linger)
      })
    }, ms)
  }

  /** Writes one group to its end, or fails and keeps the rest of it. Never rejects. */
  async function write(): Promise<void> {
    keepFresh()
    if (group === undefined) {
      group = { bytes: block.subarray(0, used), size: used, lines }
      block = utf8Buffer(Math.min(block.length, largestIdle))
      used = 0
      lines = 0
    }
    try {
      while (group.bytes.length > 0) {
        const taken = await options.append(group.bytes)
        if (taken <= 0) throw new Error('nothing could be written')
        group.bytes = group.bytes.subarray(taken)
      }
      pending -= group.size
      group = undefined
      if (failing) options.onRecovery()
      failing = false
    } catch (error) {
      if (!failing) options.onFailure(error)
      failing = true
    }
    admitWaiting()
  }

  async function close(): Promise<void> {
    closed = true
    clearTimeout(timer)
    timer = undefined
    await writing
    keepFresh()
    for (let tries = 0; pending > 0 && tries < triesAtClose; ) {
      await write()
      if (failing && ++tries < triesAtClose) await Bun.sleep(Math.min(options.retry, 200))
    }
    const lost = lines + (group?.lines ?? 0) + waiting.length
    for (const { resolve } of waiting) resolve()
    waiting = []
    if (lost > 0) options.onLost(lost)
    lines = 0
    used = 0
    group = undefined
    pending = 0
  }

  return {
    add,
    close,
    get failing() {
      return failing
    },
    get full() {
      return pending >= options.limit
    },
  }
}

/** Node's own, which its types leave out: two thirds of the price of `write`. */
type Utf8Buffer = Buffer & { utf8Write(text: string, offset: number): number }

function utf8Buffer(size: number): Utf8Buffer {
  return Buffer.allocUnsafeSlow(size) as Utf8Buffer
}
