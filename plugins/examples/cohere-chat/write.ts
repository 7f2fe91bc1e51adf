/** Neutral conversations as requests: parameters and tools. What the model can't do is dropped or refused in the report. */

import { budgetOfEffort, type Conversation, type LossReport, RawJson, type Writable, type WriteTarget } from 'headgate/dialect'
import { writeMessages } from './write-messages.ts'

type Params = Conversation['params']

/** Parameters that this API has no word for, and what becomes of a request with one. */
const without = {
  hint: ['cacheKey', 'cacheRetention', 'serviceTier', 'user', 'metadata', 'store', 'verbosity', 'topK'],
  meaning: ['n', 'logprobs', 'logitBias'],
} as const satisfies Readonly<Record<string, readonly (keyof Params)[]>>

/** Writes a request. */
export function writeRequest(conversation: Conversation, target: WriteTarget, report: LossReport): Writable {
  const { params, names, stream } = conversation
  const { can } = target
  const drop = (key: keyof Params): undefined => report.drop(names[key] ?? key) as undefined
  const number = (key: 'temperature' | 'topP' | 'topK' | 'frequencyPenalty' | 'presencePenalty' | 'seed', able: boolean) =>
    params[key] === undefined || able ? params[key] : drop(key)
  for (const key of without.hint) if (key !== 'topK' && params[key] !== undefined) drop(key)
  for (const key of without.meaning) if (params[key] !== undefined) report.refuse(names[key] ?? key)
  const { tools, choice } = writeTools(conversation, target, report)
  return {
    model: target.model,
    ...(stream && { stream }),
    messages: writeMessages(conversation, target, report),
    tools: tools.length > 0 ? tools : undefined,
    tool_choice: choice,
    ...(tools.length > 0 && can.strict && conversation.tools.every((tool) => tool.strict) && { strict_tools: true }),
    max_tokens: params.maxOutput,
    stop_sequences: stops(params, names, report),
    temperature: number('temperature', can.sampling),
    p: number('topP', can.sampling),
    k: number('topK', can.sampling && can.topK),
    frequency_penalty: number('frequencyPenalty', can.penalties),
    presence_penalty: number('presencePenalty', can.penalties),
    seed: number('seed', can.seed),
    thinking: thinkingOf(conversation, target, report),
    response_format: formatOf(conversation, target, report),
  }
}

/** Stop sequences that a request may hold. */
const maxStops = 5

function stops({ stop }: Params, names: Conversation['names'], report: LossReport): readonly string[] | undefined {
  if (stop && stop.length > maxStops)
    report.refuse(names.stop ?? 'stop', `The model that was asked for takes at most ${maxStops} stop sequences.`)
  return stop
}

/** Only models made for it think; it can't be asked of the others. */
function thinkingOf({ params, names }: Conversation, { can, model }: WriteTarget, report: LossReport): Writable {
  const { reasoning } = params
  if (!reasoning) return undefined
  if (!can.thinkingBudget || !model.includes('reasoning')) {
    if (!reasoning.off) report.drop(names.reasoning ?? 'reasoning')
    return undefined
  }
  if (reasoning.off) return { type: 'disabled' }
  const { budget = reasoning.effort === undefined ? 0 : budgetOfEffort(reasoning.effort) } = reasoning
  return { type: 'enabled', ...(budget > 0 && { token_budget: budget }) }
}

function formatOf({ params, names, tools }: Conversation, { can }: WriteTarget, report: LossReport): Writable {
  const { format } = params
  if (!format || format.type === 'text') return undefined
  const field = names.format ?? 'response_format'
  if (!can.jsonObject || tools.length > 0) {
    report.refuse(field, `The model that was asked for can't be held to JSON${tools.length > 0 ? ' while it has tools' : ''}.`)
    return undefined
  }
  return { type: 'json_object', ...(format.schema !== undefined && { json_schema: new RawJson(format.schema) }) }
}

function writeTools(
  { tools, toolChoice, parallelCalls, names }: Conversation,
  { can, toolName }: WriteTarget,
  report: LossReport,
): { tools: Writable[]; choice: Writable } {
  if (tools.length === 0) return { tools: [], choice: undefined }
  if (!can.tools) report.refuse(tools[0]!.field, "The model that was asked for can't call tools.")
  if (parallelCalls === false) report.drop(names.parallelCalls ?? 'parallel_tool_calls')
  // there is no word for one tool among several: the others are left out
  const only = toolChoice?.type === 'tool' ? [toolChoice.name] : toolChoice?.type === 'allowed' ? toolChoice.names : undefined
  const offered = only ? tools.filter((tool) => only.includes(tool.name)) : tools
  if (offered.length === 0) report.refuse(names.toolChoice ?? 'tool_choice', 'The tool choice names a tool that is not among the tools.')
  if (!can.strict) for (const tool of offered) if (tool.strict) report.drop(`${tool.field}.strict`)
  const written = offered.map(({ kind, name, namespace, description, schema }) => {
    const parameters = kind === 'custom' ? oneText : new RawJson(schema ?? '{"type":"object","properties":{}}')
    return { type: 'function', function: { name: toolName(name, namespace), description, parameters } }
  })
  const forced =
    toolChoice?.type === 'required' || toolChoice?.type === 'tool' || (toolChoice?.type === 'allowed' && toolChoice.mode === 'required')
  return { tools: written, choice: forced ? 'REQUIRED' : toolChoice?.type === 'none' ? 'NONE' : undefined }
}

const oneText = new RawJson('{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
