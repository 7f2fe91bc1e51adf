import { describe, expect, test } from 'bun:test'
import * as fc from 'fast-check'
import { attemptCost, type Cost, cacheSavings, costOf, noCost, outcomeCost, servedCost, sumCosts, tokensByClass } from './cost.ts'
import { largestAmount } from './money.ts'
import { type Attempt, inputTokens, outputTokens, type Usage, unknownUsage } from './outcome.ts'
import type { Price, PriceClass } from './price.ts'

const usage = (more: Partial<Usage>): Usage => ({ ...unknownUsage, source: 'reported', ...more })
const price: Price = {
  input: 3_000_000n,
  output: 15_000_000n,
  cache_read: 300_000n,
  cache_write: 3_750_000n,
  cache_write_1h: 6_000_000n,
  audio_input: 32_000_000n,
  audio_output: 64_000_000n,
}

describe('the cost of a usage', () => {
  test('is the sum of its classes, audio taken out of the text', () => {
    const cost = costOf(
      usage({
        inputUncached: 100,
        cacheRead: 10,
        cacheWrite5m: 3,
        cacheWrite1h: 5,
        cacheWriteOther: 4,
        outputVisible: 20,
        reasoning: 7,
        inputAudio: 40,
        outputAudio: 6,
      }),
      price,
    )
    expect(cost).toEqual({
      known: true,
      pico: 2_218_250_000n,
      byClass: {
        input: 60n * 3_000_000n,
        output: 14n * 15_000_000n,
        cache_read: 10n * 300_000n,
        cache_write: 7n * 3_750_000n,
        cache_write_1h: 5n * 6_000_000n,
        reasoning: 7n * 15_000_000n,
        audio_input: 40n * 32_000_000n,
        audio_output: 6n * 64_000_000n,
      },
    } as Cost)
  })

  test.each([
    ['cache_read', { cacheRead: 10 }, 30_000_000n],
    ['reasoning', { reasoning: 10 }, 150_000_000n],
  ])('%s without a price of its own has that of its side', (_, used, pico) => {
    expect(costOf(usage(used), { input: 3_000_000n, output: 15_000_000n })).toMatchObject({ known: true, pico })
  })

  test.each([
    ['cache_write', { cacheWrite5m: 1 }],
    ['cache_write', { cacheWriteOther: 1 }],
    ['cache_write_1h', { cacheWrite1h: 1 }],
    ['audio_input', { inputUncached: 1, inputAudio: 1 }],
    ['audio_output', { outputVisible: 1, outputAudio: 1 }],
  ])('%s without a price is unknown, and free where its side is', (missing, used) => {
    expect(costOf(usage({ ...used, reasoning: 2 }), { input: 3n, output: 15n })).toEqual({
      known: false,
      missing: [missing],
      atLeast: 30n,
      byClass: { reasoning: 30n },
    })
    expect(costOf(usage(used), { input: 0n, output: 0n })).toMatchObject({ known: true, pico: 0n })
  })

  test('is unknown without a price, and never 0; what was not used needs none', () => {
    const unknown = { known: false, missing: ['price'], atLeast: 0n, byClass: {} } as const
    expect(costOf(usage({ inputUncached: 1 }), undefined)).toEqual(unknown)
    expect(costOf(usage({}), undefined)).toEqual(noCost)
    expect(costOf(usage({ outputVisible: 1 }), { input: 1n })).toMatchObject({ known: false, missing: ['output'] })
    expect(costOf(usage({ outputVisible: 1 }), { output: 1n })).toMatchObject({ known: true, pico: 1n })
  })

  test.each([
    ['unknown', { known: false, missing: ['usage'], atLeast: 0n }],
    ['partial', { known: false, missing: ['usage'], atLeast: 3_000_000n }],
    ['estimated', { known: true, pico: 3_000_000n, estimated: true }],
  ] as const)('of %s usage', (source, cost) => {
    expect(costOf({ ...usage({ inputUncached: 1 }), source }, price)).toMatchObject(cost as object)
  })

  test('adds the fee of a request that used something', () => {
    expect(costOf(usage({ outputVisible: 1 }), { output: 1n, request: 500n })).toMatchObject({ pico: 501n, byClass: { request: 500n } })
    expect(costOf(usage({}), { output: 1n, request: 500n })).toMatchObject({ pico: 0n })
  })

  test('of a long context holds for all tokens, from one above the limit on; cached input counts', () => {
    const long: Price = { input: 1n, output: 10n, cache_read: 1n, longContext: { above: 100, input: 2n, output: 15n } }
    expect(costOf(usage({ inputUncached: 60, cacheRead: 40, outputVisible: 1 }), long)).toMatchObject({ pico: 110n })
    expect(costOf(usage({ inputUncached: 61, cacheRead: 40, outputVisible: 1 }), long)).toMatchObject({ pico: 217n })
  })

  test('E04: other models have their own prices; one that is not known is named', () => {
    const extra = [
      { kind: 'compaction', usage: usage({ inputUncached: 5 }) },
      { kind: 'advisor_message', model: 'big', usage: usage({ inputUncached: 2, outputVisible: 1 }) },
    ]
    const own = usage({ inputUncached: 1, extra })
    const priceOf = (model: string) => (model === 'big' ? { input: 100n, output: 1000n } : undefined)
    expect(costOf(own, { input: 1n, output: 1n }, priceOf)).toEqual({ known: true, pico: 1206n, byClass: { input: 206n, output: 1000n } })
    expect(costOf(own, { input: 1n, output: 1n })).toMatchObject({ known: false, missing: ['big: price'], atLeast: 6n })
  })

  test('that no 64-bit integer holds is unknown, and so is what it is a part of', () => {
    const huge = costOf(usage({ inputUncached: Number.MAX_SAFE_INTEGER }), price)
    expect(huge).toEqual({ known: false, missing: ['amount'], atLeast: largestAmount, byClass: {} })
    expect(sumCosts([huge, { known: true, pico: 1n, byClass: { input: 1n } }])).toEqual(huge)
    const half: Cost = { known: true, pico: largestAmount, byClass: { input: largestAmount } }
    expect(sumCosts([half, half])).toEqual(huge)
  })
})

