/**
 * Where in a Gemini chunk or reply each event stands: the one place that knows the format's layout.
 *
 * Decoder, rewriting and whole replies all walk a body through `sitesOf`, so that an event and the bytes to edit for it can't disagree. A
 * chunk of a stream and a whole reply have one shape. Pure, no state: which call a fragment belongs to and whether a stop was seen before is
 * the decoder's business.
 */

import type { CitationEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import type { Purpose, UpstreamError } from '../codec.ts'
import { countOf, type JsonObject, jsonText, listOf, objectOf, textOf, wordOf } from '../shape.ts'
import { errorOf } from '../upstream-error.ts'
import { citationsOf } from './citations.ts'

export interface TextSite {
  readonly type: 'text' | 'reasoning'
  readonly choice: number
  /** Of the part. */
  readonly pointer: string
  readonly text: string
  readonly signature: string | undefined
  /** A thought without any text: the signature holds it. */
  readonly redacted: boolean
}
export interface CallSite {
  readonly type: 'tool_call'
  readonly choice: number
  readonly pointer: string
  readonly id: string | undefined
  readonly name: string | undefined
  readonly call: JsonObject
  readonly signature: string | undefined
}
export interface MediaSite {
  readonly type: 'media'
  readonly choice: number
  readonly pointer: string
  readonly mime: string
  readonly data: string
}
export interface CitationSite {
  readonly type: 'citation'
  readonly choice: number
  readonly pointer: string
  readonly citation: CitationEvent
}
/** A part or a member of a candidate without neutral meaning. */
export interface NativeSite {
  readonly type: 'native'
  readonly choice: number
  readonly pointer: string
  /** A chunk that holds it alone. */
  readonly data: string
}
export interface StopSite {
  readonly type: 'stop'
  readonly choice: number
  readonly pointer: string
  readonly raw: string
  /** The prompt was blocked: there is no candidate. */
  readonly blocked: boolean
}
export interface UsageSite {
  readonly type: 'usage'
  readonly pointer: string
  readonly value: Json
}
export interface ErrorSite {
  readonly type: 'error'
  readonly pointer: string
  readonly error: UpstreamError
}
export type Site = TextSite | CallSite | MediaSite | CitationSite | NativeSite | StopSite | UsageSite | ErrorSite

/** The sites of a chunk or a whole reply, in the order of their events. */
export function sitesOf(body: JsonObject, purpose: Purpose): Site[] {
  const sites: Site[] = []
  const candidates = listOf(body.candidates)
  for (let i = 0; i < candidates.length; i++) {
    const candidate = objectOf(candidates[i])
    if (candidate) candidateSites(candidate, `/candidates/${i}`, choiceOf(candidate, i), purpose, sites)
  }
  const feedback = objectOf(body.promptFeedback)
  const blocked = wordOf(feedback?.blockReason)
  if (blocked !== undefined && candidates.length === 0 && blocked !== 'BLOCK_REASON_UNSPECIFIED') {
    sites.push({ type: 'stop', choice: 0, pointer: '/promptFeedback', raw: blocked, blocked: true })
  }
  if (body.usageMetadata !== undefined) sites.push({ type: 'usage', pointer: '/usageMetadata', value: body.usageMetadata })
  if (isError(body.error)) sites.push({ type: 'error', pointer: '/error', error: errorOf(body.error!, body) })
  return sites
}

/** The choice that a candidate is. An index far beyond Google's limit of 8 is a mistake and may not make anybody's tables grow. */
export function choiceOf(candidate: JsonObject, position: number): number {
  const index = countOf(candidate.index) ?? position
  return index < 1024 ? index : position
}

function candidateSites(candidate: JsonObject, at: string, choice: number, purpose: Purpose, sites: Site[]): void {
  const parts = listOf(objectOf(candidate.content)?.parts)
  for (let i = 0; i < parts.length; i++) {
    const part = objectOf(parts[i])
    const site = part && partSite(part, `${at}/content/parts/${i}`, choice, purpose)
    if (site) sites.push(site)
  }
  for (const name in candidate) {
    const value = candidate[name]!
    if (name === 'content' || typeof value !== 'object' || value === null) continue
    const pointer = `${at}/${name}`
    if (purpose === 'translate' && name === 'groundingMetadata') {
      for (const citation of citationsOf(value, choice)) sites.push({ type: 'citation', choice, pointer, citation })
    } else sites.push({ type: 'native', choice, pointer, data: jsonText({ candidates: [{ [name]: value, index: choice }] }) })
  }
  const raw = wordOf(candidate.finishReason)
  if (raw !== undefined && raw !== 'FINISH_REASON_UNSPECIFIED') {
    sites.push({ type: 'stop', choice, pointer: `${at}/finishReason`, raw, blocked: false })
  }
}

function partSite(part: JsonObject, pointer: string, choice: number, purpose: Purpose): Site | undefined {
  const signature = wordOf(part.thoughtSignature)
  const call = objectOf(part.functionCall)
  if (call) return { type: 'tool_call', choice, pointer, id: wordOf(call.id), name: wordOf(call.name), call, signature }
  const known = typeof part.text === 'string' || (signature !== undefined && isBare(part))
  if (known) {
    const text = textOf(part.text)
    if (text === '' && signature === undefined) return undefined
    const thought = part.thought === true
    const redacted = thought && part.text === undefined
    return { type: thought ? 'reasoning' : 'text', choice, pointer, text, signature, redacted }
  }
  const media = objectOf(part.inlineData)
  const data = wordOf(media?.data)
  if (purpose === 'translate' && data !== undefined) {
    return { type: 'media', choice, pointer, mime: wordOf(media?.mimeType) ?? 'application/octet-stream', data }
  }
  const chunk = { candidates: [{ content: { parts: [part], role: 'model' }, index: choice }] }
  return { type: 'native', choice, pointer, data: jsonText(chunk) }
}

/** True for a part that holds a signature and nothing that it belongs to. */
function isBare(part: JsonObject): boolean {
  for (const name in part) if (name !== 'thoughtSignature' && name !== 'thought') return false
  return true
}

function isError(value: Json | undefined): boolean {
  return (typeof value === 'object' && value !== null) || (typeof value === 'string' && value !== '')
}
