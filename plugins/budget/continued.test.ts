/** What a reply is charged that several calls gave, one after the other: each once, by what it gave. */

import { describe, expect, test } from 'bun:test'
import { type Attempt, type Usage, unknownUsage } from 'headgate/plugin'
import { type ChargeContext, chargeOf } from './charge.ts'

const price = { input: 1n, output: 1000n }
const call = (upstream: string, more: Partial<Attempt>): Attempt => ({
  upstream,
  model: 'm',
  url: '',
  startedAt: 0,
  firstContentAt: 1,
  price,
  ...more,
})
const reported = (inputUncached: number, outputVisible: number): Usage => ({
  ...unknownUsage,
  source: 'reported',
  inputUncached,
  outputVisible,
})
const context: ChargeContext = {
  prices: { catalog: { price: () => undefined }, at: 0 },
  rates: { input: 0n, output: 0n, request: 0n } as ChargeContext['rates'],
  markup: '0',
  delivered: 12,
  input: () => 60,
}

describe('a reply that broke off and was gone on with', () => {
  const first = call('a', { delivered: 4, failure: 'reset' })
  const second = call('b', { delivered: 5, failure: 'reset' })
  const last = call('c', { usage: reported(61, 3) })

  test('what the last call reports is not charged once more for those before it', () => {
    const charge = chargeOf({ attempts: [first, last], served: first, continued: [last] }, { ...context, delivered: 7 })
    expect(charge.cost).toBe(60n - 4n + 4000n + 61n + 3000n)
    expect(charge.usage).toMatchObject({ source: 'estimated', inputUncached: 56 + 61, outputVisible: 7 })
    expect([charge.inputTokens, charge.outputTokens]).toEqual([117, 7])
  })

  test('each of three is charged for what it said itself; what was said before is its input', () => {
    const { cost, usage } = chargeOf({ attempts: [first, second, last], served: first, continued: [second, last] }, context)
    expect(cost).toBe(60n - 9n + 4000n + (60n - 5n) + 5000n + 61n + 3000n)
    expect(usage).toMatchObject({ source: 'estimated', inputUncached: 51 + 55 + 61, outputVisible: 12 })
  })

  test('the last one, when it reports nothing either, is charged for the rest', () => {
    const silent = call('c', {})
    const { cost } = chargeOf({ attempts: [first, silent], served: first, continued: [silent] }, context)
    expect(cost).toBe(60n - 4n + 4000n + 60n + 8000n)
  })

  test('what a broken call has reported counts', () => {
    const partial = call('a', { delivered: 4, usage: { ...reported(11, 1), source: 'partial' } })
    const { cost } = chargeOf({ attempts: [partial, last], served: partial, continued: [last] }, { ...context, delivered: 7 })
    expect(cost).toBe(11n + 4000n + 61n + 3000n)
  })

  test('one call alone is charged for all that passed', () => {
    expect(chargeOf({ attempts: [first], served: first }, context)).toMatchObject({
      cost: 60n + 12_000n,
      inputTokens: 60,
      outputTokens: 12,
    })
  })
})
