/** Figures of savings: what is not measurable is null and told with its reason, whatever else was; shares are exact to a ten-thousandth. */

import { expect, test } from 'bun:test'
import type { AuditArms } from './command.ts'
import { armsTold, classFigures, figuresOf, remarks, share } from './savings-figures.ts'

const arm = { sessions: 400, cost: 8.8e12, sent: 4_000_000, turns: 2000, oneIn: 1 }
const arms: AuditArms = {
  trimmed: arm,
  control: { ...arm, sessions: 40, cost: 1e12, sent: 400_000, turns: 190 },
  leftOut: { costUnknown: 2, mixed: 1 },
  compared: { cost: { ratio: 0.88, low: 0.851234, high: 0.9 }, turns: { ratio: 1.0526, low: 0.98, high: 1.12 } },
}

test('shares are rounded once, also below nothing, and there is none of nothing', () => {
  expect(share(1n, 3n)).toBe(0.3333)
  expect(share(2n, 3n)).toBe(0.6667)
  expect(share(-1n, 3n)).toBe(-0.3333)
  expect(share(9_223_372_036_854_775_807n * 7n, 9_223_372_036_854_775_807n * 8n)).toBe(0.875)
  expect(share(0n, 0n)).toBeNull()
  expect(share(-5n, -1n)).toBeNull()
})

test('a cache that cost more than it saved is told as a loss', () => {
  const told = figuresOf({ requests: 2n, calls: 2n, cost: 1_500_000_000_000n, saved: -500_000_000_000n, saved_gross: 0n })
  expect(told).toMatchObject({ cache_savings_usd: '-0.5', savings_usd: '-0.5', without_usd: '1', share_saved: -0.5, cache_hit_share: null })
})

test('what nothing is known of is null; what part of it is known has the figures of that part', () => {
  const none = figuresOf({ requests: 3n, calls: 3n, unknown: 3n, no_usage: 1n, no_price: 2n })
  expect(none).toMatchObject({ cost_usd: null, cost_unknown: 3 })
  expect(none).toMatchObject({
    cache_savings_usd: null,
    cache_savings_gross_usd: null,
    trim_savings_usd: null,
    savings_usd: null,
    share_saved: null,
  })
  expect(none).toMatchObject({ not_measurable: 3, response_savings_usd: '0' })
  expect(figuresOf({ requests: 3n, calls: 3n, no_usage: 2n, saved: 5n })).toMatchObject({ cache_savings_usd: '0.000000000005' })
  expect(figuresOf({ requests: 3n, calls: 0n, hits: 3n, no_response: 3n })).toMatchObject({ response_savings_usd: null, savings_usd: null })
  // refused requests were given nothing on which anything could have been saved
  expect(figuresOf({ requests: 3n, refused: 3n })).toMatchObject({ cache_savings_usd: '0', savings_usd: '0', share_saved: null })
  expect(classFigures({ requests: 2n, trimmed: 9n, trim_saved: 0n, not_measurable: 2n })).toMatchObject({ trim_savings_usd: null })
})

test('the control arm, with its interval and who was left out', () => {
  expect(armsTold(arms)).toEqual({
    measurable: true,
    confidence: 0.95,
    cost_per_token_sent: { ratio: 0.88, low: 0.8512, high: 0.9 },
    turns_per_session: { ratio: 1.053, low: 0.98, high: 1.12 },
    trimmed: { sessions: 400, turns_per_session: 5, usd_per_million_tokens_sent: 2.2 },
    control: { sessions: 40, turns_per_session: 4.75, usd_per_million_tokens_sent: 2.5 },
    left_out: { cost_unknown: 2, both_arms: 1 },
  })
  expect(remarks({ calls: 9n, no_price: 1n, unknown: 2n, cost_least: 5n, hits: 2n, no_response: 1n }, arms)).toEqual([
    'Not measurable: 1 of 9 answered exchanges, 1 because a price is not known.',
    'Cost unknown: 2 exchanges; shares count them with what they cost at least, 0.000000000005 USD.',
    'Not measurable: 1 of 2 answers given again, because it is not known what their call cost.',
    'Control arm: trimmed sessions cost 0.88 (95 %: 0.8512 to 0.9) times as much per token sent as those left alone, and took 1.053 (95 %: 0.98 to 1.12)' +
      ' times as many turns; 400 against 40 sessions. Left out: 2 of unknown cost, 1 of both arms.',
    'Sticky routing: not measurable: what it saves to send a session to the same machine can only be measured against sessions that are not; no such' +
      ' control arm is kept.',
  ])
  const [line] = remarks({}, { ...arms, leftOut: { costUnknown: 0, mixed: 0 }, compared: '3 control sessions of known cost' })
  expect(line).toBe('Control arm: not measurable: 3 control sessions of known cost.')
})
