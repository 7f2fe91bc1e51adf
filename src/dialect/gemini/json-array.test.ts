import { describe, expect, test } from 'bun:test'
import { SseReader } from '../sse.ts'
import { jsonArrayToSse, type StreamForm, sseToJsonArray } from './json-array.ts'

const elements = [
  { candidates: [{ content: { parts: [{ text: 'a "quoted" \\ [b] {c} 🎉' }] } }] },
  {
    candidates: [{ content: { parts: [{ text: 'line\nbreak' }], role: 'model' }, finishReason: 'STOP' }],
    usageMetadata: { totalTokenCount: 3 },
  },
]
const sse = `: a remark\r\n\r\n${elements.map((element) => `data: ${JSON.stringify(element)}\r\n\r\n`).join('')}`

function through(form: StreamForm, bytes: Uint8Array, size: number): string {
  const out: Uint8Array[] = []
  for (let from = 0; from < bytes.length; from += size) out.push(form.push(bytes.subarray(from, from + size)))
  out.push(form.end())
  return Buffer.concat(out).toString()
}
const dataOf = (text: string): unknown[] =>
  new SseReader()
    .push(Buffer.from(text))
    .filter((frame) => frame.data !== '')
    .map((frame) => JSON.parse(frame.data))

describe('A01 A02: the two forms of a stream, cut anywhere', () => {
  test('events become one array', () => {
    for (const size of [1, 2, 7, 10_000]) expect(JSON.parse(through(sseToJsonArray(), Buffer.from(sse), size))).toEqual(elements)
  })

  test('each element leaves when it is there, not at the end', () => {
    const form = sseToJsonArray()
    const first = Buffer.from(form.push(Buffer.from(`data: {"a":1}\n\n`))).toString()
    expect(first).toBe('[{"a":1}')
    expect(Buffer.from(form.push(Buffer.from(`data: {"b":2}\n\n`))).toString()).toBe(',\r\n{"b":2}')
    expect(Buffer.from(form.end()).toString()).toBe(']')
  })

  test('a stream without events is an empty array', () => {
    expect(through(sseToJsonArray(), Buffer.from(': nothing\n\n'), 5)).toBe('[]')
  })

  test('an array becomes events, whatever its white space', () => {
    const arrays = [
      JSON.stringify(elements),
      JSON.stringify(elements, null, 2),
      `[${elements.map((e) => JSON.stringify(e)).join('\n,\r\n')}\n]`,
    ]
    for (const array of arrays) {
      for (const size of [1, 3, 11, 10_000]) {
        const text = through(jsonArrayToSse(), Buffer.from(array), size)
        expect(dataOf(text)).toEqual(elements)
        expect(text.split('\r\n\r\n').length - 1).toBe(elements.length)
      }
    }
  })

  test('an element leaves when it is complete', () => {
    const form = jsonArrayToSse()
    expect(form.push(Buffer.from('[{"a":[1')).length).toBe(0)
    expect(Buffer.from(form.push(Buffer.from(']}\n,'))).toString()).toBe('data: {"a":[1]}\r\n\r\n')
    expect(form.push(Buffer.from('{"b"')).length).toBe(0)
  })

  test('an error that is one object becomes one event', () => {
    const error = { error: { code: 400, message: 'no [such] {model}', status: 'INVALID_ARGUMENT' } }
    expect(dataOf(through(jsonArrayToSse(), Buffer.from(JSON.stringify(error, null, 2)), 4))).toEqual([error])
  })
})
