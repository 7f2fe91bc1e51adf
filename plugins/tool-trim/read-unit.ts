/**
 * What stands in one message: calls of tools, their results, and other text. One reader for each dialect of clients; only that message is parsed.
 *
 * Results that may not be touched say why. What a provider's own tools brought back is no result in this sense: it is signed, or it is theirs. Odd
 * shapes are skipped, never refused.
 */

import type { Json } from 'headgate/plugin'

export interface Call {
  readonly id?: string
  readonly tool: string
  /** Arguments as a value; a text where they are none. */
  readonly input: Json
}

export interface ResultText {
  /** JSON pointer inside the message. */
  readonly pointer: string
  readonly text: string
}

export interface Result {
  readonly id?: string
  readonly tool?: string
  readonly texts: readonly ResultText[]
  /** Why it stays as it is. */
  readonly skip?: 'error' | 'media' | 'marked'
}

/** In the order of the message. */
export type Piece =
  | { readonly kind: 'call'; readonly call: Call }
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'text'; readonly text: string }

type Fields = { readonly [key: string]: Json | undefined }
type Add = (piece: Piece) => void

/** Pieces of one message beyond these are left alone. */
const mostPieces = 512
const mostTexts = 64

const readers: Readonly<Record<string, (message: Fields, add: Add) => void>> = {
  'openai-chat': readChat,
  'anthropic-messages': readMessages,
  'openai-responses': readResponses,
  'gemini-generate': readGemini,
  'bedrock-converse': readConverse,
}

/** Whether messages of a dialect can be read. */
export const canRead = (dialect: string): boolean => Object.hasOwn(readers, dialect)

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The pieces of a message; none when it is not JSON in UTF-8: then the bytes say something else than a text made of them would. */
export function readUnit(dialect: string, bytes: Uint8Array): readonly Piece[] {
  const pieces: Piece[] = []
  let message: Json
  try {
    message = JSON.parse(utf8.decode(bytes)) as Json
  } catch {
    return pieces
  }
  const fields = fieldsOf(message)
  if (typeof message === 'string') pieces.push({ kind: 'text', text: message })
  else if (fields) readers[dialect]?.(fields, (piece) => pieces.length < mostPieces && pieces.push(piece))
  return pieces
}

function readChat(message: Fields, add: Add): void {
  const { role, content } = message
  if (role === 'tool' || role === 'function') {
    const texts: ResultText[] = []
    const media = collect(content, '/content', texts, isChatText)
    const id = word(message.tool_call_id)
    const tool = word(message.name)
    add({ kind: 'result', result: resultOf(id, tool, texts, media, isMarked(message) || listOf(content).some(isMarkedBlock)) })
    return
  }
  addTexts(content, add, (block) => block.text)
  for (const item of listOf(message.tool_calls)) {
    const call = fieldsOf(item)
    const made = fieldsOf(call?.function) ?? fieldsOf(call?.custom)
    const tool = word(made?.name)
    if (!call || !made || tool === undefined) continue
    add(callOf(word(call.id), tool, made.arguments === undefined ? made.input : parsed(made.arguments)))
  }
  const legacy = fieldsOf(message.function_call)
  const tool = word(legacy?.name)
  if (legacy && tool !== undefined) add(callOf(undefined, tool, parsed(legacy.arguments)))
}

function readMessages(message: Fields, add: Add): void {
  const { content } = message
  if (typeof content === 'string') add({ kind: 'text', text: content })
  for (const [i, item] of listOf(content).entries()) {
    const block = fieldsOf(item)
    if (!block) continue
    if (block.type === 'text') addTexts(block.text, add)
    else if (block.type === 'tool_use') {
      const tool = word(block.name)
      if (tool !== undefined) add(callOf(word(block.id), tool, block.input))
    } else if (block.type === 'tool_result') {
      const texts: ResultText[] = []
      const media = collect(block.content, `/content/${i}/content`, texts, isTextBlock)
      const marked = isMarked(block) || listOf(block.content).some(isMarkedBlock)
      add({ kind: 'result', result: resultOf(word(block.tool_use_id), undefined, texts, media, marked, block.is_error === true) })
    }
  }
}

const outputs = new Set([
  'function_call_output',
  'custom_tool_call_output',
  'local_shell_call_output',
  'shell_call_output',
  'apply_patch_call_output',
])

function readResponses(item: Fields, add: Add): void {
  const type = word(item.type) ?? 'message'
  const id = word(item.call_id) ?? word(item.id)
  if (type === 'message') addTexts(item.content, add, (part) => part.text)
  else if (type === 'function_call') add(callOf(id, word(item.name) ?? '', parsed(item.arguments)))
  else if (type === 'custom_tool_call') add(callOf(id, word(item.name) ?? '', item.input))
  else if (type === 'local_shell_call' || type === 'shell_call') {
    const action = fieldsOf(item.action)
    add(callOf(id, 'shell', action ? { command: action.command ?? action.commands ?? '' } : null))
  } else if (type === 'apply_patch_call') add(callOf(id, 'apply_patch', item.operation))
  else if (outputs.has(type)) {
    const texts: ResultText[] = []
    let media = false
    const { output } = item
    if (type === 'shell_call_output') {
      for (const [i, run] of listOf(output).entries()) {
        for (const stream of ['stdout', 'stderr'] as const) {
          const text = fieldsOf(run)?.[stream]
          if (typeof text === 'string') texts.push({ pointer: `/output/${i}/${stream}`, text })
        }
      }
      if (typeof output === 'string') texts.push({ pointer: '/output', text: output })
    } else media = collect(output, '/output', texts, isResponsesText)
    const marked = isMarked(item) || listOf(output).some(isMarkedBlock)
    add({ kind: 'result', result: resultOf(id, undefined, texts, media, marked, item.status === 'failed') })
  }
}

