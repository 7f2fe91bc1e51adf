/**
 * Tools and tool choice of a Gemini request (PROTOCOL §1.2).
 *
 * Schemas are sent as JSON Schema, in the text that the client wrote (C16). A custom tool becomes a function with one string. Output that must fit a
 * schema becomes a forced tool where the model knows no better.
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Tool, ToolChoice } from '../conversation.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { objectOf, textOf } from '../shape.ts'
import { jsonOutputTool } from '../translate.ts'

export interface ToolsWritten {
  readonly tools: Writable
  readonly toolConfig: Writable
}

const none: ToolsWritten = { tools: undefined, toolConfig: undefined }
const anyObject = { type: 'object', properties: {} }

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
  let offered = conversation.tools
  let wanted = conversation.toolChoice
  // a list of tools goes with ANY only: else the others are not offered at all
  if (wanted?.type === 'allowed') {
    const { names: allowed, mode } = wanted
    offered = offered.filter((tool) => allowed.includes(tool.name))
    wanted = { type: mode }
  }
  const functionDeclarations = offered.map((tool) => declarationOf(tool, target, report))
  if (outputSchema) {
    functionDeclarations.push({
      name: jsonOutputTool,
      description: 'Gives the answer. Call it once, with the whole answer as its input.',
      parametersJsonSchema: outputSchema,
    })
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
  if (tool.kind === 'custom') {
    const schema = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'], additionalProperties: false }
    return { name, description: customDescription(tool), parametersJsonSchema: schema }
  }
  if (tool.strict === true && !target.can.strict) report.drop(`${tool.field}.strict`)
  return { name, description: tool.description, parametersJsonSchema: tool.schema === undefined ? anyObject : new RawJson(tool.schema) }
}

/** The grammar of a custom tool, which no function can have, as words. */
function customDescription(tool: Tool): string | undefined {
  const format = objectOf(tool.format)
  const grammar = textOf(objectOf(format?.grammar)?.definition ?? format?.definition)
  if (grammar === '') return tool.description
  return `${tool.description ?? ''}\n\nThe input must follow this grammar:\n${grammar}`.trim()
}

function configOf(
  wanted: ToolChoice | undefined,
  offered: readonly Tool[],
  target: WriteTarget,
  field: string,
  report: LossReport,
): Writable {
  if (!wanted || wanted.type === 'allowed') return undefined
  if (wanted.type === 'none') return calling('NONE')
  if (wanted.type === 'auto') return calling('AUTO')
  if (!target.can.forcedTools) {
    report.drop(field)
    return calling('AUTO')
  }
  if (wanted.type !== 'tool') return calling('ANY')
  // C12: a choice may not name a tool that is not there
  const known = offered.some((tool) => tool.name === wanted.name && (wanted.namespace === undefined || tool.namespace === wanted.namespace))
  if (known) return calling('ANY', [target.toolName(wanted.name, wanted.namespace)])
  report.refuse(field, `The tool choice names "${wanted.name}", which is not among the tools.`)
  return undefined
}

function calling(mode: string, allowedFunctionNames?: readonly string[]): Writable {
  return { functionCallingConfig: { mode, allowedFunctionNames } }
}
