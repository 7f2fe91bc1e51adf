/**
 * Content blocks of a Messages request as neutral content (PROTOCOL §1.1, §1.2).
 *
 * Blocks of tools that the provider runs are history of things nobody else can do: they are left out and disclosed, with their results. A block of a
 * kind that is not known is left out where the model wrote it, and refused where the user did: there it may be what the question is about.
 */

import type { Json } from '../../plugin/request.ts'
import type {
  CacheMark,
  CallContent,
  Content,
  Extra,
  MediaContent,
  MediaSource,
  Proof,
  ReasoningContent,
  TextContent,
} from '../conversation.ts'
import type { JsonSource } from '../json-source.ts'
import { readProof } from '../proof.ts'
import { type JsonObject, listOf, objectOf, textOf, wordOf } from '../shape.ts'
import { valueText } from '../value-text.ts'

/** Name of this dialect, as the maker of proofs. */
export const dialectName = 'anthropic-messages'

/** The text block that Claude Code puts first; it names the client's version and changes with it (F03). */
const attribution = 'x-anthropic-billing-header:'

export interface ContentReader {
  /** Content of one message or of `system`; `path` leads to its value. */
  read(value: Json | undefined, path: readonly (string | number)[], role: 'system' | 'user' | 'assistant'): Content[]
}

/** @param extras what has no neutral word is added to it */
export function contentReader(source: JsonSource, extras: Extra[]): ContentReader {
  const hint = (field: string): void => {
    extras.push({ field, weight: 'hint' })
  }
  const lost = (block: JsonObject, field: string, known: ReadonlySet<string>): void => {
    for (const name in block) if (!known.has(name) && !isNothing(block[name])) hint(`${field}.${name}`)
  }

  const media = (block: JsonObject, kind: 'image' | 'document', field: string): (TextContent | MediaContent)[] => {
    const from = objectOf(block.source)
    lost(block, field, kind === 'image' ? imageMembers : documentMembers)
    const name = wordOf(block.title)
    const base = { type: 'media', kind, field, ...(name !== undefined && { name }), ...cacheOf(block) } as const
    if (from?.type === 'content') return documentContent(from.content, base, field)
    const found = mediaSource(from)
    if (!found) {
      extras.push({ field, weight: 'meaning', message: `"${field}" has a source that is not known.` })
      return []
    }
    return [{ ...base, source: found }]
  }
  /** A document made of texts and pictures: its texts as one document, its pictures behind it. */
  const documentContent = (value: Json | undefined, base: Omit<MediaContent, 'source'>, field: string): (TextContent | MediaContent)[] => {
    const parts = typeof value === 'string' ? [{ type: 'text', text: value }] : listOf(value)
    const texts: string[] = []
    const pictures: (TextContent | MediaContent)[] = []
    for (const part of parts) {
      const block = objectOf(part)
      if (typeof block?.text === 'string') texts.push(block.text)
      else if (block?.type === 'image') pictures.push(...media(block, 'image', field))
    }
    const text: MediaContent[] = texts.length > 0 ? [{ ...base, source: { kind: 'text', text: texts.join('\n\n') } }] : []
    return [...text, ...pictures]
  }

  /** A block that may stand in a message and in a tool's result; undefined when it is none of these. */
  const plain = (block: JsonObject, field: string): (TextContent | MediaContent)[] | undefined => {
    switch (block.type) {
      case 'text':
        lost(block, field, textMembers)
        return [{ type: 'text', text: textOf(block.text), ...cacheOf(block) }]
      case 'image':
      case 'document':
        return media(block, block.type, field)
      case 'search_result':
        lost(block, field, searchMembers)
        return [{ type: 'text', text: searchText(block), ...cacheOf(block) }]
      case 'tool_reference':
        return [{ type: 'text', text: textOf(block.tool_name), ...cacheOf(block) }]
      case 'compaction':
        return [{ type: 'text', text: textOf(block.content), ...cacheOf(block) }]
      default:
        return undefined
    }
  }

  const result = (block: JsonObject, field: string, path: readonly (string | number)[]): Content => {
    const content: (TextContent | MediaContent)[] = []
    const told = typeof block.content === 'string' ? block.content : valueText(source, block.content, [...path, 'content'])
    if (told !== undefined) content.push({ type: 'text', text: told })
    for (const [i, value] of listOf(block.content).entries()) {
      const inner = objectOf(value)
      const at = `${field}.content[${i}]`
      const read = inner && plain(inner, at)
      if (read) content.push(...read)
      else if (typeof value === 'string') content.push({ type: 'text', text: value })
      else extras.push({ field: at, weight: 'hint' })
    }
    lost(block, field, resultMembers)
    return { type: 'result', id: textOf(block.tool_use_id), content, ...(block.is_error === true && { error: true }), ...cacheOf(block) }
  }

  return {
    read(value, path, role) {
      if (typeof value === 'string') {
        const text = role === 'system' ? withoutAttribution(value) : value
        return text === '' ? [] : [{ type: 'text', text }]
      }
      const content: Content[] = []
      /** A tagged proof without text waits for the call behind it (C18). */
      let waiting: Proof | undefined
      for (const [i, item] of listOf(value).entries()) {
        const block = objectOf(item)
        const field = `${fieldOf(path)}[${i}]`
        if (!block) {
          if (typeof item === 'string' && item !== '') content.push({ type: 'text', text: item })
          continue
        }
        switch (block.type) {
          case 'tool_use': {
            content.push(callOf(block, source.raw(...path, i, 'input'), waiting))
            waiting = undefined
            lost(block, field, callMembers)
            break
          }
          case 'tool_result':
            content.push(result(block, field, [...path, i]))
            break
          case 'thinking': {
            const thought = thoughtOf(textOf(block.thinking), wordOf(block.signature))
            if (thought.text === '' && thought.proof && thought.proof.dialect !== dialectName) waiting = thought.proof
            else if (thought.text !== '' || thought.proof) content.push(thought)
            break
          }
          case 'redacted_thinking': {
            const proof = readProof(textOf(block.data), dialectName)
            const last = content.at(-1)
            // Gemini vouches for texts too, and knows no hidden thoughts
            if (proof.dialect.startsWith('gemini') && last?.type === 'text') content[content.length - 1] = { ...last, proof }
            else content.push({ type: 'reasoning', text: '', redacted: true, proof })
            break
          }
          case 'tool_addition':
          case 'tool_removal':
            hint(field)
            break
          default: {
            const read = plain(block, field)
            if (!read) extras.push({ field, weight: role === 'user' && !isHosted(block.type) ? 'meaning' : 'hint' })
            else if (role !== 'system' || !isAttribution(read[0])) content.push(...read)
          }
        }
      }
      return content
    },
  }
}

