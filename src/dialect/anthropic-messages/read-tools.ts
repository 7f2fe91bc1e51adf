/**
 * Tools and the choice among them, out of a Messages request (PROTOCOL §1.2).
 *
 * A tool without type, or of type `custom`, is a function of the client. Every other type is defined by the provider, and no other model knows it.
 */

import type { Extra, Tool, ToolChoice } from '../conversation.ts'
import type { JsonSource } from '../json-source.ts'
import { type JsonObject, listOf, objectOf, textOf, wordOf } from '../shape.ts'
import { cacheOf } from './read-content.ts'

export interface ToolsRead {
  readonly tools: readonly Tool[]
  readonly toolChoice: ToolChoice | undefined
  /** False when the client wants one call per turn. */
  readonly parallelCalls: boolean | undefined
}

/** Members that are read, or that say nothing about what a tool does. */
const members = new Set(['type', 'name', 'description', 'input_schema', 'strict', 'cache_control'])

/** @param extras what has no neutral word is added to it */
export function readTools(source: JsonSource, extras: Extra[]): ToolsRead {
  const { json } = source
  const tools: Tool[] = []
  const hosted = new Set<string>()
  const lost = new Set<string>()
  for (const [i, value] of listOf(json.tools).entries()) {
    const tool = objectOf(value)
    const field = `tools[${i}]`
    if (!tool) continue
    if (tool.type !== undefined && tool.type !== null && tool.type !== 'custom') {
      hosted.add(textOf(tool.name))
      const type = textOf(tool.type)
      extras.push({
        field,
        weight: 'hosted',
        message: `The tool "${type}" (${field}) belongs to Anthropic; the model that was asked for has none like it.`,
      })
      continue
    }
    const description = wordOf(tool.description)
    const schema = objectOf(tool.input_schema) ? source.raw('tools', i, 'input_schema') : undefined
    tools.push({
      kind: 'function',
      name: textOf(tool.name),
      ...(description !== undefined && { description }),
      ...(schema !== undefined && { schema }),
      ...(typeof tool.strict === 'boolean' && { strict: tool.strict }),
      ...cacheOf(tool),
      field,
    })
    // Clients put the same hints on every tool: one name for all of them
    for (const name in tool) if (!members.has(name) && !saysNothing(tool, name)) lost.add(`tools[].${name}`)
  }
  for (const field of lost) extras.push({ field, weight: 'hint' })
  return { tools, ...readChoice(json, hosted, extras) }
}

function saysNothing(tool: JsonObject, name: string): boolean {
  const value = tool[name]
  return (
    value === null ||
    value === false ||
    (Array.isArray(value) && (value.length === 0 || (name === 'allowed_callers' && value.includes('direct'))))
  )
}

/** C12: a choice that names a tool of the provider goes with it. */
function readChoice(json: JsonObject, hosted: ReadonlySet<string>, extras: Extra[]): Pick<ToolsRead, 'toolChoice' | 'parallelCalls'> {
  const choice = objectOf(json.tool_choice)
  const parallelCalls = choice?.disable_parallel_tool_use === true ? false : undefined
  switch (choice?.type) {
    case 'auto':
    case 'none':
      return { toolChoice: { type: choice.type }, parallelCalls }
    case 'any':
      return { toolChoice: { type: 'required' }, parallelCalls }
    case 'tool': {
      const name = textOf(choice.name)
      if (!hosted.has(name)) return { toolChoice: { type: 'tool', name }, parallelCalls }
      extras.push({ field: 'tool_choice', weight: 'hint' })
      return { toolChoice: undefined, parallelCalls }
    }
    default:
      if (json.tool_choice !== undefined && json.tool_choice !== null) extras.push({ field: 'tool_choice', weight: 'meaning' })
      return { toolChoice: undefined, parallelCalls }
  }
}
