import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import type { EmbeddingRequest } from '../embeddings/request.ts'
import { jsonSource } from '../json-source.ts'
import { writeJson } from '../json-text.ts'
import { LossReport } from '../loss.ts'
import { openaiEmbeddings as dialect } from './index.ts'
import { openaiEmbeddingsCodec } from './request.ts'

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
test('H18: the reply leaves as it came unless a hook writes another', () => {
  const body = Buffer.from(reply)
  const whole = dialect.decodeWhole(body)!
  expect(whole.events.map(({ type }) => type)).toEqual(['start', 'native', 'usage'])
  expect(whole.apply([[...whole.events]])).toBe(body)
  expect(whole.apply([[]])).toBe(body)
  const other = { type: 'native', data: '{"data":[]}' } as const
  expect(Buffer.from(whole.apply([[other]])).toString()).toBe(other.data)
  expect(dialect.encodeWhole([other], { id: '', model: '', created: 0 })).toBe(other.data)
})
test('H18: who answered and what was used change in their places, and no vector with them', () => {
  const whole = dialect.decodeWhole(Buffer.from(reply))!
  const after = whole.events.map((event) => {
    if (event.type === 'start') return [{ ...event, model: 'mine' }]
    return [event.type === 'usage' ? { ...event, extra: { cost: 0.5 } } : event]
  })
  const told = reply.replace('"model":"e"', '"model":"mine"').replace('"total_tokens":3', '"total_tokens":3,"cost":0.5')
  expect(Buffer.from(whole.apply(after)).toString()).toBe(told)
})
test('parts are the texts to embed; lists of tokens are none', () => {
  const pointers = (input: string | number[] | string[] | number[][]) => dialect.parts({ input }).map((part) => part.pointer)
  expect([pointers('a'), pointers(['a', 'b']), pointers([1, 2]), pointers([[1]])]).toEqual([['/input'], ['/input/0', '/input/1'], [], []])
  expect(dialect.parts(null)).toEqual([])
})

const read = (body: object): [EmbeddingRequest, LossReport] => {
  const report = new LossReport()
  return [openaiEmbeddingsCodec.read(jsonSource(Buffer.from(JSON.stringify(body)))!, report), report]
}
const refused = (body: object): string | undefined => {
  const [request, report] = read(body)
  return report.refusal?.field ?? request.extras.find((extra) => extra.weight === 'meaning')?.field
}

describe('requests', () => {
  test('a text, a list of texts, token ids and lists of them', () => {
    expect(read({ input: 'a' })[0].inputs).toEqual([{ text: 'a' }])
    expect(read({ input: ['a', 'b'] })[0].inputs).toEqual([{ text: 'a' }, { text: 'b' }])
    expect(read({ input: [1, 2] })[0].inputs).toEqual([{ tokens: [1, 2] }])
    expect(read({ input: [[1], [2]] })[0].inputs).toEqual([{ tokens: [1] }, { tokens: [2] }])
    expect(read({ input: [] })[0].inputs).toEqual([])
  })
  test('what would change the vectors or their form is refused by name; hints are left out', () => {
    expect(refused({})).toBe('input')
    expect(refused({ input: ['a', { text: 'b' }] })).toBe('input[1]')
    expect(refused({ input: [[]] })).toBe('input[0]')
    expect(refused({ input: 'a', encoding_format: 'int8' })).toBe('encoding_format')
    expect(refused({ input: 'a', dimensions: 0 })).toBe('dimensions')
    expect(refused({ input: 'a', stream: true })).toBe('stream')
    expect(refused({ input: 'a', output_dtype: 'int8' })).toBe('output_dtype')
    expect(refused({ input: 'a', input_type: 'picture' })).toBe('input_type')
    const [request] = read({ input: 'a', dimensions: null, truncation: true, stream: false, input_type: 'query', user: 'u' })
    expect(request).toMatchObject({ purpose: 'query', user: 'u', extras: [{ field: 'truncation', weight: 'hint' }] })
    expect(request.dimensions).toBeUndefined()
  })
  test('read and written they are the same', () => {
    for (const body of [{ input: 'a', dimensions: 3, user: 'u' }, { input: ['a', 'b'] }, { input: [[1], [2]] }]) {
      const [request, report] = read(body)
      const [written] = openaiEmbeddingsCodec.write(request, { model: 'm' }, report)
      expect(JSON.parse(writeJson(written))).toEqual({ model: 'm', ...body })
    }
  })
})

describe('replies', () => {
  const events = dialect.decodeWhole(Buffer.from(reply), 'translate')!.events
  const encode = (encoding_format: string | undefined, list: readonly StreamEvent[] = events) =>
    JSON.parse(dialect.encodeWhole(list, { id: '', model: 'm', created: 0, request: encoding_format ? { encoding_format } : {} }))

  test('H18: base64 when the client asks for it, floats otherwise; both are the same vector', () => {
    expect(encode('base64').data).toEqual([{ object: 'embedding', index: 0, embedding: 'AACAPw==' }])
    for (const form of ['float', undefined]) expect(encode(form).data[0].embedding).toEqual([1])
    expect(encode('base64')).toMatchObject({ object: 'list', model: 'm', usage: { prompt_tokens: 3, total_tokens: 3 } })
  })
  test('vectors stand in the order of their inputs, whatever the order of the reply', () => {
    const data = [1, 0].map((index) => ({ object: 'embedding', index, embedding: [index + 0.5] }))
    const whole = dialect.decodeWhole(Buffer.from(JSON.stringify({ object: 'list', data })), 'translate')!
    expect(encode('float', whole.events).data).toMatchObject([
      { index: 0, embedding: [0.5] },
      { index: 1, embedding: [1.5] },
    ])
    expect(encode('float', whole.events).usage).toBeUndefined()
  })
  test('what holds no vector is no reply', () => {
    for (const data of [[], [{}], [{ embedding: 'AA==' }], [{ embedding: ['x'] }], [{ embedding: [1] }, null]]) {
      expect(dialect.decodeWhole(Buffer.from(JSON.stringify({ data })), 'translate')).toBeNull()
    }
  })
})
