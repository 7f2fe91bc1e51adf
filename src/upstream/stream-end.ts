/** What the end of a live stream means: whether it was whole, and what is said when it was not. */

import type { StreamFailure } from '../pipeline/reply-core.ts'
import type { Attempt } from '../plugin/outcome.ts'
import { codeInReply } from './error-class.ts'
import { choicesAsked, type Meter } from './meter.ts'

/**
 * Undefined when the stream was complete as its dialect says. Else the attempt is told why not.
 * @param body the request's, which says how many choices there must be
 */
export function endOfStream(meter: Meter, attempt: Attempt, body: readonly Uint8Array[]): StreamFailure | undefined {
  if (meter.error) {
    Object.assign(attempt, { failure: 'error_in_reply', message: meter.error.message })
    return { code: codeInReply(meter.error), message: meter.error.message, told: meter.told }
  }
  // without its own end a stream is whole only when every choice that was asked for has stopped (B01, B02)
  if (meter.complete && (meter.ended || meter.stops >= choicesAsked(body))) return undefined
  const message = 'The model provider ended the stream before it was complete.'
  Object.assign(attempt, { failure: 'truncated', message })
  return { code: 'upstream_error', message, told: false }
}
