/**
 * Tools of a Responses request: functions, custom tools, namespaces of them, and those that the provider runs (PROTOCOL §1.2, C21).
 *
 * Tools may also be given in mid-conversation (`additional_tools`, the output of a tool search); without such a mechanism they are there from the
 * start.
 */

import type { Json } from '../../plugin/request.ts'
import type { Tool, ToolChoice } from '../conversation.ts'
import { cacheMark } from '../openai-chat/cache-mark.ts'
import type { Reading } from '../openai-chat/reading.ts'
import { type JsonObject, listOf, objectOf, wordOf } from '../shape.ts'

type Path = readonly (string | number)[]
const known = new Set(['type', 'name', 'description', 'parameters', 'strict', 'format', 'cache_control', 'prompt_cache_breakpoint'])

/** Reads the tools, those of namespaces among them. */
export function readTools(reading: Reading): Tool[] {
  const tools = new Map<string, Tool>()
  const list = (value: Json | undefined, path: Path, field: string, namespace?: string): void => {
    for (const [i, item] of listOf(value).entries()) {
      const tool = objectOf(item)
      const at = `${field}[${i}]`
      if (!tool) continue
      if (tool.type === 'namespace') list(tool.tools, [...path, i, 'tools'], `${at}.tools`, wordOf(tool.name))
      else if (tool.type === 'function' || tool.type === 'custom') {
        const read = readTool(reading, tool, [...path, i], at, namespace)
        const key = `${namespace ?? ''}\n${read.name}`
        if (!tools.has(key)) tools.set(key, read)
      } else
        reading.extra(
          at,
          'hosted',
          `"${at}": the tool ${JSON.stringify(tool.type ?? null)} is run by OpenAI, not by the model that was asked for.`,
        )
    }
  }
  list(reading.take('tools'), ['tools'], 'tools')
  for (const [i, value] of listOf(reading.json.input).entries()) {
    const item = objectOf(value)
    if (item?.type === 'additional_tools' || item?.type === 'tool_search_output')
      list(item.tools, ['input', i, 'tools'], `input[${i}].tools`)
  }
  return [...tools.values()]
}

function readTool(reading: Reading, tool: JsonObject, path: Path, field: string, namespace: string | undefined): Tool {
  const description = wordOf(tool.description)
  const custom = tool.type === 'custom'
  const schema = custom || !objectOf(tool.parameters) ? undefined : reading.source.raw(...path, 'parameters')
  const { format, strict } = tool
  const cache = cacheMark(tool)
  reading.unknown(tool, field, known)
  return {
    kind: custom ? 'custom' : 'function',
    name: wordOf(tool.name) ?? '',
    field,
    ...(namespace !== undefined && { namespace }),
    ...(description !== undefined && { description }),
    ...(schema !== undefined && { schema }),
    ...(typeof strict === 'boolean' && { strict }),
    ...(custom && format !== undefined && format !== null && { format }),
    ...(cache && { cache }),
  }
}

/** Reads `tool_choice`. */
export function readToolChoice(reading: Reading): ToolChoice | undefined {
  const given = reading.take('tool_choice')
  if (given === undefined) return undefined
  reading.names.toolChoice = 'tool_choice'
  if (given === 'auto' || given === 'none' || given === 'required') return { type: given }
  const choice = objectOf(given)
  const name = wordOf(choice?.name)
  if ((choice?.type === 'function' || choice?.type === 'custom') && name !== undefined) {
    const namespace = wordOf(choice.namespace)
    return { type: 'tool', name, ...(namespace !== undefined && { namespace }) }
  }
  if (choice?.type === 'allowed_tools') {
    const names = listOf(choice.tools).map((tool) => wordOf(objectOf(tool)?.name))
    return { type: 'allowed', mode: choice.mode === 'required' ? 'required' : 'auto', names: names.filter((word) => word !== undefined) }
  }
  // C12: a tool that the provider runs can't be chosen where it isn't
  reading.extra('tool_choice', 'hint')
  return undefined
}
