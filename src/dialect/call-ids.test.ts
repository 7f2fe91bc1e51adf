import { expect, test } from 'bun:test'
import { legalCallId, uniqueCallIds } from './call-ids.ts'

test('C09: legal ids stay, others get a stable legal alias', () => {
  expect(legalCallId('toolu_1-A', 'word')).toBe('toolu_1-A')
  for (const odd of ['call_abc|fc_1', 'a:b', 'x'.repeat(80), '', 'é']) {
    expect(legalCallId(odd, 'word')).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
    expect(legalCallId(odd, 'word')).toBe(legalCallId(odd, 'word'))
    expect(legalCallId(odd, 'alnum9')).toMatch(/^[A-Za-z0-9]{9}$/)
  }
  expect(legalCallId('a:b', 'any')).toBe('a:b')
})

test('C09: ids are unique over the conversation, and the same in the next turn', () => {
  const once = ['call_0', 'call_0', 'a:b', 'call_0'].map(uniqueCallIds('word'))
  expect(new Set(once).size).toBe(4)
  expect(once[0]).toBe('call_0')
  const again = uniqueCallIds('word')
  expect(['call_0', 'call_0', 'a:b', 'call_0', 'new'].map((id) => again(id)).slice(0, 4)).toEqual(once)
})
