/** `generationConfig` and what stands beside it in a Gemini request, as neutral parameters (PROTOCOL §1.3, §1.4). */

import type { OutputFormat, Params, ReasoningRequest } from '../conversation.ts'
import { type JsonObject, objectOf, wordOf } from '../shape.ts'
import { member, nameOf, numberOf } from './names.ts'
import type { Reading } from './reading.ts'
import { itemsOf } from './repeated.ts'
import { jsonSchemaText } from './schema.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const numbers = {
  maxOutput: 'maxOutputTokens',
  temperature: 'temperature',
  topP: 'topP',
  topK: 'topK',
  frequencyPenalty: 'frequencyPenalty',
  presencePenalty: 'presencePenalty',
  seed: 'seed',
  n: 'candidateCount',
} as const

const schemas = ['responseJsonSchema', '_responseJsonSchema', 'responseSchema']
const configMembers = new Set([
  ...Object.values(numbers),
  ...schemas,
  'stopSequences',
  'responseLogprobs',
  'logprobs',
  'thinkingConfig',
  'responseMimeType',
  'responseModalities',
  'speechConfig',
  'imageConfig',
])
const thinkingMembers = new Set(['includeThoughts', 'thinkingBudget', 'thinkingLevel'])

/** Reads `generationConfig` and the members beside it. */
export function readParams(reading: Reading): Params {
  const { json, names } = reading
  const params: Mutable<Params> = {}
  const configName = nameOf(json, 'generationConfig')
  const config = configName === undefined ? undefined : objectOf(json[configName])
  const labels = objectOf(json.labels)
  if (labels) {
    params.metadata = labels
    names.metadata = 'labels'
  }
  if (!config || configName === undefined) return params
  reading.unknown(config, configMembers, configName)
  const spelled = (camel: string): string => `${configName}.${nameOf(config, camel) ?? camel}`

  for (const [key, name] of Object.entries(numbers) as [keyof typeof numbers, string][]) {
    const given = member(config, name)
    if (given === undefined) continue
    const value = numberOf(given)
    if (value === undefined) reading.extra(spelled(name), 'hint')
    else {
      params[key] = value
      names[key] = spelled(name)
    }
  }
  const stop = itemsOf(member(config, 'stopSequences')).filter((word): word is string => typeof word === 'string' && word !== '')
  if (stop.length > 0) {
    params.stop = stop
    names.stop = spelled('stopSequences')
  }
  if (member(config, 'responseLogprobs') === true) {
    params.logprobs = numberOf(config.logprobs) ?? 0
    names.logprobs = spelled('responseLogprobs')
  }
  const thinkingName = nameOf(config, 'thinkingConfig')
  const thinking = thinkingName === undefined ? undefined : objectOf(config[thinkingName])
  if (thinking) {
    reading.unknown(thinking, thinkingMembers, spelled('thinkingConfig'))
    params.reasoning = reasoningOf(thinking)
    names.reasoning = spelled('thinkingConfig')
  }
  const format = formatOf(config, configName, reading)
  if (format) {
    params.format = format
    names.format = spelled(schemas.find((name) => nameOf(config, name) !== undefined) ?? 'responseMimeType')
  }
  const modalities = itemsOf(member(config, 'responseModalities')).map((modality) => String(modality).toUpperCase())
  if (modalities.some((modality) => modality !== 'TEXT' && modality !== 'MODALITY_UNSPECIFIED')) {
    reading.extra(spelled('responseModalities'), 'meaning', 'The model that was asked for answers in text only.')
  }
  const speech = objectOf(member(config, 'speechConfig'))
  if (speech && Object.keys(speech).length > 0) reading.extra(spelled('speechConfig'), 'meaning')
  const image = objectOf(member(config, 'imageConfig'))
  if (image && Object.keys(image).length > 0) reading.extra(spelled('imageConfig'), 'hint')
  return params
}

/** Levels and budgets; without either the model thinks as it does, and only whether it is shown was said. */
function reasoningOf(thinking: JsonObject): ReasoningRequest {
  const level = wordOf(member(thinking, 'thinkingLevel'))?.toLowerCase()
  const budget = numberOf(member(thinking, 'thinkingBudget'))
  const shown = member(thinking, 'includeThoughts')
  const visible = typeof shown !== 'boolean' ? {} : { visible: shown ? 'auto' : 'omitted' }
  if (budget === 0) return { off: true, ...visible }
  return {
    ...(level !== undefined && level !== 'thinking_level_unspecified' && { effort: level }),
    ...(budget !== undefined && (budget < 0 ? { budget: -1, adaptive: true } : { budget })),
    ...visible,
  }
}

function formatOf(config: JsonObject, configName: string, reading: Reading): OutputFormat | undefined {
  const mime = wordOf(member(config, 'responseMimeType'))
  const schemaName = schemas.map((name) => nameOf(config, name)).find((name) => name !== undefined)
  const schema = schemaName === undefined ? undefined : objectOf(config[schemaName])
  if (mime === 'text/plain') return { type: 'text' }
  if (mime !== undefined && mime !== 'application/json') {
    reading.extra(`${configName}.responseMimeType`, 'meaning', `Answers of type "${mime}" are only given by Gemini.`)
    return undefined
  }
  if (schema) {
    const raw = reading.source.raw(configName, schemaName!)
    return { type: 'json_schema', strict: true, ...(raw !== undefined && { schema: jsonSchemaText(schema, raw) }) }
  }
  return mime === undefined ? undefined : { type: 'json_object' }
}
