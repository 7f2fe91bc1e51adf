/**
 * What connections read in one turn of the event loop, handed over together at its end.
 *
 *   socket ─▶ kept │ socket ─▶ kept │ … the turn is over ─▶ handed over, handed over …
 *
 * Between two reads of the kernel the code that takes an answer has left the processor's caches; for a dozen answers one after the other it is
 * there. Nobody waits but for what is ready to be read. Timers run before the end of the turn: who ends a call by one does so `afterReading`.
 *
 * Bounded: a large chunk has all handed over at once.
 */

/** Who takes what was read. `Reader` is whom it was read for. */
export interface Receiver<Reader> {
  handOver(reader: Reader, chunk: Buffer): void
  /** Handing over threw. */
  broke(): void
}

let receivers: Receiver<unknown>[] = []
let readers: unknown[] = []
let chunks: Buffer[] = []

/** Keeps a chunk until the end of this turn. Order is kept. */
export function arrived<Reader>(receiver: Receiver<Reader>, reader: Reader, chunk: Buffer): void {
  receivers.push(receiver as Receiver<unknown>)
  readers.push(reader)
  if (chunks.push(chunk) === 1) setImmediate(handOverAll)
}

/** Hands all over now: the end of a connection must not overtake what was read before. */
export function handOverAll(): void {
  const [to, of, what] = [receivers, readers, chunks]
  if (what.length === 0) return
  receivers = []
  readers = []
  chunks = []
  for (let i = 0; i < what.length; i += 1) {
    try {
      to[i]!.handOver(of[i], what[i]!)
    } catch {
      to[i]!.broke()
    }
  }
}
