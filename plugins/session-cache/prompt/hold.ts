/**
 * Fan-out: of requests at the same time with the same beginning that nobody has cached yet, the first goes ahead and the others wait until its reply begins,
 * so that they read what it writes instead of all paying for the write.
 *
 *   first ──▶ leads ──reply begins, or fails──▶ the others go
 *   other ──▶ waits, at most so long ──▶ goes
 *
 * In this process only: who is spread over instances seldom starts at the same millisecond. Bounded; holds no exchange longer than it is told to.
 */

import { bufferOf } from './json-bytes.ts'

export interface Beginnings {
  /** What an exchange has to wait for, or undefined when it may go; then it leads, and says with `begun` when others can read. */
  enter(keys: readonly string[]): { readonly wait: Promise<void> } | { readonly begun: (lifetime: number) => void } | undefined
  readonly size: number
}

const most = 2000
const mostWarm = 10_000

export function createBeginnings(now: () => number): Beginnings {
  const leading = new Map<string, Promise<void>>()
  const warm = new Map<string, number>()
  return {
    enter(keys) {
      if (keys.length === 0) return undefined
      const cold = keys.filter((key) => !((warm.get(key) ?? 0) > now()))
      if (cold.length === 0) return undefined
      for (const key of cold) {
        const wait = leading.get(key)
        if (wait) return { wait }
      }
      if (leading.size + cold.length > most) return undefined
      const { promise, resolve } = Promise.withResolvers<void>()
      for (const key of cold) leading.set(key, promise)
      return {
        begun(lifetime) {
          for (const key of cold) {
            if (leading.get(key) === promise) leading.delete(key)
            if (lifetime <= 0) continue
            warm.delete(key)
            if (warm.size >= mostWarm) warm.delete(warm.keys().next().value!)
            warm.set(key, now() + lifetime)
          }
          resolve()
        },
      }
    },
    get size() {
      return leading.size
    },
  }
}

/** A hash of bytes, as text. */
export function hashText(...pieces: readonly (Uint8Array | string)[]): string {
  let hash = 0n
  for (const piece of pieces) hash = Bun.hash(typeof piece === 'string' ? piece : bufferOf(piece), hash) as bigint
  return hash.toString(36)
}
