import { describe, expect, test } from 'bun:test'
import type { Host, TakeResult } from 'headgate/plugin'
import { compileLimits, type LimitConfig } from './limit.ts'
import { durationText, refusalMessage, resetText, retryAfter, tightest, tooLargeMessage, waitOf } from './told.ts'

const catalog = { find: () => undefined } as unknown as Host['catalog']
const limit = (config: Partial<LimitConfig>) => compileLimits([{ window: 60_000, by: 'key', ...config }], catalog)[0]!
const left = (remaining: number, resetAt = 60_000, more: Partial<TakeResult> = {}): TakeResult => ({
  taken: true,
  remaining,
  resetAt,
  ...more,
})

test('durations as people write them', () => {
  const texts = [60_000, 90_000, 250, 1500, 3_600_000, 86_400_000, 172_800_000].map(durationText)
  expect(texts).toEqual(['1m', '90s', '250ms', '1500ms', '1h', '1d', '2d'])
})

describe('the reset', () => {
  const at = 1_767_225_660_001
  const now = 1_767_225_600_000
  test.each([
    ['unix', '1767225661'],
    ['unix_ms', '1767225660001'],
    ['seconds', '61'],
    ['ms', '60001'],
    ['duration', '1m1s'],
    ['iso', '2026-01-01T00:01:01Z'],
  ] as const)('as %s is never too early: %s', (form, text) => {
    expect(resetText(form, at, now)).toBe(text)
  })

  test('durations as OpenAI writes them', () => {
    expect([0, 120, 1000, 59_001, 360_000, 3_600_000, 7_261_000].map((ms) => resetText('duration', now + ms, now))).toEqual([
      '0ms',
      '120ms',
      '1s',
      '1m0s',
      '6m0s',
      '1h0m0s',
      '2h1m1s',
    ])
  })

  test('a time that is past is now, and one that never comes is still a date', () => {
    expect(['seconds', 'ms', 'duration'].map((form) => resetText(form as 'ms', now - 5, now))).toEqual(['0', '0', '0ms'])
    expect(resetText('iso', now + 1e15, now)).toBe('9999-12-31T23:59:59Z')
  })
})

describe('the tightest limit', () => {
  const limits = [
    limit({ requests: 10 }),
    limit({ requests: 100, window: 1000 }),
    limit({ tokens: 1000 }),
    limit({ requests: 5, burst: 20 }),
  ]
  test('is the one of which the smallest share is left', () => {
    expect(tightest(limits, [left(5), left(40), left(600), left(19)])).toBe(1)
    expect(tightest(limits, [left(5), left(100), left(499), left(19)])).toBe(2)
    expect(tightest(limits, [left(5), left(100), left(499), left(19)], 'requests')).toBe(0)
    expect(tightest(limits, [left(5), left(100), left(-7), left(0)], 'tokens')).toBe(2)
  })
  test('of equals the one that takes longest', () => {
    expect(tightest(limits, [left(0, 500), left(0, 700), left(0, 600), left(0, 100)])).toBe(1)
  })
  test('of nothing allowed is that', () => {
    const none = { ...limit({ requests: 1 }), limit: 0, capacity: 0 }
    expect(tightest([limits[0]!, none], [left(1), left(0)])).toBe(1)
    expect(tightest([limits[0]!], [left(1)], 'tokens')).toBe(-1)
  })
})

describe('how long to wait', () => {
  test('whole seconds, at least 1, so that who waits as told is let in', () => {
    expect([-5, 0, 1, 1000, 1001, 61_000].map(retryAfter)).toEqual([1, 1, 1, 1, 2, 61])
  })
  test('a window is never longer than itself, whatever the clock of the store says', () => {
    const fixed = limit({ requests: 1 })
    expect(waitOf(fixed, left(0, 50_000), 10_000)).toBe(40_000)
    expect(waitOf(fixed, left(0, 9_000_000), 10_000)).toBe(60_000)
  })
  test('a bucket says itself when it has enough, which is before it is full', () => {
    const bucket = limit({ requests: 60, burst: 100 })
    expect(waitOf(bucket, left(0, 100_000, { waitFor: 1000 }), 0)).toBe(1000)
    expect(waitOf(bucket, left(0, 100_000), 0)).toBe(100_000)
  })
})

test('sentences', () => {
  expect(refusalMessage(limit({ requests: 60, by: 'account' }), 'account:a', 1, 9)).toBe(
    'Rate limit reached: 60 requests per 1m for this account. Try again in 9 s.',
  )
  expect(refusalMessage(limit({ requests: 1 }), 'ip:192.0.2.1', 1, 9)).toBe(
    'Rate limit reached: 1 request per 1m for this address. Try again in 9 s.',
  )
  expect(refusalMessage(limit({ tokens: 900, by: ['key', 'model'] }), 'key:a model:b', 300, 9)).toBe(
    'Rate limit reached: 900 tokens per 1m for this API key and this model; this request may need 300. Try again in 9 s.',
  )
  expect(refusalMessage(limit({ requests: 0 }), 'key:a', 1, 9)).toBe(
    'Rate limit reached: no requests are allowed for this API key. Ask the operator.',
  )
  expect(refusalMessage(limit({ requests: 10, window: 1000, burst: 20 }), 'key:a', 1, 1)).toContain(
    '10 requests per 1s, 20 at once, for this',
  )
  expect(tooLargeMessage(limit({ tokens: 900 }), 'key:a', 1000)).toBe(
    'The request is about 1000 tokens long, and 900 tokens per 1m are all that is allowed for this API key. Shorten it.',
  )
})
