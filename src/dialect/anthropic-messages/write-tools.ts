/**
 * Tools and tool choice of a Messages request (PROTOCOL §1.2).
 *
 * A custom tool becomes a function with one string. Output that must fit a schema becomes a forced tool where the model knows no better. A history
 * with calls needs tools even if the client offers none now.
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Tool, ToolChoice } from '../conversation.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { objectOf, parseJson, textOf } from '../shape.ts'
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

const anyObject = { type: 'object', properties: {} }

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
  let offered = conversation.tools
  let wanted = conversation.toolChoice
  if (wanted?.type === 'allowed') {
    const { names, mode } = wanted
    offered = offered.filter((tool) => names.includes(tool.name))
    wanted = { type: mode }
  }
  const tools = offered.map((tool) => writeTool(tool, target, marks, report, conversation.source === dialectName))
  if (outputSchema) {
    tools.push({
      name: jsonOutputTool,
      description: 'Gives the answer. Call it once, with the whole answer as its input.',
      input_schema: outputSchema,
    })
    return { tools, choice: outputChoice(wanted, tools.length), forced: true }
  }
  if (tools.length === 0) {
    const past = pastTools(conversation, target)
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
    const schema = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'], additionalProperties: false }
    return marks.set({ name, description: customDescription(tool), input_schema: schema }, tool.cache)
  }
  const strict = tool.strict === true && target.can.strict
  if (tool.strict === true && !strict) report.drop(`${tool.field}.strict`)
  // held to its schema like structured output: what the API refuses there it refuses here
  const schema = strict && !own ? (strictSchema(tool.schema) ?? anyObject) : inputSchema(tool.schema)
  return marks.set({ name, description: tool.description, input_schema: schema, ...(strict && { strict }) }, tool.cache)
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
  if (text === undefined) return anyObject
  const schema = objectOf(parseJson(text))
  if (!schema) return anyObject
  return schema.type === 'object' ? new RawJson(text) : { ...schema, type: 'object' }
}

function choiceOf(
  wanted: ToolChoice | undefined,
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
  // C12: a choice may not name a tool that is not there
  const known = offered.some((tool) => tool.name === wanted.name && (wanted.namespace === undefined || tool.namespace === wanted.namespace))
  if (known) return { type: 'tool', name: target.toolName(wanted.name, wanted.namespace) }
  report.refuse(conversation.names.toolChoice ?? 'tool_choice', `The tool choice names "${wanted.name}", which is not among the tools.`)
  return undefined
}

/** With other tools the model may call them first; the answer is a call in any case. */
function outputChoice(wanted: ToolChoice | undefined, tools: number): Block {
  if (tools === 1 || wanted?.type === 'none') return { type: 'tool', name: jsonOutputTool }
  return { type: 'any' }
}

/** The tools that the history calls, by name only. */
function pastTools(conversation: Conversation, target: WriteTarget): Block[] {
  const names = new Set<string>()
  for (const turn of conversation.turns) {
    for (const content of turn.content) if (content.type === 'call') names.add(target.toolName(content.name, content.namespace))
  }
  return [...names].map((name) => ({ name, input_schema: anyObject }))
}
