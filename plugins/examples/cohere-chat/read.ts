/** Requests of Cohere's clients to the neutral conversation. Odd shapes are refused by name or told as extras, never thrown. */

import {
  type Conversation,
  type Extra,
  type JsonObject,
  type JsonSource,
  type LossReport,
  listOf,
  objectOf,
  wordOf,
} from 'headgate/dialect'
import type { Json } from 'headgate/plugin'
import { readTurns } from './read-turns.ts'

type Params = { -readonly [K in keyof Conversation['params']]: Conversation['params'][K] }
type Names = { -readonly [K in keyof Conversation['names']]: Conversation['names'][K] }

const numbers = [
  ['max_tokens', 'maxOutput'],
  ['temperature', 'temperature'],
  ['p', 'topP'],
  ['k', 'topK'],
  ['frequency_penalty', 'frequencyPenalty'],
  ['presence_penalty', 'presencePenalty'],
  ['seed', 'seed'],
] as const
/** Read elsewhere, or without a meaning of their own. */
const known = new Set([
  'model',
  'messages',
  'stream',
  'tools',
  'tool_choice',
  'strict_tools',
  'stop_sequences',
  'response_format',
  'thinking',
])

/** What a request asks for. */
export function readRequest(source: JsonSource, report: LossReport): Conversation {
  const { json } = source
  const params: Params = {}
  const names: Names = {}
  const extras: Extra[] = []
  if (!Array.isArray(json.messages)) report.refuse('messages', 'A chat needs "messages", a list.')
  for (const [member, key] of numbers) {
    const value = json[member]
    if (typeof value === 'number') {
      params[key] = value
      names[key] = member
    } else if (says(value)) report.refuse(member, `"${member}" has to be a number.`)
  }
  const stop = listOf(json.stop_sequences).filter((item) => typeof item === 'string')
  if (stop.length > 0) {
    params.stop = stop
    names.stop = 'stop_sequences'
  }
  const thinking = objectOf(json.thinking)
  if (thinking) {
    names.reasoning = 'thinking'
    const budget = typeof thinking.token_budget === 'number' ? { budget: thinking.token_budget } : { adaptive: true }
    params.reasoning = thinking.type === 'disabled' ? { off: true } : budget
  }
  const format = objectOf(json.response_format)
  if (format?.type === 'json_object') {
    names.format = 'response_format'
    const member = objectOf(format.json_schema) ? 'json_schema' : 'schema'
    const schema = objectOf(format[member]) && source.raw('response_format', member)
    params.format = schema === undefined ? { type: 'json_object' } : { type: 'json_schema', schema }
  }
  for (const member of Object.keys(json)) {
    if (known.has(member) || numbers.some(([name]) => name === member) || !says(json[member])) continue
    // without its documents or log probabilities the answer is another one
    const meaning = member === 'documents' || member === 'logprobs'
    extras.push({ field: member, weight: meaning ? 'meaning' : 'hint' })
  }
  const choice = wordOf(json.tool_choice)
  if (choice !== undefined) names.toolChoice = 'tool_choice'
  const toolChoice = choice === 'REQUIRED' ? 'required' : choice === 'NONE' ? 'none' : undefined
  return {
    source: 'cohere-chat',
    stream: json.stream === true,
    turns: readTurns(json, report, extras),
    tools: readTools(source, report),
    ...(toolChoice && { toolChoice: { type: toolChoice } }),
    params,
    names,
    extras,
  }
}

function readTools(source: JsonSource, report: LossReport): Conversation['tools'] {
  const strict = source.json.strict_tools === true
  return listOf(source.json.tools).flatMap((item, i) => {
    const made: JsonObject | undefined = objectOf(objectOf(item)?.function)
    const name = wordOf(made?.name)
    const field = `tools[${i}]`
    if (name === undefined) {
      report.refuse(`${field}.function.name`, `"${field}" needs a function with a name.`)
      return []
    }
    const schema = source.raw('tools', i, 'function', 'parameters')
    return [{ kind: 'function' as const, name, description: wordOf(made?.description), schema, ...(strict && { strict }), field }]
  })
}

function says(value: Json | undefined): boolean {
  return value !== undefined && value !== null && value !== false && !(Array.isArray(value) && value.length === 0)
}
