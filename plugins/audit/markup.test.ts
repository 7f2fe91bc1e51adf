import { expect, test } from 'bun:test'
import { markedUp, mustBeExact } from './markup.ts'
import type { AuditRecord } from './record.ts'

const record = (more: object) => ({ id: 'r', attempts: [{ cost_usd: '1' }], ...more }) as unknown as AuditRecord

test('what callers pay: cost and savings with the markup, attempts without', () => {
  const made = markedUp(record({ cost: { known: true, pico: 1000n }, cache_savings: 200n, trim_savings: 10n }), '30')
  expect(made).toMatchObject({ cost: { known: true, pico: 1300n }, cache_savings: 260n, trim_savings: 13n, attempts: [{ cost_usd: '1' }] })
  expect(made.cache_savings_gross).toBeUndefined()
})
test('a cost that is not known stays so, and is so much more at least; none stays none', () => {
  expect(markedUp(record({ cost: { known: false, atLeast: 100n, missing: ['price'] } }), '30').cost).toEqual({
    known: false,
    atLeast: 130n,
    missing: ['price'],
  } as never)
  expect(markedUp(record({}), '30').cost).toBeUndefined()
})
test('a percentage that can not be counted exactly is told', () => {
  expect(() => mustBeExact('1e-9')).toThrow('exactly')
})
