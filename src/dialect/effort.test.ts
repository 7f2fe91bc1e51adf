import { expect, test } from 'bun:test'
import { budgetOfEffort, effortOfBudget, nearestEffort } from './effort.ts'

test('D04: words to budgets and back', () => {
  expect(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max', 'novel'].map(budgetOfEffort)).toEqual([
    0, 1024, 2048, 8192, 16384, 32768, 32768, 8192,
  ])
  expect([-1, 0, 1024, 2000, 7999, 8000, 23999, 24000].map(effortOfBudget)).toEqual([
    'medium',
    'none',
    'low',
    'medium',
    'medium',
    'high',
    'high',
    'xhigh',
  ])
})

test('I08: the nearest word that the model knows', () => {
  const claude = ['low', 'medium', 'high', 'max']
  expect(['minimal', 'xhigh', 'max', 'novel', 'none'].map((word) => nearestEffort(word, claude))).toEqual([
    'low',
    'high',
    'max',
    'medium',
    undefined,
  ])
  expect(nearestEffort('high', [])).toBeUndefined()
  expect(nearestEffort('minimal', ['none', 'high'])).toBe('high')
})