describe('the cost of an exchange', () => {
  const call = (more: Partial<Attempt>): Attempt => ({ upstream: 'a', model: 'm', url: '', startedAt: 0, price, ...more })
  const used = call({ usage: usage({ inputUncached: 1 }), firstContentAt: 1 })

  test('counts failed and lost calls that used tokens; the reply costs what its own call did', () => {
    const failed = call({ failure: 'truncated', usage: usage({ inputUncached: 2 }) })
    const refused = call({ failure: 'status', status: 500 })
    expect(outcomeCost({ attempts: [failed, refused, used] })).toMatchObject({ known: true, pico: 9_000_000n })
    expect(servedCost({ served: used })).toMatchObject({ known: true, pico: 3_000_000n })
    expect(servedCost({})).toEqual(noCost)
    expect(outcomeCost({ attempts: [] })).toMatchObject({ known: true, pico: 0n })
  })

  test('E10: zeros for content are no usage; for what gave none they are', () => {
    expect(attemptCost(call({ usage: usage({}), firstContentAt: 1 }))).toEqual({
      known: false,
      missing: ['usage'],
      atLeast: 0n,
      byClass: {},
    })
    expect(attemptCost(call({ usage: usage({}) }))).toMatchObject({ known: true, pico: 0n })
  })

  test('E10: content without usage makes it unknown, at least what the others cost', () => {
    const silent = call({ firstContentAt: 5, failure: 'aborted' })
    expect(outcomeCost({ attempts: [used, silent] })).toEqual({
      known: false,
      missing: ['usage'],
      atLeast: 3_000_000n,
      byClass: { input: 3_000_000n },
    })
  })

  test('of a free model is 0, whatever was used; not where something has a price, or another model did some of it', () => {
    const free = { input: 0n, output: 0n }
    for (const used of [{}, { usage: usage({ source: 'partial', inputUncached: 1 }) }])
      expect(attemptCost(call({ price: free, firstContentAt: 1, ...used }))).toEqual(noCost)
    const costly = [
      { input: 0n },
      { ...free, cache_write: 1n },
      { ...free, request: 1n },
      { ...free, longContext: { above: 9, input: 1n, output: 0n } },
    ]
    for (const price of costly) expect(attemptCost(call({ price, firstContentAt: 1 })).known).toBe(false)
    const extra = [{ kind: 'advisor', model: 'other', usage: usage({ inputUncached: 1 }) }]
    expect(attemptCost(call({ price: free, firstContentAt: 1, usage: usage({ source: 'partial', extra }) })).known).toBe(false)
  })

  test('looks up other models at the upstream that was called, as of then', () => {
    const asked: unknown[] = []
    const catalog = {
      price(upstream: string, model: string, at: number) {
        asked.push([upstream, model, at])
        return { input: 7n }
      },
    }
    const extra = [{ kind: 'advisor_message', model: 'other', usage: usage({ inputUncached: 1 }) }]
    expect(attemptCost(call({ price: { input: 1n }, usage: usage({ inputUncached: 1, extra }) }), { catalog, at: 42 })).toMatchObject({
      pico: 8n,
    })
    expect(asked).toEqual([['a', 'other', 42]])
  })
})

