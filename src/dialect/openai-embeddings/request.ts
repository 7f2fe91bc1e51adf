/**
 * Requests for embeddings in OpenAI's form, to and from the neutral one. `input_type`, which OpenAI does not have and many that speak its dialect do, says
 * what the vectors are for.
 */

import type { Json } from '../../plugin/request.ts'
import type { Extra } from '../conversation.ts'
import {
  type EmbeddingInput,
  type EmbeddingPurpose,
  type EmbeddingRequest,
  type EmbeddingsCodec,
  maxInputs,
} from '../embeddings/request.ts'
import type { JsonSource } from '../json-source.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { wordOf } from '../shape.ts'

const purposes: Readonly<Record<string, EmbeddingPurpose>> = {
  query: 'query',
  search_query: 'query',
  document: 'document',
  passage: 'document',
  search_document: 'document',
  classification: 'classification',
  clustering: 'clustering',
}

const names = { inputs: 'input', dimensions: 'dimensions', purpose: 'input_type', user: 'user' } as const

export const openaiEmbeddingsCodec: EmbeddingsCodec = { read, write }

function read({ json }: JsonSource, report: LossReport): EmbeddingRequest {
  const extras: Extra[] = []
  let dimensions: number | undefined
  let purpose: EmbeddingPurpose | undefined
  for (const [name, value] of Object.entries(json)) {
    if (value === null) continue
    switch (name) {
      case 'model':
      case 'input':
      case 'user':
        break
      case 'encoding_format':
        if (value !== 'float' && value !== 'base64') report.refuse(name, 'The "encoding_format" is not one of "float" and "base64".')
        break
      case 'dimensions':
        if (Number.isSafeInteger(value) && (value as number) > 0) dimensions = value as number
        else report.refuse(name, 'The "dimensions" are not a whole number above 0.')
        break
      case 'input_type':
        purpose = typeof value === 'string' && Object.hasOwn(purposes, value) ? purposes[value] : undefined
        if (purpose === undefined) extras.push({ field: name, weight: 'meaning' })
        break
      case 'stream':
        if (value === true) report.refuse(name, 'Embeddings can not be streamed. Leave "stream" out.')
        break
      case 'output_dtype':
      case 'embedding_types':
        extras.push({ field: name, weight: 'meaning' })
        break
      default:
        extras.push({ field: name, weight: 'hint' })
    }
  }
  return { inputs: inputsOf(json.input, report), dimensions, purpose, user: wordOf(json.user), names, extras }
}

function inputsOf(input: Json | undefined, report: LossReport): EmbeddingInput[] {
  if (typeof input === 'string') return [{ text: input }]
  if (!Array.isArray(input)) {
    report.refuse('input', 'There is no "input". Send a text or a list of texts.')
    return []
  }
  const items = input as readonly Json[]
  if (items.length > 0 && items.every(isToken)) return [{ tokens: items }]
  const inputs: EmbeddingInput[] = []
  for (const [i, item] of items.entries()) {
    if (typeof item === 'string') inputs.push({ text: item })
    else if (Array.isArray(item) && item.length > 0 && (item as readonly Json[]).every(isToken)) inputs.push({ tokens: item as number[] })
    else report.refuse(`input[${i}]`, `The input ${i} is neither a text nor a list of token ids.`)
  }
  return inputs
}

function isToken(value: Json): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Floats are not asked for: they are what the API gives by itself, and some that speak it know no other way. */
function write(
  { dimensions, inputs, names, purpose, user }: EmbeddingRequest,
  { model }: { model: string },
  report: LossReport,
): Writable[] {
  if (purpose !== undefined) report.drop(names.purpose) // models of OpenAI make one vector for all purposes
  const input = inputs.map((one) => {
    if ('tokens' in one) return one.tokens
    if (one.title !== undefined) report.drop('title')
    return one.text
  })
  return input.length > maxInputs ? [] : [{ model, input: input.length === 1 ? input[0]! : input, dimensions, user }]
}
