import { describe, expect, test } from 'bun:test'
import { sseToJsonArray } from './json-array.ts'

const elements = [
  { candidates: [{ content: { parts: [{ text: 'a "quoted" \\ [b] {c} 🎉' }] } }] },
  {
    candidates: [{ content: { parts: [{ text: 'line\nbreak' }], role: 'model' }, finishReason: 'STOP' }],
    usageMetadata: { totalTokenCount: 3 },
  },
]
const sse = `: a remark\r\n\r\n${elements.map((element) => `data: ${JSON.stringify(element)}\r\n\r\n`).join('')}`

function through(form: ReturnType<typeof sseToJsonArray>, bytes: Uint8Array, size: number): string {
  const out: Uint8Array[] = []
  for (let from = 0; from < bytes.length; from += size) out.push(form.push(bytes.subarray(from, from + size)))
  out.push(form.end())
  return Buffer.concat(out).toString()
}
describe('A01 A02: a stream as an array, cut anywhere', () => {
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
})
