import { describe, expect, test } from 'bun:test'
import { unknownCache } from '../dialect/capability-data/prompt-cache.ts'
import { CallView } from './call-view.ts'

const text = '{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"é"},{"type":"text","text":"b"}]}]}'
const pieces = [text.slice(0, 20), text.slice(20)].map((part) => new Uint8Array(Buffer.from(part)))
const view = () =>
  new CallView({
    upstream: 'u',
    dialect: 'd',
    model: 'm',
    index: 0,
    translated: false,
    url: 'http://u.test/',
    headers: new Headers(),
    body: pieces,
    layout: { tools: ['tools'], system: ['system'], messages: ['messages'] },
    units: undefined,
    cache: () => unknownCache,
  })
const textOf = (call: CallView) => Buffer.concat([...call.bytes]).toString()

describe('a call as hooks see it', () => {
  test('has its prompt where it lies', () => {
    const call = view()
    const [unit] = call.units
    expect(unit).toMatchObject({ kind: 'message', role: 'user' })
    const read = (span: { start: number; end: number } | undefined) =>
      span && Buffer.from(call.body.subarray(span.start, span.end)).toString()
    expect(read(call.spanAt(unit!.start, '/content/0/text'))).toBe('"é"')
    expect(read(call.spanAt(0, '/model'))).toBe('"m"')
    expect(call.itemsAt(unit!.start, '/content').map(read)).toEqual(['{"type":"text","text":"é"}', '{"type":"text","text":"b"}'])
    expect(call.itemsAt(0, '/model')).toEqual([])
    expect(call.itemsAt(0, '/absent')).toEqual([])
  })

  test('takes texts at several places at once, in any order, and finds the prompt again', () => {
    const call = view()
    const [first, second] = call.itemsAt(call.units[0]!.start, '/content')
    call.insert([
      { at: second!.end - 1, text: ',"b":2' },
      { at: first!.end - 1, text: ',"a":1' },
      { at: first!.end - 1, text: ',"c":3' },
    ])
    expect(call.revision).toBe(1)
    expect(textOf(call)).toBe(text.replace('"é"}', '"é","a":1,"c":3}').replace('"b"}', '"b","b":2}'))
    expect(call.units[0]!.end).toBe(Buffer.byteLength(textOf(call)) - 2)
  })

  test('is not changed by a place outside it, nor by no bytes', () => {
    const call = view()
    expect(() =>
      call.insert([
        { at: 5, text: 'x' },
        { at: 1000, text: 'y' },
      ]),
    ).toThrow(RangeError)
    expect(() => {
      call.body = 'text' as unknown as Uint8Array
    }).toThrow(TypeError)
    expect([textOf(call), call.revision]).toEqual([text, 0])
  })

  test('a copy keeps what was there, and looking at it is no change', () => {
    const call = view()
    const copy = call.copy()
    expect(call.body.length).toBe(Buffer.byteLength(text))
    call.insert([{ at: 1, text: ' ' }])
    call.headers.set('a', 'b')
    expect([textOf(copy), copy.revision, copy.headers.has('a')]).toEqual([text, 0, false])
    call.body = new Uint8Array(Buffer.from('{}'))
    expect([textOf(call), call.units, call.revision]).toEqual(['{}', [], 2])
  })
})
