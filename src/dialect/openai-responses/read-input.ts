/**
 * `instructions` and `input` as neutral turns.
 *
 * What the model made (texts, thoughts, calls) is one assistant turn until somebody else speaks; outputs of tools are a user turn. Items of hosted tools
 * can't be shown to another provider and are dropped, disclosed. What refers to something that only its maker has stored is refused, except thoughts,
 * without which the conversation still means the same.
 */

import type { Json } from '../../plugin/request.ts'
import type { CallContent, Content, Proof, ResultContent, Tool, Turn } from '../conversation.ts'
import type { Reading } from '../openai-chat/reading.ts'
import { readProof } from '../proof.ts'
import { type JsonObject, jsonText, listOf, objectOf, textOf, wordOf } from '../shape.ts'
import { valueText } from '../value-text.ts'
import { splitMark } from './proof-marks.ts'
import { readContent } from './read-content.ts'

interface Draft {
  readonly role: Turn['role']
  readonly content: Content[]
}
interface Input {
  readonly reading: Reading
  readonly tools: readonly Tool[]
  readonly turns: Draft[]
  /** A proof that waits for the call that it belongs to. */
  waiting: Proof | undefined
}

/** @param tools the tools of the request, by which calls in the history know their namespace */
export function readInput(reading: Reading, tools: readonly Tool[]): Turn[] {
  const { take, report } = reading
  const input: Input = { reading, tools, turns: [], waiting: undefined }
  const instructions = take('instructions')
  if (typeof instructions === 'string' && instructions !== '') input.turns.push(turnOf('system', instructions))
  // a response repeats the instructions as items
  for (const [i, item] of listOf(instructions).entries()) readItem(input, item, 'instructions', i)
  const given = take('input')
  if (typeof given === 'string') input.turns.push(turnOf('user', given))
  else if (Array.isArray(given)) for (const [i, item] of given.entries()) readItem(input, item, 'input', i)
  else if (reading.json.messages !== undefined) {
    report.refuse('messages', 'This body has the shape of a chat completion. Post it to /chat/completions, or send "input".')
  } else report.refuse('input', 'A response needs "input", a text or a list of items.')
  return input.turns.filter((turn) => turn.content.length > 0)
}

function turnOf(role: Turn['role'], text: string): Draft {
  return { role, content: [{ type: 'text', text }] }
}

function readItem(input: Input, value: Json, list: 'instructions' | 'input', i: number): void {
  const field = `${list}[${i}]`
  const { reading } = input
  const item = objectOf(value)
  if (!item) {
    reading.report.refuse(field, `"${field}" has to be an object.`)
    return
  }
  const type = wordOf(item.type) ?? 'message'
  switch (type) {
    case 'message':
      readMessage(input, item, field)
      return
    case 'reasoning':
      readThought(input, item)
      return
    case 'function_call':
      call(input, item, 'function', wordOf(item.name) ?? '', argumentsOf(reading, item.arguments, [list, i, 'arguments']))
      return
    case 'custom_tool_call':
      call(input, item, 'custom', wordOf(item.name) ?? '', textOf(item.input))
      return
    // tools that run at the client, under a name of the API's
    case 'local_shell_call':
    case 'shell_call':
      call(input, item, 'function', type.slice(0, -'_call'.length), jsonText(item.action ?? {}))
      return
    case 'apply_patch_call':
      call(input, item, 'function', 'apply_patch', jsonText(item.operation ?? {}))
      return
    case 'function_call_output':
    case 'custom_tool_call_output':
    case 'local_shell_call_output':
    case 'shell_call_output':
    case 'apply_patch_call_output':
      result(input, item, type, [list, i])
      return
    case 'item_reference':
      reference(reading, textOf(item.id), field)
      return
    case 'additional_tools':
      return // read among the tools
    case 'compaction':
    case 'compaction_summary':
    case 'compaction_trigger':
    case 'context_compaction':
      reading.extra(field, 'meaning', `"${field}" holds a compacted conversation, which only the provider that compacted it can read.`)
      return
    default:
      if (isHosted(type)) reading.extra(field, 'hint')
      else
        reading.extra(
          field,
          'meaning',
          `"${field}" is an item of type ${JSON.stringify(type)}, which the model that was asked for does not know.`,
        )
  }
}

