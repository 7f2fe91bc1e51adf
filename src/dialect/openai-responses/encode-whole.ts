/** Whole responses made of events alone: answers of plugins, and translated replies. */

import type { StreamEvent } from '../../plugin/events.ts'
import type { ReplyIdentity } from '../codec.ts'
import { type JsonObject, jsonText, objectOf } from '../shape.ts'
import { inReplyError } from './errors.ts'
import { responsesWriter } from './writer.ts'

/** A response made of events alone. */
export function encodeResponsesWhole(events: readonly StreamEvent[], head: ReplyIdentity): string {
  const error = events.find((event) => event.type === 'error')
  if (error?.type === 'error') return inReplyError(error.kind, error.message)
  let response: JsonObject | undefined
  const writer = responsesWriter(head, (_, members) => {
    response = objectOf(members.response) ?? response
  })
  for (const event of events) writer.event(event)
  if (!writer.ended) writer.event({ type: 'end' })
  return jsonText(response ?? {})
}
