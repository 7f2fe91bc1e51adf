import { expect, test } from 'bun:test'
import { endOfTurn } from './turn.ts'

test('who asks in one turn goes on at its end, step by step in the order of asking', async () => {
  const log: string[] = []
  const go = async (name: string) => {
    await endOfTurn()
    log.push(`${name} begins`)
    await undefined
    log.push(`${name} goes on`)
  }
  const all = [go('a'), go('b')]
  await Promise.resolve()
  expect(log).toEqual([])
  await Promise.all(all)
  expect(log).toEqual(['a begins', 'b begins', 'a goes on', 'b goes on'])
})

test('the next turn has an end of its own', async () => {
  const first = endOfTurn()
  expect(endOfTurn()).toBe(first)
  await first
  const second = endOfTurn()
  expect(second).not.toBe(first)
  let over = false
  void second.then(() => {
    over = true
  })
  await Promise.resolve()
  expect(over).toBe(false)
  await second
})
