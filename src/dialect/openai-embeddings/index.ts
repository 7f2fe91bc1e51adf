/**
 * The dialect of OpenAI's Embeddings, which many others speak, too. Between equals requests and replies pass as they are: a vector asked for as
 * base64 stays base64 (H18). Replies are whole.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Usage } from '../../plugin/outcome.ts'
import { inputTokens } from '../../plugin/outcome.ts'
import type { Json, Part } from '../../plugin/request.ts'
import type { DecodedWhole, Dialect, Purpose, ReplyIdentity, WholeSummary } from '../codec.ts'
import { base64Of, eventsOf, vectorsOf } from '../embeddings/replies.ts'
import { startEvent } from '../frame-events.ts'
import { type Splice, spliceBytes } from '../json-edits.ts'
import { writeJson } from '../json-text.ts'
import { chatDecoder } from '../openai-chat/decode.ts'
import { chatEncoder } from '../openai-chat/encode.ts'
import { chatErrorFrames, openaiErrorBody } from '../openai-chat/errors.ts'
import { chatInteresting } from '../openai-chat/interesting.ts'
import { chatUsage } from '../openai-chat/usage.ts'
import { partCollector } from '../part-collector.ts'
import { countOf, decodeText, type JsonObject, listOf, objectOf, parseJson, wordOf } from '../shape.ts'
import { notAReply, readUpstreamError } from '../upstream-error.ts'
import { usageEdits, withExtra } from '../usage-edits.ts'
import { readMembers } from '../whole-members.ts'
import { openaiEmbeddingsCodec } from './request.ts'

export const openaiEmbeddings: Dialect = {
  name: 'openai-embeddings',
  family: 'openai',
  parts: embeddingsParts,
  embeddings: openaiEmbeddingsCodec,
  // there are no streams; should an upstream send one all the same, it is told as Chat tells it
  interesting: chatInteresting,
  terminal: 'end',
  decoder: chatDecoder,
  encoder: chatEncoder,
  summary: embeddingsSummary,
  decodeWhole: decodeEmbeddings,
  encodeWhole: encodeEmbeddings,
  errorBody: openaiErrorBody,
  errorFrames: chatErrorFrames,
  readError: readUpstreamError,
}

/** The texts to embed. Lists of tokens are no text. */
function embeddingsParts(body: Json): Part[] {
  const input = objectOf(body)?.input
  const parts = partCollector(() => false)
  if (typeof input === 'string') parts.add('user', input, '/input', 0)
  for (const [i, item] of listOf(input).entries()) if (typeof item === 'string') parts.add('user', item, `/input/${i}`, i)
  return parts.done()
}

/** Reads a large reply without decoding its vectors. */
function embeddingsSummary(body: Uint8Array): WholeSummary {
  const read = readMembers(body, ['id', 'model', 'usage', 'error'], { list: 'data', members: [] })
  const reply = read?.object
  if (!reply || !Array.isArray(reply.data)) return notAReply(read?.value)
  return { valid: true, id: wordOf(reply.id), model: wordOf(reply.model), usage: embeddingsUsage(reply.usage) }
}

/** All tokens are input; some say only the total (Voyage). */
function embeddingsUsage(value: Json | undefined): Usage | undefined {
  const usage = objectOf(value)
  if (!usage) return undefined
  const counted = chatUsage({
    ...usage,
    prompt_tokens: usage.prompt_tokens ?? usage.total_tokens ?? null,
    completion_tokens: 0,
    total_tokens: 0,
  })
  return counted && { ...counted, raw: JSON.stringify(usage) }
}

function decodeEmbeddings(body: Uint8Array, purpose?: Purpose): DecodedWhole | null {
  const data = decodeText(body)
  const reply = objectOf(parseJson(data))
  if (!reply || !Array.isArray(reply.data)) return null
  if (purpose !== 'translate') return passed(body, data, reply)
  const items = listOf(reply.data).map((item, i) => {
    const object = objectOf(item)
    return { index: countOf(object?.index) ?? i, embedding: object?.embedding }
  })
  const vectors = vectorsOf(items.sort((a, b) => a.index - b.index).map((item) => item.embedding))
  if (!vectors) return null
  const { id, model, usage } = reply
  return { events: eventsOf({ vectors, id: wordOf(id), model: wordOf(model), usage: embeddingsUsage(usage) }), apply: () => body }
}

/** A reply as it is: beside its bytes, who answered and what it used, which plugins may spell otherwise and add to. */
function passed(body: Uint8Array, data: string, reply: JsonObject): DecodedWhole {
  const usage = embeddingsUsage(reply.usage)
  const events: StreamEvent[] = [
    startEvent(reply.id, reply.model),
    { type: 'native', data },
    ...(usage ? [{ type: 'usage', usage } as const] : []),
  ]
  return {
    events,
    apply(after) {
      const now = after.flat()
      const native = now.find((event) => event.type === 'native')
      if (native?.type === 'native' && native.data !== data) return Buffer.from(native.data)
      const edits: Splice[] = []
      const start = now.find((event) => event.type === 'start')
      if (start?.type === 'start' && start.model !== undefined && start.model !== reply.model)
        edits.push({ pointer: '/model', value: start.model })
      const used = now.find((event) => event.type === 'usage')
      if (used?.type === 'usage') edits.push(...usageEdits('/usage', events.at(-1)!, used, usageObject))
      return edits.length === 0 ? body : spliceBytes(body, edits)
    },
  }
}

function usageObject(usage: Usage): JsonObject {
  const tokens = inputTokens(usage)
  return { prompt_tokens: tokens, total_tokens: tokens }
}

/** Vectors in the form that the client asked for: the SDKs ask for base64 unless told otherwise (H18). */
function encodeEmbeddings(events: readonly StreamEvent[], head: ReplyIdentity): string {
  const native = events.find((event) => event.type === 'native')
  if (native?.type === 'native') return native.data
  const base64 = head.request?.encoding_format === 'base64'
  const data = events.flatMap((event) => {
    if (event.type !== 'embedding') return []
    return [{ object: 'embedding', index: event.index, embedding: base64 ? base64Of(event.values) : event.values }]
  })
  const last = events.findLast((event) => event.type === 'usage')
  let usage: ReturnType<typeof withExtra> | undefined
  if (last?.type === 'usage') usage = withExtra(usageObject(last.usage), last.extra)
  return writeJson({ object: 'list', data, model: head.model, usage })
}
