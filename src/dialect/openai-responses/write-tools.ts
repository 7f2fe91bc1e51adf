/** Neutral tools and the choice among them for a Responses upstream; a forced tool where it knows no schema for its output (PROTOCOL §1.2, §1.4). */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Tool, ToolChoice } from '../conversation.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { chosenTool } from '../offered-tools.ts'
import { objectOf } from '../shape.ts'
import { toolStrictness } from '../strict-schema.ts'
import { jsonOutputTool } from '../translate.ts'

const noParameters = new RawJson('{"type":"object","properties":{}}')

/** The members `tools`, `tool_choice` and `parallel_tool_calls`; none of them when there are no tools (C13). */
export function writeTools(conversation: Conversation, target: WriteTarget, report: LossReport): { [member: string]: Writable } {
  const { can } = target
  const { tools, toolChoice, parallelCalls, params, names } = conversation
  const choiceName = names.toolChoice ?? 'tool_choice'
  if (tools.length > 0 && !can.tools) {
    report.refuse(tools[0]!.field, 'The model that was asked for can not call tools. Leave them out, or use a model that can.')
    return {}
  }
  const written = tools.map((tool) => writtenTool(tool, target, conversation, report))
  let choice = writtenChoice(toolChoice, tools, target)
  if (choice === undefined && toolChoice !== undefined && toolChoice.type !== 'auto' && toolChoice.type !== 'none') report.drop(choiceName)
  const format = params.format?.type === 'json_schema' && !can.jsonSchema && can.tools ? params.format : undefined
  if (format) {
    const description = `Give the final answer by calling this tool.${format.description === undefined ? '' : ` ${format.description}`}`
    const parameters = format.schema === undefined ? noParameters : new RawJson(format.schema)
    written.push({ type: 'function', name: jsonOutputTool, description, parameters, strict: false })
    const alone = tools.length === 0 || toolChoice?.type === 'none'
    if (toolChoice?.type !== 'tool' || choice === undefined) choice = alone ? { type: 'function', name: jsonOutputTool } : 'required'
  }
  if (written.length === 0) return {}
  if (choice !== undefined && choice !== 'auto' && choice !== 'none' && !can.forcedTools) {
    choice = 'auto'
    report.drop(format ? (names.format ?? 'text.format') : choiceName)
  }
  if (parallelCalls === false && !can.parallelCalls) report.drop(names.parallelCalls ?? 'parallel_tool_calls')
  return {
    tools: written,
    ...(choice !== undefined && { tool_choice: choice }),
    ...(parallelCalls !== undefined && can.parallelCalls && { parallel_tool_calls: parallelCalls }),
  }
}

function writtenTool(tool: Tool, { can, toolName }: WriteTarget, conversation: Conversation, report: LossReport): Writable {
  const { kind, namespace, description, schema, strict, format, field } = tool
  const name = toolName(tool.name, namespace)
  if (kind === 'custom') return { type: 'custom', name, description, format: grammarOf(format) }
  if (strict && !can.strict) report.drop(`${field}.strict`) // C22
  const parameters = schema === undefined ? noParameters : new RawJson(schema)
  // this API takes a tool that says nothing for a strict one, and rewrites its schema; no other does. What its own client did not say stays unsaid
  const unsaid = conversation.source === 'openai-responses' ? undefined : false
  const strictly = can.strict ? (toolStrictness(tool, conversation, report) ?? unsaid) : undefined
  return { type: 'function', name, description, parameters, strict: strictly }
}

/** The grammar of a custom tool is flat here, and nested in Chat. */
function grammarOf(format: Tool['format']): Writable {
  const grammar = objectOf(objectOf(format)?.grammar)
  return grammar ? { type: 'grammar', ...grammar } : format
}

function writtenChoice(choice: ToolChoice | undefined, tools: readonly Tool[], { toolName }: WriteTarget): Writable {
  if (choice === undefined || tools.length === 0) return undefined
  switch (choice.type) {
    case 'tool': {
      const chosen = chosenTool(tools, choice)
      return chosen && named(chosen, toolName)
    }
    case 'allowed': {
      const there = choice.names.flatMap((name) => tools.filter((tool) => tool.name === name))
      if (there.length === 0) return undefined
      return { type: 'allowed_tools', mode: choice.mode, tools: there.map((tool) => named(tool, toolName)) }
    }
    default:
      return choice.type
  }
}

function named({ kind, name, namespace }: Tool, toolName: WriteTarget['toolName']): Writable {
  return { type: kind, name: toolName(name, namespace) }
}
