import { describe, expect, test } from 'bun:test'
import { StoreUnavailable } from '../plugin/host.ts'
import { stateSuite } from './state.suite.ts'
import { MemoryState } from './state-memory.ts'

stateSuite('memory', async () => {
  let now = Date.now()
  const store = new MemoryState({ now: () => now })
  const tick = (ms: number) => {
    now += ms
  }
  return { store, another: async () => store, now: () => now, tick, pass: async (ms) => tick(ms), close: () => store.close() }
})

describe('memory', () => {
  const clocked = (options: { maxEntries?: number; maxSize?: number } = {}) => {
    const clock = { now: 1_000_000 }
    return { clock, store: new MemoryState({ now: () => clock.now, ...options }) }
  }

  test('takes, takeAll and give answer without a promise', () => {
    const state = clocked().store.scoped('a')
    expect(state.take('k', 1, 1, 1000)).toEqual({ taken: true, remaining: 0, resetAt: 1_001_000 })
    expect(state.takeAll([{ key: 'k', amount: 1, limit: 1, window: 1000 }])).toEqual([{ taken: false, remaining: 0, resetAt: 1_001_000 }])
    expect(state.give([{ key: 'k', amount: 1, limit: 1, window: 1000, at: 1_001_000 }])).toBeUndefined()
    expect(state.take('k', 1, 1, 1000)).toMatchObject({ taken: true })
  })

  test('never holds more than its bound, and forgets the oldest first', async () => {
    const { store } = clocked({ maxEntries: 100 })
    const state = store.scoped('a')
    for (let i = 0; i < 1000; i++) {
      await state.set(`k${i}`, i)
      state.take(`k${i}`, 1, 1, 60_000)
      state.takeAll([{ key: `k${i}`, amount: 1, limit: 1, window: 60_000, kind: 'bucket' }])
      expect(store.size).toBeLessThanOrEqual(300)
    }
    expect(await state.get<number>('k999')).toBe(999)
    expect(await state.get('k0')).toBeUndefined()
    expect(state.take('k999', 1, 1, 60_000)).toMatchObject({ taken: false })
    expect(state.take('k0', 1, 1, 60_000)).toMatchObject({ taken: true })
  })

  test('large values are bounded by their size, a counter that grows too', async () => {
    const { store } = clocked({ maxSize: 10_000 })
    const state = store.scoped('a')
    for (let i = 0; i < 100; i++) await state.set(`k${i}`, 'x'.repeat(1000))
    expect(store.size).toBeLessThan(10)
    expect(await state.get<string>('k99')).toHaveLength(1000)
    await state.set('huge', 'x'.repeat(20_000))
    expect(await state.get('huge')).toBeUndefined()
    await state.set('k', 1)
    expect(await state.get<number>('k')).toBe(1)
  })

  test('what is over goes without a timer, as others come', async () => {
    const { store, clock } = clocked()
    const state = store.scoped('a')
    for (let i = 0; i < 5000; i++) {
      clock.now += 10
      await state.set(`k${i}`, i, 100)
      state.take(`k${i}`, 1, 1, 100)
    }
    expect(store.size).toBeLessThan(200)
  })

  test('after closing, work under a lock is told and calls fail', async () => {
    const { store } = clocked()
    const state = store.scoped('a')
    const held = state.lock(
      'k',
      1000,
      (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    )
    await store.close()
    await expect(held).rejects.toThrow(StoreUnavailable)
    await expect(state.get('k')).rejects.toThrow(StoreUnavailable)
    expect(() => state.take('k', 1, 1, 1000)).toThrow(StoreUnavailable)
  })
})
