/**
 * The last frame of a forwarded stream, which repeats the whole reply: with all that was changed on the way, what was inserted, and without what
 * was dropped (B14).
 */

import type { StreamEvent, UsageEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { sameContent } from '../align.ts'
import { type JsonObject, listOf, objectOf } from '../shape.ts'
import { withExtra } from '../usage-edits.ts'
import { statusOfStop } from './stop-reasons.ts'
import { patchedItem } from './tracked-items.ts'
import type { UpstreamView } from './upstream-view.ts'
import { responsesUsageObject } from './usage.ts'
import type { ResponsesWriter } from './writer.ts'

/** Id and model that hooks gave the reply. */
export interface StartEdits {
  id?: string
  model?: string
}

/** A frame with a response object, under the id and model that hooks gave it; the same object when they gave none. */
export function withStart(body: JsonObject, { id, model }: StartEdits): JsonObject {
  const response = objectOf(body.response)
  if (!response || (id ?? model) === undefined) return body
  return { ...body, response: { ...response, ...(id !== undefined && { id }), ...(model !== undefined && { model }) } }
}

/** The members of the terminal frame; the same object when nothing in them differs. */
export function finalFrame(
  body: JsonObject,
  before: readonly StreamEvent[],
  kept: readonly (StreamEvent | undefined)[],
  view: UpstreamView,
  writer: ResponsesWriter,
): JsonObject {
  const given = objectOf(body.response) ?? {}
  let response = finalResponse(given, view, writer)
  let { type } = body
  for (const [i, old] of before.entries()) {
    const now = kept[i]
    if (!now || sameContent(old, now)) continue
    if (now.type === 'usage') response = { ...response, usage: usageOf(response, old, now) }
    if (now.type === 'stop') {
      const { status, reason } = statusOfStop(now)
      response = { ...response, status, incomplete_details: reason === undefined ? null : { reason } }
      type = `response.${status}`
    }
  }
  return response === given ? body : { ...body, type: type ?? null, response }
}

/** The members of the frame of a failure, with the usage that hooks made of its own; the same object when they made none. */
export function withUsage(body: JsonObject, before: readonly StreamEvent[], kept: readonly (StreamEvent | undefined)[]): JsonObject {
  const at = before.findIndex((event) => event.type === 'usage')
  const now = kept[at]
  const response = objectOf(body.response)
  if (!response || now?.type !== 'usage' || sameContent(before[at]!, now)) return body
  return { ...body, response: { ...response, usage: usageOf(response, before[at]!, now) } }
}

/** The upstream's own object as long as its figures stay. */
function usageOf(response: JsonObject, old: StreamEvent, now: UsageEvent): JsonObject {
  const same = old.type === 'usage' && Bun.deepEquals(old.usage, now.usage)
  return withExtra((same ? objectOf(response.usage) : undefined) ?? responsesUsageObject(now.usage), now.extra)
}

function finalResponse(value: JsonObject, view: UpstreamView, writer: ResponsesWriter): JsonObject {
  const upstreams = listOf(value.output)
  // an upstream that repeats nothing here is left its way
  if (upstreams.length === 0 && view.items.size > 0) return value
  let differs = writer.items.length > 0
  const placed: { index: number; item: Json }[] = writer.items.map(({ index, item }) => ({ index, item }))
  for (const [i, given] of upstreams.entries()) {
    const item = objectOf(given)
    const known = item && view.find(i, item)
    if (known && known.out === undefined) {
      differs = true
      continue
    }
    const now = item && known ? patchedItem(item, known) : given
    if (now !== given) differs = true
    placed.push({ index: known?.out ?? writer.next + i, item: now })
  }
  if (!differs) return value
  return { ...value, output: placed.sort((a, b) => a.index - b.index).map(({ item }) => item) }
}
