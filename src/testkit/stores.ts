/**
 * Stores that a test takes away and gives back: what a plugin does while shared state can't be reached.
 *
 * The store behind is the real one in memory, so what was written before an outage is there after it. While it is away each call is
 * answered as by a Redis that is gone: with a promise that rejects.
 */

import { type State, StoreUnavailable } from '../plugin/host.ts'
import type { StateStore } from '../store/state.ts'

/** `kit.stores` */
export interface Stores {
  /** Takes shared state away: its calls reject with `StoreUnavailable`. */
  down(): void
  /** Gives it back, with what was in it. */
  up(): void
}

/** A switch that stores ask before each call. */
export interface StoreSwitch extends Stores {
  readonly available: boolean
}

export function storeSwitch(available: boolean): StoreSwitch {
  return {
    get available() {
      return available
    },
    down() {
      available = false
    },
    up() {
      available = true
    },
  }
}

/** Shared state that is there only while the switch says so. */
export function switchedState(store: StateStore, power: StoreSwitch): StateStore {
  const gone = () => Promise.reject(new StoreUnavailable('shared state is down, as this test wants it'))
  return {
    scoped(scope) {
      const state = store.scoped(scope)
      const calls: State = {
        get: (key) => (power.available ? state.get(key) : gone()),
        set: (key, value, ttl) => (power.available ? state.set(key, value, ttl) : gone()),
        setIfAbsent: (key, value, ttl) => (power.available ? state.setIfAbsent(key, value, ttl) : gone()),
        delete: (key) => (power.available ? state.delete(key) : gone()),
        add: (key, amount, ttl) => (power.available ? state.add(key, amount, ttl) : gone()),
        take: (key, amount, limit, window) => (power.available ? state.take(key, amount, limit, window) : gone()),
        takeAll: (takes) => (power.available ? state.takeAll(takes) : gone()),
        give: (corrections) => (power.available ? state.give(corrections) : gone()),
        lock: (key, ttl, work) => (power.available ? state.lock(key, ttl, work) : gone()),
      }
      return calls
    },
    get problem() {
      return power.available ? store.problem : 'shared state is down'
    },
    close: () => store.close(),
  }
}
