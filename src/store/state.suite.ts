/**
 * What shared state must do, wherever it lives: one suite for memory and Redis.
 *
 * `state-memory.test.ts` runs it in this process, `test/servers/redis.ts` against a real server. Takes and corrections are held to a
 * model that is written another way: windows by their end, buckets in exact fractions.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Give, State, Take, TakeResult } from '../plugin/host.ts'
import type { StateStore } from './state.ts'
import { stateModel } from './state-model.fixture.ts'

export interface StateUnderTest {
  readonly store: StateStore
  /** Another instance on the same data: a connection of its own. In memory the store itself. */
  another(): Promise<StateStore>
  /** The time of takes and corrections, and how to move it forward, or back again. */
  now(): number
  tick(ms: number): void
  /** Lets the `ttl` of values pass. */
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

/** A window whose end no test sees. */
const endless = 10 ** 12
let count = 0

/** Registers the suite. `open` is called once. */
export function stateSuite(name: string, open: () => Promise<StateUnderTest>): void {
  describe(`state in ${name}`, () => {
    let it: StateUnderTest
    const fresh = (store = it.store): State => store.scoped(`suite-${++count}`)
    beforeAll(async () => {
      it = await open()
    })
    afterAll(async () => await it.close())

    describe('values', () => {
      test('are JSON: what comes back is a copy of what went in', async () => {
        const state = fresh()
        const value = { a: [1, 'zwei', null], b: { c: true } }
        await state.set('k', value)
        value.a.push(2)
        expect(await state.get<unknown>('k')).toEqual({ a: [1, 'zwei', null], b: { c: true } })
        for (const one of [0, '', false, null, 'x'.repeat(100_000), '🦊\n"']) {
          await state.set('one', one)
          expect(await state.get<unknown>('one')).toEqual(one)
        }
        await state.set('date', new Date(0))
        expect(await state.get<unknown>('date')).toBe('1970-01-01T00:00:00.000Z')
        for (const none of [undefined, () => 1, 1n]) await expect((async () => await state.set('k', none))()).rejects.toThrow(TypeError)
      })

      test('are absent, deleted, and each plugin has its own', async () => {
        const [a, b] = [fresh(), fresh()]
        expect(await a.get('k')).toBeUndefined()
        await a.set('k', 1)
        expect(await b.get('k')).toBeUndefined()
        await a.delete('k')
        await a.delete('k')
        expect(await a.get('k')).toBeUndefined()
      })

      test('end after their ttl, and a ttl is above 0', async () => {
        const state = fresh()
        await state.set('short', 1, 60)
        await state.set('long', 1, 60_000)
        await it.pass(100)
        expect(await state.get('short')).toBeUndefined()
        expect(await state.get<number>('long')).toBe(1)
        for (const ttl of [0, -1, Number.NaN]) await expect((async () => await state.set('k', 1, ttl))()).rejects.toThrow(RangeError)
      })

      test('setIfAbsent: one of many wins', async () => {
        const state = fresh()
        const won = await Promise.all(Array.from({ length: 50 }, (_, i) => state.setIfAbsent('k', i, 60)))
        expect(won.filter((w) => w)).toHaveLength(1)
        expect(await state.get<number>('k')).toBe(won.indexOf(true))
        await it.pass(100)
        expect(await state.setIfAbsent('k', 'next')).toBe(true)
      })
    })

    describe('counters', () => {
      test('count exactly, also from several instances, and read as values', async () => {
        const [a, b] = [it.store.scoped('counter'), (await it.another()).scoped('counter')]
        await Promise.all(Array.from({ length: 300 }, (_, i) => (i % 2 ? a : b).add('n', i % 3)))
        expect(await a.get<number>('n')).toBe(300)
        expect(await a.add('n', -301)).toBe(-1)
        await a.set('n', 41)
        expect(await b.add('n', 1)).toBe(42)
      })

      test('live for the ttl of their first use', async () => {
        const state = fresh()
        expect(await state.add('n', 1, 120)).toBe(1)
        await it.pass(70)
        expect(await state.add('n', 1, 120)).toBe(2)
        await it.pass(90)
        expect(await state.add('n', 1, 120)).toBe(1)
      })

      test('hold whole numbers only', async () => {
        const state = fresh()
        await state.set('text', 'x')
        await expect(state.add('text', 1)).rejects.toThrow(TypeError)
        await expect(state.add('n', 0.5)).rejects.toThrow(RangeError)
        await state.set('n', Number.MAX_SAFE_INTEGER)
        await expect(state.add('n', 1)).rejects.toThrow(TypeError)
        expect(await state.add('n', -1)).toBe(Number.MAX_SAFE_INTEGER - 1)
      })
    })

    describe('takes', () => {
      test('agree with the model, whatever happens in whatever order', async () => {
        const kinds: readonly Omit<Take, 'amount'>[] = [
          { key: 'a', limit: 10, window: 1000 },
          { key: 'a', limit: 25, window: 60_000 },
          { key: 'b', limit: 0, window: 1000 },
          { key: 'a', limit: 5, window: 1000, kind: 'bucket', burst: 8 },
          { key: 'b', limit: 3, window: 7001, kind: 'bucket' },
          { key: 'c', limit: 1_000_003, window: 86_400_000, kind: 'bucket', burst: 20 },
          { key: 'e', limit: 1_000_003, window: 86_400_000, kind: 'bucket', burst: 20_000_000 },
          { key: 'd', limit: 0, window: 1000, kind: 'bucket', burst: 4 },
        ]
        const kind = fc.integer({ min: 0, max: kinds.length - 1 })
        const amount = fc.integer({ min: 0, max: 9 })
        const step = fc.oneof(
          { weight: 5, arbitrary: fc.record({ take: fc.array(fc.tuple(kind, amount), { minLength: 1, maxLength: 3 }) }) },
          { weight: 3, arbitrary: fc.record({ give: fc.nat(), amount: fc.integer({ min: -9, max: 9 }) }) },
          { weight: 3, arbitrary: fc.record({ tick: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 9000 })) }) },
        )
        await fc.assert(
          fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
            const state = fresh()
            const model = stateModel()
            const done: Omit<Give, 'amount'>[] = []
            for (const one of steps) {
              if ('tick' in one) it.tick(one.tick)
              else if ('take' in one) {
                const takes = one.take.map(([k, n]) => ({ ...kinds[k]!, amount: n }))
                const results = await state.takeAll(takes)
                expect(results).toEqual(model.takeAll(takes, it.now()))
                for (const [i, { amount: _, ...take }] of takes.entries()) done.push({ ...take, at: results[i]!.resetAt })
              } else if (done.length > 0) {
                const corrections = [{ ...done[one.give % done.length]!, amount: one.amount }]
                await state.give(corrections)
                model.give(corrections, it.now())
              }
            }
          }),
          { numRuns: 150 },
        )
      })

      test('one take is a list of one', async () => {
        const state = fresh()
        const end = (Math.floor(it.now() / 60_000) + 1) * 60_000
        expect(await state.take('k', 2, 3, 60_000)).toEqual({ taken: true, remaining: 1, resetAt: end })
        expect(await state.take('k', 2, 3, 60_000)).toEqual({ taken: false, remaining: 1, resetAt: end })
        expect(await state.takeAll([{ key: 'k', amount: 1, limit: 3, window: 60_000 }])).toEqual([
          { taken: true, remaining: 0, resetAt: end },
        ])
        expect(await state.takeAll([])).toEqual([])
      })

      test('all or none: what had enough keeps it', async () => {
        const state = fresh()
        const takes = (n: number): Take[] => [
          { key: 'wide', amount: 1, limit: 100, window: endless },
          { key: 'narrow', amount: n, limit: 5, window: endless },
          { key: 'bucket', amount: 1, limit: 10, window: 1000, kind: 'bucket' },
        ]
        const brief = (results: readonly TakeResult[]) => results.map((r) => [r.taken, r.remaining])
        expect(brief(await state.takeAll(takes(4)))).toEqual([
          [true, 99],
          [true, 1],
          [true, 9],
        ])
        for (let i = 0; i < 3; i++)
          expect(brief(await state.takeAll(takes(2)))).toEqual([
            [false, 99],
            [false, 1],
            [false, 9],
          ])
        expect(brief(await state.takeAll(takes(1)))).toEqual([
          [true, 98],
          [true, 0],
          [true, 8],
        ])
      })

      test('a bucket says how long to wait, and nothing of what it can never hold', async () => {
        const state = fresh()
        const take = (amount: number): Take[] => [{ key: 'k', amount, limit: 3, window: 1000, kind: 'bucket', burst: 6 }]
        const at = it.now()
        expect(await state.takeAll(take(6))).toEqual([{ taken: true, remaining: 0, resetAt: at + 2000 }])
        expect(await state.takeAll(take(2))).toEqual([{ taken: false, remaining: 0, resetAt: at + 2000, waitFor: 667 }])
        it.tick(666)
        expect((await state.takeAll(take(2)))[0]).toMatchObject({ taken: false, waitFor: 1 })
        it.tick(1)
        expect((await state.takeAll(take(2)))[0]!.taken).toBe(true)
        expect(await state.takeAll(take(7))).toEqual([{ taken: false, remaining: 0, resetAt: expect.any(Number) }])
      })

      test('a bucket drifts by nothing in a hundred thousand refills', async () => {
        const state = fresh()
        const take = (amount: number): Take[] => [{ key: 'k', amount, limit: 7, window: 1_000_003, kind: 'bucket' }]
        expect((await state.takeAll(take(7)))[0]!.taken).toBe(true)
        for (let i = 0; i < 1000; i++) {
          it.tick(142)
          await state.takeAll(take(7))
        }
        it.tick(1_000_003 - 142_000 - 1)
        expect((await state.takeAll(take(7)))[0]).toMatchObject({ taken: false, remaining: 6, waitFor: 1 })
        it.tick(1)
        expect((await state.takeAll(take(7)))[0]!.taken).toBe(true)
      })

      test('a clock that is set back gives nothing twice, and locks nobody out until it is where it was', async () => {
        const state = fresh()
        const takes: Take[] = [
          { key: 'w', amount: 3, limit: 3, window: 60_000 },
          { key: 'b', amount: 3, limit: 3, window: 60_000, kind: 'bucket' },
        ]
        const taken = async () => (await state.takeAll(takes))[0]!.taken
        it.tick(7_200_000)
        expect(await taken()).toBe(true)
        it.tick(-30_000)
        expect(await taken()).toBe(false)
        it.tick(-3_600_000)
        await state.takeAll(takes.map((take) => ({ ...take, amount: 0 })))
        it.tick(60_000)
        expect(await taken()).toBe(true)
        expect(await taken()).toBe(false)
      })

      test('a raised limit keeps what was used', async () => {
        const state = fresh()
        const take = (limit: number, amount: number): Take[] => [
          { key: 'k', amount, limit, window: endless },
          { key: 'k', amount, limit, window: endless, kind: 'bucket' },
        ]
        await state.takeAll(take(10, 10))
        expect((await state.takeAll(take(15, 0))).map((r) => r.remaining)).toEqual([5, 0])
        expect((await state.takeAll(take(15, 1))).map((r) => r.taken)).toEqual([false, false])
      })

      test.each([
        { amount: 0.5 },
        { amount: -1 },
        { amount: Number.NaN },
        { limit: -1 },
        { limit: 0.5 },
        { window: 0 },
        { window: 1.5 },
        { burst: -1 },
        { kind: 'bucket' as const, limit: 1, burst: 2 ** 53 - 1, window: 2 ** 40 },
      ])('a mistake is no outage: %p', async (wrong) => {
        const take = { key: 'k', amount: 1, limit: 1, window: 1000, ...wrong }
        await expect((async () => await fresh().takeAll([take]))()).rejects.toThrow(RangeError)
      })
    })

    describe('corrections', () => {
      test('give back, take more beyond the limit, and leave a later window alone', async () => {
        const state = fresh()
        const window = { key: 'k', limit: 10, window: 1000 }
        it.tick(1000 - (it.now() % 1000)) // the start of a window
        const at = (await state.take('k', 8, 10, 1000)).resetAt
        await state.give([{ ...window, amount: 5, at }])
        expect((await state.take('k', 7, 10, 1000)).taken).toBe(true)
        await state.give([{ ...window, amount: -30, at }])
        expect(await state.take('k', 0, 10, 1000)).toEqual({ taken: false, remaining: 0, resetAt: at })
        await state.give([{ ...window, amount: 100, at }])
        expect((await state.take('k', 1, 10, 1000)).remaining).toBe(9)
        it.tick(1000)
        expect((await state.take('k', 4, 10, 1000)).remaining).toBe(6)
        await state.give([
          { ...window, amount: 4, at },
          { ...window, amount: -4, at },
        ])
        expect((await state.take('k', 0, 10, 1000)).remaining).toBe(6)
      })

      test('hold for a window that nothing has been taken from', async () => {
        const state = fresh()
        const { resetAt: at } = await state.take('k', 0, 10, endless)
        await state.give([{ key: 'new', limit: 10, window: endless, amount: -3, at }])
        expect((await state.take('new', 0, 10, endless)).remaining).toBe(7)
      })
    })

    describe('under load', () => {
      test('with R allowed, three connections and 200 takers never admit R + 1', async () => {
        const stores = [it.store, await it.another(), await it.another()]
        const scope = `suite-${++count}`
        const states = stores.map((s) => s.scoped(scope))
        const results = await Promise.all(Array.from({ length: 600 }, async (_, i) => await states[i % 3]!.take('k', 1, 137, endless)))
        expect(results.filter((r) => r.taken)).toHaveLength(137)
        expect(new Set(results.filter((r) => r.taken).map((r) => r.remaining)).size).toBe(137)
      })

      test('nor do takers of two limits, of which each is shared with others', async () => {
        const stores = [it.store, await it.another(), await it.another()]
        const scope = `suite-${++count}`
        const states = stores.map((s) => s.scoped(scope))
        let [all, red, blue, held] = [0, 0, 0, 0]
        const taker = async (i: number) => {
          const state = states[i % 3]!
          const team = i % 2 ? 'red' : 'blue'
          for (let round = 0; round < 3; round++) {
            const takes: Take[] = [
              { key: 'all', amount: 2, limit: 200, window: endless },
              { key: team, amount: 1, limit: 60, window: endless, kind: i % 2 ? 'bucket' : 'fixed' },
            ]
            const [a, b] = await state.takeAll(takes)
            if (!a!.taken) continue
            all += 2
            if (team === 'red') red += 1
            else blue += 1
            expect(all).toBeLessThanOrEqual(200)
            expect(Math.max(red, blue)).toBeLessThanOrEqual(60)
            if ((i + round) % 5 !== 0) continue
            // before the give is sent: from then on others may take it
            all -= 2
            if (team === 'red') red -= 1
            else blue -= 1
            held += 1
            await state.give(takes.map((take, n) => ({ ...take, at: [a, b][n]!.resetAt })))
          }
        }
        await Promise.all(Array.from({ length: 200 }, (_, i) => taker(i)))
        expect(held).toBeGreaterThan(0)
        const left = await states[0]!.takeAll([
          { key: 'all', amount: 0, limit: 200, window: endless },
          { key: 'red', amount: 0, limit: 60, window: endless, kind: 'bucket' },
          { key: 'blue', amount: 0, limit: 60, window: endless },
        ])
        expect(left.map((r) => r.remaining)).toEqual([200 - all, 60 - red, 60 - blue])
        expect(all).toBeGreaterThanOrEqual(150)
      })
    })

    describe('locks', () => {
      test('one holder at a time, on all instances; free again after the work, also after one that fails', async () => {
        const stores = [it.store, await it.another(), await it.another()]
        const scope = `suite-${++count}`
        const states = stores.map((s) => s.scoped(scope))
        let holders = 0
        let most = 0
        let done = 0
        const one = (i: number) =>
          states[i % 3]!.lock('k', 5000, async () => {
            most = Math.max(most, ++holders)
            await Bun.sleep(1)
            holders -= 1
            done += 1
            if (i % 2) throw new Error('work failed')
            return i
          })
        let free = 0
        for (let round = 0; round < 20; round++) {
          const ended = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => one(i)))
          free += ended.filter((e) => e.status === 'fulfilled' && e.value === undefined).length
        }
        expect(most).toBe(1)
        expect(done + free).toBe(200)
        expect(done).toBeGreaterThanOrEqual(20)
        expect(await states[1]!.lock('k', 5000, async () => 'free')).toBe('free')
        await expect(states[1]!.lock('k', 5000, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
      })

      test('two locks and two plugins are not in each other’s way', async () => {
        const [a, b] = [fresh(), fresh()]
        const nested = a.lock('1', 5000, () => a.lock('2', 5000, () => b.lock('1', 5000, async () => 'in')))
        expect(await nested).toBe('in')
      })

      test('a lock is kept for as long as the work lasts', async () => {
        const [a, b] = [it.store.scoped('kept'), (await it.another()).scoped('kept')]
        const work = Promise.withResolvers<void>()
        const first = a.lock('k', 150, async (signal) => {
          await work.promise
          return signal.aborted
        })
        for (let i = 0; i < 5; i++) {
          await Bun.sleep(80)
          expect(await b.lock('k', 150, async () => 'mine')).toBeUndefined()
        }
        work.resolve()
        expect(await first).toBe(false)
        expect(await b.lock('k', 150, async () => 'mine')).toBe('mine')
      })
    })
  })
}