function readGemini(content: Fields, add: Add): void {
  for (const [i, item] of listOf(content.parts).entries()) {
    const part = fieldsOf(item)
    if (!part || part.thought === true) continue
    if (typeof part.text === 'string') addTexts(part.text, add)
    const call = fieldsOf(part.functionCall ?? part.function_call)
    if (call) add(callOf(word(call.id), word(call.name) ?? '', call.args))
    const name = part.functionResponse === undefined ? 'function_response' : 'functionResponse'
    const response = fieldsOf(part[name])
    if (!response) continue
    const texts: ResultText[] = []
    leaves(response.response, `/parts/${i}/${name}/response`, texts, 0)
    const failed = fieldsOf(response.response)?.error !== undefined
    add({
      kind: 'result',
      result: resultOf(word(response.id), word(response.name), texts, listOf(response.parts).length > 0, false, failed),
    })
  }
}

function readConverse(message: Fields, add: Add): void {
  for (const [i, item] of listOf(message.content).entries()) {
    const block = fieldsOf(item)
    if (!block) continue
    if (typeof block.text === 'string') addTexts(block.text, add)
    const use = fieldsOf(block.toolUse)
    if (use) add(callOf(word(use.toolUseId), word(use.name) ?? '', use.input))
    const result = fieldsOf(block.toolResult)
    if (!result) continue
    const texts: ResultText[] = []
    let media = false
    for (const [k, inner] of listOf(result.content).entries()) {
      const text = fieldsOf(inner)?.text
      if (typeof text === 'string') texts.push({ pointer: `/content/${i}/toolResult/content/${k}/text`, text })
      else if (fieldsOf(inner)?.json === undefined) media = true
    }
    add({ kind: 'result', result: resultOf(word(result.toolUseId), undefined, texts, media, false, result.status === 'error') })
  }
}

function resultOf(
  id: string | undefined,
  tool: string | undefined,
  texts: readonly ResultText[],
  media: boolean,
  marked: boolean,
  error = false,
): Result {
  const skip = error ? 'error' : media ? 'media' : marked ? 'marked' : undefined
  return { ...(id !== undefined && { id }), ...(tool !== undefined && { tool }), texts: texts.slice(0, mostTexts), ...(skip && { skip }) }
}

function callOf(id: string | undefined, tool: string, input: Json | undefined): Piece {
  return { kind: 'call', call: { ...(id !== undefined && { id }), tool, input: input ?? null } }
}

/** The texts of a string or of a list of blocks; true when something else is among them. */
function collect(content: Json | undefined, at: string, texts: ResultText[], isText: (block: Fields) => boolean): boolean {
  if (typeof content === 'string') {
    texts.push({ pointer: at, text: content })
    return false
  }
  let other = false
  for (const [i, item] of listOf(content).entries()) {
    const block = fieldsOf(item)
    if (block && isText(block) && typeof block.text === 'string') texts.push({ pointer: `${at}/${i}/text`, text: block.text })
    else if (typeof item === 'string') texts.push({ pointer: `${at}/${i}`, text: item })
    else other = true
  }
  return other
}

const isTextBlock = (block: Fields): boolean => block.type === 'text'
const isChatText = (block: Fields): boolean => block.type === 'text' || block.type === undefined
const isResponsesText = (block: Fields): boolean => block.type === 'input_text' || block.type === 'output_text'

/** Every string inside of a value. */
function leaves(value: Json | undefined, at: string, texts: ResultText[], depth: number): void {
  if (texts.length >= mostTexts || depth > 8) return
  if (typeof value === 'string') texts.push({ pointer: at, text: value })
  else if (Array.isArray(value)) for (const [i, item] of value.entries()) leaves(item, `${at}/${i}`, texts, depth + 1)
  else {
    for (const [key, item] of Object.entries(fieldsOf(value) ?? {}))
      leaves(item, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, texts, depth + 1)
  }
}

function addTexts(content: Json | undefined, add: Add, textOf?: (block: Fields) => Json | undefined): void {
  if (typeof content === 'string') {
    if (content !== '') add({ kind: 'text', text: content })
    return
  }
  for (const item of listOf(content)) {
    const block = fieldsOf(item)
    const text = block && textOf?.(block)
    if (typeof text === 'string' && text !== '') add({ kind: 'text', text })
  }
}

function isMarked(fields: Fields): boolean {
  return isSet(fields.cache_control) || isSet(fields.prompt_cache_breakpoint)
}
function isMarkedBlock(value: Json): boolean {
  const fields = fieldsOf(value)
  return fields !== undefined && isMarked(fields)
}
const isSet = (value: Json | undefined): boolean => value !== undefined && value !== null && value !== false

function parsed(text: Json | undefined): Json | undefined {
  if (typeof text !== 'string') return text
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

function fieldsOf(value: Json | undefined): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}
function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : []
}
const word = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined)
