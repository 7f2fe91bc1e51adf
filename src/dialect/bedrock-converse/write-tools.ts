/**
 * `toolConfig` of a Converse request (PROTOCOL §1.2, §1.10).
 *
 * It is required as soon as the history holds calls or results. There is no choice `none`: no tools are offered then, unless the history needs them.
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Tool } from '../conversation.ts'
import type { RawJson, Writable } from '../json-text.ts'
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
import type { CachePoints } from './cache-points.ts'

export interface ToolsWritten {
  readonly toolConfig: Writable
  /** The choice forces a call. */
  readonly forced: boolean
}

const noTools: ToolsWritten = { toolConfig: undefined, forced: false }

/** @param outputSchema schema of the forced tool that stands in for structured output, if it is needed */
export function writeTools(
  conversation: Conversation,
  target: WriteTarget,
  points: CachePoints,
  report: LossReport,
  outputSchema: RawJson | undefined,
): ToolsWritten {
  const { can } = target
  const { names } = conversation
  if (!can.tools) {
    if (conversation.tools.length > 0) report.refuse('tools', "The model that was asked for can't call tools.")
    return noTools
  }
  const { offered, wanted } = narrowed(conversation)
  const field = names.toolChoice ?? 'tool_choice'
  const tools: Writable[] = offered.flatMap((tool) => [toolOf(tool, target, report), ...points(tool.cache)])
  if (outputSchema) {
    tools.push({ toolSpec: { name: jsonOutputTool, description: outputDescription, inputSchema: { json: outputSchema } } })
    const only = offered.length === 0 || wanted?.type === 'none'
    return { toolConfig: { tools, toolChoice: only ? { tool: { name: jsonOutputTool } } : { any: {} } }, forced: true }
  }
  const past = pastTools(conversation, target).map((name) => ({ toolSpec: { name, inputSchema: { json: anyObject } } }))
  if (offered.length === 0) return past.length > 0 ? { toolConfig: { tools: past }, forced: false } : noTools
  if (wanted?.type === 'none') {
    if (past.length === 0) return noTools
    report.drop(field)
    return { toolConfig: { tools }, forced: false }
  }
  if (conversation.parallelCalls === false && !can.parallelCalls) report.drop(names.parallelCalls ?? 'parallel_tool_calls')
  const toolChoice = choiceOf(wanted, offered, target, field, report)
  return { toolConfig: { tools, toolChoice }, forced: toolChoice?.any !== undefined || toolChoice?.tool !== undefined }
}

function toolOf(tool: Tool, target: WriteTarget, report: LossReport): Writable {
  const name = target.toolName(tool.name, tool.namespace)
  if (tool.kind === 'custom') {
    return { toolSpec: { name, description: customDescription(tool), inputSchema: { json: oneString } } }
  }
  const strict = tool.strict === true && target.can.strict
  if (tool.strict === true && !strict) report.drop(`${tool.field}.strict`)
  // an empty description is a 400
  const description = tool.description === '' ? undefined : tool.description
  return { toolSpec: { name, description, inputSchema: { json: objectSchema(tool.schema) }, ...(strict && { strict }) } }
}

function choiceOf(
  wanted: PlainChoice | undefined,
  offered: readonly Tool[],
  target: WriteTarget,
  field: string,
  report: LossReport,
): ({ auto?: object; any?: object; tool?: { name: string } } & { readonly [key: string]: Writable }) | undefined {
  if (!wanted) return undefined
  if (wanted.type === 'auto') return { auto: {} }
  if (!target.can.forcedTools) {
    report.drop(field)
    return { auto: {} }
  }
  if (wanted.type !== 'tool') return { any: {} }
  const chosen = chosenTool(offered, wanted)
  if (chosen) return { tool: { name: target.toolName(chosen.name, chosen.namespace) } }
  report.refuse(field, `The tool choice names "${wanted.name}", which is not among the tools.`)
  return undefined
}
