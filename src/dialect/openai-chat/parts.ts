/**
 * The texts of a Chat Completions request, with their pointers.
 *
 * Tools come first, because they come first in the prompt that a provider caches. What lies at or before the client's last cache
 * mark (`cache_control` or `prompt_cache_breakpoint`) is `cached`. Odd shapes are skipped.
 */

import type { Json, Part, PartKind } from '../../plugin/request.ts'
import { partCollector } from '../part-collector.ts'
import { type JsonObject, jsonText, listOf, objectOf, wordOf } from '../shape.ts'
import { plainValueText } from '../value-text.ts'

const kinds: Readonly<Record<string, PartKind>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool_result',
  function: 'tool_result',
}

/** The parts of a request body. */
export function chatParts(body: Json): Part[] {
  const request = objectOf(body)
  if (!request) return []
  const parts = partCollector(isMarked)
  for (const member of ['tools', 'functions']) {
    for (const [i, value] of listOf(request[member]).entries()) {
      const tool = objectOf(value)
      if (!tool) continue
      const inner = objectOf(tool.function) ?? objectOf(tool.custom) ?? tool
      parts.add('tool_schema', jsonText(tool), `/${member}/${i}`, -1, wordOf(inner.name) ?? wordOf(tool.type))
      parts.mark(tool)
      if (inner !== tool) parts.mark(inner)
    }
  }
  for (const [m, value] of listOf(request.messages).entries()) {
    const message = objectOf(value)
    const role = message && wordOf(message.role)
    const kind = role !== undefined && Object.hasOwn(kinds, role) ? kinds[role] : undefined
    if (!message || !kind) continue
    const name = kind === 'tool_result' ? (wordOf(message.tool_call_id) ?? wordOf(message.name)) : undefined
    // a result may be a value, which the model is told as its JSON text
    const content = (kind === 'tool_result' ? plainValueText(message.content) : undefined) ?? message.content
    if (typeof content === 'string') parts.add(kind, content, `/messages/${m}/content`, m, name)
    for (const [i, item] of listOf(content).entries()) {
      const pointer = `/messages/${m}/content/${i}`
      if (typeof item === 'string') parts.add(kind, item, pointer, m, name)
      const block = objectOf(item)
      if (!block) continue
      if (typeof block.text === 'string') parts.add(kind, block.text, `${pointer}/text`, m, name)
      parts.mark(block)
    }
    parts.mark(message)
  }
  return parts.done()
}

function isMarked(object: JsonObject): boolean {
  return isSet(object.cache_control) || isSet(object.prompt_cache_breakpoint)
}

function isSet(value: Json | undefined): boolean {
  return value !== undefined && value !== null && value !== false
}
