/** Neutral parameters for a Responses upstream: hints that it does not know are dropped and disclosed, what changes the answer is refused (§1.4). */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, ReasoningRequest } from '../conversation.ts'
import { effortOfBudget, nearestEffort } from '../effort.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { paramWriter, shortUser, writeSampling, writeService } from '../openai-chat/param-writer.ts'
import { formatStrictness } from '../strict-schema.ts'

type Members = { [member: string]: Writable }

/** The API takes no smaller limit. */
const leastOutput = 16

/** Parameters as members of a Responses body. */
export function writeParams(conversation: Conversation, target: WriteTarget, report: LossReport): Members {
  const { params, names, source } = conversation
  const { can } = target
  const writer = paramWriter(conversation, report)
  const { out, name, hint, need } = writer
  const { maxOutput } = params
  if (maxOutput !== undefined) {
    out.max_output_tokens = Math.max(leastOutput, Math.min(maxOutput, target.maxOutput ?? maxOutput))
    if (maxOutput < leastOutput) report.drop(name('maxOutput')) // I08
  }
  writeSampling(writer, params, can)
  need('n', 'n', params.n === 1 ? undefined : params.n, false)
  need('logitBias', 'logit_bias', params.logitBias, false)
  const include: string[] = []
  if (params.logprobs !== undefined) {
    if (can.logprobs) {
      include.push('message.output_text.logprobs')
      if (params.logprobs > 0) out.top_logprobs = params.logprobs
    } else report.refuse(name('logprobs'))
  }
  const reasoning = params.reasoning && reasoningOf(params.reasoning, can.efforts, () => report.drop(name('reasoning')))
  if (reasoning) out.reasoning = reasoning
  const text = textOf(conversation, target, report)
  if (text) out.text = text
  writeService(writer, conversation, can)
  const user = params.user === undefined ? undefined : shortUser(params.user)
  hint('user', names.user === 'user' && source.startsWith('openai-') ? 'user' : 'safety_identifier', user, can.user)
  writeStore(conversation, target, include, out, report)
  if (include.length > 0) out.include = include
  return out
}

/**
 * A client of another API does not know that replies are stored unless told otherwise. A model that thinks gives its thoughts encrypted, so that they can come
 * back on the next turn; asked of other models it is an error.
 */
function writeStore({ params, source }: Conversation, { can }: WriteTarget, include: string[], out: Members, report: LossReport): void {
  if (!can.store) {
    if (params.store === true) report.drop('store')
    return
  }
  const store = params.store ?? (source === 'openai-responses' ? undefined : false)
  if (store !== undefined) out.store = store
  const thinks = params.reasoning ? params.reasoning.off !== true : !can.sampling
  if (thinks && can.efforts.length > 0) include.unshift('reasoning.encrypted_content')
}

/** The nearest effort that the model knows (I08); a budget becomes one (§1.3, D04). Who gives a budget wants to see what it buys. */
function reasoningOf(asked: ReasoningRequest, efforts: readonly string[], disclose: () => void): Members | undefined {
  const { off, budget, adaptive, visible } = asked
  const wanted = off ? 'none' : (asked.effort ?? (budget === undefined || budget < 0 ? undefined : effortOfBudget(budget)))
  const out: Members = {}
  if (wanted !== undefined && !(wanted === 'none' && efforts.length === 0)) {
    // a model that always thinks thinks as little as it can
    const effort = nearestEffort(wanted, efforts) ?? (wanted === 'none' ? efforts[0] : undefined)
    if (effort !== wanted) disclose()
    if (effort !== undefined) out.effort = effort
  }
  const shown = visible ?? (!off && (adaptive || budget !== undefined) ? 'auto' : undefined)
  if (shown !== undefined && shown !== 'omitted' && efforts.length > 0) {
    out.summary = shown === 'concise' || shown === 'detailed' ? shown : 'auto'
  }
  return Object.keys(out).length > 0 ? out : undefined
}

function textOf(conversation: Conversation, { can }: WriteTarget, report: LossReport): Members | undefined {
  const { params, names } = conversation
  const out: Members = {}
  const { format, verbosity } = params
  const field = names.format ?? 'text.format'
  const refuse = (): void => report.refuse(field)
  if (format?.type === 'json_schema' && format.schema !== undefined) {
    const name = (format.name ?? 'output').replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'output'
    const { description } = format
    if (can.jsonSchema) {
      const strict = can.strict ? formatStrictness(format, conversation, field, report) : undefined
      out.format = { type: 'json_schema', name, description, schema: new RawJson(format.schema), strict }
    } else if (!can.tools) refuse() // with tools, a forced one stands in
  } else if (format && format.type !== 'text') {
    if (can.jsonObject) out.format = { type: 'json_object' }
    else refuse()
  }
  if (verbosity !== undefined) {
    if (can.verbosity) out.verbosity = verbosity
    else report.drop(names.verbosity ?? 'verbosity')
  }
  return Object.keys(out).length > 0 ? out : undefined
}
