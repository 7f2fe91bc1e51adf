/**
 * HOT PATH: where can a chunk of a Messages stream hold usage, a stop reason, an error or the end? By native searches on bytes only.
 *
 * Usage and stop stand in `message_start` and `message_delta`, the end is `message_stop`. A false yes (a text about message_ids or
 * errors) costs one parse, a false no would lose money.
 */

import { asBuffer } from '../sse.ts'

const message = Buffer.from('message_')
const error = Buffer.from('error')

/** Where, from `from` on, the first thing stands that may be usage, a stop reason, an error or the end; -1 when there is none. */
export function messagesInteresting(chunk: Uint8Array, from: number): number {
  const bytes = asBuffer(chunk)
  const first = bytes.indexOf(message, from)
  const second = bytes.indexOf(error, from)
  return first < 0 || (second >= 0 && second < first) ? second : first
}
