/** Classes of trimming: read from the beginning of a detail, and given their share of what an exchange saved. */

import { expect, test } from 'bun:test'
import { classesOf, shared } from './saved-classes.ts'

test('shares follow the tokens and add up to the picodollar, also of losses', () => {
  expect(shared({ byte: 30, ref: 70 }, 100n, 1_000n)).toEqual([
    { name: 'byte', tokens: 30n, saved: 300n },
    { name: 'ref', tokens: 70n, saved: 700n },
  ])
  for (const saved of [1n, 2n, 999_999_999_999n, -7n, 0n, 9_223_372_036_854_775_807n]) {
    const parts = shared({ a: 3, b: 3, c: 1, d: -2, e: 13 }, 18n, saved)
    expect(parts.reduce((sum, part) => sum + part.saved!, 0n)).toBe(saved)
    expect(parts.reduce((sum, part) => sum + part.tokens, 0n)).toBe(18n)
    expect(parts.find((part) => part.name === 'd')!.saved).toBe(0n)
  }
})

test('what is not known is nobody’s, and what has no class is told without one', () => {
  expect(shared({ byte: 3 }, 3n, null)).toEqual([{ name: 'byte', tokens: 3n, saved: undefined }])
  expect(shared({}, 5n, 10n)).toEqual([{ name: '', tokens: 5n, saved: 10n }])
  expect(shared({ a: -5 }, 0n, -3n)).toEqual([{ name: '', tokens: 0n, saved: -3n }])
})

test('classes stand at the beginning of a detail, and nothing else does', () => {
  const detail = (trim: object) => JSON.stringify({ trim, path: '/v1' })
  expect(classesOf(detail({ arm: 'trimmed', new_tokens: 1, classes: { byte: 2, ref: -3 } }))).toEqual({ byte: 2, ref: -3 })
  expect(classesOf(detail({ arm: 'trimmed', classes: { 'a"}{b': 2 } }).slice(0, 60))).toEqual({ 'a"}{b': 2 })
  expect(classesOf(detail({ arm: 'control' }))).toEqual({})
  expect(classesOf(JSON.stringify({ path: '{"trim":{"arm":"trimmed","classes":{"byte":2}}}' }))).toEqual({})
  expect(classesOf('{"trim":{"arm":"trimmed","classes":{"byte":2')).toEqual({})
  expect(classesOf('')).toEqual({})
})
