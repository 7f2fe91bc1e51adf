import { expect, test } from 'bun:test'
import { createHomes } from './homes.ts'

const minute = 60_000

test('a home is kept while it is used, and forgotten after its time', () => {
  const homes = createHomes({ ttl: 10 * minute, warm: 5 * minute })
  expect(homes.of('a', 0)).toBeUndefined()
  expect(homes.served('a', 'x', 0)).toBe(true)
  expect(homes.served('a', 'x', 9 * minute)).toBe(false)
  expect(homes.of('a', 18 * minute)).toBe('x')
  expect(homes.of('a', 20 * minute)).toBeUndefined()
})

test('a switch is not an eviction: it goes back within the time that its cache is warm, and not later', () => {
  const homes = createHomes({ ttl: 60 * minute, warm: 5 * minute })
  homes.served('a', 'x', 0)
  homes.served('a', 'y', minute)
  expect(homes.of('a', 2 * minute)).toBe('x')
  homes.served('a', 'y', 4 * minute)
  expect(homes.of('a', 5 * minute)).toBe('x')
  expect(homes.of('a', 6 * minute)).toBe('y')
  expect(homes.served('a', 'y', 7 * minute)).toBe(false)
  expect(homes.of('a', 8 * minute)).toBe('y')
})

test('who was served at home since stays there', () => {
  const homes = createHomes({ ttl: 60 * minute, warm: 5 * minute })
  homes.served('a', 'x', 0)
  homes.served('a', 'y', minute)
  homes.served('a', 'x', 2 * minute)
  expect(homes.of('a', 30 * minute)).toBe('x')
})

test('who can not go back moves at once; what others know counts only where nothing is known', () => {
  const homes = createHomes({ ttl: 60 * minute, warm: 5 * minute })
  homes.learn('a', 'z', 0)
  homes.learn('a', 'x', 0)
  expect(homes.of('a', 1)).toBe('z')
  expect(homes.served('a', 'y', 1, true)).toBe(true)
  expect(homes.of('a', 2)).toBe('y')
})

test('bounded: the ones that were not served for longest go first', () => {
  const homes = createHomes({ ttl: 60 * minute, warm: minute })
  for (let i = 0; i < 20_001; i++) homes.served(`s${i}`, 'x', i)
  expect(homes.of('s0', 20_001)).toBeUndefined()
  expect(homes.of('s1', 20_001)).toBe('x')
})
