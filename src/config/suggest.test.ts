/** "Did you mean" offers what is near and keeps silent about what is not. */

import { expect, test } from 'bun:test'
import { distance, nearest } from './suggest.ts'

test('distance counts edits, a swap as one', () => {
  expect(distance('listen', 'listen')).toBe(0)
  expect(distance('lisetn', 'listen')).toBe(1)
  expect(distance('lisen', 'listen')).toBe(1)
  expect(distance('kitten', 'sitting')).toBe(3)
  expect(distance('', 'abc')).toBe(3)
  expect(distance('abcdef', 'uvwxyz', 2)).toBe(3)
})
test('nearest', () => {
  const known = ['listen', 'admin', 'body_limit', 'drain']
  expect(nearest('lisen', known)).toBe('listen')
  expect(nearest('body-limit', known)).toBe('body_limit')
  expect(nearest('BODY_LIMT', known)).toBe('body_limit')
  expect(nearest('workers', known)).toBeUndefined()
  expect(nearest('x', ['y'])).toBe('y')
  expect(nearest('z'.repeat(200), known)).toBeUndefined()
})
