import { expect, test } from 'bun:test'
import { openaiEmbeddings as dialect } from './index.ts'

const reply =
  '{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPw=="}],"model":"e","usage":{"prompt_tokens":3,"total_tokens":3}}'

test('summary: all tokens are input; a large reply is read the same without its vectors', () => {
  const summary = dialect.summary(Buffer.from(reply))
  expect(summary).toMatchObject({ valid: true, model: 'e', usage: { source: 'reported', inputUncached: 3, outputVisible: 0 } })
  const vector = `[${Array.from({ length: 30_000 }, () => '0.25').join(',')}]`
  expect(dialect.summary(Buffer.from(reply.replace('"AACAPw=="', vector)))).toEqual(summary)
  expect(dialect.summary(Buffer.from('{"data":[],"usage":{"total_tokens":4}}')).usage).toMatchObject({ inputUncached: 4 })
  expect(dialect.summary(Buffer.from('{"data":[]}'))).toMatchObject({ valid: true, usage: undefined })
})
test('G03: what is no list of vectors is no reply', () => {
  expect(dialect.summary(Buffer.from('{"detail":"Model x is not supported."}'))).toEqual({
    valid: false,
    error: { message: 'Model x is not supported.' },
  })
  for (const body of ['null', '', '<html>', '[]', '{"data":{}}']) expect(dialect.summary(Buffer.from(body)).valid).toBe(false)
  expect(dialect.decodeWhole(Buffer.from('{"error":{}}'))).toBeNull()
})
test('H18: the reply is one event, and leaves as it came unless a hook writes another', () => {
  const body = Buffer.from(reply)
  const whole = dialect.decodeWhole(body)!
  expect(whole.events).toEqual([{ type: 'native', data: reply }])
  expect(whole.apply([[...whole.events]])).toBe(body)
  expect(whole.apply([[]])).toBe(body)
  const other = { type: 'native', data: '{"data":[]}' } as const
  expect(Buffer.from(whole.apply([[other]])).toString()).toBe(other.data)
  expect(dialect.encodeWhole([other], { id: '', model: '', created: 0 })).toBe(other.data)
})
test('parts are the texts to embed; lists of tokens are none', () => {
  const pointers = (input: string | number[] | string[] | number[][]) => dialect.parts({ input }).map((part) => part.pointer)
  expect([pointers('a'), pointers(['a', 'b']), pointers([1, 2]), pointers([[1]])]).toEqual([['/input'], ['/input/0', '/input/1'], [], []])
  expect(dialect.parts(null)).toEqual([])
})
test('it can not be translated', () => {
  expect(dialect.request).toBeUndefined()
})
