/** Ratios of trimmed sessions to those left alone: what is said, how wide the interval is, and when nothing is said. */

import { expect, test } from 'bun:test'
import { compareArms, fewestSessions, type SessionSums } from './compare-arms.ts'

/** Numbers in [0, 1), the same each time. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}

/** Sessions of 1 to 40 turns, of which each costs about `rate` per token. */
function sessions(count: number, rate: number, random: () => number): SessionSums[] {
  return Array.from({ length: count }, () => {
    const turns = 1 + Math.floor(random() ** 2 * 40)
    const sent = turns * (5000 + random() * 60_000)
    return { sessions: 1, turns, sent, cost: sent * rate * (0.5 + random()) }
  })
}

test('fewer than thirty sessions of an arm are no measure, and the rule is told', () => {
  const random = numbers(1)
  const many = sessions(100, 3, random)
  expect(compareArms(many, sessions(fewestSessions - 1, 3, random))).toBe(
    '29 control sessions of known cost; at least 30 of each arm are needed',
  )
  expect(compareArms(many.slice(0, 1), many)).toBe('1 trimmed session of known cost; at least 30 of each arm are needed')
  expect(compareArms(many, [])).toStartWith('0 control sessions')
  const free = many.map((one) => ({ ...one, cost: 0 }))
  expect(compareArms(many, free)).toBe('no cost or no tokens in one of the arms')
})

test('sessions that are alike leave no doubt; the same each time', () => {
  const alike = (cost: number) => Array.from({ length: 40 }, () => ({ sessions: 1, turns: 4, sent: 1000, cost }))
  const found = compareArms(alike(880), alike(1000))
  expect(found).toEqual({ cost: { ratio: 0.88, low: 0.88, high: 0.88 }, turns: { ratio: 1, low: 1, high: 1 } })
  const random = numbers(7)
  const [a, b] = [sessions(200, 2.7, random), sessions(50, 3, random)]
  expect(compareArms(a, b)).toEqual(compareArms(a, b))
})

test('the true ratio lies in the interval about nineteen times in twenty, sessions taken together or not', () => {
  for (const [trimmed, control, tries] of [
    [200, 40, 40],
    [1500, 100, 15],
  ] as const) {
    const random = numbers(trimmed)
    let inside = 0
    for (let i = 0; i < tries; i++) {
      const found = compareArms(sessions(trimmed, 2.7, random), sessions(control, 3, random))
      if (typeof found === 'string') throw new Error(found)
      expect(found.cost.low).toBeLessThan(found.cost.ratio)
      expect(found.cost.high).toBeGreaterThan(found.cost.ratio)
      if (found.cost.low <= 0.9 && found.cost.high >= 0.9) inside++
    }
    expect(inside).toBeGreaterThanOrEqual(tries * 0.85)
  }
})
