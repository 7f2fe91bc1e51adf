import { describe, expect, test } from 'bun:test'
import { type Price, type Usage, unknownUsage } from 'headgate/plugin'
import { type Prompt, savings } from './savings.ts'

const price: Price = { input: 3_000_000n, output: 15_000_000n, cache_read: 300_000n, cache_write: 3_750_000n, cache_write_1h: 6_000_000n }
const usage = (more: Partial<Usage>): Usage => ({ ...unknownUsage, source: 'reported', outputVisible: 10, ...more })
/** A prompt of 4000 bytes and 1000 tokens, of which 100 each were taken out at these places. */
const prompt = (places: readonly number[], more: Partial<Prompt> = {}): Prompt => ({
  bytes: 4000,
  anchor: undefined,
  changedAt: undefined,
  removed: places.map((middle) => ({ middle, tokens: 100 })),
  ...more,
})

describe('what trimming saved', () => {
  test.each([
    ['read', { cacheRead: 900, inputUncached: 100 }, [1000], 30_000_000n],
    ['written', { cacheRead: 500, cacheWrite5m: 500 }, [3000], 375_000_000n],
    ['written for an hour', { cacheRead: 500, cacheWrite1h: 500 }, [3000], 600_000_000n],
    ['plain', { inputUncached: 1000 }, [3000], 300_000_000n],
    [
      'one of each',
      { cacheRead: 400, cacheWrite5m: 400, inputUncached: 200 },
      [400, 2400, 3600],
      30_000_000n + 375_000_000n + 300_000_000n,
    ],
  ])('is told at the rate at which its place was billed: %s', (_, used, places, pico) => {
    expect(savings(prompt(places), usage(used), price)).toBe(pico)
  })

  test('is never the list price of what was read from the cache', () => {
    const claimed = 10n * 100n * 3_000_000n
    const saved = savings(prompt(Array.from({ length: 10 }, (_, i) => i * 300)), usage({ cacheRead: 1000 }), price)!
    expect(saved * 10n).toBe(claimed)
  })

  test('the place of a text is known from the last bill, not guessed from its bytes', () => {
    // the first 3000 bytes were billed as 400 tokens: what is behind them is new, however the bytes are spread
    const given = prompt([3100], { anchor: { bytes: 3000, tokens: 400 } })
    expect(savings(given, usage({ cacheRead: 400, cacheWrite5m: 600 }), price)).toBe(375_000_000n)
    expect(savings(prompt([3100]), usage({ cacheRead: 800, cacheWrite5m: 200 }), price)).toBe(30_000_000n)
  })

  test('what would have been a long context counts as one', () => {
    const long: Price = { ...price, longContext: { ...price, input: 6_000_000n, above: 1050 } }
    expect(savings(prompt([3000]), usage({ inputUncached: 1000 }), long)).toBe(1100n * 6_000_000n - 1000n * 3_000_000n)
  })

  test('a cache that was broken because of us is taken off', () => {
    const changed = prompt([400], { anchor: { bytes: 3000, tokens: 800 }, changedAt: 800 })
    // read up to the change, so it was warm: 590 tokens had to be written that would have been read
    const saved = savings(changed, usage({ cacheRead: 210, cacheWrite5m: 790 }), price)!
    expect(saved).toBe(100n * 300_000n - 590n * (3_750_000n - 300_000n))
    // only what other conversations begin with, too, was warm
    expect(savings(changed, usage({ cacheRead: 150, cacheWrite5m: 850 }), price)).toBe(30_000_000n)
    expect(savings({ ...changed, changedAt: undefined }, usage({ cacheRead: 210, cacheWrite5m: 790 }), price)).toBe(30_000_000n)
    // nothing was read: it was lost anyway
    expect(savings(changed, usage({ cacheWrite5m: 1000 }), price)).toBe(375_000_000n)
  })

  test.each([
    ['usage', unknownUsage, price],
    ['all of the usage', usage({ source: 'partial', inputUncached: 5 }), price],
    ['a price', usage({ inputUncached: 1000 }), {}],
    ['a price for what was written', usage({ cacheWrite5m: 1000 }), { input: 3n, output: 1n }],
  ])('is not known without %s', (_, used, known) => {
    expect(savings(prompt([100]), used, known)).toBeUndefined()
  })
})
