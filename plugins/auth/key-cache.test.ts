/** The cache of issued keys over records by hand: what overtakes what, what is bounded, and records that were put back. */

import { describe, expect, test } from 'bun:test'
import { StoreUnavailable } from 'headgate/plugin'
import { issuedKeys } from './issued-keys.ts'
import type { KeyRow, KeySource } from './key-records.ts'
import { createKey } from './keys.ts'

describe('the cache', () => {
  /** Records by hand: each lookup waits until it is let go. */
  function source() {
    const rows = new Map<string, KeyRow>()
    let tick = 0n
    let finds = 0
    let gate = Promise.resolve()
    let away = false
    const keySource: KeySource = {
      async find(prefix) {
        finds++
        const row = rows.get(prefix)
        await gate
        return row
      },
      async tick() {
        if (away) throw new StoreUnavailable('away')
        return tick
      },
      changes: async (after, limit) =>
        [...rows.values()]
          .filter((r) => r.changed > after)
          .sort((a, b) => Number(a.changed - b.changed))
          .slice(0, limit),
      recent: async (limit) => ({
        tick,
        rows: [...rows.values()]
          .filter((r) => !r.revoked)
          .reverse()
          .slice(0, limit),
      }),
    }
    return {
      keySource,
      get finds() {
        return finds
      },
      put(record: KeyRow['record'], revoked = false) {
        tick++
        rows.set(record.prefix, { record, changed: tick, revoked })
      },
      /** A replica or a backup takes over that has not seen the last changes. */
      back(to: bigint) {
        tick = to
        for (const [prefix, row] of rows) if (row.changed > to) rows.set(prefix, { ...row, changed: to })
      },
      reach(can: boolean) {
        away = !can
      },
      hold() {
        const { promise, resolve } = Promise.withResolvers<void>()
        gate = promise
        return resolve
      },
    }
  }
  const cacheOf = (keySource: KeySource, size = 100) => issuedKeys({ source: keySource, now: () => 0, size, staleFor: 1000 })

  test('answers without a promise for what it knows', async () => {
    const records = source()
    const { key, record } = createKey({ name: 'a' })
    records.put(record)
    const cache = cacheOf(records.keySource)
    await cache.sync()
    expect(cache.find(key)).toMatchObject({ principal: { id: record.id } })
    expect(cache.find(`${key.slice(0, -1)}_`)).toBeUndefined()
    expect(cache.find(key.slice(0, -1) + (key.endsWith('0') ? '1' : '0'))).toBeUndefined()
    expect(records.finds).toBe(0)
  })

  test('a lookup that was overtaken by a revocation does not bring the key back', async () => {
    const records = source()
    const { key, record } = createKey({ name: 'a' })
    const cache = cacheOf(records.keySource)
    await cache.sync()
    records.put(record)
    const go = records.hold()
    const found = cache.find(key)
    await Promise.resolve()
    records.put(record, true)
    await cache.sync()
    go()
    expect(await found).toBeUndefined()
    expect(cache.find(key)).toBeUndefined()
  })

  test('many requests with one unknown key ask once; made-up keys can not pile up lookups', async () => {
    const records = source()
    const cache = cacheOf(records.keySource)
    await cache.sync()
    const go = records.hold()
    const { key } = createKey({ name: 'a' })
    const asked = Array.from({ length: 50 }, () => cache.find(key))
    for (let i = 0; i < 63; i++) void cache.find(createKey({ name: 'x' }).key)
    expect(() => cache.find(createKey({ name: 'x' }).key)).toThrow(StoreUnavailable)
    go()
    expect(await Promise.all(asked)).toEqual(Array(50).fill(undefined))
    expect(records.finds).toBe(64)
    expect(cache.find(key)).toBeUndefined() // known not to be there
    expect(records.finds).toBe(64)
  })

  test.each([
    ['seen before others have changed as much again', 0],
    ['away meanwhile, and ahead again when it can be asked', 9],
  ])('records that were put back (%s): a revocation under a tick that is known already acts', async (_, more) => {
    const records = source()
    const [one, other] = [createKey({ name: 'a' }), createKey({ name: 'b' })]
    for (const { record } of [one, other]) records.put(record)
    for (let i = 0; i < 5; i++) records.put(other.record)
    const cache = cacheOf(records.keySource)
    await cache.sync()
    expect(cache.find(one.key)).toBeDefined()
    if (more > 0) {
      records.reach(false)
      await expect(cache.sync()).rejects.toThrow(StoreUnavailable)
      records.reach(true)
    }
    records.back(3n)
    records.put(one.record, true)
    for (let i = 0; i < more; i++) records.put(other.record)
    await cache.sync()
    expect(await cache.find(one.key)).toBeUndefined()
    expect(cache.find(other.key)).toBeDefined()
  })

  test('is bounded, keeps what is used, and finds what it had to drop', async () => {
    const records = source()
    const made = Array.from({ length: 20 }, () => createKey({ name: 'a' }))
    for (const { record } of made) records.put(record)
    const cache = cacheOf(records.keySource, 10)
    await cache.sync()
    expect(cache.size).toBe(10)
    const last = made[19]!.key
    for (const { key } of made) {
      expect(await cache.find(key)).toBeDefined()
      expect(cache.find(last)).not.toBeInstanceOf(Promise)
      expect(cache.size).toBeLessThanOrEqual(10)
    }
  })

  test('takes over more changes than fit one page', async () => {
    const records = source()
    const cache = cacheOf(records.keySource, 5000)
    await cache.sync()
    const made = Array.from({ length: 2500 }, () => createKey({ name: 'a' }))
    for (const { record } of made) records.put(record)
    await cache.sync()
    expect(cache.size).toBe(2500)
    expect(cache.find(made[2499]!.key)).not.toBeInstanceOf(Promise)
  })
})
