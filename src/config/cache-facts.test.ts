import { expect, test } from 'bun:test'
import { cacheFactEdits } from './cache-facts.ts'

test('what the file says becomes corrections, in its order; what it does not say is not in them', () => {
  expect(
    cacheFactEdits({
      '*': { minimum: 2048, lifetime: 600_000, write_long: 2, per_key_per_minute: 30, conversation_header: 'x-conv' },
      'claude-*': { long_lifetime: 3_600_000, marks: 'cache_control' },
      'old-*': { long_lifetime: 0, marks: 'none' },
    }),
  ).toEqual([
    [
      '*',
      {
        minimum: 2048,
        lifetime: 600_000,
        writeLong: 2,
        perKeyPerMinute: 30,
        conversationHeader: 'x-conv',
        asOf: 'config',
        source: 'config',
      },
    ],
    ['claude-*', expect.objectContaining({ longLifetime: 3_600_000, longName: '1h', marks: 'cache_control', maxMarks: 4 })],
    [
      'old-*',
      { longLifetime: undefined, longName: undefined, marks: undefined, maxMarks: 0, places: [], asOf: 'config', source: 'config' },
    ],
  ])
  expect(cacheFactEdits()).toEqual([])
})
