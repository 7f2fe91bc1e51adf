/**
 * `toolConfig` of a Converse request (PROTOCOL §1.2, §1.10).
 *
 * It is required as soon as the history holds calls or results. There is no choice `none`: no tools are offered then, unless the history needs them.
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Tool, ToolChoice } from '../conversation.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { objectOf, parseJson, textOf } from '../shape.ts'
import { jsonOutputTool } from '../translate.ts'
import type { CachePoints } from './cache-points.ts'

export interface ToolsWritten {
  readonly toolConfig: Writable
  /** The choice forces a call. */
  readonly forced: boolean
}

const anyObject = { type: 'object', properties: {} }
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
  let offered = conversation.tools
  let wanted = conversation.toolChoice
  if (wanted?.type === 'allowed') {
    const { names: allowed, mode } = wanted
    offered = offered.filter((tool) => allowed.includes(tool.name))
    wanted = { type: mode }
  }
  const field = names.toolChoice ?? 'tool_choice'
  const tools: Writable[] = offered.flatMap((tool) => [toolOf(tool, target, report), ...points(tool.cache)])
  if (outputSchema) {
    const description = 'Gives the answer. Call it once, with the whole answer as its input.'
    tools.push({ toolSpec: { name: jsonOutputTool, description, inputSchema: { json: outputSchema } } })
    const only = offered.length === 0 || wanted?.type === 'none'
    return { toolConfig: { tools, toolChoice: only ? { tool: { name: jsonOutputTool } } : { any: {} } }, forced: true }
  }
  const past = pastTools(conversation, target)
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
    const schema = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'], additionalProperties: false }
    return { toolSpec: { name, description: customDescription(tool), inputSchema: { json: schema } } }
  }
  const strict = tool.strict === true && target.can.strict
  if (tool.strict === true && !strict) report.drop(`${tool.field}.strict`)
  // an empty description is a 400
  const description = tool.description === '' ? undefined : tool.description
  return { toolSpec: { name, description, inputSchema: { json: inputSchema(tool.schema) }, ...(strict && { strict }) } }
}

/** The grammar of a custom tool, which no function can have, as words. */
function customDescription(tool: Tool): string | undefined {
  const format = objectOf(tool.format)
  const grammar = textOf(objectOf(format?.grammar)?.definition ?? format?.definition)
  if (grammar === '') return tool.description
  return `${tool.description ?? ''}\n\nThe input must follow this grammar:\n${grammar}`.trim()
}

/** A schema must say that it is one of an object. */
function inputSchema(text: string | undefined): Writable {
  const schema = text === undefined ? undefined : objectOf(parseJson(text))
  if (!schema || text === undefined) return anyObject
  return schema.type === 'object' ? new RawJson(text) : { ...schema, type: 'object' }
}

function choiceOf(
  wanted: ToolChoice | undefined,
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
  // C12: a choice may not name a tool that is not there
  const known = offered.some((tool) => tool.name === wanted.name && (wanted.namespace === undefined || tool.namespace === wanted.namespace))
  if (known) return { tool: { name: target.toolName(wanted.name, wanted.namespace) } }
  report.refuse(field, `The tool choice names "${wanted.name}", which is not among the tools.`)
  return undefined
}

/** The tools that the history calls, by name only. */
function pastTools(conversation: Conversation, target: WriteTarget): Writable[] {
  const names = new Set<string>()
  for (const turn of conversation.turns) {
    for (const content of turn.content) if (content.type === 'call') names.add(target.toolName(content.name, content.namespace))
  }
  return [...names].map((name) => ({ toolSpec: { name, inputSchema: { json: anyObject } } }))
}
