import { expect, test } from 'bun:test'
import type { StreamEvent } from '../plugin/events.ts'
import { align } from './align.ts'

const text = (value: string, choice = 0): StreamEvent => ({ type: 'text', text: value, choice })
const end: StreamEvent = { type: 'end' }

test('kept, changed, dropped, inserted', () => {
  const [a, b] = [text('a'), text('b')]
  expect(align([a, b, end], [a, b, end])).toEqual({ lead: [], fates: [[a], [b], [end]] })
  expect(align([a, b], [text('x'), b])).toEqual({ lead: [], fates: [[text('x')], [b]] })
  expect(align([a, b], [b])).toEqual({ lead: [], fates: [[], [b]] })
  expect(align([a, end], [text('x'), text('y'), end])).toEqual({ lead: [], fates: [[text('x'), text('y')], [end]] })
  expect(align([end], [text('x'), end])).toEqual({ lead: [text('x')], fates: [[end]] })
})
test('a new object does not take the place of one that came back, nor of another choice or call', () => {
  const a = text('a')
  expect(align([a], [text('new'), a])).toEqual({ lead: [text('new')], fates: [[a]] })
  expect(align([a], [text('x', 1)])).toEqual({ lead: [text('x', 1)], fates: [[]] })
})
