/** Tools of a Chat request and the choice among them, in the forms of today, of old (`functions`), and flat as in the Responses API. */

import type { Tool, ToolChoice } from '../conversation.ts'
import { type JsonObject, listOf, objectOf, wordOf } from '../shape.ts'
import { cacheMark } from './cache-mark.ts'
import type { Reading } from './reading.ts'

/** Reads `tools` and the `functions` of old. */
export function readTools(reading: Reading): Tool[] {
  const tools: Tool[] = []
  for (const [i, item] of listOf(reading.take('tools')).entries()) {
    const tool = objectOf(item)
    if (tool) readTool(reading, tool, i, tools)
    else reading.report.refuse(`tools[${i}]`, `"tools[${i}]" has to be an object.`)
  }
  for (const [i, item] of listOf(reading.take('functions')).entries()) {
    const name = wordOf(objectOf(item)?.name)
    if (name === undefined) reading.report.refuse(`functions[${i}].name`, `"functions[${i}]" needs a name.`)
    else tools.push(functionTool(reading, objectOf(item)!, name, `functions[${i}]`, ['functions', i]))
  }
  return tools
}

function readTool(reading: Reading, tool: JsonObject, i: number, tools: Tool[]): void {
  const field = `tools[${i}]`
  const custom = tool.type === 'custom' ? (objectOf(tool.custom) ?? tool) : undefined
  const made = objectOf(tool.function) ?? (tool.type === 'function' ? tool : undefined)
  const inner = custom ?? made
  const name = wordOf(inner?.name)
  if (!inner) {
    reading.extra(field, 'hosted', `"${field}" is a tool that its provider runs. The model that was asked for has no such tool.`)
    return
  }
  if (name === undefined) {
    reading.report.refuse(`${field}.name`, `"${field}" needs a name.`)
    return
  }
  const cache = cacheMark(tool) ?? cacheMark(inner)
  if (!custom) {
    const path = inner === tool ? ['tools', i] : ['tools', i, 'function']
    tools.push({ ...functionTool(reading, inner, name, field, path), ...(cache && { cache }) })
    if (inner !== tool) reading.unknown(tool, field, toolMembers)
    return
  }
  tools.push({
    kind: 'custom',
    name,
    description: wordOf(inner.description),
    ...(inner.format !== undefined && inner.format !== null && { format: inner.format }),
    ...(cache && { cache }),
    field,
  })
}

const toolMembers = new Set(['type', 'function', 'custom', 'cache_control', 'prompt_cache_breakpoint', 'eager_input_streaming'])
const functionMembers = new Set(['type', 'name', 'description', 'parameters', 'strict', 'cache_control'])

function functionTool(reading: Reading, tool: JsonObject, name: string, field: string, path: readonly (string | number)[]): Tool {
  const schema = objectOf(tool.parameters) ? reading.source.raw(...path, 'parameters') : undefined
  const { strict } = tool
  reading.unknown(tool, path.length > 2 ? `${field}.function` : field, functionMembers)
  return { kind: 'function', name, description: wordOf(tool.description), schema, ...(typeof strict === 'boolean' && { strict }), field }
}

/** Reads `tool_choice`, or the `function_call` of old. */
export function readToolChoice(reading: Reading): ToolChoice | undefined {
  const old = reading.take('function_call')
  const given = reading.take('tool_choice') ?? old
  if (given === undefined) return undefined
  const field = given === old ? 'function_call' : 'tool_choice'
  reading.names.toolChoice = field
  if (given === 'auto' || given === 'none' || given === 'required') return { type: given }
  if (given === 'any') return { type: 'required' } // Mistral's word (C14)
  const choice = objectOf(given)
  const allowed = choice && (objectOf(choice.allowed_tools) ?? (choice.type === 'allowed_tools' ? choice : undefined))
  if (allowed) return readAllowed(allowed)
  const name = wordOf((objectOf(choice?.function) ?? objectOf(choice?.custom) ?? choice)?.name)
  if (name !== undefined) return { type: 'tool', name }
  // a choice of a tool that the provider runs: there is none here to choose (C12)
  if (choice && wordOf(choice.type) !== undefined) reading.extra(field, 'hint')
  else reading.report.refuse(field, `"${field}" has to be "auto", "none", "required" or name a tool.`)
  return undefined
}

function readAllowed(allowed: JsonObject): ToolChoice {
  const names: string[] = []
  for (const item of listOf(allowed.tools)) {
    const tool = objectOf(item)
    const name = wordOf((objectOf(tool?.function) ?? objectOf(tool?.custom) ?? tool)?.name)
    if (name !== undefined) names.push(name)
  }
  return { type: 'allowed', mode: allowed.mode === 'required' ? 'required' : 'auto', names }
}
