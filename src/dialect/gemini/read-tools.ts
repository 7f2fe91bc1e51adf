/** Tools and tool choice of a Gemini request (PROTOCOL §1.2). */

import type { Json } from '../../plugin/request.ts'
import type { Conversation, Tool, ToolChoice } from '../conversation.ts'
import { objectOf, wordOf } from '../shape.ts'
import { member, nameOf } from './names.ts'
import type { Reading } from './reading.ts'
import { indexPath, itemsOf } from './repeated.ts'
import { jsonSchemaText } from './schema.ts'

const declarationMembers = new Set(['name', 'description', 'parameters', 'parametersJsonSchema'])
const configMembers = new Set(['functionCallingConfig'])
const callingMembers = new Set(['mode', 'allowedFunctionNames'])

/** Reads the tools and the choice among them. */
export function readTools(reading: Reading): Pick<Conversation, 'tools' | 'toolChoice'> {
  const { json } = reading
  const tools: Tool[] = []
  for (const [i, value] of itemsOf(json.tools).entries()) {
    const tool = objectOf(value)
    const declared = nameOf(tool, 'functionDeclarations')
    for (const name in tool) {
      if (name === declared) readDeclarations(tool[name]!, i, name, tools, reading)
      else if (tool[name] !== null) {
        reading.extra(
          `tools[${i}].${name}`,
          'hosted',
          `"tools[${i}].${name}" is a tool that Google runs. The model that was asked for has no such tool.`,
        )
      }
    }
  }
  return { tools, toolChoice: readChoice(tools, reading) }
}

function readDeclarations(value: Json, i: number, name: string, tools: Tool[], reading: Reading): void {
  const path = ['tools', ...indexPath(reading.json.tools, i), name]
  for (const [f, item] of itemsOf(value).entries()) {
    const declaration = objectOf(item)
    const field = `tools[${i}].${name}[${f}]`
    const toolName = wordOf(declaration?.name)
    if (!declaration || toolName === undefined) {
      reading.extra(field, 'meaning', `"${field}" has no name.`)
      continue
    }
    reading.unknown(declaration, declarationMembers, field)
    const schemaName = nameOf(declaration, 'parametersJsonSchema') ?? nameOf(declaration, 'parameters')
    const schema = schemaName === undefined ? undefined : objectOf(declaration[schemaName])
    const raw = schema && reading.source.raw(...path, ...indexPath(value, f), schemaName!)
    tools.push({
      kind: 'function',
      name: toolName,
      description: wordOf(declaration.description),
      schema: schema && raw !== undefined ? jsonSchemaText(schema, raw) : undefined,
      field,
    })
  }
}

function readChoice(tools: readonly Tool[], reading: Reading): ToolChoice | undefined {
  const { json } = reading
  const configName = nameOf(json, 'toolConfig')
  const config = configName === undefined ? undefined : objectOf(json[configName])
  reading.unknown(config, configMembers, configName ?? 'toolConfig')
  const callingName = nameOf(config, 'functionCallingConfig')
  const calling = callingName === undefined ? undefined : objectOf(config?.[callingName])
  if (!calling) return undefined
  const field = `${configName}.${callingName}`
  reading.names.toolChoice = field
  reading.unknown(calling, callingMembers, field)
  const names = itemsOf(member(calling, 'allowedFunctionNames')).filter((name): name is string => typeof name === 'string')
  // Google's own samples write it in lower case
  const mode = wordOf(calling.mode)?.toUpperCase()
  switch (mode) {
    case 'NONE':
      return { type: 'none' }
    case 'ANY':
      return choiceAmong(names, 'required')
    case 'VALIDATED':
      // calls that fit their schema: other dialects say it of each tool
      return choiceAmong(names, 'auto')
    case 'AUTO':
      return { type: 'auto' }
    case undefined:
    case 'MODE_UNSPECIFIED':
      return undefined
    default:
      if (tools.length > 0) reading.extra(`${field}.mode`, 'meaning')
      return undefined
  }
}

function choiceAmong(names: readonly string[], mode: 'auto' | 'required'): ToolChoice {
  const [only] = names
  if (only === undefined) return { type: mode }
  return names.length === 1 && mode === 'required' ? { type: 'tool', name: only } : { type: 'allowed', mode, names }
}
