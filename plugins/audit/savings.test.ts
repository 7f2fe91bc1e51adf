/** What a record says was saved: nothing that is not known, and why nothing was trimmed. */

import { expect, test } from 'bun:test'
import {
  type Attempt,
  type Price,
  PromptCache,
  type PromptCacheValue,
  Trim,
  type TrimValue,
  type Usage,
  unknownUsage,
} from 'headgate/plugin'
import { savingsOf } from './savings.ts'

const price: Price = { input: 3_000_000n, output: 15_000_000n, cache_read: 300_000n, cache_write: 3_750_000n }
const usage: Usage = { ...unknownUsage, source: 'reported', inputUncached: 10, cacheRead: 1000, cacheWrite5m: 100, outputVisible: 4 }
const prices = { catalog: { price: (upstream: string, model: string) => (`${upstream}/${model}` === 'a/m' ? price : undefined) }, at: 0 }
const served = (more: Partial<Attempt> = {}): { served: Attempt } => ({
  served: { upstream: 'a', model: 'm', url: '', startedAt: 0, price, usage, ...more },
})
const trim = (more: Partial<TrimValue> = {}): TrimValue => ({ ...Trim.example, ...more })
const of = (outcome: { served?: Attempt }, trimmed?: TrimValue, cache?: PromptCacheValue) => savingsOf(outcome, trimmed, cache, prices)

test('reads less writes, at the price of the call; nothing without one, or without a usage', () => {
  expect(of(served())).toMatchObject({
    cache_savings: 2_700_000_000n - 75_000_000n,
    cache_savings_gross: 2_700_000_000n,
    cache_status: 'read',
  })
  for (const less of [{ price: undefined }, { usage: unknownUsage }, { usage: { ...usage, source: 'partial' as const } }])
    expect(of(served(less as never))).toMatchObject({ cache_savings: undefined, cache_savings_gross: undefined })
})

test('what was never sent was never shorter, and what was not trimmed saved nothing, whatever the price', () => {
  const full = trim({ tokens: 40, newTokens: 9.6, classes: { ref: 30, byte: 10 }, savings: () => 7n })
  expect(of(served(), full)).toMatchObject({
    trim_savings: 7n,
    trimmed_tokens: 40,
    trim: { arm: 'trimmed', new_tokens: 10, classes: { ref: 30, byte: 10 } },
  })
  expect(of({}, full)).toMatchObject({ trim_savings: undefined, trimmed_tokens: undefined })
  expect(of(served({ price: undefined as never }), full)).toMatchObject({ trim_savings: undefined, trimmed_tokens: 40 })
  expect(of(served({ price: undefined as never }), trim())).toMatchObject({ trim_savings: 0n, trim: { arm: 'trimmed' } })
  expect(of(served())).toMatchObject({ trim_savings: undefined, trim: undefined })
})

test('why nothing was trimmed; a long word of another plugin is cut', () => {
  for (const reason of ['control', 'off']) expect(of(served(), trim({ reason })).trim).toEqual({ arm: reason })
  expect(of(served(), trim({ reason: 'x'.repeat(99) })).trim?.arm).toHaveLength(40)
})

test('an answer given again spared what its call would cost now; unknown where the call, its usage or the price is', () => {
  const cache = (more: Partial<PromptCacheValue> = {}): PromptCacheValue => ({
    ...PromptCache.example,
    response: 'hit',
    instead: { upstream: 'a', model: 'm', usage },
    ...more,
  })
  const cost = 10n * 3_000_000n + 1000n * 300_000n + 100n * 3_750_000n + 4n * 15_000_000n
  expect(of({}, undefined, cache())).toMatchObject({ response_savings: cost, cache_savings: undefined, cache_status: 'hit' })
  const { instead: _, ...nameless } = cache()
  expect(of({}, undefined, nameless).response_savings).toBeUndefined()
  expect(of({}, undefined, cache({ instead: { upstream: 'a', model: 'other', usage } })).response_savings).toBeUndefined()
  const partial = { ...usage, source: 'partial' as const }
  expect(of({}, undefined, cache({ instead: { upstream: 'a', model: 'm', usage: partial } })).response_savings).toBeUndefined()
  expect(of(served(), undefined, PromptCache.example).response_savings).toBeUndefined()
})
