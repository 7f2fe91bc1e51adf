import { describe, expect, test } from 'bun:test'
import { joinSummaries, type SessionSummary } from './ledger.ts'
import { addTotals, emptyTotals, readTotals, writeTotals } from './totals.ts'

const huge = 2n ** 70n + 1n

describe('totals', () => {
  test('are exact beyond what a number holds, also when they were written and read, and added up', () => {
    const one = { ...emptyTotals(), requests: 3, cacheRead: 12, spend: huge, cacheNet: -huge, trim: 5n }
    const read = readTotals(JSON.parse(JSON.stringify(writeTotals(one))))
    expect(read).toEqual(one)
    const sum = emptyTotals()
    for (let i = 0; i < 1000; i++) addTotals(sum, read)
    expect([sum.spend, sum.cacheNet, sum.requests]).toEqual([huge * 1000n, huge * -1000n, 3000])
  })
  test('what another version wrote is read as far as it goes', () => {
    for (const value of [undefined, null, 'x', [], { requests: 1.5, spend: 'abc', trim: 7, other: 1 }])
      expect(readTotals(value)).toEqual(emptyTotals())
  })
})

test('what several instances know of one session is one summary', () => {
  const base: SessionSummary = {
    id: 's',
    parent: undefined,
    source: 'new',
    key: 'k',
    account: 'a',
    first: 5,
    seen: 10,
    turns: 4,
    lanes: [{ id: 'l', seen: 3, input: 1 }],
    totals: { ...emptyTotals(), requests: 2, spend: 3n },
  }
  const other: SessionSummary = {
    ...base,
    first: 2,
    seen: 20,
    turns: 3,
    lanes: [
      { id: 'l', seen: 9, input: 2 },
      { id: 'm', seen: 1 },
    ],
    totals: { ...emptyTotals(), requests: 1, spend: 4n },
  }
  expect(joinSummaries([base, other])).toMatchObject({
    first: 2,
    seen: 20,
    turns: 4,
    lanes: [{ id: 'l', input: 2 }, { id: 'm' }],
    totals: { requests: 3, spend: 7n },
  })
  expect(joinSummaries([])).toBeUndefined()
})
