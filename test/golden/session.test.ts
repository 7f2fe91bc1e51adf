/** Recorded sessions of agents, interleaved by time: told apart by their messages alone, and their tokens estimated. A fixed sample; all with `bun run bench:session`. */

import { describe, expect, test } from 'bun:test'
import { trajectoriesFolder, trajectoryFiles } from '../bench/savings/trajectories.ts'
import { measureIdentity, measureTokens, quantile } from '../bench/session/measures.ts'

const all = trajectoryFiles()
/** Every fifth, in order of their names. */
const sample = (all ?? []).filter((_, i) => i % 5 === 0)

describe.skipIf(!all)(all ? 'sessions' : `no recorded sessions at ${trajectoriesFolder}: set HEADGATE_TRAJECTORIES`, () => {
  test('without a client id: at most 1 % merged and 3 % split', () => {
    const { sessions, merged, split } = measureIdentity(sample, false)
    expect(sessions).toBe(sample.length)
    expect(merged.length / sessions).toBeLessThanOrEqual(0.01)
    expect(split.length / sessions).toBeLessThanOrEqual(0.03)
  }, 60_000)
  test('with a client id: none', () => {
    const { ids, merged, split } = measureIdentity(sample, true)
    expect([ids, merged, split]).toEqual([sample.length, [], []])
  }, 60_000)
  test('tokens of a request: p50 within 0.3 %, p95 within 3 %; of a first one with tools and system that were seen before p50 within 5 %', () => {
    const { later, firstSeen } = measureTokens(sample)
    expect(later.length).toBeGreaterThan(100)
    expect(quantile(later, 0.5)).toBeLessThanOrEqual(0.003)
    expect(quantile(later, 0.95)).toBeLessThanOrEqual(0.03)
    // the recordings leave tools and most systems out: of others nothing is there to count
    expect(firstSeen.length).toBeGreaterThan(10)
    expect(quantile(firstSeen, 0.5)).toBeLessThanOrEqual(0.05)
  }, 60_000)
})
