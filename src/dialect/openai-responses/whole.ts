/**
 * Whole responses: the summary for the record, the events they consist of, and responses made of events.
 *
 * A large body is not parsed for its summary. Edits are spliced, so that what no hook changed keeps its bytes. A response that still runs in the
 * background is a reply without stop; a failed one is an error (B07).
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { DecodedWhole, Purpose, WholeSummary } from '../codec.ts'
import { startEvent } from '../frame-events.ts'
import { decodeText, type JsonObject, listOf, objectOf, parseJson, wordOf } from '../shape.ts'
import { notAReply } from '../upstream-error.ts'
import { readMembers } from '../whole-members.ts'
import { responseError } from './errors.ts'
import { itemKind, itemSites } from './items.ts'
import { responsesStop } from './stop-reasons.ts'
import { responsesUsage } from './usage.ts'
import { editedWhole, type WholeSite } from './whole-edits.ts'

/** What the record needs of a response. */
export function responsesSummary(body: Uint8Array): WholeSummary {
  const read = readMembers(body, ['object', 'id', 'model', 'status', 'usage', 'error', 'incomplete_details', 'detail', 'message'], {
    list: 'output',
    members: ['type'],
  })
  const reply = read?.object
  if (!reply || !isResponse(reply)) return notAReply(read?.value)
  const usage = responsesUsage(reply.usage)
  if (hasFailed(reply)) return { valid: false, error: responseError(reply), ...(usage && { usage }) }
  const id = wordOf(reply.id)
  const model = wordOf(reply.model)
  const stop = responsesStop(reply, false)?.raw
  return {
    valid: true,
    ...(id !== undefined && { id }),
    ...(model !== undefined && { model }),
    ...(usage && { usage }),
    ...(stop !== undefined && { stop }),
  }
}

function isResponse(reply: JsonObject): boolean {
  return Array.isArray(reply.output) || (reply.object === 'response' && typeof reply.status === 'string')
}

function hasFailed(reply: JsonObject): boolean {
  return reply.status === 'failed' || (reply.error !== undefined && reply.error !== null)
}

/** The events of a response; null when the body is none, or one that failed. */
export function decodeResponsesWhole(body: Uint8Array, purpose: Purpose = 'relay'): DecodedWhole | null {
  const reply = objectOf(parseJson(decodeText(body)))
  if (!reply || !isResponse(reply) || hasFailed(reply)) return null
  const events: StreamEvent[] = [startEvent(reply.id, reply.model)]
  const sites: (WholeSite | undefined)[] = [undefined]
  let calls = 0
  for (const [index, value] of listOf(reply.output).entries()) {
    const item = objectOf(value)
    if (!item) continue
    if (purpose === 'translate' && itemKind(item) === 'native') {
      const data = item.type === 'image_generation_call' ? wordOf(item.result) : undefined
      if (data !== undefined) events.push({ type: 'media', choice: 0, mime: `image/${wordOf(item.output_format) ?? 'png'}`, data })
      continue
    }
    for (const { event, place } of itemSites(item, index, calls, purpose)) {
      if (event.type === 'tool_call') calls++
      events.push(event)
      sites.push({ index, place })
    }
  }
  const stop = responsesStop(reply, calls > 0)
  if (stop) events.push(stop)
  const usage = responsesUsage(reply.usage)
  if (usage) events.push({ type: 'usage', usage })
  events.push({ type: 'end' })
  return { events, apply: (after) => editedWhole(body, reply, events, sites, after) }
}
