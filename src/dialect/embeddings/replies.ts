/**
 * Replies with vectors, of whatever provider: what the record needs of them, and the events that they are.
 *
 * A reply that stands for several calls is a JSON array of their replies, in order. Each provider says how one of its replies is read; indices and
 * usage over all of them are made here.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import { type Usage, unknownUsage } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import type { DecodedWhole, Dialect, WholeSummary } from '../codec.ts'
import { startEvent } from '../frame-events.ts'
import { nativeWhole } from '../native-reply.ts'
import { decodeText, type JsonObject, jsonText, objectOf, parseJson, tokensOf } from '../shape.ts'
import { notAReply } from '../upstream-error.ts'

/** One reply of a provider. */
export interface EmbeddingReply {
  readonly vectors: readonly (readonly number[])[]
  readonly usage?: Usage | undefined
  readonly id?: string | undefined
  readonly model?: string | undefined
}

/** @param read one reply; undefined when it is none */
export function embeddingReplies(read: (reply: JsonObject) => EmbeddingReply | undefined): Pick<Dialect, 'summary' | 'decodeWhole'> {
  const readAll = (value: Json | undefined): EmbeddingReply | undefined => {
    const replies: EmbeddingReply[] = []
    for (const item of Array.isArray(value) ? (value as readonly Json[]) : [value]) {
      const object = objectOf(item)
      const reply = object && read(object)
      if (!reply) return undefined
      replies.push(reply)
    }
    return replies.length === 1 ? replies[0] : joined(replies)
  }
  return {
    summary(body): WholeSummary {
      const value = parseJson(decodeText(body))
      const reply = readAll(value)
      return reply ? { valid: true, id: reply.id, model: reply.model, usage: reply.usage } : notAReply(value)
    },
    decodeWhole(body, purpose): DecodedWhole | null {
      const data = decodeText(body)
      const reply = readAll(parseJson(data))
      if (!reply) return null
      return purpose === 'translate' ? { events: eventsOf(reply), apply: () => body } : nativeWhole(body, data)
    },
  }
}

/** A reply as events. */
export function eventsOf({ id, model, usage, vectors }: EmbeddingReply): StreamEvent[] {
  return [
    startEvent(id, model),
    ...vectors.map((values, index) => ({ type: 'embedding', index, values }) as const),
    ...(usage ? [{ type: 'usage', usage } as const] : []),
    { type: 'end' },
  ]
}

function joined(replies: readonly EmbeddingReply[]): EmbeddingReply | undefined {
  const first = replies[0]
  if (!first) return undefined
  let tokens = 0
  let known = true
  for (const { usage } of replies) {
    if (usage) tokens += usage.inputUncached
    else known = false
  }
  const raw = jsonText(replies.map(({ usage }) => parseJson(usage?.raw ?? 'null') ?? null))
  return { ...first, vectors: replies.flatMap((reply) => reply.vectors), usage: known ? inputUsage(tokens, raw) : undefined }
}

/** Usage of a request whose tokens are all input. `raw` = the provider's own words for it. */
export function inputUsage(value: Json | undefined, raw: string): Usage | undefined {
  const tokens = tokensOf(value)
  return tokens === undefined ? undefined : { ...unknownUsage, source: 'reported', inputUncached: tokens, raw }
}

/** A vector: floats as JSON, or as base64 of 32-bit floats, little-endian (H18). Undefined when it is neither. */
export function vectorOf(value: Json | undefined): readonly number[] | undefined {
  if (Array.isArray(value)) return value.length > 0 && value.every((n) => typeof n === 'number') ? (value as number[]) : undefined
  if (typeof value !== 'string' || value === '') return undefined
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length === 0 || bytes.length % 4 !== 0) return undefined
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i))
}

/** All of them as vectors, or undefined when one is none. */
export function vectorsOf(values: readonly (Json | undefined)[]): readonly (readonly number[])[] | undefined {
  const vectors = values.flatMap((value) => {
    const vector = vectorOf(value)
    return vector ? [vector] : []
  })
  return vectors.length > 0 && vectors.length === values.length ? vectors : undefined
}

/** A vector as base64 of 32-bit floats, little-endian, as the SDKs of OpenAI ask for by default (H18). */
export function base64Of(values: readonly number[]): string {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeFloatLE(value, 4 * i)
  return bytes.toString('base64')
}
