/**
 * Neutral parameters for a Chat upstream: hints that it does not know are dropped and disclosed, what changes the answer is refused
 * (§1.4).
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, OutputFormat, ReasoningRequest } from '../conversation.ts'
import { effortOfBudget, nearestEffort } from '../effort.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { formatStrictness } from '../strict-schema.ts'
import { paramWriter, shortUser, writeSampling, writeService } from './param-writer.ts'

type Members = { [member: string]: Writable }

/** Parameters as members of a Chat body. */
export function writeParams(conversation: Conversation, target: WriteTarget, report: LossReport): Members {
  const { params, source } = conversation
  const { can } = target
  const writer = paramWriter(conversation, report)
  const { out, name, hint, need } = writer

  if (params.maxOutput !== undefined) {
    // more than the model has is a 400 at many, and means the same
    out[can.maxCompletionTokens ? 'max_completion_tokens' : 'max_tokens'] = Math.min(params.maxOutput, target.maxOutput ?? params.maxOutput)
  }
  writeSampling(writer, params, can)
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
  if (params.format) {
    const strictness = (format: OutputFormat) => formatStrictness(format, conversation, name('format'), report)
    writeFormat(params.format, target, out, strictness, () => report.refuse(name('format')))
  }
  hint('verbosity', 'verbosity', params.verbosity, can.verbosity)
  writeService(writer, conversation, can)
  hint('user', 'user', params.user === undefined ? undefined : shortUser(params.user), can.user)
  hint('store', 'store', params.store === false && !can.store ? undefined : params.store, can.store)
  return out
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

function writeFormat(
  format: OutputFormat,
  { can }: WriteTarget,
  out: Members,
  strictness: (format: OutputFormat) => boolean | undefined,
  refuse: () => void,
): void {
  const { type, description, schema } = format
  if (type === 'text') return
  if (type === 'json_schema' && schema !== undefined) {
    if (can.jsonSchema) {
      const name = (format.name ?? 'output').replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'output'
      const strict = can.strict ? strictness(format) : undefined
      out.response_format = { type, json_schema: { name, description, schema: new RawJson(schema), strict } }
    } else if (!can.tools) refuse() // with tools, a forced one stands in
    return
  }
  if (can.jsonObject) out.response_format = { type: 'json_object' }
  else if (can.jsonSchema) out.response_format = { type: 'json_schema', json_schema: { name: 'output', schema: { type: 'object' } } }
  else if (type === 'json_object' || !can.tools) refuse()
}
