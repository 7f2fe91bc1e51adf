/**
 * Messages of a Chat request to neutral turns.
 *
 * `tool` messages that follow one another become the results of one user turn (C08). An assistant message becomes thoughts, text and
 * calls, in this order, for Chat tells no other. Functions of old have no call ids: they get some, and their results find them by
 * name.
 */

import type { Json } from '../../plugin/request.ts'
import type { CallContent, Content, ResultContent, TextContent, Turn } from '../conversation.ts'
import { readProof } from '../proof.ts'
import { type JsonObject, listOf, objectOf, textOf, wordOf } from '../shape.ts'
import { valueText } from '../value-text.ts'
import { cacheMark } from './cache-mark.ts'
import { thoughtSignature } from './decode-neutral.ts'
import { readContent } from './read-content.ts'
import { readThoughts } from './read-thoughts.ts'
import type { Reading } from './reading.ts'
import { dataUrl } from './reply-media.ts'

interface OldCall {
  readonly name: string
  readonly id: string
}

/** Reads `messages` as turns; results become content of the user's. */
export function readMessages(reading: Reading): Turn[] {
  const turns: Turn[] = []
  /** Calls of functions of old that have no result yet. */
  const waiting: OldCall[] = []
  let results: ResultContent[] | undefined
  for (const [i, item] of listOf(reading.json.messages).entries()) {
    const message = objectOf(item)
    const field = `messages[${i}]`
    const role = wordOf(message?.role)
    if (!message || role === undefined) {
      reading.report.refuse(`${field}.role`, `"${field}" has to be an object with a role.`)
      continue
    }
    if (role === 'tool' || role === 'function') {
      const result = readResult(reading, message, i, role === 'function' ? waiting : undefined)
      if (!result) continue
      if (results) results.push(result)
      else turns.push({ role: 'user', content: (results = [result]) })
      continue
    }
    results = undefined
    if (role === 'assistant') turns.push({ role, ...assistantTurn(reading, message, i, field, waiting) })
    else if (role === 'system' || role === 'developer' || role === 'user') {
      turns.push({ role, content: withMark(readContent(reading, message.content, field), message), ...speaker(message) })
      reading.unknown(message, field, plainMembers)
    } else
      reading.report.refuse(
        `${field}.role`,
        `"${field}.role" has to be system, developer, user, assistant or tool, not ${JSON.stringify(role)}.`,
      )
  }
  return turns
}

const plainMembers = new Set(['role', 'content', 'name', 'cache_control', 'prompt_cache_breakpoint', 'tool_calls'])
const resultMembers = new Set(['role', 'content', 'name', 'tool_call_id', 'cache_control', 'prompt_cache_breakpoint', 'is_error'])
const assistantMembers = new Set([
  ...plainMembers,
  'refusal',
  'function_call',
  'reasoning',
  'reasoning_content',
  'reasoning_details',
  'extra_content',
  'images',
  'audio',
  'annotations',
])

function speaker(message: JsonObject): { name?: string } {
  const name = wordOf(message.name)
  return name === undefined ? {} : { name }
}

/** A mark on the message counts for its last part. */
function withMark<T extends Content>(content: readonly T[], message: JsonObject): T[] {
  const cache = cacheMark(message)
  if (!cache) return [...content]
  return content.map((part, i) => (i === content.length - 1 && part.type !== 'reasoning' ? { ...part, cache } : part))
}

function readResult(reading: Reading, message: JsonObject, i: number, waiting: OldCall[] | undefined): ResultContent | undefined {
  const field = `messages[${i}]`
  const name = wordOf(message.name)
  let id = wordOf(message.tool_call_id)
  if (waiting) {
    const at = waiting.findIndex((call) => call.name === name)
    id = waiting.splice(at, at < 0 ? 0 : 1)[0]?.id
  }
  if (id === undefined) {
    const member = waiting ? 'name' : 'tool_call_id'
    reading.report.refuse(`${field}.${member}`, `"${field}" has to say in "${member}" which call it answers.`)
    return undefined
  }
  const told = valueText(reading.source, message.content, ['messages', i, 'content'])
  const content = readContent(reading, told ?? message.content, field).filter((part) => part.type !== 'reasoning')
  const cache = cacheMark(message)
  reading.unknown(message, field, resultMembers)
  return {
    type: 'result',
    id,
    content,
    ...(name !== undefined && { name }),
    ...(message.is_error === true && { error: true }),
    ...(cache && { cache }),
  }
}

function assistantTurn(reading: Reading, message: JsonObject, i: number, field: string, waiting: OldCall[]): Omit<Turn, 'role'> {
  const content: Content[] = [...readThoughts(message)]
  content.push(...withMark(readContent(reading, message.content, field), message))
  const refusal = wordOf(message.refusal)
  if (refusal !== undefined) content.push({ type: 'text', text: refusal, refusal: true })
  for (const item of listOf(message.images)) {
    const image = objectOf(item)
    const inline = dataUrl(textOf(objectOf(image?.image_url)?.url))
    if (inline) content.push({ type: 'media', kind: 'image', source: { kind: 'base64', ...inline }, field: `${field}.images` })
  }
  prove(content, thoughtSignature(message))
  if (message.audio !== undefined && message.audio !== null) {
    reading.extra(`${field}.audio`, 'meaning', `"${field}.audio" names sound that only its provider has.`)
  }
  for (const [k, item] of listOf(message.tool_calls).entries()) {
    const call = objectOf(item)
    const read = call && readCall(reading, call, i, k)
    if (read) content.push(read)
    else reading.report.refuse(`${field}.tool_calls[${k}]`, `"${field}.tool_calls[${k}]" needs an id and a name.`)
  }
  const old = objectOf(message.function_call)
  const name = wordOf(old?.name)
  if (old && name !== undefined) {
    const id = `call_function_${i}`
    waiting.push({ name, id })
    content.push({
      type: 'call',
      id,
      name,
      kind: 'function',
      arguments: argumentsOf(reading, old.arguments, ['messages', i, 'function_call', 'arguments']),
    })
  }
  reading.unknown(message, field, assistantMembers)
  return { content, ...speaker(message) }
}

/** A signature on the message belongs to its text. */
function prove(content: Content[], signature: string | undefined): void {
  if (signature === undefined) return
  const proof = readProof(signature, 'openai-chat')
  const at = content.findLastIndex((part) => part.type === 'text')
  const text = content[at]
  if (text?.type === 'text') content[at] = { ...text, proof }
  else content.push({ type: 'text', text: '', proof } satisfies TextContent)
}

function readCall(reading: Reading, call: JsonObject, i: number, k: number): CallContent | undefined {
  const made = objectOf(call.function)
  const custom = made ? undefined : objectOf(call.custom)
  const name = wordOf((made ?? custom)?.name)
  const id = wordOf(call.id)
  if (name === undefined || id === undefined) return undefined
  const signature = thoughtSignature(call)
  const cache = cacheMark(call)
  return {
    type: 'call',
    id,
    name,
    kind: custom ? 'custom' : 'function',
    arguments: custom
      ? textOf(custom.input)
      : argumentsOf(reading, made?.arguments, ['messages', i, 'tool_calls', k, 'function', 'arguments']),
    ...(signature !== undefined && { proof: readProof(signature, 'openai-chat') }),
    ...(cache && { cache }),
  }
}

/** The text of arguments; some clients send the object itself (C07), of which the bytes are taken. */
function argumentsOf(reading: Reading, value: Json | undefined, path: readonly (string | number)[]): string {
  if (typeof value === 'string') return value
  return objectOf(value) ? (reading.source.raw(...path) ?? '') : ''
}
