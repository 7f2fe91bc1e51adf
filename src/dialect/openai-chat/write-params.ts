/**
 * Neutral parameters for a Chat upstream: hints that it does not know are dropped and disclosed, what changes the answer is refused
 * (§1.4).
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, OutputFormat, Params, ReasoningRequest } from '../conversation.ts'
import { effortOfBudget, nearestEffort } from '../effort.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'

type Members = { [member: string]: Writable }

/** Parameters as members of a Chat body. */
export function writeParams(conversation: Conversation, target: WriteTarget, report: LossReport): Members {
  const { params, names, source } = conversation
  const { can } = target
  const out: Members = {}
  const name = (key: keyof Params): string => names[key] ?? key
  /** Writes a hint where it is understood. */
  const hint = (key: keyof Params, member: string, value: Writable, known: boolean): void => {
    if (value === undefined) return
    if (known) out[member] = value
    else report.drop(name(key))
  }
  /** Writes what may not be left out. */
  const need = (key: keyof Params, member: string, value: Writable, known: boolean): void => {
    if (value === undefined) return
    if (known) out[member] = value
    else report.refuse(name(key))
  }

  if (params.maxOutput !== undefined) {
    // more than the model has is a 400 at many, and means the same
    out[can.maxCompletionTokens ? 'max_completion_tokens' : 'max_tokens'] = Math.min(params.maxOutput, target.maxOutput ?? params.maxOutput)
  }
  need('stop', 'stop', params.stop && params.stop.length > 0 ? params.stop : undefined, can.stop)
  const temperature = params.temperature === undefined ? undefined : Math.min(2, Math.max(0, params.temperature))
  hint('temperature', 'temperature', temperature, can.sampling)
  hint('topP', 'top_p', params.topP, can.sampling && (can.temperatureWithTopP || temperature === undefined))
  hint('topK', 'top_k', params.topK, can.sampling && can.topK)
  hint('frequencyPenalty', 'frequency_penalty', params.frequencyPenalty, can.penalties)
  hint('presencePenalty', 'presence_penalty', params.presencePenalty, can.penalties)
  hint('seed', 'seed', params.seed, can.seed)
  need('n', 'n', params.n === 1 ? undefined : params.n, can.n)
  if (params.logprobs !== undefined) {
    need('logprobs', 'logprobs', true, can.logprobs)
    if (can.logprobs && params.logprobs > 0) out.top_logprobs = params.logprobs
  }
  need('logitBias', 'logit_bias', params.logitBias, source.startsWith('openai-'))
  // where reasoning is refused beside tools, so is the model's own default
  const reasoning = !can.reasonsWithTools && conversation.tools.length > 0 ? { off: true } : params.reasoning
  if (reasoning) writeEffort(reasoning, can.efforts, out, () => report.drop(name('reasoning')))
  const { off, effort } = params.reasoning ?? { off: true }
  if (reasoning !== params.reasoning && !off && effort !== 'none') report.drop(name('reasoning'))
  if (params.format) writeFormat(params.format, target, out, () => report.refuse(name('format')))
  hint('verbosity', 'verbosity', params.verbosity, can.verbosity)
  hint('cacheKey', 'prompt_cache_key', params.cacheKey, can.cacheKey)
  hint('cacheRetention', 'prompt_cache_retention', params.cacheRetention, can.cacheKey)
  // tiers and metadata of other families mean other things
  hint('serviceTier', 'service_tier', params.serviceTier, source.startsWith('openai-'))
  hint('metadata', 'metadata', params.metadata, can.metadata && source.startsWith('openai-'))
  hint('user', 'user', params.user === undefined ? undefined : shortUser(params.user), can.user)
  hint('store', 'store', params.store === false && !can.store ? undefined : params.store, can.store)
  return out
}

/** At most 64 characters; Claude Code names its users by a JSON text of 150 (H11). */
function shortUser(user: string): string {
  return user.length <= 64 ? user : new Bun.CryptoHasher('sha256').update(user).digest('hex')
}

/** The nearest effort that the model knows (I08); a budget becomes one (§1.3, D04). What the model decides itself needs no word. */
function writeEffort(asked: ReasoningRequest, efforts: readonly string[], out: Members, disclose: () => void): void {
  const { off, budget } = asked
  const wanted = off ? 'none' : (asked.effort ?? (budget === undefined || budget < 0 ? undefined : effortOfBudget(budget)))
  if (wanted === undefined || (wanted === 'none' && efforts.length === 0)) return
  // a model that always thinks thinks as little as it can
  const effort = nearestEffort(wanted, efforts) ?? (wanted === 'none' ? efforts[0] : undefined)
  if (effort !== wanted) disclose()
  if (effort !== undefined) out.reasoning_effort = effort
}

function writeFormat(format: OutputFormat, { can }: WriteTarget, out: Members, refuse: () => void): void {
  const { type, description, schema, strict } = format
  if (type === 'text') return
  if (type === 'json_schema' && schema !== undefined) {
    if (can.jsonSchema) {
      const name = (format.name ?? 'output').replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'output'
      const strictly = strict !== undefined && can.strict ? { strict } : {}
      out.response_format = { type, json_schema: { name, description, schema: new RawJson(schema), ...strictly } }
    } else if (!can.tools) refuse() // with tools, a forced one stands in
    return
  }
  if (can.jsonObject) out.response_format = { type: 'json_object' }
  else if (can.jsonSchema) out.response_format = { type: 'json_schema', json_schema: { name: 'output', schema: { type: 'object' } } }
  else if (type === 'json_object' || !can.tools) refuse()
}
