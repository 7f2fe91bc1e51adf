/**
 * Stores that a test takes away and gives back: what a plugin does while shared state or records can't be reached.
 *
 * The store behind is the real one in memory, so what was written before an outage is there after it. While it is away each call is
 * answered as by a Redis that is gone: with a promise that rejects.
 */

import { type Logger, type SqlQuery, type State, StoreUnavailable } from '../plugin/host.ts'
import { memoryRecords } from '../store/open-records.ts'
import type { RecordsStore } from '../store/records.ts'
import type { RecordsDriver } from '../store/records-driver.ts'
import type { StateStore } from '../store/state.ts'

/** `kit.stores` */
export interface Stores {
  /** Takes shared state away: its calls reject with `StoreUnavailable`. */
  down(): void
  /** Gives it back, with what was in it. */
  up(): void
  /** Durable records: SQLite in memory. */
  readonly records: KitRecords
}

/** `kit.stores.records` */
export interface KitRecords {
  /** Takes records away: statements reject with `StoreUnavailable`, appended rows wait. */
  down(): void
  /** Gives them back; resolves when migrations and rows that waited are in. */
  up(): Promise<void>
  /** Looks at the tables from outside, also while they are down for plugins. */
  readonly sql: SqlQuery
}

/** A switch that stores ask before each call. */
export interface StoreSwitch extends Pick<Stores, 'down' | 'up'> {
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

/** Records in memory that are there only while the test says so. */
export function switchedRecords(log: Logger, available: boolean): { readonly store: RecordsStore; readonly kit: KitRecords } {
  const power = storeSwitch(available)
  let inner: RecordsDriver | undefined
  const check = () => {
    if (!power.available) throw new StoreUnavailable('records are down, as this test wants it')
  }
  const store = memoryRecords(log, (driver) => {
    inner = driver
    return {
      kind: driver.kind,
      async open() {
        if (!power.available) await driver.open() // so that the test can look at it
        check()
        await driver.open()
      },
      async sql(text, ...values) {
        check()
        return await driver.sql(text, ...values)
      },
      async transaction(run, options) {
        check()
        return await driver.transaction(run, options)
      },
      async insert(batch) {
        check()
        await driver.insert(batch)
      },
      async migrate(plugin, migrations) {
        check()
        await driver.migrate(plugin, migrations)
      },
      async divide(table, bounds) {
        check()
        await driver.divide(table, bounds)
      },
      async dropParts(table, before, also) {
        check()
        return await driver.dropParts(table, before, also)
      },
      close: () => driver.close(),
    }
  })
  return {
    store,
    kit: {
      down: power.down,
      async up() {
        power.up()
        if (!(await store.recover())) throw new Error(`the records did not come back: ${store.problem}`)
      },
      async sql(text, ...values) {
        if (!inner) await store.recover()
        if (!inner) throw new Error('no plugin has used records yet')
        return await inner.sql(text, ...values)
      },
    },
  }
}
