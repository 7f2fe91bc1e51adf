import { expect, test } from 'bun:test'
import { asJsonArray } from './json-array.ts'

const frames = ['data: {"a":1}\r\n\r\n', ': a comment\r\n\r\n', 'data: {"b":"é\\n"}\r\n\r\n', 'data: {"c":[1,2]}\r\n\r\n']
const bytes = Buffer.from(frames.join(''))

function stream(pieces: readonly Uint8Array[], onCancel = () => {}): Response {
  const left = [...pieces]
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = left.shift()
      if (piece) controller.enqueue(piece)
      else controller.close()
    },
    cancel: onCancel,
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-request-id': 'r' } })
}

test('events become elements, wherever the stream is cut', async () => {
  for (let at = 0; at <= bytes.length; at++) {
    const response = await asJsonArray(Promise.resolve(stream([bytes.subarray(0, at), bytes.subarray(at)].filter((p) => p.length > 0))))
    expect(response.headers.get('content-type')).toStartWith('application/json')
    expect(response.headers.get('x-request-id')).toBe('r')
    expect(await response.json()).toEqual([{ a: 1 }, { b: 'é\n' }, { c: [1, 2] }])
  }
})

test('an element leaves when its event is there', async () => {
  let more: (() => void) | undefined
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(Buffer.from(frames[0]!))
      more = () => controller.close()
    },
  })
  const response = await asJsonArray(Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } })))
  const reader = response.body!.getReader()
  expect(new TextDecoder().decode((await reader.read()).value)).toBe('[{"a":1}')
  more!()
  expect(new TextDecoder().decode((await reader.read()).value)).toBe(']')
})

test('an empty stream is an empty array; what is no stream passes', async () => {
  expect(await (await asJsonArray(Promise.resolve(stream([])))).json()).toEqual([])
  const error = new Response('{"error":{}}', { status: 429, headers: { 'content-type': 'application/json' } })
  expect(await asJsonArray(Promise.resolve(error))).toBe(error)
})

test('who reads no further cancels the stream behind', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const response = await asJsonArray(Promise.resolve(stream([bytes, bytes, bytes, bytes], resolve)))
  const reader = response.body!.getReader()
  await reader.read()
  await reader.cancel()
  await promise
})
