/** What several calls used that one reply came from. */

import { expect, test } from 'bun:test'
import { type Attempt, estimateText, type Usage, unknownUsage } from '../plugin/index.ts'
import { joinedUsage, shareOf } from './outcome.ts'

const usage = (source: Usage['source'], inputUncached: number, outputVisible: number): Usage => ({
  ...unknownUsage,
  source,
  inputUncached,
  outputVisible,
})
const call = (delivered?: number): Attempt => ({
  upstream: 'u',
  model: 'm',
  url: '',
  startedAt: 0,
  ...(delivered !== undefined && { delivered }),
})

test('each call has said what those before it had not', () => {
  const said = 'The quick brown fox jumps over the lazy dog, and so on.'
  const all = Math.ceil(estimateText(said))
  expect(shareOf(said, [])).toBe(all)
  expect(shareOf(said, [call(3), call(2)])).toBe(all - 5)
  expect(shareOf(said, [call(), undefined])).toBe(all)
  expect(shareOf(said, [call(1000)])).toBe(0)
})

test('what broke off used what was reported, and what it said where that is more; never as much as all have said', () => {
  expect(joinedUsage(undefined, undefined, 4)).toMatchObject({ source: 'partial', inputUncached: 0, outputVisible: 4 })
  expect(joinedUsage(undefined, usage('partial', 11, 1), 4)).toMatchObject({ source: 'partial', inputUncached: 11, outputVisible: 4 })
  expect(joinedUsage(undefined, usage('reported', 11, 3), 4)).toMatchObject({ source: 'reported', outputVisible: 3 })
  expect(joinedUsage(usage('partial', 11, 4), usage('partial', 20, 1), 5)).toMatchObject({
    source: 'partial',
    inputUncached: 31,
    outputVisible: 9,
  })
})
