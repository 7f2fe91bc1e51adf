/**
 * A stream of events as one JSON array, for Gemini's clients that do not ask for `alt=sse` (PROTOCOL §1.6 "Gem").
 *
 * Each event leaves as an element of the array when it arrives. Answers that are no stream of events pass as they are.
 */

import { sseToJsonArray } from '../dialect/gemini/json-array.ts'

/** The response with its stream of events as an array. */
export async function asJsonArray(pending: Promise<Response>): Promise<Response> {
  const response = await pending
  if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream')) return response
  const form = sseToJsonArray()
  const array = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      const out = form.push(chunk)
      if (out.length > 0) controller.enqueue(out)
    },
    flush: (controller) => controller.enqueue(form.end()),
  })
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json; charset=UTF-8')
  return new Response(response.body.pipeThrough(array), { status: response.status, headers })
}
