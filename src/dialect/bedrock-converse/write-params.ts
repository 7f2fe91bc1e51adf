/**
 * Parameters of a Converse request (PROTOCOL §1.4): what all models know stands in `inferenceConfig`, what one maker's models know in
 * `additionalModelRequestFields`, each in its own spelling.
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Params } from '../conversation.ts'
import { effortOfBudget, nearestEffort } from '../effort.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'

/** Whose model it is, as far as parameters differ. */
export type Maker = 'anthropic' | 'nova' | 'gpt-oss' | 'other'

/** The maker of a model, by its id or ARN. */
export function makerOf(model: string): Maker {
  if (/anthropic|claude/.test(model)) return 'anthropic'
  if (/nova/.test(model)) return 'nova'
  return model.includes('gpt-oss') ? 'gpt-oss' : 'other'
}

/** Beside thinking Claude takes a top_p from here on. */
const thinkingTopP = 0.95

type Fields = Record<string, Writable>

/**
 * @param thinks Claude will think, which limits sampling
 * @param maxTokens cap of the output, if one is to be said
 */
export function writeParams(
  conversation: Conversation,
  target: WriteTarget,
  thinks: boolean,
  maxTokens: number | undefined,
  report: LossReport,
): { inferenceConfig: Fields; fields: Fields; paths: readonly string[] | undefined } {
  const { params } = conversation
  const { can } = target
  const maker = makerOf(target.model)
  const name = (key: keyof Params): string => conversation.names[key] ?? key
  const drop = (key: keyof Params): undefined => {
    const value = params[key]
    if (value !== undefined && value !== null && value !== 0) report.drop(name(key))
  }
  for (const key of ['frequencyPenalty', 'presencePenalty', 'seed', 'verbosity', 'cacheKey', 'cacheRetention', 'user', 'metadata'] as const)
    drop(key)
  if (params.serviceTier !== undefined && params.serviceTier !== 'auto') drop('serviceTier')
  if (params.store === true) drop('store')
  if (params.n !== undefined && params.n > 1) report.refuse(name('n'))
  if (params.logprobs !== undefined) report.refuse(name('logprobs'))
  const bias = params.logitBias
  if (bias !== undefined && bias !== null && !(typeof bias === 'object' && Object.keys(bias).length === 0)) report.refuse(name('logitBias'))

  let temperature = params.temperature
  if (temperature !== undefined && (temperature < 0 || temperature > 1)) {
    report.drop(name('temperature'))
    temperature = Math.min(1, Math.max(0, temperature))
  }
  if (!can.sampling || (thinks && temperature !== 1)) temperature = drop('temperature')
  let topP = params.topP
  const both = temperature !== undefined && !can.temperatureWithTopP
  if (!can.sampling || both || (thinks && topP !== undefined && topP < thinkingTopP)) topP = drop('topP')
  const fields: Fields = {}
  const { topK } = params
  if (topK !== undefined) {
    if (!can.sampling || !can.topK || thinks) drop('topK')
    else if (maker === 'anthropic') fields.top_k = topK
    else if (maker === 'nova') fields.inferenceConfig = { topK }
    else drop('topK')
  }
  const stopSequences = stopOf(conversation, target, report)
  // which of them was met is told only when asked for
  const paths = stopSequences && maker === 'anthropic' ? ['/stop_sequence', '/delta/stop_sequence'] : undefined
  return { inferenceConfig: { maxTokens, temperature, topP, stopSequences }, fields, paths }
}

/** Strings of white space alone are a 400. */
function stopOf(conversation: Conversation, { can }: WriteTarget, report: LossReport): readonly string[] | undefined {
  const { stop } = conversation.params
  if (!stop || stop.length === 0) return undefined
  const field = conversation.names.stop ?? 'stop'
  if (!can.stop) report.refuse(field)
  const useful = stop.filter((word) => word.trim() !== '')
  if (useful.length < stop.length) report.drop(field)
  return useful.length > 0 ? useful : undefined
}

/** How models other than Claude are told how much to think. */
export function otherThinking(conversation: Conversation, maker: Maker, report: LossReport): Fields {
  const asked = conversation.params.reasoning
  const off = asked?.off === true || asked?.effort === 'none' || asked?.budget === 0
  if (!asked || off) return {}
  const word = asked.effort ?? (asked.budget === undefined ? undefined : effortOfBudget(asked.budget))
  if (word === undefined && !asked.adaptive) return {}
  const known = ['low', 'medium', 'high']
  const effort = nearestEffort(word ?? 'medium', known)
  const field = conversation.names.reasoning ?? 'reasoning'
  if (maker !== 'gpt-oss' || effort !== word) report.drop(field)
  return maker === 'gpt-oss' ? { reasoning_effort: effort } : {}
}
