import { describe, expect, test } from 'bun:test'
import * as fc from 'fast-check'
import { formatCents, formatUsd, largestAmount, parseUsd, withMarkup } from './money.ts'
import { parsePrice, perMillion, priceAt } from './price.ts'

const amount = fc.bigInt({ min: -largestAmount, max: largestAmount })

describe('amounts', () => {
  test.each([
    ['0', 0n, '0'],
    ['0.30', 300_000_000_000n, '0.3'],
    ['12', 12_000_000_000_000n, '12'],
    ['-0.5', -500_000_000_000n, '-0.5'],
    ['0.000000000001', 1n, '0.000000000001'],
    ['1.0000000000010000', 1_000_000_000_001n, '1.000000000001'],
    ['9223372.036854775807', largestAmount, '9223372.036854775807'],
    ['-0', 0n, '0'],
  ])('%s is %p and is written %s', (text, pico, written) => {
    expect(parseUsd(text)).toBe(pico)
    expect(formatUsd(pico)).toBe(written)
  })
  test.each(['', ' 1', '1e3', '.5', '5.', '+1', '1,5', '0x1', 'NaN', '٣', '1'.repeat(60)])('%j is no amount', (text) => {
    expect(() => parseUsd(text)).toThrow('is not an amount of USD')
  })
  test('more than 12 decimals, and more than 64 bits, are refused in so many words', () => {
    expect(() => parseUsd('0.0000000000001')).toThrow('more than 12 decimals')
    expect(() => parseUsd('9223372.036854775808')).toThrow('too large: at most 9223372.036854775807')
    expect(() => withMarkup(largestAmount, '1')).toThrow('too large')
  })
  test('what is written is read again, without exponent or needless zeros', () => {
    fc.assert(
      fc.property(amount, (pico) => {
        const text = formatUsd(pico)
        expect(text).toMatch(/^-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$/)
        return parseUsd(text) === pico
      }),
    )
  })
  test.each([
    [1_800_000_000n, undefined, '0.0018', '0.18'],
    [1_800_000_000n, 2, '0.00', '0.18'],
    [5_000_000_000n, 2, '0.01', '0.50'],
    [-5_000_000_000n, 2, '-0.01', '-0.50'],
    [4_999_999_999n, 2, '0.00', '0.50'],
    [999_999_999_999n, 0, '1', '100'],
    [-1n, 0, '0', '0'],
    [1n, undefined, '0.000000000001', '0.0000000001'],
  ])('%p with %p decimals is %s USD and %s cents', (pico, decimals, inUsd, inCents) => {
    const format = decimals === undefined ? {} : { decimals }
    expect(formatUsd(pico, format)).toBe(inUsd)
    expect(formatCents(pico, format)).toBe(inCents)
  })
})

describe('markup', () => {
  test.each([
    [100n, '20', 120n],
    [1n, '50', 2n], // 1.5 goes up
    [-1n, '50', -2n],
    [3n, '12.5', 3n], // 3.375
    [1_000_000_000_001n, '0.0000000001', 1_000_000_000_002n], // + 1.000000000001
    [7n, '-100', 0n],
    [7n, '0', 7n],
    [10n, '-15', 9n], // 8.5 goes up
  ])('%p with %s percent is %p', (pico, percent, made) => {
    expect(withMarkup(pico, percent)).toBe(made)
  })
  test.each(['', 'x', '1e2', '1.', '+5'])('%j is no percentage', (percent) => {
    expect(() => withMarkup(1n, percent)).toThrow('is not a percentage')
  })
  test('is off by at most half a picodollar', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 17n }), fc.integer({ min: 0, max: 100_000 }), (pico, basis) => {
        const made = withMarkup(pico, `${Math.floor(basis / 100)}.${String(basis % 100).padStart(2, '0')}`)
        const off = made * 10_000n - pico * BigInt(10_000 + basis)
        return off <= 5000n && off > -5000n - 1n
      }),
    )
  })
})

describe('prices', () => {
  test.each([
    ['0.075', 75_000n],
    ['3', 3_000_000n],
    ['0.000001', 1n],
    ['15.000000', 15_000_000n],
    ['0', 0n],
  ])('%s USD per million tokens are %p picodollars per token', (text, rate) => {
    expect(parsePrice(text)).toBe(rate)
    expect(formatUsd(perMillion(rate))).toBe(formatUsd(parseUsd(text)))
  })
  test.each(['0.0000001', '-1', '1e3', ''])('%j is no price', (text) => {
    expect(() => parsePrice(text)).toThrow('a price')
  })
  test('the latest that has begun is in force, from its first moment on', () => {
    const first = { input: 1n }
    const second = { from: 1000, input: 2n }
    const third = { from: 2000, input: 3n }
    const list = [first, second, third]
    expect([-5, 0, 999, 1000, 1999, 2000, 1e15].map((at) => priceAt(list, at))).toEqual([first, first, first, second, second, third, third])
    expect(priceAt([second], 999)).toBeUndefined()
    expect(priceAt([], 0)).toBeUndefined()
  })
})
