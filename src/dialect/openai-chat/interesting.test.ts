import { expect, test } from 'bun:test'
import { chatInteresting } from './interesting.ts'

const looks = (text: string): boolean => chatInteresting(new TextEncoder().encode(text), 0) >= 0

test('chunks with null in every key are not interesting, with and without spaces', () => {
  for (const dull of [
    'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":null}],"usage":null}\n\n',
    'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": null, "native_finish_reason" : null}], "usage" :  null, "error": null}\n\n',
    'data: {"choices":[{"delta":{"content":"a \\"usage\\": 5 \\"finish_reason\\":\\"stop\\""}}]}\n\n',
    ': OPENROUTER PROCESSING\n\n',
  ]) {
    expect([dull, looks(dull)]).toEqual([dull, false])
  }
})

test('usage, stop, error and end are, wherever they stand in the chunk', () => {
  const dull = 'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":null}],"usage":null,"error":null}\n\n'
  for (const bright of [
    'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}\n\n',
    'data: {"choices":[{"delta":{}, "finish_reason" : "stop"}]}\n\n',
    'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n',
    'data: {"choices":[],"x_groq":{"usage":{"prompt_tokens":1}}}\n\n',
    'data: {"error":{"message":"x"}}\n\n',
    'data: {"error":"x"}\n\n',
    'event: error\ndata: {"message":"x"}\n\n',
    'data: [DONE]\n\n',
    'data:[DONE]',
    'data: {"usage":\ndata: {"prompt_tokens":1}}\n\n',
  ]) {
    for (const text of [bright, dull + bright, bright + dull, dull + dull + bright]) expect([text, looks(text)]).toEqual([text, true])
  }
})

test('a view into a larger buffer is looked at alone', () => {
  const bytes = new TextEncoder().encode('[DONE]data: {"a":1}\n\n[DONE]')
  expect(chatInteresting(bytes.subarray(6, bytes.length - 6), 0)).toBe(-1)
})

test('it says where the next one stands', () => {
  const text = 'data: {"finish_reason":null}\n\ndata: {"finish_reason":"stop"}\n\ndata: {"usage":{}}\n\ndata: [DONE]\n\n'
  const bytes = new TextEncoder().encode(text)
  const first = chatInteresting(bytes, 0)
  expect(text.slice(first)).toStartWith('finish_reason":"stop"')
  const second = chatInteresting(bytes, first + 10)
  expect(text.slice(second)).toStartWith('usage":{')
  expect(text.slice(chatInteresting(bytes, second + 5))).toStartWith('[DONE')
  expect(chatInteresting(bytes, bytes.length)).toBe(-1)
})
