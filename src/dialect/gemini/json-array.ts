/**
 * The two forms of a Gemini stream: server-sent events (`alt=sse`) and one JSON array whose elements arrive one by one.
 *
 * Everything inside the gateway reads events. A client that did not ask for them gets the array, and an upstream that sends the array is read as
 * events. Chunks may be cut anywhere; elements keep their spelling, but for line breaks, which are white space in JSON.
 */

import { asBuffer, SseFrameTooLarge, SseReader } from '../sse.ts'

/** Bytes of one form to bytes of the other, in order. */
export interface StreamForm {
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

/** Largest element, in bytes. */
const maxElement = 64 * 1024 * 1024

const quote = 0x22
const backslash = 0x5c

/**
 * One JSON array → server-sent events; a body that is one object (an error) becomes one event.
 * Its `push` throws SseFrameTooLarge.
 */
export function jsonArrayToSse(): StreamForm {
  let depth = 0
  let inString = false
  let escaped = false
  /** The top level is an array: its elements are the events. */
  let inArray = false
  let pieces: Uint8Array[] = []
  let held = 0
  return {
    push(chunk) {
      const bytes = asBuffer(chunk)
      let out = ''
      /** Where the element being read begins in this chunk. */
      let from = depth > 0 ? 0 : -1
      for (let i = 0; i < bytes.length; i++) {
        const byte = bytes[i]!
        if (inString) {
          if (escaped) escaped = false
          else if (byte === backslash) escaped = true
          else if (byte === quote) inString = false
        } else if (byte === quote) inString = true
        else if (byte === 0x7b || byte === 0x5b) {
          if (depth === 0 && !inArray && byte === 0x5b) inArray = true
          else if (depth++ === 0) from = i
        } else if ((byte === 0x7d || byte === 0x5d) && depth > 0 && --depth === 0) {
          out += event(Buffer.concat([...pieces, bytes.subarray(from, i + 1)]))
          pieces = []
          held = 0
          from = -1
        }
      }
      if (from >= 0) {
        pieces.push(bytes.subarray(from))
        held += bytes.length - from
        if (held > maxElement) throw new SseFrameTooLarge(maxElement)
      }
      return out === '' ? nothing : Buffer.from(out)
    },
    end: () => nothing,
  }
}

function event(element: Buffer): string {
  return `data: ${element.toString().replace(/[\r\n]+\s*/g, '')}\r\n\r\n`
}
