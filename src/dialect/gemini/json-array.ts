/**
 * The other form of a Gemini stream: one JSON array whose elements arrive one by one, for a client that did not ask for events (`alt=sse`).
 *
 * Everything inside the gateway reads events. Chunks may be cut anywhere; elements keep their spelling, but for line breaks, which are white space in
 * JSON. Upstreams are always asked for events; one that sends an array nevertheless is read by `array-reply.ts`.
 */

import { SseReader } from '../sse.ts'

/** Bytes of one form to bytes of the other, in order. */
interface StreamForm {
  push(chunk: Uint8Array): Uint8Array
  /** What is left when the stream is complete. Not for one that broke off: the array would look complete (B01). */
  end(): Uint8Array
}

const nothing = new Uint8Array()

/** Server-sent events → one JSON array. Comments are left out; a stream without events is an empty array. */
export function sseToJsonArray(): StreamForm {
  const reader = new SseReader()
  let begun = false
  const elements = (frames: ReturnType<SseReader['push']>): string => {
    let text = ''
    for (const { data } of frames) {
      if (data === '') continue
      text += `${begun ? ',\r\n' : '['}${data}`
      begun = true
    }
    return text
  }
  return {
    push(chunk) {
      const text = elements(reader.push(chunk))
      return text === '' ? nothing : Buffer.from(text)
    },
    end() {
      const text = elements(reader.end())
      return Buffer.from(`${text}${begun ? ']' : '[]'}`)
    },
  }
}
