/**
 * How a response ended, to and from the neutral stop reasons (PROTOCOL §1.5).
 *
 * Responses has no stop reason: its status and `incomplete_details.reason` tell, and calls in the output tell that tools are wanted. An unknown
 * reason means `other` and is carried (I06).
 */

import type { StopEvent, StopReason } from '../../plugin/events.ts'
import { type JsonObject, objectOf, wordOf } from '../shape.ts'

/** The status of a response that is over. */
export type FinalStatus = 'completed' | 'incomplete' | 'failed'

const incomplete = new Map<string, StopReason>([
  ['max_output_tokens', 'length'],
  ['max_tokens', 'length'],
  ['content_filter', 'filter'],
])

/** The stop of a response object; undefined while it is not over (`queued`, `in_progress`). */
export function responsesStop(response: JsonObject, called: boolean): StopEvent | undefined {
  const status = wordOf(response.status) ?? 'completed'
  switch (status) {
    case 'queued':
    case 'in_progress':
      return undefined
    case 'completed':
    case 'complete':
      return { type: 'stop', reason: called ? 'tool_calls' : 'end', raw: status, choice: 0 }
    case 'incomplete': {
      const raw = wordOf(objectOf(response.incomplete_details)?.reason) ?? status
      return { type: 'stop', reason: incomplete.get(raw) ?? 'other', raw, choice: 0 }
    }
    default:
      return { type: 'stop', reason: status === 'failed' ? 'fault' : 'other', raw: status, choice: 0 }
  }
}

/** The status for a stop, and why a response is incomplete. */
export function statusOfStop(stop: StopEvent | undefined): { status: FinalStatus; reason: string | undefined } {
  switch (stop?.reason) {
    case 'length':
      return { status: 'incomplete', reason: 'max_output_tokens' }
    case 'filter':
      return { status: 'incomplete', reason: 'content_filter' }
    case 'fault':
      return { status: 'failed', reason: undefined }
    default:
      return { status: 'completed', reason: undefined }
  }
}
