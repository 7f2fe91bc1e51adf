import { expect, test } from 'bun:test'
import type { Content, Turn } from './conversation.ts'
import { LossReport } from './loss.ts'
import { missingResult, pairResults } from './pair-results.ts'

const text = (value: string): Content => ({ type: 'text', text: value })
const call = (id: string): Content => ({ type: 'call', id, name: 'f', kind: 'function', arguments: '{}' })
const result = (id: string, value = id): Content => ({ type: 'result', id, content: [{ type: 'text', text: value }] })
const turn = (role: Turn['role'], ...content: Content[]): Turn => ({ role, content })
const told = (turns: readonly Turn[]) =>
  turns.map(({ role, content }) => [
    role,
    ...content.map((c) =>
      c.type === 'result' ? `=${c.id}:${(c.content[0] as { text: string }).text}` : c.type === 'call' ? c.id : 'text' in c ? c.text : '',
    ),
  ])
const pair = (...turns: Turn[]) => {
  const report = new LossReport()
  return { turns: told(pairResults(turns, report)), refusal: report.refusal }
}

test('C08: results of parallel calls that came as messages of their own: one turn, in call order, text after', () => {
  const { turns, refusal } = pair(
    turn('user', text('go')),
    turn('assistant', text('ok'), call('a'), call('b')),
    turn('user', text('by the way')),
    turn('user', result('b')),
    turn('user', result('a')),
    turn('assistant', text('done')),
  )
  expect(turns).toEqual([
    ['user', 'go'],
    ['assistant', 'ok', 'a', 'b'],
    ['user', '=a:a', '=b:b', 'by the way'],
    ['assistant', 'done'],
  ])
  expect(refusal).toBeUndefined()
})

test('a missing result becomes an error, of two the last wins, an orphan is refused', () => {
  expect(pair(turn('assistant', call('a'), call('b')), turn('user', result('a', '1'), result('a', '2'))).turns).toEqual([
    ['assistant', 'a', 'b'],
    ['user', '=a:2', `=b:${missingResult}`],
  ])
  expect(pair(turn('user', text('hi'), result('nobody'))).refusal?.message).toContain('nobody')
})

test('results stand before a system text between call and result; turns with results keep assistants apart', () => {
  expect(
    pair(
      turn('assistant', call('a')),
      turn('system', text('s')),
      turn('user', result('a')),
      turn('assistant', call('b')),
      turn('user', result('b')),
    ).turns,
  ).toEqual([
    ['assistant', 'a'],
    ['user', '=a:a'],
    ['system', 's'],
    ['assistant', 'b'],
    ['user', '=b:b'],
  ])
})

test('one id for calls of different turns: each gets the result that follows it', () => {
  const ids: string[] = []
  const report = new LossReport()
  const turns = pairResults(
    [turn('assistant', call('0')), turn('user', result('0', 'x')), turn('assistant', call('0')), turn('user', result('0', 'y'))],
    report,
    (id) => {
      ids.push(id)
      return `${id}-${ids.length}`
    },
  )
  expect(told(turns)).toEqual([
    ['assistant', '0-1'],
    ['user', '=0-1:x'],
    ['assistant', '0-2'],
    ['user', '=0-2:y'],
  ])
})
