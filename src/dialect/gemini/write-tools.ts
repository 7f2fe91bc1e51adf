/**
 * Tools and tool choice of a Gemini request (PROTOCOL §1.2).
 *
 * Schemas are sent as JSON Schema, in the text that the client wrote (C16). A custom tool becomes a function with one string. Output that must fit a
 * schema becomes a forced tool where the model knows no better.
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Tool } from '../conversation.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { anyObject, chosenTool, customDescription, narrowed, oneString, outputDescription, type PlainChoice } from '../offered-tools.ts'
import { jsonOutputTool } from '../translate.ts'

export interface ToolsWritten {
  readonly tools: Writable
  readonly toolConfig: Writable
}

const none: ToolsWritten = { tools: undefined, toolConfig: undefined }

/** @param outputSchema schema of the forced tool that stands in for structured output, if it is needed */
export function writeTools(
  conversation: Conversation,
  target: WriteTarget,
  report: LossReport,
  outputSchema: RawJson | undefined,
): ToolsWritten {
  const { can } = target
  const { names } = conversation
  if (!can.tools) {
    if (conversation.tools.length > 0) report.refuse('tools', "The model that was asked for can't call tools.")
    return none
  }
  // a list of tools goes with ANY only
  const { offered, wanted } = narrowed(conversation)
  const functionDeclarations = offered.map((tool) => declarationOf(tool, target, report))
  if (outputSchema) {
    functionDeclarations.push({ name: jsonOutputTool, description: outputDescription, parametersJsonSchema: outputSchema })
    const only = functionDeclarations.length === 1 || wanted?.type === 'none'
    return { tools: [{ functionDeclarations }], toolConfig: calling('ANY', only ? [jsonOutputTool] : undefined) }
  }
  if (functionDeclarations.length === 0) return none // C13
  if (conversation.parallelCalls === false && wanted?.type !== 'none' && !can.parallelCalls) {
    report.drop(names.parallelCalls ?? 'parallel_tool_calls')
  }
  return { tools: [{ functionDeclarations }], toolConfig: configOf(wanted, offered, target, names.toolChoice ?? 'tool_choice', report) }
}

function declarationOf(tool: Tool, target: WriteTarget, report: LossReport): { readonly [key: string]: Writable } {
  const name = target.toolName(tool.name, tool.namespace)
  if (tool.kind === 'custom') return { name, description: customDescription(tool), parametersJsonSchema: oneString }
  if (tool.strict === true && !target.can.strict) report.drop(`${tool.field}.strict`)
  return { name, description: tool.description, parametersJsonSchema: tool.schema === undefined ? anyObject : new RawJson(tool.schema) }
}

function configOf(
  wanted: PlainChoice | undefined,
  offered: readonly Tool[],
  target: WriteTarget,
  field: string,
  report: LossReport,
): Writable {
  if (!wanted) return undefined
  if (wanted.type === 'none') return calling('NONE')
  if (wanted.type === 'auto') return calling('AUTO')
  if (!target.can.forcedTools) {
    report.drop(field)
    return calling('AUTO')
  }
  if (wanted.type !== 'tool') return calling('ANY')
  const chosen = chosenTool(offered, wanted)
  if (chosen) return calling('ANY', [target.toolName(chosen.name, chosen.namespace)])
  report.refuse(field, `The tool choice names "${wanted.name}", which is not among the tools.`)
  return undefined
}

function calling(mode: string, allowedFunctionNames?: readonly string[]): Writable {
  return { functionCallingConfig: { mode, allowedFunctionNames } }
}
