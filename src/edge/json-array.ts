/**
 * A stream of events as one JSON array, for Gemini's clients that do not ask for `alt=sse` (PROTOCOL §1.6 "Gem").
 *
 * Each event leaves as an element of the array when it arrives. Answers that are no stream of events pass as they are.
 */

import { type SseFrame, SseReader } from '../dialect/sse.ts'

const text = new TextEncoder()

/** The response with its stream of events as an array. */
export async function asJsonArray(pending: Promise<Response>): Promise<Response> {
  const response = await pending
  if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream')) return response
  const reader = new SseReader()
  let begun = false
  const elements = (frames: readonly SseFrame[]): string => {
    let out = ''
    for (const { data } of frames) {
      if (data === '') continue
      out += `${begun ? ',\r\n' : '['}${data}`
      begun = true
    }
    return out
  }
  const array = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      const out = elements(reader.push(chunk))
      if (out !== '') controller.enqueue(text.encode(out))
    },
    flush(controller) {
      const out = elements(reader.end())
      controller.enqueue(text.encode(`${out}${begun ? '' : '['}]`))
    },
  })
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json; charset=UTF-8')
  return new Response(response.body.pipeThrough(array), { status: response.status, headers })
}
