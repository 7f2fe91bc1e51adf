/** Parameters of a Responses request. Values that ask for nothing (null, an empty list, `background: false`) are as good as absent. */

import type { OutputFormat, Params, ReasoningRequest } from '../conversation.ts'
import type { Reading } from '../openai-chat/reading.ts'
import { listOf, objectOf, wordOf } from '../shape.ts'

type Draft = { -readonly [K in keyof Params]: Params[K] }
type Set = <K extends keyof Params>(key: K, member: string, value: Params[K]) => void

export interface ReadParams {
  readonly params: Params
  readonly parallelCalls: boolean | undefined
  readonly stream: boolean
}

/** What lives at the provider: a translated request brings all of its conversation itself. */
const stateful: Readonly<Record<string, string>> = {
  previous_response_id: 'earlier responses are not stored here. Send the whole conversation in "input", with "store": false.',
  conversation: 'conversations are not stored here. Send the whole conversation in "input".',
  background: 'the model that was asked for does not answer in the background.',
  prompt: 'prompt templates are stored at OpenAI. Send the prompt itself.',
  moderation: 'the model that was asked for does not moderate.',
}

/** Reads the parameters of a request. */
export function readParams(reading: Reading): ReadParams {
  const { take, names, report } = reading
  const params: Draft = {}
  const set: Set = (key, member, value) => {
    if (value === undefined) return
    params[key] = value
    names[key] = member
  }
  const number = (key: 'maxOutput' | 'temperature' | 'topP' | 'frequencyPenalty' | 'presencePenalty', member: string): void => {
    const value = take(member)
    if (typeof value === 'number') set(key, member, value === 0 && member.endsWith('_penalty') ? undefined : value)
    else if (value !== undefined) report.refuse(member, `"${member}" has to be a number.`)
  }
  number('maxOutput', 'max_output_tokens')
  number('temperature', 'temperature')
  number('topP', 'top_p')
  // servers that follow OpenAI's open specification
  number('frequencyPenalty', 'frequency_penalty')
  number('presencePenalty', 'presence_penalty')
  set('cacheKey', 'prompt_cache_key', wordOf(take('prompt_cache_key')))
  set('cacheRetention', 'prompt_cache_retention', wordOf(take('prompt_cache_retention')))
  set('serviceTier', 'service_tier', wordOf(take('service_tier')))
  set('user', 'user', wordOf(take('user')))
  set('user', 'safety_identifier', wordOf(take('safety_identifier')))
  const metadata = objectOf(take('metadata'))
  if (metadata && Object.keys(metadata).length > 0) set('metadata', 'metadata', metadata)
  const store = take('store')
  if (typeof store === 'boolean') set('store', 'store', store)
  readInclude(reading, set)
  readReasoning(reading, set)
  readText(reading, set)
  readState(reading)
  take('stream_options') // nothing in it changes what is said
  if (take('truncation') === 'auto') reading.extra('truncation', 'hint')
  const parallel = take('parallel_tool_calls')
  if (typeof parallel === 'boolean') names.parallelCalls = 'parallel_tool_calls'
  return { params, parallelCalls: typeof parallel === 'boolean' ? parallel : undefined, stream: take('stream') === true }
}

function readState(reading: Reading): void {
  for (const [member, why] of Object.entries(stateful)) {
    const value = reading.take(member)
    if (value !== undefined && value !== false && value !== '') reading.extra(member, 'meaning', `"${member}": ${why}`)
  }
}

/** Encrypted reasoning comes anyway. Other additions belong to hosted tools; log probabilities are a parameter of their own. */
function readInclude(reading: Reading, set: Set): void {
  const alternatives = reading.take('top_logprobs')
  const count = typeof alternatives === 'number' ? alternatives : 0
  if (count > 0) set('logprobs', 'top_logprobs', count)
  for (const item of listOf(reading.take('include'))) {
    if (item === 'message.output_text.logprobs') set('logprobs', 'include', count)
    else if (item !== 'reasoning.encrypted_content') reading.extra(`include.${wordOf(item) ?? '?'}`, 'hint')
  }
}

function readReasoning(reading: Reading, set: Set): void {
  const object = objectOf(reading.take('reasoning'))
  if (!object) return
  const effort = wordOf(object.effort)
  const visible = wordOf(object.summary) ?? wordOf(object.generate_summary)
  const asked: ReasoningRequest = {
    ...(effort !== undefined && { effort }),
    ...(effort === 'none' && { off: true }),
    ...(visible !== undefined && { visible: visible === 'none' ? 'omitted' : visible }),
  }
  if (Object.keys(asked).length > 0) set('reasoning', 'reasoning', asked)
  reading.unknown(object, 'reasoning', new Set(['effort', 'summary', 'generate_summary']))
}

function readText(reading: Reading, set: Set): void {
  const text = objectOf(reading.take('text'))
  if (!text) return
  set('verbosity', 'text.verbosity', wordOf(text.verbosity))
  reading.unknown(text, 'text', new Set(['format', 'verbosity']))
  const format = objectOf(text.format)
  if (!format || format.type === 'text') return
  if (format.type === 'json_object') set('format', 'text.format', { type: 'json_object' })
  else if (format.type === 'json_schema') {
    const { strict } = format
    const read: OutputFormat = {
      type: 'json_schema',
      name: wordOf(format.name),
      description: wordOf(format.description),
      schema: reading.source.raw('text', 'format', 'schema'),
      ...(typeof strict === 'boolean' && { strict }),
    }
    set('format', 'text.format', read)
  } else {
    const said = `"text.format" of type ${JSON.stringify(format.type ?? null)} is not known to the model that was asked for.`
    reading.extra('text.format', 'meaning', said)
  }
}
