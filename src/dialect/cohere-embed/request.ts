/**
 * Requests for embeddings as Cohere takes them, in its own API and on Bedrock. Written only: no client speaks it here.
 *
 * `input_type` is required: texts are documents unless the client says otherwise. A text that is too long is an error, as elsewhere, and not cut.
 */

import { type EmbeddingPurpose, type EmbeddingRequest, groups, textsOf } from '../embeddings/request.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'

/** Texts that one call takes. */
const maxTexts = 96

const inputTypes: Readonly<Record<EmbeddingPurpose, string>> = {
  query: 'search_query',
  document: 'search_document',
  similarity: 'clustering',
  classification: 'classification',
  clustering: 'clustering',
  question: 'search_query',
  fact: 'search_query',
  code: 'search_query',
}

/** Bodies for a request; members that `more` has come first. */
export function cohereBodies(
  request: EmbeddingRequest,
  model: string,
  more: { readonly [key: string]: Writable },
  report: LossReport,
): Writable[] {
  const { dimensions, names, purpose, user } = request
  if (user !== undefined) report.drop(names.user)
  // the third generation has vectors of one length
  const sized = !/embed-(english|multilingual)-/.test(model)
  if (dimensions !== undefined && !sized) {
    report.refuse(names.dimensions, `The vectors of ${model} have one length. Leave "${names.dimensions}" out.`)
  }
  const texts = textsOf(request, report)
  if (texts.some(({ title }) => title !== undefined)) report.drop('title')
  return groups(texts, maxTexts).map((group) => ({
    ...more,
    texts: group.map(({ text }) => text),
    input_type: inputTypes[purpose ?? 'document'],
    embedding_types: ['float'],
    output_dimension: dimensions,
    truncate: 'NONE',
  }))
}
