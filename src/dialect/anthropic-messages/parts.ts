/**
 * The texts of a Messages request, with their pointers.
 *
 * In the order in which the provider caches the prompt: tools, system, messages. What lies at or before the client's last
 * `cache_control` is `cached`; one at the top level marks everything. System messages between the turns are of kind `system` (H14).
 * Documents of plain text and search results count as text of their turn. Odd shapes are skipped.
 */

import type { Json, Part, PartKind } from '../../plugin/request.ts'
import { type PartCollector, partCollector } from '../part-collector.ts'
import { type JsonObject, jsonText, listOf, objectOf, wordOf } from '../shape.ts'
import { plainValueText } from '../value-text.ts'

const kinds: Readonly<Record<string, PartKind>> = { system: 'system', developer: 'system', user: 'user', assistant: 'assistant' }

/** The parts of a request body. */
export function messagesParts(body: Json): Part[] {
  const request = objectOf(body)
  if (!request) return []
  const parts = partCollector(isMarked)
  for (const [i, value] of listOf(request.tools).entries()) {
    const tool = objectOf(value)
    if (!tool) continue
    parts.add('tool_schema', jsonText(tool), `/tools/${i}`, -1, wordOf(tool.name) ?? wordOf(tool.type))
    parts.mark(tool)
  }
  content(parts, request.system, 'system', '/system', -1, undefined)
  for (const [m, value] of listOf(request.messages).entries()) {
    const message = objectOf(value)
    const role = message && wordOf(message.role)
    const kind = role !== undefined && Object.hasOwn(kinds, role) ? kinds[role] : undefined
    if (message && kind) content(parts, message.content, kind, `/messages/${m}/content`, m, undefined)
  }
  parts.mark(request)
  return parts.done()
}

/** A string, or blocks: texts, and tool results with texts inside. */
function content(parts: PartCollector, value: Json | undefined, kind: PartKind, at: string, m: number, name: string | undefined): void {
  if (typeof value === 'string') parts.add(kind, value, at, m, name)
  for (const [i, item] of listOf(value).entries()) {
    const block = objectOf(item)
    if (!block) continue
    if (block.type === 'tool_result') {
      // it may be a value, which the model is told as its JSON text
      const told = plainValueText(block.content) ?? block.content
      content(parts, told, 'tool_result', `${at}/${i}/content`, m, wordOf(block.tool_use_id))
    } else if (typeof block.text === 'string') parts.add(kind, block.text, `${at}/${i}/text`, m, name)
    else if (block.type === 'search_result') content(parts, block.content, kind, `${at}/${i}/content`, m, name)
    else if (block.type === 'document') {
      const source = objectOf(block.source)
      if (source?.type === 'text' && typeof source.data === 'string') parts.add(kind, source.data, `${at}/${i}/source/data`, m, name)
      else if (source?.type === 'content') content(parts, source.content, kind, `${at}/${i}/source/content`, m, name)
    }
    parts.mark(block)
  }
}

function isMarked(object: JsonObject): boolean {
  const mark = object.cache_control
  return mark !== undefined && mark !== null && mark !== false
}
