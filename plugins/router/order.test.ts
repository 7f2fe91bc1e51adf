import { describe, expect, test } from 'bun:test'
import type { Target } from 'headgate/plugin'
import { type Candidate, type OrderContext, order } from './order.ts'
import { providerOf } from './resolve.ts'
import { createTracks } from './track.ts'

const tracks = createTracks(undefined, () => undefined)
const at = (upstream: string, more: Partial<Target> & { native?: boolean } = {}): Candidate => {
  const { native = true, ...target } = more
  const made = { upstream, model: 'm', ...target }
  return { target: made, model: 'm', context: undefined, track: tracks.of(made), provider: providerOf(upstream), native }
}
const context = (more: Partial<OrderContext> = {}): OrderContext => ({
  strategy: 'ordered',
  preferNative: true,
  session: undefined,
  now: 0,
  random: () => 0.5,
  ...more,
})
const names = (list: readonly Candidate[]) => list.map((c) => c.target.upstream)
/** A sequence that is the same each time. */
function chance(): () => number {
  let state = 42
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

test('priorities first, then the API of the client, then as listed', () => {
  const all = [at('late', { priority: 1 }), at('other', { native: false }), at('one'), at('two')]
  expect(names(order(all, context()))).toEqual(['one', 'two', 'other', 'late'])
  expect(names(order(all, context({ preferNative: false })))).toEqual(['other', 'one', 'two', 'late'])
})

test('by weight: shares as written, and all of them stay in the list', () => {
  const all = [at('a', { weight: 1 }), at('b', { weight: 3 }), at('c', { weight: 6 })]
  const random = chance()
  const first: Record<string, number> = { a: 0, b: 0, c: 0 }
  for (let i = 0; i < 4000; i++) {
    const list = order(all, context({ strategy: 'weighted', random }))
    expect(list).toHaveLength(3)
    first[list[0]!.target.upstream]!++
  }
  expect(first.a! / 4000).toBeCloseTo(0.1, 1)
  expect(first.b! / 4000).toBeCloseTo(0.3, 1)
  expect(first.c! / 4000).toBeCloseTo(0.6, 1)
})

test('F07: a session keeps its place; when that goes only its own sessions move', () => {
  const all = [at('a'), at('b'), at('c')]
  const sessions = Array.from({ length: 300 }, (_, i) => `session ${i}`)
  const homeIn = (list: Candidate[], session: string) => names(order(list, context({ strategy: 'weighted', session })))[0]!
  const before = sessions.map((s) => homeIn(all, s))
  expect(sessions.map((s) => homeIn(all, s))).toEqual(before)
  for (const name of ['a', 'b', 'c']) expect(before.filter((n) => n === name).length).toBeGreaterThan(60)
  const after = sessions.map((s) => homeIn([all[0]!, all[2]!], s))
  for (const [i, name] of before.entries()) if (name !== 'b') expect(after[i]).toBe(name)
})

test('the keys of one upstream share its place in the order', () => {
  const keys = [at('k#1'), at('k#2'), at('k#3')]
  const all = [at('first'), ...keys, at('last')]
  keys[0]!.track.inflight = 2
  keys[1]!.track.inflight = 1
  const list = names(order(all, context()))
  expect(list).toEqual(['first', 'k#3', 'k#2', 'k#1', 'last'])
  const sessions = Array.from({ length: 90 }, (_, i) => names(order(all, context({ session: `s${i}` })))[1]!)
  for (const key of ['k#1', 'k#2', 'k#3']) expect(sessions.filter((name) => name === key).length).toBeGreaterThan(10)
  for (const { track } of keys) track.inflight = 0
})

test('the cheapest first; an unknown price is no low one', () => {
  const cost = (input: bigint, output: bigint) => ({ price: [{ input, output }] })
  const all = [at('unknown'), at('dear', cost(10n, 50n)), at('free', cost(0n, 0n)), at('cheap', cost(1n, 5n))]
  expect(names(order(all, context({ strategy: 'lowest_cost' })))).toEqual(['free', 'cheap', 'dear', 'unknown'])
})

describe('the quickest', () => {
  test('of two drawn at random goes first, so that not all run to one', () => {
    const all = [at('slow'), at('quick'), at('middle')]
    for (const [i, ms] of [900, 100, 400].entries()) all[i]!.track.observe(ms, 0)
    const random = chance()
    const first: Record<string, number> = { slow: 0, quick: 0, middle: 0 }
    for (let i = 0; i < 900; i++) first[names(order(all, context({ strategy: 'lowest_latency', random })))[0]!]!++
    expect(first.slow).toBe(0)
    expect(first.quick! / 900).toBeCloseTo(2 / 3, 1)
  })

  test('a rise counts at once, a fall slowly, and calls under way weigh', () => {
    const [track] = [at('measured').track]
    track.observe(100, 0)
    track.observe(1000, 0)
    expect(track.firstContent).toBe(1000)
    track.observe(100, 1000)
    expect(track.firstContent).toBeGreaterThan(900)
    track.observe(100, 60_000)
    expect(track.firstContent).toBeLessThan(110)
    const idle = track.load(60_000)
    track.inflight = 3
    expect(track.load(60_000)).toBe(idle * 4)
    expect(at('new').track.load(0)).toBe(0)
  })
})

test('the least busy for its weight', () => {
  const all = [at('busy', { weight: 2 }), at('idle')]
  all[0]!.track.inflight = 3
  all[1]!.track.inflight = 1
  expect(names(order(all, context({ strategy: 'least_busy' })))).toEqual(['idle', 'busy'])
  all[1]!.track.inflight = 2
  expect(names(order(all, context({ strategy: 'least_busy' })))).toEqual(['busy', 'idle'])
})