/** What the provider's own tools left in the history. */
function isHosted(type: string): boolean {
  return /^(web_search|file_search|code_interpreter|image_generation|computer|mcp|tool_search|x_search|program)(_|$)/.test(type)
}

function readMessage(input: Input, item: JsonObject, field: string): void {
  const { reading, turns } = input
  const content = readContent(reading, item.content, `${field}.content`)
  switch (item.role) {
    case 'assistant':
      assistant(input, ...content)
      return
    case 'user':
    case 'system':
    case 'developer':
      input.waiting = undefined
      turns.push({ role: item.role, content })
      return
    default:
      reading.report.refuse(`${field}.role`, `"${field}.role" has to be user, assistant, system or developer.`)
  }
}

function assistant({ turns }: Input, ...content: Content[]): void {
  const last = turns.at(-1)
  if (last?.role === 'assistant') last.content.push(...content)
  else turns.push({ role: 'assistant', content })
}

function readThought(input: Input, item: JsonObject): void {
  const texts = (list: Json | undefined): string[] => listOf(list).map((part) => textOf(objectOf(part)?.text))
  const summary = texts(item.summary)
  const text = (summary.length > 0 ? summary : texts(item.content)).join('\n\n')
  const { value, mark } = splitMark(textOf(item.encrypted_content))
  const proof = readProof(value, 'openai-responses')
  // nobody vouches for it: a tag without maker, or no proof at all
  if (proof.value === '') {
    if (text !== '') assistant(input, { type: 'reasoning', text })
    return
  }
  if (mark === 'next') input.waiting = proof
  else if (mark === 'last') attach(input, proof)
  else assistant(input, { type: 'reasoning', text, proof, ...(mark === 'hidden' && { redacted: true }) })
}

/** A proof of the text or call before it. */
function attach({ turns }: Input, proof: Proof): void {
  const last = turns.at(-1)
  const at = last?.role === 'assistant' ? last.content.findLastIndex((part) => part.type === 'text' || part.type === 'call') : -1
  const part = last?.content[at]
  if (last && (part?.type === 'text' || part?.type === 'call')) last.content[at] = { ...part, proof }
}

function call(input: Input, item: JsonObject, kind: CallContent['kind'], name: string, args: string): void {
  // tools that a search has found say a namespace in which they were never defined
  const stated = wordOf(item.namespace)
  const namespace = input.tools.some((tool) => tool.name === name && tool.namespace === undefined) ? undefined : stated
  const proof = input.waiting
  input.waiting = undefined
  assistant(input, {
    type: 'call',
    id: wordOf(item.call_id) ?? wordOf(item.id) ?? '',
    name,
    kind,
    arguments: args,
    ...(namespace !== undefined && { namespace }),
    ...(proof && { proof }),
  })
}

/** The text of arguments; some clients send the object itself (C07), of which the bytes are taken. */
function argumentsOf({ source }: Reading, value: Json | undefined, path: readonly (string | number)[]): string {
  return objectOf(value) ? (valueText(source, value, path) ?? '') : textOf(value)
}

function result({ reading, turns }: Input, item: JsonObject, type: string, [list, i]: readonly [string, number]): void {
  const shell = type === 'shell_call_output' && Array.isArray(item.output)
  const content = shell
    ? [{ type: 'text' as const, text: jsonText(item.output ?? []) }]
    : readContent(reading, valueText(reading.source, item.output, [list, i, 'output']) ?? item.output, `${list}[${i}].output`)
  const found: ResultContent = {
    type: 'result',
    id: wordOf(item.call_id) ?? wordOf(item.id) ?? '',
    content,
    ...(item.status === 'failed' && { error: true }), // C11
  }
  const last = turns.at(-1)
  if (last?.role === 'user' && last.content.every((part) => part.type === 'result')) last.content.push(found)
  else turns.push({ role: 'user', content: [found] })
}

/** Something that the provider has stored. Thoughts may be missing; anything else was said, and may not. */
function reference(reading: Reading, id: string, field: string): void {
  if (id.startsWith('rs_')) reading.extra(field, 'hint')
  else {
    const message = `"${field}" refers to "${id}", which is not stored here. Send the item itself ("store": false makes most SDKs do so).`
    reading.extra(field, 'meaning', message)
  }
}
