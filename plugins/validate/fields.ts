/**
 * Which kinds of values the fields of each API's requests take. Pure tables; fields that are not listed are nobody's business and pass.
 *
 * Kinds and ranges are those of the published references of the APIs. Only what is wrong at every provider stands here: what one model may do and another
 * not is for the provider to say.
 */

import type { Json } from 'headgate/plugin'

/** Says what a value must be, when it is not; undefined when it is fine. */
export type Rule = (value: Json) => string | undefined

const text: Rule = (value) => (typeof value === 'string' ? undefined : 'a text')
const truth: Rule = (value) => (typeof value === 'boolean' ? undefined : 'true or false')
const list: Rule = (value) => (Array.isArray(value) ? undefined : 'a list')
const map: Rule = (value) => (isMap(value) ? undefined : 'an object')
const texts: Rule = (value) => (Array.isArray(value) && value.every((one) => typeof one === 'string') ? undefined : 'a list of texts')
const oneOf =
  (...rules: readonly Rule[]): Rule =>
  (value) => {
    const wants = rules.map((rule) => rule(value))
    return wants.includes(undefined) ? undefined : wants.join(' or ')
  }
const number =
  (low: number, high = Number.POSITIVE_INFINITY): Rule =>
  (value) =>
    typeof value === 'number' && value >= low && value <= high
      ? undefined
      : `a number${high === Number.POSITIVE_INFINITY ? ` of at least ${low}` : low === Number.NEGATIVE_INFINITY ? '' : ` from ${low} to ${high}`}`
const whole =
  (low: number): Rule =>
  (value) =>
    Number.isInteger(value) && (value as number) >= low
      ? undefined
      : low === Number.NEGATIVE_INFINITY
        ? 'a whole number'
        : `a whole number of at least ${low}`
const filled =
  (rule: Rule): Rule =>
  (value) =>
    rule(value) ?? (Array.isArray(value) && value.length === 0 ? 'a list that is not empty' : undefined)
const anyNumbers = (value: Json): boolean => Array.isArray(value) && value.every((one) => Number.isInteger(one))
const tokenLists: Rule = (value) =>
  anyNumbers(value) || (Array.isArray(value) && value.every(anyNumbers)) ? undefined : 'a list of tokens'

export function isMap(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Rules of one API, by field. `needed` must be there; `null` counts as not there in all other fields. */
export interface Fields {
  readonly needed: readonly string[]
  readonly rules: Readonly<Record<string, Rule>>
}

const anyNumber = Number.NEGATIVE_INFINITY
const sampling = { temperature: number(0, 2), top_p: number(0, 1) }
const penalties = { presence_penalty: number(-2, 2), frequency_penalty: number(-2, 2) }
/** What clients may say about routing, wherever it is allowed. */
const routing = { models: texts, route: text, provider: map }

/** By dialect. */
export const fieldsOf: Readonly<Record<string, Fields>> = {
  'openai-chat': {
    needed: ['messages'],
    rules: {
      ...sampling,
      ...penalties,
      ...routing,
      model: text,
      messages: filled(list),
      stream: truth,
      stream_options: map,
      max_tokens: whole(1),
      max_completion_tokens: whole(1),
      n: whole(1),
      stop: oneOf(text, texts),
      tools: list,
      tool_choice: oneOf(text, map),
      parallel_tool_calls: truth,
      response_format: map,
      seed: whole(anyNumber),
      user: text,
      logprobs: truth,
      top_logprobs: whole(0),
      logit_bias: map,
      reasoning_effort: text,
    },
  },
  'openai-completions': {
    needed: ['prompt'],
    rules: {
      ...sampling,
      ...penalties,
      ...routing,
      model: text,
      prompt: oneOf(text, texts, tokenLists),
      stream: truth,
      stream_options: map,
      max_tokens: whole(0),
      n: whole(1),
      best_of: whole(1),
      stop: oneOf(text, texts),
      suffix: text,
      echo: truth,
      seed: whole(anyNumber),
      user: text,
      logprobs: whole(0),
      logit_bias: map,
    },
  },
  'openai-embeddings': {
    needed: ['input'],
    rules: {
      ...routing,
      model: text,
      input: oneOf(text, filled(texts), tokenLists),
      dimensions: whole(1),
      encoding_format: text,
      user: text,
    },
  },
  'openai-responses': {
    needed: [],
    rules: {
      ...sampling,
      ...routing,
      model: text,
      input: oneOf(text, list),
      instructions: oneOf(text, list),
      stream: truth,
      store: truth,
      background: truth,
      max_output_tokens: whole(1),
      tools: list,
      tool_choice: oneOf(text, map),
      parallel_tool_calls: truth,
      text: map,
      reasoning: map,
      metadata: map,
      previous_response_id: text,
      user: text,
    },
  },
  'anthropic-messages': {
    needed: ['messages', 'max_tokens'],
    rules: {
      ...routing,
      model: text,
      messages: filled(list),
      max_tokens: whole(1),
      system: oneOf(text, list),
      temperature: number(0, 1),
      top_p: number(0, 1),
      top_k: whole(0),
      stream: truth,
      stop_sequences: texts,
      tools: list,
      tool_choice: map,
      metadata: map,
      thinking: map,
    },
  },
}
