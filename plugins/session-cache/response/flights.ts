/**
 * Requests of the same words that are being answered: the first one calls the provider, the others wait for what it gets.
 *
 *   lead ──kept──▶ all who wait are given it
 *     └──not kept (failed, cut, left)──▶ the first who waits leads
 *
 * An error is nobody's but the leader's. Bounded: beyond that nobody waits.
 */

import type { PromptCacheValue, StoredReply } from 'headgate/plugin'

/** An answer, and the call that it was billed for. */
export interface Answer {
  readonly reply: StoredReply
  readonly from?: NonNullable<PromptCacheValue['instead']>
}

/** Why a wait ended with no call of one's own. */
export class Landed extends Error {
  constructor(readonly answer: Answer) {
    super('answered by another request')
  }
}

interface Waiter {
  lead(): void
  land(error: Landed): void
}

/** A place among those who wait. */
export interface Wait {
  /** Rejects with `Landed` when there is an answer; resolves when this one is to call. */
  readonly over: Promise<void>
  /** Waits no longer. Whoever left is never made the leader. */
  leave(): void
}

export interface Flights {
  /**
   * Joins those who wait for a key; undefined when nobody is ahead: then this one leads. `lead` is called when it is made the leader later.
   * @param wait milliseconds after which it calls by itself, without leading
   */
  join(key: string, wait: number, lead: () => void): Wait | undefined
  /** The leader is done, with an answer or without. */
  done(key: string, answer: Answer | undefined): void
}

const maxFlights = 10_000
const maxWaiters = 1000

export function createFlights(): Flights {
  const flights = new Map<string, Set<Waiter>>()
  return {
    join(key, wait, lead) {
      const waiters = flights.get(key)
      if (!waiters) {
        if (flights.size >= maxFlights) return { over: Promise.resolve(), leave() {} }
        flights.set(key, new Set())
        lead()
        return undefined
      }
      if (waiters.size >= maxWaiters) return { over: Promise.resolve(), leave() {} }
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      // whoever leaves may not be there to hear of it
      promise.catch(() => {})
      const leave = () => {
        clearTimeout(timer)
        waiters.delete(waiter)
        resolve()
      }
      const waiter: Waiter = {
        lead() {
          lead()
          leave()
        },
        land(error) {
          reject(error)
          leave()
        },
      }
      const timer = setTimeout(leave, wait)
      waiters.add(waiter)
      return { over: promise, leave }
    },
    done(key, answer) {
      const waiters = flights.get(key)
      if (!waiters) return
      if (answer) {
        flights.delete(key)
        const landed = new Landed(answer)
        for (const waiter of [...waiters]) waiter.land(landed)
        return
      }
      const [first] = waiters
      if (first) first.lead()
      else flights.delete(key)
    },
  }
}
