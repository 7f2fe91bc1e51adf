/**
 * One Chat frame with the changes that hooks made, everything else in its spelling.
 *
 * Works out which bytes to edit for each event's fate. What was inserted is handed back by position: the encoder makes frames of it.
 * Pure but for the places of tool calls, which it asks for.
 */

import type { StreamEvent, ToolCallEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { type Alignment, pairSites, sameContent } from '../align.ts'
import { replaceString, type Splice, spliceText } from '../json-edits.ts'
import { type JsonObject, listOf, objectOf, parseJson } from '../shape.ts'
import { usageEdits } from '../usage-edits.ts'
import { type CallSite, type Site, sitesOf, type TextSite } from './sites.ts'
import { chatFinishReason } from './stop-reasons.ts'
import { chatUsageObject } from './usage.ts'

/** The place of a call in its choice as the client sees it; undefined when its fragments must not leave. */
export type CallPlaces = (site: CallSite, before: ToolCallEvent, after: ToolCallEvent | undefined) => number | undefined

/** The edits that give a body the kept events and takes the dropped ones out of it. */
export function siteEdits(
  body: JsonObject,
  paired: readonly (Site | undefined)[],
  before: readonly StreamEvent[],
  kept: readonly (StreamEvent | undefined)[],
  places?: CallPlaces,
): Splice[] {
  const edits: Splice[] = []
  const removedCalls = new Map<string, number>()
  for (const [i, site] of paired.entries()) {
    const old = before[i]
    const now = kept[i]
    if (!site || !old) continue
    if (site.type === 'tool_call' && old.type === 'tool_call') {
      const changed = now?.type === 'tool_call' ? now : undefined
      const place = places ? places(site, old, changed) : (site.index ?? old.index)
      if (changed && place !== undefined) callEdits(site, old, changed, place, edits)
      else {
        edits.push({ pointer: site.pointer })
        const list = site.pointer.slice(0, site.pointer.lastIndexOf('/'))
        removedCalls.set(list, (removedCalls.get(list) ?? 0) + 1)
      }
      continue
    }
    if (now === undefined) dropEdits(site, edits)
    else if (!sameContent(old, now)) changeEdits(site, old, now, edits)
  }
  return withoutEmptyLists(body, edits, removedCalls)
}

function changeEdits(site: Site, old: StreamEvent, now: StreamEvent, edits: Splice[]): void {
  if ((site.type === 'text' || site.type === 'reasoning') && (now.type === 'text' || now.type === 'reasoning')) {
    for (const pointer of [site.pointer, ...site.mirrors]) edits.push({ pointer, value: now.text })
  } else if (site.type === 'stop' && now.type === 'stop') edits.push({ pointer: site.pointer, value: chatFinishReason(now) })
  else if (site.type === 'usage' && now.type === 'usage') edits.push(...usageEdits(site.pointer, old, now, chatUsageObject))
  else if (site.type === 'error' && now.type === 'error') {
    edits.push({ pointer: `${site.pointer}`, value: { message: now.message, type: now.kind, param: null, code: null } })
  } else if (site.type === 'native') dropEdits(site, edits)
}

function dropEdits(site: Site, edits: Splice[]): void {
  switch (site.type) {
    case 'text':
    case 'reasoning':
      for (const pointer of [site.pointer, ...(site as TextSite).mirrors]) edits.push({ pointer, value: '' })
      break
    case 'native':
      for (const pointer of site.pointers) edits.push({ pointer })
      break
    case 'stop':
    case 'usage':
      edits.push({ pointer: site.pointer, value: null })
      break
    case 'error':
    case 'tool_call':
      edits.push({ pointer: site.pointer })
  }
}

function callEdits(site: CallSite, old: ToolCallEvent, now: ToolCallEvent, place: number, edits: Splice[]): void {
  const set = (path: string, value: Json): number => edits.push({ pointer: `${site.pointer}${path}`, value })
  if (place !== (site.index ?? old.index)) set('/index', place)
  if (now.id !== undefined && now.id !== old.id) {
    set('/id', now.id)
    if (site.id === undefined) set('/type', 'function')
  }
  if (now.name !== undefined && now.name !== old.name) set('/function/name', now.name)
  if (now.arguments !== old.arguments) {
    const value = site.asObject ? parseJson(now.arguments) : undefined
    set('/function/arguments', value ?? now.arguments)
  }
}

/** A list of calls of which none is left goes away as a whole: strict clients take an empty one for a call. */
function withoutEmptyLists(body: JsonObject, edits: Splice[], removed: ReadonlyMap<string, number>): Splice[] {
  for (const [list, count] of removed) {
    const [, , choice, holder] = list.split('/')
    const message = objectOf(objectOf(listOf(body.choices)[Number(choice)])?.[holder ?? ''])
    if (listOf(message?.tool_calls).length !== count) continue
    edits = [...edits.filter((edit) => !edit.pointer.startsWith(`${list}/`)), { pointer: list }]
  }
  return edits
}

/** The frame's data with the kept events in it. Undefined when the data can't be edited. */
export function rewriteChunk(
  data: string,
  before: readonly StreamEvent[],
  kept: readonly (StreamEvent | undefined)[],
  places: CallPlaces,
): string | undefined {
  const chunk = objectOf(parseJson(data))
  if (!chunk) return undefined
  const paired = pairSites(sitesOf(chunk, 'delta'), before)
  const edits = siteEdits(chunk, paired, before, kept, places)
  const [only] = edits
  if (edits.length === 1 && only && typeof only.value === 'string' && only.pointer.endsWith('/content')) {
    const site = paired.find((s) => s && 'pointer' in s && s.pointer === only.pointer)
    const quick = site?.type === 'text' ? replaceString(data, 'content', site.text, only.value) : undefined
    if (quick !== undefined) return quick
  }
  try {
    return spliceText(data, edits)
  } catch {
    return undefined
  }
}

/** Events that were kept, by position of the events they stand for. */
export function keptOf(alignment: Alignment, before: readonly StreamEvent[]): (StreamEvent | undefined)[] {
  return alignment.fates.map((fate, i) => (fate[0]?.type === before[i]?.type ? fate[0] : undefined))
}
