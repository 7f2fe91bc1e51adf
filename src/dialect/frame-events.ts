/** Events that decoders of all dialects make alike: who replies, what went wrong, and a frame without a neutral word. */

import type { ErrorEvent, NativeEvent, StartEvent } from '../plugin/events.ts'
import type { Json } from '../plugin/request.ts'
import type { UpstreamError } from './codec.ts'
import { wordOf } from './shape.ts'
import type { SseFrame } from './sse.ts'

/** The event that a reply begins with; what is no word is left out. */
export function startEvent(idGiven: Json | undefined, modelGiven: Json | undefined): StartEvent {
  const id = wordOf(idGiven)
  const model = wordOf(modelGiven)
  return { type: 'start', ...(id !== undefined && { id }), ...(model !== undefined && { model }) }
}

/** An error inside a reply, under the upstream's own word for it. */
export function errorEvent({ type, code, message }: UpstreamError): ErrorEvent {
  return { type: 'error', kind: type ?? code ?? 'upstream_error', message }
}

/** A frame as it is. */
export function nativeEvent({ event, data }: SseFrame): NativeEvent {
  return event === undefined ? { type: 'native', data } : { type: 'native', event, data }
}
