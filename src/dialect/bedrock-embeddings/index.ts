/**
 * The dialect of embeddings on Bedrock, by `invoke`: each maker's models have bodies of their own, told apart by the model's id.
 *
 * Amazon's models take one text per call, Cohere's a list. Upstreams speak it, clients do not. The count of tokens that Bedrock gives in a header is put into
 * the body by the host (`inputTextTokenCount`, Titan's own word for it).
 */

import { bedrockConverse } from '../bedrock-converse/index.ts'
import type { Dialect } from '../codec.ts'
import { cohereVectors } from '../cohere-embed/index.ts'
import { cohereBodies } from '../cohere-embed/request.ts'
import { type EmbeddingReply, embeddingReplies, inputUsage, vectorsOf } from '../embeddings/replies.ts'
import { type EmbeddingPurpose, type EmbeddingRequest, textsOf, unreadable } from '../embeddings/request.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { type JsonObject, jsonText, listOf, objectOf, wordOf } from '../shape.ts'

const { request: _, ...shared } = bedrockConverse

export const bedrockEmbeddings: Dialect = {
  ...shared,
  ...embeddingReplies(read),
  name: 'bedrock-embeddings',
  embeddings: { read: unreadable, write },
  parts: () => [],
}

/** Nova's purposes; vectors of texts that are searched, unless the client says otherwise. */
const novaPurposes: Readonly<Partial<Record<EmbeddingPurpose, string>>> = {
  query: 'TEXT_RETRIEVAL',
  question: 'TEXT_RETRIEVAL',
  fact: 'TEXT_RETRIEVAL',
  code: 'TEXT_RETRIEVAL',
  classification: 'CLASSIFICATION',
  clustering: 'CLUSTERING',
  similarity: 'CLUSTERING',
}

function write(request: EmbeddingRequest, { model }: { readonly model: string }, report: LossReport): readonly Writable[] {
  if (/cohere\.embed/.test(model)) return cohereBodies(request, model, {}, report)
  const { dimensions, names, purpose, user } = request
  if (user !== undefined) report.drop(names.user)
  const texts = textsOf(request, report)
  if (texts.some(({ title }) => title !== undefined)) report.drop('title')
  if (/nova-.*embed/.test(model)) {
    return texts.map(({ text }) => ({
      taskType: 'SINGLE_EMBEDDING',
      singleEmbeddingParams: {
        embeddingPurpose: (purpose && novaPurposes[purpose]) ?? 'GENERIC_INDEX',
        embeddingDimension: dimensions,
        text: { value: text, truncationMode: 'NONE' },
      },
    }))
  }
  if (/titan-embed/.test(model)) {
    if (purpose !== undefined) report.drop(names.purpose)
    if (/titan-embed-image/.test(model)) {
      return texts.map(({ text }) => ({ inputText: text, embeddingConfig: dimensions && { outputEmbeddingLength: dimensions } }))
    }
    // only the second version of the text model has vectors of several lengths
    if (dimensions !== undefined && !/titan-embed-text-v2/.test(model)) {
      report.refuse(names.dimensions, `The vectors of ${model} have one length. Leave "${names.dimensions}" out.`)
    }
    return texts.map(({ text }) => ({ inputText: text, dimensions }))
  }
  report.refuse(
    'model',
    `It is not known how ${model} on Bedrock is asked for embeddings. Titan, Nova and Cohere models are, by their ids.`,
  )
  return []
}

function read(reply: JsonObject): EmbeddingReply | undefined {
  const { embedding, embeddings, id, inputTextTokenCount } = reply
  const usage = inputUsage(inputTextTokenCount, jsonText({ inputTextTokenCount: inputTextTokenCount ?? null }))
  const nova = listOf(embeddings).map((one) => objectOf(one)?.embedding)
  const vectors = vectorsOf([embedding]) ?? vectorsOf(nova) ?? cohereVectors(reply)
  return vectors && { vectors, usage, id: wordOf(id) }
}
