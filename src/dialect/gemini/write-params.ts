/** `generationConfig` of a Gemini request (PROTOCOL §1.3, §1.4). */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Params } from '../conversation.ts'
import { budgetOfEffort, effortOfBudget, nearestEffort } from '../effort.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { objectOf, parseJson } from '../shape.ts'

export interface ParamsWritten {
  readonly generationConfig: Writable
  readonly labels: Writable
  /** Schema of a tool that stands in for structured output. */
  readonly outputTool: RawJson | undefined
}

/** Most stop strings that the API takes. */
const maxStops = 5

/** Parameters as `generationConfig` and its neighbours. `own`: the client speaks this dialect too. */
export function writeParams(conversation: Conversation, target: WriteTarget, own: boolean, report: LossReport): ParamsWritten {
  const { params } = conversation
  const { can } = target
  const name = (key: keyof Params): string => conversation.names[key] ?? key
  const allowed = <K extends keyof Params>(key: K, can: boolean): Params[K] | undefined => {
    const value = params[key]
    if (can || value === undefined || value === null || value === 0) return can ? value : undefined
    report.drop(name(key))
    return undefined
  }
  const temperature = allowed('temperature', can.sampling)
  if (temperature !== undefined && (temperature < 0 || temperature > 2)) report.drop(name('temperature'))
  const seed = params.seed
  const { format, outputTool } = writeFormat(conversation, target, report)
  const config: Record<string, Writable> = {
    maxOutputTokens: params.maxOutput,
    temperature: temperature === undefined ? undefined : Math.min(2, Math.max(0, temperature)),
    topP: allowed('topP', can.sampling),
    topK: allowed('topK', can.sampling && can.topK),
    frequencyPenalty: allowed('frequencyPenalty', can.penalties),
    presencePenalty: allowed('presencePenalty', can.penalties),
    seed: allowed('seed', can.seed && (seed === undefined || (Number.isInteger(seed) && Math.abs(seed) < 2 ** 31))),
    stopSequences: writeStop(conversation, target, report),
    candidateCount: params.n !== undefined && params.n > 1 ? params.n : undefined,
    ...format,
    thinkingConfig: writeThinking(conversation, target, own, report),
  }
  if (params.n !== undefined && params.n > 1 && !can.n) report.refuse(name('n'))
  if (params.logprobs !== undefined) {
    // nothing between the dialects carries the probabilities back
    if (own) Object.assign(config, { responseLogprobs: true, logprobs: params.logprobs > 0 ? params.logprobs : undefined })
    else report.refuse(name('logprobs'))
  }
  const bias = params.logitBias
  if (bias !== undefined && bias !== null && !(typeof bias === 'object' && Object.keys(bias).length === 0)) report.refuse(name('logitBias'))
  for (const key of ['verbosity', 'cacheKey', 'cacheRetention', 'user'] as const) allowed(key, false)
  if (params.serviceTier !== undefined && params.serviceTier !== 'auto') report.drop(name('serviceTier'))
  if (params.store === true) report.drop(name('store'))
  const labelled = own || can.metadata
  const labels = objectOf(allowed('metadata', labelled) ?? undefined)
  const empty = Object.values(config).every((value) => value === undefined)
  return { generationConfig: empty ? undefined : config, labels, outputTool }
}

function writeStop(conversation: Conversation, { can }: WriteTarget, report: LossReport): readonly string[] | undefined {
  const { stop } = conversation.params
  const field = conversation.names.stop ?? 'stop'
  if (!stop || stop.length === 0) return undefined
  if (!can.stop) report.refuse(field)
  else if (stop.length > maxStops) {
    report.refuse(field, `"${field}" has ${stop.length} strings, and the model that was asked for takes at most ${maxStops}.`)
  }
  return stop
}

function writeFormat(
  conversation: Conversation,
  { can }: WriteTarget,
  report: LossReport,
): { format: { readonly [key: string]: Writable }; outputTool: RawJson | undefined } {
  const { format } = conversation.params
  const field = conversation.names.format ?? 'response_format'
  const plain = { format: {}, outputTool: undefined }
  if (!format || format.type === 'text') return plain
  if (format.type === 'json_object' || format.schema === undefined) {
    if (can.jsonObject) return { format: { responseMimeType: 'application/json' }, outputTool: undefined }
    report.refuse(field)
    return plain
  }
  const schema = new RawJson(format.schema)
  if (can.jsonSchema) return { format: { responseMimeType: 'application/json', responseJsonSchema: schema }, outputTool: undefined }
  // a tool takes objects only
  if (can.tools && objectOf(parseJson(format.schema))?.type === 'object') return { format: {}, outputTool: schema }
  report.refuse(field)
  return plain
}

/** Smallest and largest budgets of the models that take one; the larger ones can't do without thinking. */
const smallest = 128
const largest = { pro: 32768, other: 24576 }

/** Levels where the model knows them, else a budget (D04). Thinking is a hint: where it can't be, it is left out and disclosed. */
function writeThinking(conversation: Conversation, target: WriteTarget, own: boolean, report: LossReport): Writable {
  const { can, model } = target
  const { params } = conversation
  const asked = params.reasoning
  if (!asked) return undefined
  const field = conversation.names.reasoning ?? 'reasoning'
  const levels = can.efforts.length > 0
  const pro = model.includes('pro')
  const off = asked.off === true || asked.effort === 'none' || asked.budget === 0
  if (!levels && !can.thinkingBudget) {
    if (!off) report.drop(field)
    return undefined
  }
  if (off) {
    const weakest = levels ? can.efforts[0] : undefined
    if (weakest === 'none' || (!levels && !pro)) return { thinkingBudget: 0 }
    report.drop(field) // this model always thinks
    return levels ? { thinkingLevel: weakest?.toUpperCase(), includeThoughts: false } : { thinkingBudget: smallest, includeThoughts: false }
  }
  const includeThoughts = asked.visible !== 'omitted'
  const counted = asked.budget !== undefined && asked.budget > 0 ? asked.budget : undefined
  if (levels && !(own && counted !== undefined && can.thinkingBudget)) {
    const word = asked.effort ?? (counted === undefined ? undefined : effortOfBudget(counted))
    const nearest = word === undefined ? undefined : nearestEffort(word, can.efforts)
    if (nearest !== word) report.drop(field)
    return { thinkingLevel: nearest?.toUpperCase(), includeThoughts }
  }
  const wanted = counted ?? (asked.effort === undefined ? undefined : budgetOfEffort(asked.effort))
  if (wanted === undefined) return { thinkingBudget: asked.adaptive || asked.budget === -1 ? -1 : undefined, includeThoughts }
  const cap = Math.min(pro ? largest.pro : largest.other, (params.maxOutput ?? Number.POSITIVE_INFINITY) - 1)
  if (cap < smallest) {
    report.drop(field)
    return undefined
  }
  return { thinkingBudget: Math.min(wanted, cap), includeThoughts }
}
