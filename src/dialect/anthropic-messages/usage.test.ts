import { describe, expect, test } from 'bun:test'
import { inputTokens, outputTokens } from '../../plugin/outcome.ts'
import { messagesUsage, messagesUsageObject } from './usage.ts'

const usage = {
  input_tokens: 30,
  output_tokens: 12,
  iterations: [
    { type: 'message', input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 0 },
    { type: 'advisor_message', model: 'claude-of-another-name', input_tokens: 25, output_tokens: 4, cache_read_input_tokens: 7 },
    { type: 'compaction', input_tokens: 60_000, output_tokens: 300, cache_creation: { ephemeral_1h_input_tokens: 9 } },
    { type: 'message', input_tokens: 20, output_tokens: 7 },
  ],
}

describe('usage of Messages', () => {
  test('E04: iterations that the top figures leave out stand apart, with the model that made them', () => {
    const read = messagesUsage(usage, true)!
    expect([inputTokens(read), outputTokens(read)]).toEqual([30, 12])
    expect(read.extra?.map(({ kind, model }) => [kind, model])).toEqual([
      ['advisor_message', 'claude-of-another-name'],
      ['compaction', undefined],
    ])
    expect(read.extra?.[0]?.usage).toMatchObject({ source: 'reported', inputUncached: 25, cacheRead: 7, outputVisible: 4 })
    expect(read.extra?.[1]?.usage).toMatchObject({ inputUncached: 60_000, cacheWrite1h: 9, outputVisible: 300 })
  })
  test('E04: written anew, they are read again as they were', () => {
    const read = messagesUsage(usage, true)!
    expect(messagesUsage(messagesUsageObject(read), true)).toEqual({ ...read, raw: expect.any(String) })
  })
  test.each([
    [{ iterations: null }],
    [{ iterations: {} }],
    [{ iterations: [null, 1, 'x', [], {}, { type: 7 }, { type: 'compaction' }, { type: 'compaction', input_tokens: 'x' }] }],
    [{ iterations: [{ type: 'message', input_tokens: 1, output_tokens: 1 }] }],
  ])('odd iterations are no usage: %j', (more) => {
    expect(messagesUsage({ input_tokens: 1, output_tokens: 1, ...more }, true)).not.toHaveProperty('extra')
  })
  test('iterations inside iterations are not followed, and their number is bounded', () => {
    const nested = { type: 'compaction', input_tokens: 1, output_tokens: 1, iterations: usage.iterations }
    expect(messagesUsage({ input_tokens: 1, output_tokens: 1, iterations: [nested] }, true)!.extra).toEqual([
      { kind: 'compaction', usage: expect.not.objectContaining({ extra: expect.anything() }) },
    ])
    const many = Array.from({ length: 5000 }, () => ({ type: 'compaction', input_tokens: 1, output_tokens: 1 }))
    expect(messagesUsage({ input_tokens: 1, output_tokens: 1, iterations: many }, true)!.extra!.length).toBe(100)
  })
})
