/**
 * Neutral tools and the choice among them for a Chat upstream; a forced tool where it knows no schema for its output (PROTOCOL §1.2,
 * §1.4).
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Tool, ToolChoice } from '../conversation.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { chosenTool } from '../offered-tools.ts'
import { jsonText, objectOf, textOf } from '../shape.ts'
import { toolStrictness } from '../strict-schema.ts'
import { jsonOutputTool } from '../translate.ts'
import { cacheControl } from './cache-mark.ts'

const noParameters = new RawJson('{"type":"object","properties":{}}')
const oneString = new RawJson(
  '{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}',
)

/** The members `tools`, `tool_choice` and `parallel_tool_calls`; none of them when there are no tools (C13). */
export function writeTools(conversation: Conversation, target: WriteTarget, report: LossReport): { [member: string]: Writable } {
  const { can } = target
  const { toolChoice, parallelCalls, params, names } = conversation
  const choiceName = names.toolChoice ?? 'tool_choice'
  let { tools } = conversation
  if (tools.length > 0 && !can.tools) {
    report.refuse(tools[0]!.field, 'The model that was asked for can not call tools. Leave them out, or use a model that can.')
    return {}
  }
  if (toolChoice?.type === 'allowed') {
    const allowed = new Set(toolChoice.names)
    tools = tools.filter((tool) => allowed.has(tool.name))
  }
  const written = tools.map((tool) => writtenTool(tool, target, conversation, report))
  const format = params.format?.type === 'json_schema' && !can.jsonSchema && can.tools ? params.format : undefined
  let choice = writtenChoice(toolChoice, tools, target)
  if (choice === undefined && toolChoice !== undefined && toolChoice.type !== 'auto' && toolChoice.type !== 'none') report.drop(choiceName)
  if (format) {
    const description = `Give the final answer by calling this tool.${format.description === undefined ? '' : ` ${format.description}`}`
    const parameters = format.schema === undefined ? noParameters : new RawJson(format.schema)
    written.push({ type: 'function', function: { name: jsonOutputTool, description, parameters } })
    const alone = tools.length === 0 || toolChoice?.type === 'none'
    if (toolChoice?.type !== 'tool' || choice === undefined) choice = alone ? named(jsonOutputTool) : 'required'
  }
  if (written.length === 0) return {}
  if (choice !== undefined && choice !== 'auto' && choice !== 'none' && !can.forcedTools) {
    choice = 'auto'
    report.drop(format ? (names.format ?? 'response_format') : choiceName)
  }
  if (parallelCalls === false && !can.parallelCalls) report.drop(names.parallelCalls ?? 'parallel_tool_calls')
  return {
    tools: written,
    ...(choice !== undefined && { tool_choice: choice }),
    ...(parallelCalls === false && can.parallelCalls && { parallel_tool_calls: false }),
  }
}

function writtenTool(tool: Tool, { can, toolName }: WriteTarget, conversation: Conversation, report: LossReport): Writable {
  const { kind, namespace, description, schema, strict, cache, field } = tool
  const name = toolName(tool.name, namespace)
  const marks = can.cacheMarks && cache ? cacheControl(cache) : {}
  if (kind === 'custom') {
    return { type: 'function', function: { name, description: customDescription(tool), parameters: oneString }, ...marks }
  }
  if (strict && !can.strict) report.drop(`${field}.strict`) // C22
  const parameters = schema === undefined ? noParameters : new RawJson(schema)
  const strictly = can.strict ? toolStrictness(tool, conversation, report) : undefined
  return { type: 'function', function: { name, description, parameters, strict: strictly }, ...marks }
}

/** C21: the grammar of a custom tool can only be told, not enforced. */
function customDescription({ description, format }: Tool): string {
  const about = description ?? ''
  const grammar = objectOf(format)
  if (!grammar || grammar.type === 'text') return about
  const inner = objectOf(grammar.grammar) ?? grammar
  const rules = textOf(inner.definition) || jsonText(grammar)
  return `${about}\n\nThe input is free text that follows this ${textOf(inner.syntax) || 'formal'} grammar:\n${rules}`.trimStart()
}

function writtenChoice(choice: ToolChoice | undefined, tools: readonly Tool[], { toolName }: WriteTarget): Writable {
  if (choice === undefined || tools.length === 0) return undefined
  switch (choice.type) {
    case 'tool': {
      const chosen = chosenTool(tools, choice)
      return chosen && named(toolName(chosen.name, chosen.namespace))
    }
    case 'allowed':
      return choice.mode
    default:
      return choice.type
  }
}

function named(name: string): Writable {
  return { type: 'function', function: { name } }
}
