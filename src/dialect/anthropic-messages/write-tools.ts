/**
 * Tools and tool choice of a Messages request (PROTOCOL §1.2).
 *
 * A custom tool becomes a function with one string. Output that must fit a schema becomes a forced tool where the model knows no better. A history
 * with calls needs tools even if the client offers none now.
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Tool } from '../conversation.ts'
import type { RawJson } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import {
  anyObject,
  chosenTool,
  customDescription,
  narrowed,
  objectSchema,
  oneString,
  outputDescription,
  type PlainChoice,
  pastTools,
} from '../offered-tools.ts'
import { jsonOutputTool } from '../translate.ts'
import type { Block, CacheMarks } from './cache-marks.ts'
import { outputSchema as strictSchema } from './output-schema.ts'
import { dialectName } from './read-content.ts'

export interface ToolsWritten {
  readonly tools: Block[]
  readonly choice: Block | undefined
  /** The choice forces a call. */
  readonly forced: boolean
}

/** @param outputSchema schema of the forced tool that stands in for structured output, if it is needed */
export function writeTools(
  conversation: Conversation,
  target: WriteTarget,
  marks: CacheMarks,
  report: LossReport,
  outputSchema: RawJson | undefined,
): ToolsWritten {
  const { can } = target
  const { parallelCalls } = conversation
  if (!can.tools) {
    if (conversation.tools.length > 0) report.refuse('tools', "The model that was asked for can't call tools.")
    return { tools: [], choice: undefined, forced: false }
  }
  const { offered, wanted } = narrowed(conversation)
  const tools = offered.map((tool) => writeTool(tool, target, marks, report, conversation.source === dialectName))
  if (outputSchema) {
    tools.push({ name: jsonOutputTool, description: outputDescription, input_schema: outputSchema })
    return { tools, choice: outputChoice(wanted, tools.length), forced: true }
  }
  if (tools.length === 0) {
    const past = pastTools(conversation, target).map((name) => ({ name, input_schema: anyObject }))
    return { tools: past, choice: past.length > 0 ? { type: 'none' } : undefined, forced: false }
  }
  let choice = choiceOf(wanted, offered, target, conversation, report)
  if (parallelCalls === false && choice?.type !== 'none') {
    if (can.parallelCalls) choice = { ...(choice ?? { type: 'auto' }), disable_parallel_tool_use: true }
    else report.drop(conversation.names.parallelCalls ?? 'parallel_tool_calls')
  }
  return { tools, choice, forced: choice?.type === 'any' || choice?.type === 'tool' }
}

function writeTool(tool: Tool, target: WriteTarget, marks: CacheMarks, report: LossReport, own: boolean): Block {
  const name = target.toolName(tool.name, tool.namespace)
  if (tool.kind === 'custom') {
    return marks.set({ name, description: customDescription(tool), input_schema: oneString }, tool.cache)
  }
  const strict = tool.strict === true && target.can.strict
  if (tool.strict === true && !strict) report.drop(`${tool.field}.strict`)
  // held to its schema like structured output: what the API refuses there it refuses here
  const schema = strict && !own ? (strictSchema(tool.schema) ?? anyObject) : objectSchema(tool.schema)
  return marks.set({ name, description: tool.description, input_schema: schema, ...(strict && { strict }) }, tool.cache)
}

function choiceOf(
  wanted: PlainChoice | undefined,
  offered: readonly Tool[],
  target: WriteTarget,
  conversation: Conversation,
  report: LossReport,
): Block | undefined {
  if (!wanted) return undefined
  if (wanted.type === 'none' || wanted.type === 'auto') return { type: wanted.type }
  if (!target.can.forcedTools) {
    report.drop(conversation.names.toolChoice ?? 'tool_choice')
    return { type: 'auto' }
  }
  if (wanted.type !== 'tool') return { type: 'any' }
  const chosen = chosenTool(offered, wanted)
  if (chosen) return { type: 'tool', name: target.toolName(chosen.name, chosen.namespace) }
  report.refuse(conversation.names.toolChoice ?? 'tool_choice', `The tool choice names "${wanted.name}", which is not among the tools.`)
  return undefined
}

/** With other tools the model may call them first; the answer is a call in any case. */
function outputChoice(wanted: PlainChoice | undefined, tools: number): Block {
  if (tools === 1 || wanted?.type === 'none') return { type: 'tool', name: jsonOutputTool }
  return { type: 'any' }
}
