/**
 * A Gemini body, chunk or whole reply, with the changes that hooks made and everything else in its spelling.
 *
 * What was changed or dropped is edited in place. Where something was inserted among the parts of a candidate, the list of its parts is written
 * anew, so that the order of texts and calls is the one that the hooks meant. A text that was dropped stays as an empty one when it bears a signature,
 * as Google writes them itself. Pure.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { sameContent } from '../align.ts'
import type { Splice } from '../json-edits.ts'
import { writeJson } from '../json-text.ts'
import { type JsonObject, listOf, objectOf, parseJson } from '../shape.ts'
import { usageEdits, withExtra } from '../usage-edits.ts'
import { eventError } from './errors.ts'
import { callPart, mediaPart, textPart, thoughtPart, type WritablePart } from './pieces.ts'
import { choiceOf, type Site } from './sites.ts'
import { geminiFinishReason } from './stop-reasons.ts'
import { geminiUsageObject } from './usage.ts'

export interface Rewritten {
  readonly edits: Splice[]
  /** What was inserted and has no place in this body. */
  readonly rest: readonly StreamEvent[]
}

/** One change of a part: the value at a path in it; the empty path is the part itself. */
interface Change {
  readonly path: readonly string[]
  readonly value: Json
}

interface Candidate {
  readonly at: string
  readonly parts: readonly Json[]
  readonly hasContent: boolean
  readonly stops: boolean
  /** What becomes of the parts that have an event; null = it goes. */
  readonly fates: Map<number, readonly Change[] | null>
  /** Parts that were inserted, by the part behind which they stand; -1 = in front. */
  readonly inserted: Map<number, Json[]>
  last: number
}

/** The event that stands for `before[i]` in its fate. */
export function keptOf(old: StreamEvent, fate: readonly StreamEvent[]): StreamEvent | undefined {
  return fate.find((event) => event === old) ?? fate.find((event) => event.type === old.type)
}

/** The edits that make of a body what hooks made of its events; `fates[i]` are the events that replace `before[i]`. */
export function rewriteBody(
  body: JsonObject,
  paired: readonly (Site | undefined)[],
  before: readonly StreamEvent[],
  fates: readonly (readonly StreamEvent[])[],
): Rewritten {
  const edits: Splice[] = []
  const rest: StreamEvent[] = []
  const candidates = candidatesOf(body)
  let counted = body.usageMetadata !== undefined
  const insert = (event: StreamEvent, early: boolean): void => {
    const candidate = 'choice' in event ? candidates.get(event.choice) : undefined
    if (event.type === 'stop' && candidate && !candidate.stops) {
      edits.push({ pointer: `${candidate.at}/finishReason`, value: geminiFinishReason(event) })
    } else if (event.type === 'usage' && !counted) {
      counted = true
      edits.push({ pointer: '/usageMetadata', value: withExtra(geminiUsageObject(event.usage), event.extra) })
    } else if (candidate && addPart(candidate, event, early)) return
    else rest.push(event)
  }
  for (const [i, old] of before.entries()) {
    const fate = fates[i] ?? []
    const site = paired[i]
    const now = keptOf(old, fate)
    const own = now === undefined ? -1 : fate.indexOf(now)
    const part = site && partIndex(site)
    const candidate = part === undefined || !('choice' in site!) ? undefined : candidates.get(site.choice)
    if (candidate && part !== undefined) candidate.last = part
    for (const event of fate.slice(0, Math.max(0, own))) insert(event, candidate !== undefined)
    if (site && candidate && part !== undefined) candidate.fates.set(part, changesOf(site, old, now))
    else if (site) memberEdits(site, old, now, edits)
    for (const event of fate.slice(own + 1)) insert(event, false)
  }
  for (const candidate of candidates.values()) partEdits(candidate, edits)
  return { edits, rest }
}

function candidatesOf(body: JsonObject): Map<number, Candidate> {
  const candidates = new Map<number, Candidate>()
  for (const [i, item] of listOf(body.candidates).entries()) {
    const candidate = objectOf(item)
    if (!candidate) continue
    const content = objectOf(candidate.content)
    candidates.set(choiceOf(candidate, i), {
      at: `/candidates/${i}`,
      parts: listOf(content?.parts),
      hasContent: content !== undefined,
      stops: typeof candidate.finishReason === 'string',
      fates: new Map(),
      inserted: new Map(),
      last: -1,
    })
  }
  return candidates
}

/** Position of the part that a site is; undefined when it is no part. */
function partIndex(site: Site): number | undefined {
  const found = /^\/candidates\/\d+\/content\/parts\/(\d+)$/.exec(site.pointer)
  return found ? Number(found[1]) : undefined
}