describe('savings of a cache', () => {
  test('gross is what reads cost less, net is that less what writes cost more', () => {
    const cached = usage({ inputUncached: 1, cacheRead: 1000, cacheWrite5m: 100, cacheWrite1h: 10 })
    expect(cacheSavings(cached, price)).toEqual({ gross: 2_700_000_000n, net: 2_700_000_000n - 75_000_000n - 30_000_000n })
  })
  test('writing alone costs', () => {
    expect(cacheSavings(usage({ cacheWrite5m: 100 }), price)).toEqual({ gross: 0n, net: -75_000_000n })
  })
  test('nothing cached saves nothing, whatever the price', () => {
    expect(cacheSavings(usage({ inputUncached: 5 }), undefined)).toEqual({ gross: 0n, net: 0n })
  })
  test.each([
    ['no price', usage({ cacheRead: 1 }), undefined],
    ['no write price', usage({ cacheWrite5m: 1 }), { input: 1n }],
    ['no usage', unknownUsage, price],
    ['usage that is not final', { ...usage({ cacheRead: 1 }), source: 'partial' as const }, price],
  ])('%s: not known', (_, used, given) => {
    expect(cacheSavings(used, given)).toBeUndefined()
  })
})

describe('whatever the figures', () => {
  const count = fc.integer({ min: 0, max: 10_000_000 })
  const rate = fc.option(fc.bigInt({ min: 0n, max: 100_000_000n }), { nil: undefined })
  const anyUsage: fc.Arbitrary<Usage> = fc
    .record({
      source: fc.constantFrom('reported', 'partial', 'estimated', 'unknown') as fc.Arbitrary<Usage['source']>,
      inputUncached: count,
      cacheRead: count,
      cacheWrite5m: count,
      cacheWrite1h: count,
      cacheWriteOther: count,
      outputVisible: count,
      reasoning: count,
      inputAudio: count,
      outputAudio: count,
    })
    .map((u) => u as Usage)
  const anyPrice: fc.Arbitrary<Price | undefined> = fc.option(
    fc
      .record({ input: rate, output: rate, cache_read: rate, cache_write: rate, cache_write_1h: rate, reasoning: rate, audio_input: rate })
      .map((p) => Object.fromEntries(Object.entries(p).filter(([, v]) => v !== undefined)) as Price),
    { nil: undefined },
  )
  const anyCost = fc.tuple(anyUsage, anyPrice).map(([u, p]) => costOf(u, p))

  test('no class is negative, the classes add up to the total, tokens to those of the provider', () => {
    fc.assert(
      fc.property(anyUsage, anyPrice, (used, given) => {
        const tokens = Object.values(tokensByClass(used))
        expect(Math.min(...tokens)).toBeGreaterThanOrEqual(0)
        expect(tokens.reduce((a, b) => a + b)).toBe(inputTokens(used) + outputTokens(used))
        const cost = costOf(used, given)
        const classes = Object.values(cost.byClass) as bigint[]
        expect(classes.every((part) => part >= 0n)).toBe(true)
        expect(classes.reduce((a, b) => a + b, 0n)).toBe(cost.known ? cost.pico : cost.atLeast)
      }),
    )
  })
  test('costs add up in any order and grouping', () => {
    fc.assert(
      fc.property(fc.array(anyCost, { maxLength: 8 }), fc.nat(8), (costs, at) => {
        const cut = Math.min(at, costs.length)
        const whole = sumCosts(costs)
        expect(sumCosts(costs.toReversed())).toEqual(whole)
        expect(sumCosts([sumCosts(costs.slice(0, cut)), sumCosts(costs.slice(cut))])).toEqual(whole)
      }),
    )
  })
  test('twice the tokens at one price are twice the cost', () => {
    fc.assert(
      fc.property(anyUsage, anyPrice, (used, given) => {
        const twice = Object.fromEntries(Object.entries(used).map(([k, v]) => [k, typeof v === 'number' ? 2 * v : v])) as unknown as Usage
        expect(costOf(twice, given)).toEqual(sumCosts([costOf(used, given), costOf(used, given)]))
      }),
    )
  })
  test('a price that is stated changes its own class only', () => {
    const classes: readonly [PriceClass, keyof Usage][] = [
      ['cache_read', 'cacheRead'],
      ['cache_write', 'cacheWrite5m'],
      ['reasoning', 'reasoning'],
    ]
    for (const [name, field] of classes) {
      const cost = costOf(usage({ inputUncached: 5, outputVisible: 5, [field]: 3 }), { input: 2n, output: 2n, [name]: 7n })
      expect(cost).toMatchObject({ known: true, pico: 20n + 21n })
    }
  })
})
