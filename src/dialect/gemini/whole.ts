/**
 * Whole Gemini replies: the summary for the record, the events they consist of, and replies made of events.
 *
 * A large body is not parsed for its summary. Edits are spliced, so that what no hook changed keeps its bytes.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import { isUntouched, pairSites } from '../align.ts'
import type { DecodedWhole, Purpose, ReplyIdentity, WholeSummary } from '../codec.ts'
import { spliceBytes } from '../json-edits.ts'
import { jsonSource } from '../json-source.ts'
import { type Writable, writeJson } from '../json-text.ts'
import { type Piece, type ReducedChoice, reduceEvents } from '../reduce.ts'
import { decodeText, type JsonObject, jsonText, listOf, objectOf, parseJson, wordOf } from '../shape.ts'
import { notAReply } from '../upstream-error.ts'
import { withExtra } from '../usage-edits.ts'
import { readMembers } from '../whole-members.ts'
import { arrayEvents, arraySummary } from './array-reply.ts'
import { groundingOf } from './citations.ts'
import { siteReader, startOf } from './decode.ts'
import { eventError } from './errors.ts'
import { callPart, mediaPart, textPart, thoughtPart, type WritablePart } from './pieces.ts'
import { type CarriedThought, isCarried } from './proofs.ts'
import { rewriteBody } from './rewrite.ts'
import { type Site, sitesOf } from './sites.ts'
import { geminiFinishReason } from './stop-reasons.ts'
import { geminiUsage, geminiUsageObject } from './usage.ts'

const members = ['responseId', 'modelVersion', 'usageMetadata', 'promptFeedback', 'error']

/** What the record needs of a reply. */
export function geminiSummary(body: Uint8Array): WholeSummary {
  const read = readMembers(body, members, { list: 'candidates', members: ['finishReason'] })
  const reply = read?.object
  if (!reply || !isReply(reply)) {
    const { error } = notAReply(read?.value)
    return error ? { valid: false, error } : (arraySummary(body) ?? { valid: false })
  }
  const stop =
    listOf(reply.candidates)
      .map((candidate) => wordOf(objectOf(candidate)?.finishReason))
      .find((word) => word !== undefined) ?? wordOf(objectOf(reply.promptFeedback)?.blockReason)
  return {
    valid: true,
    id: wordOf(reply.responseId),
    model: wordOf(reply.modelVersion),
    usage: geminiUsage(reply.usageMetadata, true),
    stop,
  }
}

function isReply(reply: JsonObject): boolean {
  if (reply.error !== undefined && reply.error !== null) return false
  return Array.isArray(reply.candidates) || objectOf(reply.promptFeedback) !== undefined
}

/** The events of a reply; null when the body is none. */
export function decodeGeminiWhole(body: Uint8Array, purpose: Purpose = 'relay'): DecodedWhole | null {
  const reply = objectOf(parseJson(decodeText(body)))
  if (!reply || !isReply(reply)) return decodeArray(body, purpose)
  const events: StreamEvent[] = [startOf(reply)]
  const reader = siteReader()
  reader.identify(reply)
  let parsed: ReturnType<typeof jsonSource>
  const source = (): ReturnType<typeof jsonSource> => (parsed ??= jsonSource(body))
  const sites = sitesOf(reply, purpose)
  for (const site of sites) events.push(...reader.events(site, source))
  events.push({ type: 'end' })
  return { events, apply: (after) => applyEdits(body, reply, sites, events, after) }
}

function decodeArray(body: Uint8Array, purpose: Purpose): DecodedWhole | null {
  const events = arrayEvents(body, purpose)
  if (!events) return null
  return { events, apply: (after) => Buffer.from(encodeGeminiWhole(after.flat(), { id: '', model: '', created: 0 })) }
}

function applyEdits(
  body: Uint8Array,
  reply: JsonObject,
  sites: readonly Site[],
  events: readonly StreamEvent[],
  after: readonly (readonly StreamEvent[])[],
): Uint8Array {
  if (isUntouched(events, after)) return body
  try {
    const { edits, rest } = rewriteBody(reply, pairSites(sites, events), events, after)
    if (!rest.some((event) => event.type === 'error' || 'choice' in event)) return spliceBytes(body, edits)
  } catch {
    // Nested deeper than edits go: written anew below.
  }
  // What was inserted has no place in the reply: it is written anew, so that no change of a hook is lost.
  return Buffer.from(
    encodeGeminiWhole(after.flat(), { id: wordOf(reply.responseId) ?? '', model: wordOf(reply.modelVersion) ?? '', created: 0 }),
  )
}

/** A reply made of events alone. */
export function encodeGeminiWhole(events: readonly StreamEvent[], head: ReplyIdentity): string {
  const sum = reduceEvents(events)
  if (sum.error) return jsonText({ error: eventError(sum.error.kind, sum.error.message) })
  const usage = sum.usage && sum.usage.source !== 'unknown' ? withExtra(geminiUsageObject(sum.usage), sum.usageExtra) : undefined
  return writeJson({
    candidates: sum.choices.map(candidateOf),
    usageMetadata: usage,
    modelVersion: sum.model ?? head.model,
    responseId: sum.id ?? head.id,
  })
}

function candidateOf({ choice, pieces, stop }: ReducedChoice): Writable {
  const parts: Writable[] = []
  const more: Record<string, Writable> = {}
  let thoughts: CarriedThought[] = []
  for (const piece of pieces) {
    if (piece.type === 'reasoning' && isCarried(piece.signature)) {
      thoughts.push({ text: piece.text, signature: piece.signature, redacted: piece.redacted })
    }
    const part = piece.type === 'tool_call' ? callPart(piece, thoughts) : partOf(piece)
    if (piece.type === 'tool_call') thoughts = []
    if (part) parts.push(part)
    else if (piece.type === 'native') addNative(piece.native.data, parts, more)
  }
  const citations = pieces.flatMap((piece) => (piece.type === 'citation' ? [piece.citation] : []))
  if (citations.length > 0) {
    const text = pieces.map((piece) => (piece.type === 'text' ? piece.text : '')).join('')
    more.groundingMetadata ??= groundingOf(citations, text)
  }
  const content = { parts: parts.length > 0 ? parts : [{ text: '' }], role: 'model' }
  return { content, finishReason: stop ? geminiFinishReason(stop) : 'STOP', index: choice, ...more }
}

function partOf(piece: Piece): WritablePart | undefined {
  switch (piece.type) {
    case 'text':
      return textPart(piece.text, piece.signature)
    case 'reasoning':
      return thoughtPart(piece.text, piece.signature, piece.redacted)
    case 'media':
      return mediaPart(piece.media)
    default:
      return undefined
  }
}

/** A part or members of a candidate that a Gemini reply had; frames of other dialects have no place here. */
function addNative(data: string, parts: Writable[], more: Record<string, Writable>): void {
  const candidate = objectOf(listOf(objectOf(parseJson(data))?.candidates)[0])
  for (const name in candidate) {
    if (name === 'content') parts.push(...listOf(objectOf(candidate.content)?.parts))
    else if (name !== 'index' && name !== 'finishReason') more[name] = candidate[name]
  }
}
