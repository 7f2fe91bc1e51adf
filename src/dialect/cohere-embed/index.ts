/** The dialect of Cohere's `/v2/embed`. Upstreams speak it, clients do not. */

import type { Dialect } from '../codec.ts'
import { type EmbeddingReply, embeddingReplies, inputUsage, vectorsOf } from '../embeddings/replies.ts'
import { unreadable } from '../embeddings/request.ts'
import { openaiEmbeddings } from '../openai-embeddings/index.ts'
import { type JsonObject, jsonText, listOf, objectOf, wordOf } from '../shape.ts'
import { cohereBodies } from './request.ts'

export const cohereEmbed: Dialect = {
  ...openaiEmbeddings,
  ...embeddingReplies(read),
  name: 'cohere-embed',
  embeddings: {
    read: unreadable,
    write: (request, { model }, report) => cohereBodies(request, model, { model }, report),
  },
}

function read(reply: JsonObject): EmbeddingReply | undefined {
  const vectors = cohereVectors(reply)
  const billed = objectOf(objectOf(reply.meta)?.billed_units)
  return vectors && { vectors, id: wordOf(reply.id), usage: billed && inputUsage(billed.input_tokens, jsonText(billed)) }
}

/** Vectors by type, or the older form without types. */
export function cohereVectors({ embeddings }: JsonObject): EmbeddingReply['vectors'] | undefined {
  return vectorsOf(listOf(objectOf(embeddings)?.float ?? embeddings))
}
