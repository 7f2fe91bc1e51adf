/** The dialects of Gemini's `embedContent` and `batchEmbedContents`: their replies, and what they share with the rest of the API. */

import type { StreamEvent } from '../../plugin/events.ts'
import { inputTokens, type Usage } from '../../plugin/outcome.ts'
import type { Json, Part } from '../../plugin/request.ts'
import type { Dialect } from '../codec.ts'
import { type EmbeddingReply, embeddingReplies, inputUsage, vectorsOf } from '../embeddings/replies.ts'
import type { EmbeddingsCodec } from '../embeddings/request.ts'
import { writeJson } from '../json-text.ts'
import { partCollector } from '../part-collector.ts'
import { countOf, type JsonObject, jsonText, listOf, objectOf } from '../shape.ts'
import { withExtra } from '../usage-edits.ts'
import { batchEmbedCodec, batchModelNames, embedContentCodec } from './embed-request.ts'
import { indexPointer, itemsOf } from './repeated.ts'

/** The dialects of embeddings, made of the dialect of `:generateContent`. */
export function embedDialects(generate: Dialect): { readonly one: Dialect; readonly batch: Dialect } {
  const make = (name: string, embeddings: EmbeddingsCodec, encode: (vectors: readonly (readonly number[])[]) => object): Dialect => {
    const { request: _, ...shared } = generate
    return {
      ...shared,
      ...replies,
      name,
      embeddings,
      parts: embedParts,
      // there are no streams
      interesting: (chunk, from) => (from < chunk.length ? from : -1),
      encodeWhole: (events) => encoded(events, encode),
    }
  }
  return {
    one: make('gemini-embed-content', embedContentCodec, ([values = []]) => ({ embedding: { values } })),
    batch: {
      ...make('gemini-batch-embed', batchEmbedCodec, (vectors) => ({ embeddings: vectors.map((values) => ({ values })) })),
      modelNames: batchModelNames,
    },
  }
}

const replies = embeddingReplies(read)

/** A reply of `embedContent`, of `batchEmbedContents`, or of Vertex's `predict`. */
function read(reply: JsonObject): EmbeddingReply | undefined {
  const { embedding, embeddings, predictions, usageMetadata } = reply
  const found = Array.isArray(embeddings)
    ? listOf(embeddings)
    : Array.isArray(predictions)
      ? listOf(predictions).map((one) => objectOf(one)?.embeddings)
      : [embedding]
  const vectors = vectorsOf(found.map((one) => objectOf(one)?.values))
  return vectors && { vectors, usage: Array.isArray(predictions) ? countedOf(found) : usageOf(usageMetadata) }
}

function usageOf(value: Json | undefined): Usage | undefined {
  const usage = objectOf(value)
  return usage && inputUsage(usage.promptTokenCount ?? usage.totalTokenCount, jsonText(usage))
}

/** `predict` counts the tokens of each instance. */
function countedOf(found: readonly (Json | undefined)[]): Usage | undefined {
  let tokens = 0
  for (const one of found) {
    const count = countOf(objectOf(objectOf(one)?.statistics)?.token_count)
    if (count === undefined) return undefined
    tokens += count
  }
  return inputUsage(tokens, jsonText({ token_count: tokens }))
}

function embedParts(body: Json): Part[] {
  const parts = partCollector(() => false)
  const add = (content: Json | undefined, pointer: string, turn: number): void => {
    const list = objectOf(content)?.parts
    for (const [i, part] of itemsOf(list).entries()) {
      const text = objectOf(part)?.text
      if (typeof text === 'string') parts.add('user', text, `${pointer}/parts${indexPointer(list, i)}/text`, turn)
    }
  }
  add(objectOf(body)?.content, '/content', 0)
  const requests = objectOf(body)?.requests
  for (const [i, one] of itemsOf(requests).entries()) add(objectOf(one)?.content, `/requests${indexPointer(requests, i)}/content`, i)
  return parts.done()
}

function encoded(events: readonly StreamEvent[], encode: (vectors: readonly (readonly number[])[]) => object): string {
  const native = events.find((event) => event.type === 'native')
  if (native?.type === 'native') return native.data
  const vectors = events.flatMap((event) => (event.type === 'embedding' ? [event.values] : []))
  const last = events.findLast((event) => event.type === 'usage')
  if (last?.type !== 'usage') return jsonText(encode(vectors) as Json)
  const usageMetadata = withExtra({ promptTokenCount: inputTokens(last.usage), totalTokenCount: inputTokens(last.usage) }, last.extra)
  return writeJson({ ...encode(vectors), usageMetadata } as JsonObject)
}
