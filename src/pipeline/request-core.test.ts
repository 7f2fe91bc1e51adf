/** The model of a request and its document never disagree, whatever is edited in which order. */

import { expect, test } from 'bun:test'
import { scanTopLevel, type TopLevel } from '../json/scan.ts'
import { RequestCore } from './request-core.ts'

function core(text: string) {
  const bytes = new TextEncoder().encode(text)
  const made = new RequestCore(bytes, scanTopLevel(bytes) as TopLevel, () => [])
  const sent = () => JSON.parse(Buffer.concat(made.splicedModel() ?? [made.document.output()]).toString()) as unknown
  return { made, sent }
}

test('a document that replaces the whole body brings its own model, which can be changed in turn', () => {
  const { made, sent } = core('{"model":"a","x":1}')
  const before = made.mark()
  made.set('', { y: 2, model: 'b' }, 'p')
  expect(made.model).toBe('b')
  const between = made.mark()
  made.setModel('c', 'p')
  expect(sent()).toEqual({ y: 2, model: 'c' })
  made.undo(between)
  expect([made.model, sent()]).toEqual(['b', { y: 2, model: 'b' }])
  made.undo(before)
  made.setModel('d', 'p')
  expect([made.model, sent()]).toEqual(['d', { model: 'd', x: 1 }])
})

test('any edits, marks and undos: model and bytes are what was asked for', () => {
  let seed = 1
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return Math.floor((seed / 2 ** 32) * n)
  }
  const bodies = ['{"model":"a","x":1,"y":{"z":[1,2]}}', '{"x":1,"y":{"z":[1,2]}}', '{"x":1,"model":"a\\u0062","y":0}']
  for (let round = 0; round < 2000; round++) {
    const text = bodies[random(bodies.length)]!
    const { made, sent } = core(text)
    let wanted = JSON.parse(text) as Record<string, unknown>
    const marks: (readonly [unknown, Record<string, unknown>])[] = []
    const done: string[] = []
    const steps: readonly (readonly [string, () => void])[] = [
      ['model', () => made.setModel(`m${round % 7}`, 'p')],
      ['x', () => made.set('/x', round, 'p')],
      ['remove model', () => made.remove('/model', 'p')],
      ['remove y', () => made.remove('/y', 'p')],
      ['look', () => void made.json],
      ['output', () => void made.document.output()],
      ['mark', () => void marks.push([made.mark(), wanted])],
    ]
    for (let i = 0; i < 8; i++) {
      const undo = marks.length > 0 && random(4) === 0 ? marks.pop() : undefined
      if (undo) {
        made.undo(undo[0])
        wanted = undo[1]
        done.push('undo')
        continue
      }
      const [name, step] = steps[random(steps.length)]!
      done.push(name)
      step()
      const { model: _model, ...unnamed } = wanted
      const { y: _y, ...without } = wanted
      if (name === 'model') wanted = { ...wanted, model: `m${round % 7}` }
      else if (name === 'x') wanted = { ...wanted, x: round }
      else if (name === 'remove model') wanted = unnamed
      else if (name === 'remove y') wanted = without
    }
    expect({ done, sent: sent(), model: made.model }).toEqual({ done, sent: wanted, model: (wanted.model as string) ?? '' })
  }
})

test('bytes are given back once nobody has them for good, and only if they fill a buffer of their own', () => {
  const text = '{"model":"a","x":1}'
  const { made } = core(text)
  const borrowed = made.borrow()
  made.giveBack()
  expect(borrowed.length).toBe(0)
  expect(() => made.borrow()).toThrow('given back')
  expect(() => made.document).toThrow('given back')
  made.lend() // a hook whose time is over
  expect(() => made.borrow()).toThrow('given back')

  const { made: kept } = core(text)
  kept.lend()
  const lent = kept.borrow()
  kept.giveBack()
  expect([lent.length, kept.borrow() === lent, kept.document.at('/x')]).toEqual([text.length, true, 1])

  const shared = Buffer.from(`${text}${text}`).subarray(0, text.length)
  new RequestCore(shared, scanTopLevel(shared) as TopLevel, () => []).giveBack()
  expect(shared.toString()).toBe(text)
})
