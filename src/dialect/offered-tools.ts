/**
 * What writers of requests do alike with the tools that a client offers (PROTOCOL §1.2).
 *
 * For dialects that know functions only, a custom tool is a function with one string, and its grammar is told in words.
 */

import type { WriteTarget } from './codec.ts'
import type { Conversation, Tool, ToolChoice } from './conversation.ts'
import { RawJson, type Writable } from './json-text.ts'
import { objectOf, parseJson, textOf } from './shape.ts'

/** The schema of a function that takes whatever it likes. */
export const anyObject = { type: 'object', properties: {} } as const

/** The schema of a custom tool as a function. */
export const oneString = {
  type: 'object',
  properties: { input: { type: 'string' } },
  required: ['input'],
  additionalProperties: false,
} as const

/** What the model is told of the forced tool that stands in for structured output. */
export const outputDescription = 'Gives the answer. Call it once, with the whole answer as its input.'

/** The description of a custom tool: the grammar, which no function can have, as words (C21). */
export function customDescription({ description, format }: Tool): string | undefined {
  const given = objectOf(format)
  const grammar = textOf(objectOf(given?.grammar)?.definition ?? given?.definition)
  return grammar === '' ? description : `${description ?? ''}\n\nThe input must follow this grammar:\n${grammar}`.trim()
}

/** The schema of a tool, in the client's own words; APIs demand that it says to be one of an object. */
export function objectSchema(text: string | undefined): Writable {
  const schema = text === undefined ? undefined : objectOf(parseJson(text))
  if (!schema || text === undefined) return anyObject
  return schema.type === 'object' ? new RawJson(text) : { ...schema, type: 'object' }
}

/** A choice that is not among some of the tools only. */
export type PlainChoice = Exclude<ToolChoice, { type: 'allowed' }>

/** Tools and choice where the API can't allow some of the tools only: the others are not offered at all. */
export function narrowed({ tools, toolChoice }: Conversation): {
  readonly offered: readonly Tool[]
  readonly wanted: PlainChoice | undefined
} {
  if (toolChoice?.type !== 'allowed') return { offered: tools, wanted: toolChoice }
  return { offered: tools.filter((tool) => toolChoice.names.includes(tool.name)), wanted: { type: toolChoice.mode } }
}

/** The tool that a choice names; undefined when it is not there (C12). A choice without a namespace may mean a tool that has one. */
export function chosenTool(
  offered: readonly Tool[],
  { name, namespace }: { readonly name: string; readonly namespace?: string | undefined },
): Tool | undefined {
  const exact = offered.find((tool) => tool.name === name && tool.namespace === namespace)
  return exact ?? (namespace === undefined ? offered.find((tool) => tool.name === name) : undefined)
}

/** The tools that the history calls, by their names at the upstream. */
export function pastTools({ turns }: Conversation, { toolName }: WriteTarget): readonly string[] {
  const names = new Set<string>()
  for (const { content } of turns) for (const part of content) if (part.type === 'call') names.add(toolName(part.name, part.namespace))
  return [...names]
}
