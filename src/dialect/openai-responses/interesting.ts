/**
 * HOT PATH: where can a chunk of a Responses stream hold usage, a stop reason, an error or the end? By native searches on bytes only.
 *
 * All of that stands in frames with a `response` object. Quotes inside JSON strings are escaped, so that text can't fake the key. A false yes
 * (a text about errors) costs one parse, a false no would lose money.
 */

import { asBuffer } from '../sse.ts'

const response = Buffer.from('"response"')
const error = Buffer.from('error')

/** Where, from `from` on, the first thing stands that may be usage, a stop reason, an error or the end; -1 when there is none. */
export function responsesInteresting(chunk: Uint8Array, from: number): number {
  const bytes = asBuffer(chunk)
  const first = bytes.indexOf(response, from)
  const second = bytes.indexOf(error, from)
  return first < 0 || (second >= 0 && second < first) ? second : first
}