const textMembers = new Set(['type', 'text', 'cache_control'])
const imageMembers = new Set(['type', 'source', 'cache_control'])
const documentMembers = new Set(['type', 'source', 'cache_control', 'title'])
const searchMembers = new Set(['type', 'source', 'title', 'content', 'cache_control'])
const callMembers = new Set(['type', 'id', 'name', 'input', 'cache_control', 'caller'])
const resultMembers = new Set(['type', 'tool_use_id', 'content', 'is_error', 'cache_control'])

/** True for what says nothing: null, false, `[]`, and the switch of citations when it is off. */
function isNothing(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false) return true
  if (Array.isArray(value)) return value.length === 0
  return objectOf(value)?.enabled === false
}

/** `messages[2].content` for a path. */
function fieldOf(path: readonly (string | number)[]): string {
  let text = ''
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : text === '' ? step : `.${step}`
  return text
}

/** The cache mark of an object, as members to spread (F04, F05). */
export function cacheOf(block: JsonObject): { cache?: CacheMark } {
  const mark = objectOf(block.cache_control)
  if (!mark) return {}
  const ttl = wordOf(mark.ttl)
  return { cache: ttl === undefined ? {} : { ttl } }
}

function mediaSource(from: JsonObject | undefined): MediaSource | undefined {
  switch (from?.type) {
    case 'base64':
      return { kind: 'base64', mime: textOf(from.media_type), data: textOf(from.data) }
    case 'url':
      return { kind: 'url', url: textOf(from.url) }
    case 'text':
      return { kind: 'text', text: textOf(from.data) }
    case 'file':
      return { kind: 'file', id: textOf(from.file_id) }
    default:
      return undefined
  }
}

/** C07: some clients send the input as a string. */
function callOf(block: JsonObject, input: string | undefined, proof: Proof | undefined): CallContent {
  return {
    type: 'call',
    id: textOf(block.id),
    name: textOf(block.name),
    kind: 'function',
    arguments: typeof block.input === 'string' ? block.input : objectOf(block.input) ? (input ?? '') : '',
    ...(proof && { proof }),
    ...cacheOf(block),
  }
}

/** A thought nobody vouches for carries a tag without maker, or no signature at all. */
function thoughtOf(text: string, signature: string | undefined): ReasoningContent {
  const proof = signature === undefined ? undefined : readProof(signature, dialectName)
  return proof && proof.value !== '' ? { type: 'reasoning', text, proof } : { type: 'reasoning', text }
}

function searchText(block: JsonObject): string {
  const texts = listOf(block.content).map((item) => textOf(objectOf(item)?.text))
  return [textOf(block.title), textOf(block.source), ...texts].filter((text) => text !== '').join('\n')
}

/** Calls of tools that the provider runs, and what came of them. */
function isHosted(type: Json | undefined): boolean {
  return typeof type === 'string' && (type === 'server_tool_use' || type === 'mcp_tool_use' || type.endsWith('_tool_result'))
}

function isAttribution(content: Content | undefined): boolean {
  return content?.type === 'text' && content.text.startsWith(attribution)
}

/** A `system` that is one string may begin with the line of attribution. */
function withoutAttribution(text: string): string {
  if (!text.startsWith(attribution)) return text
  const end = text.indexOf('\n')
  return end === -1 ? '' : text.slice(end + 1).trimStart()
}
