/**
 * Requests for embeddings in Gemini's forms, to and from the neutral one: `embedContent` for one input, `batchEmbedContents` for up to a hundred, and
 * on Vertex the older `predict`.
 *
 * Models of the second generation take no task type: what the vectors are for is said in the text itself, which is the client's business.
 */

import type { Json } from '../../plugin/request.ts'
import type { Extra } from '../conversation.ts'
import {
  type EmbeddingInput,
  type EmbeddingPurpose,
  type EmbeddingRequest,
  type EmbeddingsCodec,
  groups,
  textsOf,
} from '../embeddings/request.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { objectOf, wordOf } from '../shape.ts'
import { numberOf } from './names.ts'
import { indexPointer, itemsOf } from './repeated.ts'

const taskOf: Readonly<Record<EmbeddingPurpose, string>> = {
  query: 'RETRIEVAL_QUERY',
  document: 'RETRIEVAL_DOCUMENT',
  similarity: 'SEMANTIC_SIMILARITY',
  classification: 'CLASSIFICATION',
  clustering: 'CLUSTERING',
  question: 'QUESTION_ANSWERING',
  fact: 'FACT_VERIFICATION',
  code: 'CODE_RETRIEVAL_QUERY',
}
const purposeOf = new Map(Object.entries(taskOf).map(([purpose, task]) => [task, purpose as EmbeddingPurpose]))

/** Inputs that one call takes. */
const maxBatch = 100

const names = { inputs: 'content', dimensions: 'outputDimensionality', purpose: 'taskType', user: 'user' } as const

/** `:embedContent`. */
export const embedContentCodec: EmbeddingsCodec = {
  read({ json }, report) {
    const extras: Extra[] = []
    const item = readItem(json, '', extras, report)
    return { inputs: item.input ? [item.input] : [], dimensions: item.dimensions, purpose: item.purpose, names, extras }
  },
  write(request, { host, model }, report) {
    if (host === 'vertex' && !secondGeneration(model)) return instances(request, report)
    return textsOf(request, report).map((one) => item(request, one, model, report))
  },
}

/** `:batchEmbedContents`. */
export const batchEmbedCodec: EmbeddingsCodec = {
  read({ json }, report) {
    const extras: Extra[] = Object.keys(json).flatMap((field) => (field === 'requests' ? [] : [{ field, weight: 'hint' }]))
    const items = itemsOf(json.requests).map((one, i) => readItem(one, `requests[${i}].`, extras, report))
    const [first] = items
    for (const one of items) {
      if (one.dimensions === first!.dimensions && one.purpose === first!.purpose) continue
      report.refuse(
        'requests',
        'The requests of a batch differ in "taskType" or "outputDimensionality", which the model takes once for all.',
      )
    }
    const inputs = items.flatMap(({ input }) => (input ? [input] : []))
    return { inputs, dimensions: first?.dimensions, purpose: first?.purpose, names: { ...names, inputs: 'requests' }, extras }
  },
  write(request, { model }, report) {
    const texts = textsOf(request, report)
    const named = resourceOf(model)
    return groups(texts, maxBatch).map((group) => ({
      requests: group.map((one) => ({ model: named, ...item(request, one, model, report) })),
    }))
  },
}

/** A model as the body of a batch names it. */
function resourceOf(model: string): string {
  return /^(models|tunedModels)\//.test(model) ? model : `models/${model}`
}

/** Each request of a batch names the model again, and must name that of the path. */
export function batchModelNames(body: Json, model: string): [string, string][] {
  const requests = objectOf(body)?.requests
  return itemsOf(requests).map((_, i) => [`/requests${indexPointer(requests, i)}/model`, resourceOf(model)])
}

function item(
  { dimensions, names, purpose, user }: EmbeddingRequest,
  { text, title }: { readonly text: string; readonly title?: string | undefined },
  model: string,
  report: LossReport,
): { readonly [key: string]: Writable } {
  const tasks = !secondGeneration(model)
  if (purpose !== undefined && !tasks) report.drop(names.purpose)
  if (user !== undefined) report.drop(names.user)
  return {
    content: { parts: [{ text }] },
    taskType: purpose !== undefined && tasks ? taskOf[purpose] : undefined,
    title: tasks ? title : undefined,
    outputDimensionality: dimensions,
  }
}

/** Vertex AI: models before the second generation have `predict` only, which takes as little as one instance at a time. */
function instances(request: EmbeddingRequest, report: LossReport): Writable[] {
  const { dimensions, names, purpose, user } = request
  if (user !== undefined) report.drop(names.user)
  return textsOf(request, report).map(({ text, title }) => ({
    instances: [{ content: text, task_type: purpose && taskOf[purpose], title }],
    // a text that is too long is an error, as elsewhere, and not cut
    parameters: { autoTruncate: false, outputDimensionality: dimensions },
  }))
}

/** `gemini-embedding-2` and what comes after it. */
function secondGeneration(model: string): boolean {
  return /gemini-embedding-(?!001|exp)/.test(model)
}

interface Item {
  readonly input?: EmbeddingInput
  readonly dimensions?: number | undefined
  readonly purpose?: EmbeddingPurpose | undefined
}

function readItem(value: Json, path: string, extras: Extra[], report: LossReport): Item {
  const object = objectOf(value) ?? {}
  let dimensions: number | undefined
  let purpose: EmbeddingPurpose | undefined
  for (const [name, given] of Object.entries(object)) {
    const field = path + name
    switch (name) {
      case 'model':
      case 'content':
      case 'title':
        break
      case 'outputDimensionality':
      case 'output_dimensionality':
        dimensions = numberOf(given)
        if (!Number.isSafeInteger(dimensions) || dimensions! <= 0) report.refuse(field, `The "${field}" is not a whole number above 0.`)
        break
      case 'taskType':
      case 'task_type':
        purpose = typeof given === 'string' ? purposeOf.get(given) : undefined
        if (purpose === undefined && given !== 'TASK_TYPE_UNSPECIFIED') extras.push({ field, weight: 'meaning' })
        break
      default:
        extras.push({ field, weight: 'hint' })
    }
  }
  const text = textOfContent(object.content, `${path}content`, report)
  return text === undefined ? { dimensions, purpose } : { input: { text, title: wordOf(object.title) }, dimensions, purpose }
}

/** All parts of a content make one vector. */
function textOfContent(content: Json | undefined, field: string, report: LossReport): string | undefined {
  const parts = itemsOf(objectOf(content)?.parts)
  const texts = parts.flatMap((part) => {
    const { text } = objectOf(part) ?? {}
    return typeof text === 'string' ? [text] : []
  })
  if (texts.length === parts.length && parts.length > 0) return texts.join('\n')
  report.refuse(
    field,
    parts.length === 0 ? `There is no text in "${field}".` : `The model that was asked for takes texts only in "${field}".`,
  )
  return undefined
}