/** What becomes of a part; null when it goes. */
function changesOf(site: Site, old: StreamEvent, now: StreamEvent | undefined): readonly Change[] | null {
  if (now === old) return []
  if (now === undefined) {
    if (site.type !== 'text') return null
    return site.text === '' ? [] : [{ path: ['text'], value: '' }]
  }
  if (sameContent(old, now)) return []
  if ((now.type === 'text' || now.type === 'reasoning') && old.type === now.type) {
    const changes: Change[] = now.text === old.text ? [] : [{ path: ['text'], value: now.text }]
    if (now.signature !== undefined && now.signature !== old.signature) changes.push({ path: ['thoughtSignature'], value: now.signature })
    return changes
  }
  if (now.type === 'tool_call' && old.type === 'tool_call') {
    const changes: Change[] = []
    if (now.id !== undefined && now.id !== old.id) changes.push({ path: ['functionCall', 'id'], value: now.id })
    if (now.name !== undefined && now.name !== old.name) changes.push({ path: ['functionCall', 'name'], value: now.name })
    if (now.arguments !== old.arguments) {
      const args = objectOf(parseJson(now.arguments.trim() || '{}')) ?? { _raw: now.arguments }
      changes.push({ path: ['functionCall', 'args'], value: args })
    }
    return changes
  }
  if (now.type === 'native') {
    const parts = listOf(objectOf(objectOf(listOf(objectOf(parseJson(now.data))?.candidates)[0])?.content)?.parts)
    return parts[0] === undefined ? null : [{ path: [], value: parts[0] }]
  }
  return now.type === 'media' ? [{ path: ['inlineData'], value: { mimeType: now.mime, data: now.data } }] : []
}

/** Edits for what stands outside the parts. */
function memberEdits(site: Site, old: StreamEvent, now: StreamEvent | undefined, edits: Splice[]): void {
  if (now !== undefined && sameContent(old, now)) return
  const { pointer } = site
  if (now === undefined) edits.push({ pointer })
  else if (now.type === 'stop' && site.type === 'stop') {
    if (!site.blocked) edits.push({ pointer, value: geminiFinishReason(now) })
  } else if (now.type === 'usage') edits.push(...usageEdits(pointer, old, now, geminiUsageObject))
  else if (now.type === 'error') edits.push({ pointer, value: eventError(now.kind, now.message) })
  else if (now.type === 'native') {
    const member = pointer.slice(pointer.lastIndexOf('/') + 1)
    const value = objectOf(listOf(objectOf(parseJson(now.data))?.candidates)[0])?.[member]
    edits.push(value === undefined ? { pointer } : { pointer, value })
  }
}

function addPart(candidate: Candidate, event: StreamEvent, early: boolean): boolean {
  const part = insertedPart(event)
  if (part === undefined) return false
  const place = early ? candidate.last - 1 : candidate.last
  const list = candidate.inserted.get(Math.max(-1, place))
  if (list) list.push(part)
  else candidate.inserted.set(Math.max(-1, place), [part])
  return true
}

function insertedPart(event: StreamEvent): Json | undefined {
  let part: WritablePart | undefined
  if (event.type === 'text') part = textPart(event.text, event.signature)
  else if (event.type === 'reasoning') part = thoughtPart(event.text, event.signature, event.redacted === true)
  else if (event.type === 'media') part = mediaPart(event)
  else if (event.type === 'tool_call') {
    part = callPart({ id: event.id, name: event.name, arguments: event.arguments, signature: event.signature })
  }
  return part && parseJson(writeJson(part))
}

function partEdits({ at, parts, hasContent, fates, inserted }: Candidate, edits: Splice[]): void {
  const list = `${at}/content/parts`
  const emptied = parts.length > 0 && parts.every((_, i) => fates.get(i) === null)
  if (inserted.size === 0 && !emptied) {
    for (const [i, changes] of fates) {
      if (changes === null) edits.push({ pointer: `${list}/${i}` })
      else for (const { path, value } of changes) edits.push({ pointer: [`${list}/${i}`, ...path].join('/'), value })
    }
    return
  }
  const anew: Json[] = [...(inserted.get(-1) ?? [])]
  for (const [i, part] of parts.entries()) {
    const changes = fates.get(i)
    if (changes !== null) anew.push(changed(part, changes ?? []))
    anew.push(...(inserted.get(i) ?? []))
  }
  // an empty list of parts is nothing that Google sends
  if (anew.length === 0) anew.push({ text: '' })
  edits.push(hasContent ? { pointer: list, value: anew } : { pointer: `${at}/content`, value: { parts: anew, role: 'model' } })
}

function changed(part: Json, changes: readonly Change[]): Json {
  let now = part
  for (const { path, value } of changes) {
    const [name, inner] = path
    const object = objectOf(now) ?? {}
    if (name === undefined) now = value
    else now = { ...object, [name]: inner === undefined ? value : { ...objectOf(object[name]), [inner]: value } }
  }
  return now
}
