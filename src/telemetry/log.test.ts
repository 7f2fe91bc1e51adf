import { expect, test } from 'bun:test'
import { createLogger } from './log.ts'

test.each([true, false])('an amount of money can be logged (json: %p)', (json) => {
  const lines: string[] = []
  createLogger('budget', { level: 'info', json, secrets: new Set(), write: (line) => void lines.push(line), now: () => 0 }).info('spent', {
    pico: 12n,
    more: { pico: 3n },
  })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('12')
})
