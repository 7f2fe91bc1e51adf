/** Parameters of a Chat request. Values that ask for nothing (n: 1, a penalty of 0, an empty list) are as good as absent. */

import type { OutputFormat, Params, ReasoningRequest } from '../conversation.ts'
import { listOf, objectOf, textOf, wordOf } from '../shape.ts'
import type { Reading } from './reading.ts'

type Draft = { -readonly [K in keyof Params]: Params[K] }

export interface ReadParams {
  readonly params: Params
  readonly parallelCalls: boolean | undefined
  readonly stream: boolean
}

/** Reads the parameters, under both names of those that have two. */
export function readParams(reading: Reading): ReadParams {
  const { take, names } = reading
  const params: Draft = {}
  const set = <K extends keyof Params>(key: K, member: string, value: Params[K]): void => {
    if (value === undefined) return
    params[key] = value
    names[key] = member
  }
  const number = (key: NumberKey, member: string, idle?: number): void => {
    const value = take(member)
    if (typeof value === 'number' && value !== idle) set(key, member, value)
    else if (value !== undefined && typeof value !== 'number') reading.report.refuse(member, `"${member}" has to be a number.`)
  }

  number('maxOutput', 'max_tokens')
  number('maxOutput', 'max_completion_tokens') // both given: the newer wins (D07)
  number('temperature', 'temperature')
  number('topP', 'top_p')
  number('topK', 'top_k')
  number('frequencyPenalty', 'frequency_penalty', 0)
  number('presencePenalty', 'presence_penalty', 0)
  number('seed', 'seed')
  number('n', 'n', 1)
  const stop = take('stop')
  const stops = typeof stop === 'string' ? [stop] : listOf(stop).filter((item) => typeof item === 'string')
  if (stops.length > 0) set('stop', 'stop', stops)
  const alternatives = take('top_logprobs')
  if (take('logprobs') === true) set('logprobs', 'logprobs', typeof alternatives === 'number' ? alternatives : 0)
  const bias = objectOf(take('logit_bias'))
  if (bias && Object.keys(bias).length > 0) set('logitBias', 'logit_bias', bias)
  set('verbosity', 'verbosity', wordOf(take('verbosity')))
  set('cacheKey', 'prompt_cache_key', wordOf(take('prompt_cache_key')))
  set('cacheRetention', 'prompt_cache_retention', wordOf(take('prompt_cache_retention')))
  set('serviceTier', 'service_tier', wordOf(take('service_tier')))
  set('user', 'user', wordOf(take('user')))
  set('user', 'safety_identifier', wordOf(take('safety_identifier')))
  set('metadata', 'metadata', objectOf(take('metadata')))
  const store = take('store')
  if (typeof store === 'boolean') set('store', 'store', store)
  const options = objectOf(take('stream_options'))
  if (options?.include_usage === true) set('includeUsage', 'stream_options', true)
  if (options) reading.unknown(options, 'stream_options', new Set(['include_usage']))
  readReasoning(reading, set)
  readFormat(reading, (format) => set('format', 'response_format', format))
  refuseMeaning(reading)

  const parallel = take('parallel_tool_calls')
  if (typeof parallel === 'boolean') names.parallelCalls = 'parallel_tool_calls'
  // functions of old come one at a time
  const one = listOf(reading.json.functions).length > 0 && listOf(reading.json.tools).length === 0
  return { params, parallelCalls: one ? false : typeof parallel === 'boolean' ? parallel : undefined, stream: take('stream') === true }
}

type NumberKey = 'maxOutput' | 'temperature' | 'topP' | 'topK' | 'frequencyPenalty' | 'presencePenalty' | 'seed' | 'n'

/** The `thinking` switch of several vendors, OpenRouter's `reasoning` object, `reasoning_effort`: the last that says something wins. */
function readReasoning(reading: Reading, set: (key: 'reasoning', member: string, value: ReasoningRequest) => void): void {
  const { take } = reading
  const thinking = objectOf(take('thinking'))
  if (thinking) {
    const budget = typeof thinking.budget_tokens === 'number' ? thinking.budget_tokens : undefined
    if (thinking.type === 'disabled') set('reasoning', 'thinking', { off: true })
    else if (thinking.type === 'enabled' || thinking.type === 'adaptive') {
      set('reasoning', 'thinking', budget === undefined ? { adaptive: true } : { budget })
    }
    reading.unknown(thinking, 'thinking', new Set(['type', 'budget_tokens']))
  }
  const object = objectOf(take('reasoning'))
  if (object) {
    const effort = wordOf(object.effort)
    const budget = typeof object.max_tokens === 'number' ? object.max_tokens : undefined
    const off = object.enabled === false || effort === 'none'
    const visible = object.exclude === true ? 'omitted' : wordOf(object.summary)
    const plain = effort === undefined && budget === undefined && object.enabled === true ? 'medium' : effort
    const asked: ReasoningRequest = {
      ...(plain !== undefined && { effort: plain }),
      ...(budget !== undefined && { budget }),
      ...(off && { off }),
      ...(visible !== undefined && { visible }),
    }
    if (Object.keys(asked).length > 0) set('reasoning', 'reasoning', asked)
    reading.unknown(object, 'reasoning', new Set(['effort', 'max_tokens', 'enabled', 'exclude', 'summary']))
  }
  const effort = wordOf(take('reasoning_effort'))
  // Groq's `default` asks for nothing
  if (effort !== undefined && effort !== 'default')
    set('reasoning', 'reasoning_effort', effort === 'none' ? { effort, off: true } : { effort })
}

function readFormat(reading: Reading, set: (format: OutputFormat) => void): void {
  const { source } = reading
  const format = objectOf(reading.take('response_format'))
  if (!format || format.type === 'text') return
  const inner = objectOf(format.json_schema)
  if (inner) {
    const { strict } = inner
    set({
      type: 'json_schema',
      name: wordOf(inner.name),
      description: wordOf(inner.description),
      schema: source.raw('response_format', 'json_schema', 'schema'),
      ...(typeof strict === 'boolean' && { strict }),
    })
  } else if (objectOf(format.schema)) {
    // older servers and instructor: the schema stands beside the type
    set({ type: 'json_schema', schema: source.raw('response_format', 'schema') })
  } else if (format.type === 'json_object') set({ type: 'json_object' })
  else {
    const said = textOf(format.type)
    reading.extra(
      'response_format',
      'meaning',
      `"response_format" of type ${JSON.stringify(said)} is not known to the model that was asked for.`,
    )
  }
}

/** Members without which the answer would be another one (PROTOCOL §1.4): only an upstream of this dialect can do them. */
function refuseMeaning(reading: Reading): void {
  const modalities = listOf(reading.take('modalities'))
  if (modalities.some((item) => item !== 'text')) reading.extra('modalities', 'meaning')
  for (const member of ['audio', 'prediction', 'web_search_options', 'moderation']) {
    if (reading.take(member) !== undefined) reading.extra(member, 'meaning')
  }
}
