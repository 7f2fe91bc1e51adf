/**
 * Parameters of a Messages request that stand for themselves: sampling, stop strings, the user, and all that the provider has no word for (PROTOCOL §1.4).
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Params } from '../conversation.ts'
import type { LossReport } from '../loss.ts'
import type { Block } from './cache-marks.ts'

/** Longest user id that the provider takes. */
const maxUser = 256
/** Beside thinking the provider takes a top_p from here on. */
const thinkingTopP = 0.95

/** @param thinks the model will think, which limits sampling */
export function writeParams(conversation: Conversation, target: WriteTarget, thinks: boolean, own: boolean, report: LossReport): Block {
  const { params } = conversation
  reportLost(conversation, own, report)
  return {
    stop_sequences: stopSequences(conversation, target, report),
    ...sampling(conversation, target, thinks, report),
    metadata: metadata(conversation, target, report),
    service_tier: own ? params.serviceTier : undefined,
  }
}

function nameOf(conversation: Conversation, key: keyof Params): string {
  return conversation.names[key] ?? key
}

/** Strings of white space alone are a 400. */
function stopSequences(conversation: Conversation, { can }: WriteTarget, report: LossReport): readonly string[] | undefined {
  const { stop } = conversation.params
  if (!stop || stop.length === 0) return undefined
  if (!can.stop) {
    report.refuse(nameOf(conversation, 'stop'))
    return undefined
  }
  const useful = stop.filter((word) => word.trim() !== '')
  if (useful.length < stop.length) report.drop(nameOf(conversation, 'stop'))
  return useful.length > 0 ? useful : undefined
}

function sampling(conversation: Conversation, { can }: WriteTarget, thinks: boolean, report: LossReport): Block {
  const { params } = conversation
  const drop = (key: keyof Params): undefined => {
    if (params[key] !== undefined) report.drop(nameOf(conversation, key))
  }
  let temperature = params.temperature
  if (temperature !== undefined && (temperature < 0 || temperature > 1)) {
    report.drop(nameOf(conversation, 'temperature'))
    temperature = Math.min(1, Math.max(0, temperature))
  }
  if (!can.sampling || (thinks && temperature !== 1)) temperature = drop('temperature')
  let topP = params.topP
  const both = temperature !== undefined && !can.temperatureWithTopP
  if (!can.sampling || both || (thinks && topP !== undefined && topP < thinkingTopP)) topP = drop('topP')
  const topK = can.sampling && can.topK && !thinks ? params.topK : drop('topK')
  return { temperature, top_p: topP, top_k: topK }
}

/** A user id is kept as the client says it; one that is too long for the provider becomes a hash of it. */
function metadata(conversation: Conversation, { can }: WriteTarget, report: LossReport): Block | undefined {
  const { user } = conversation.params
  if (user === undefined) return undefined
  if (!can.user) {
    report.drop(nameOf(conversation, 'user'))
    return undefined
  }
  return { user_id: user.length <= maxUser ? user : new Bun.CryptoHasher('sha256').update(user).digest('hex') }
}

const hints = ['frequencyPenalty', 'presencePenalty', 'seed', 'verbosity', 'cacheKey', 'cacheRetention', 'metadata'] as const

function reportLost(conversation: Conversation, own: boolean, report: LossReport): void {
  const { params } = conversation
  for (const key of hints) {
    const value = params[key]
    if (value !== undefined && value !== null && value !== 0) report.drop(nameOf(conversation, key))
  }
  if (params.serviceTier !== undefined && params.serviceTier !== 'auto' && !own) report.drop(nameOf(conversation, 'serviceTier'))
  if (params.store === true) report.drop(nameOf(conversation, 'store'))
  if (params.n !== undefined && params.n > 1) report.refuse(nameOf(conversation, 'n'))
  if (params.logprobs !== undefined) report.refuse(nameOf(conversation, 'logprobs'))
  const bias = params.logitBias
  if (bias !== undefined && bias !== null && !(typeof bias === 'object' && Object.keys(bias).length === 0)) {
    report.refuse(nameOf(conversation, 'logitBias'))
  }
}
