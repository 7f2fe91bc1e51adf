/**
 * HOT PATH: can a chunk of a Messages stream hold usage, a stop reason, an error or the end? By native searches on bytes only.
 *
 * Usage and stop stand in `message_start` and `message_delta`, the end is `message_stop`. A false yes (a text about message_ids or
 * errors) costs one parse, a false no would lose money.
 */

import { asBuffer } from '../sse.ts'

const message = Buffer.from('message_')
const error = Buffer.from('error')

/** False when no frame in these bytes can carry usage, a stop reason, an error or the end. */
export function messagesInteresting(chunk: Uint8Array): boolean {
  const bytes = asBuffer(chunk)
  return bytes.indexOf(message) !== -1 || bytes.indexOf(error) !== -1
}
