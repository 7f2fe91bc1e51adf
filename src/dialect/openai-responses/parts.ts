/**
 * The texts of a Responses request, with their pointers.
 *
 * In the order in which the provider caches the prompt: tools, instructions, input. What lies at or before the client's last
 * `prompt_cache_breakpoint` is `cached`. Odd shapes are skipped.
 */

import type { Json, Part, PartKind } from '../../plugin/request.ts'
import { type PartCollector, partCollector } from '../part-collector.ts'
import { type JsonObject, jsonText, listOf, objectOf, wordOf } from '../shape.ts'
import { plainValueText } from '../value-text.ts'

const kinds: Readonly<Record<string, PartKind>> = { system: 'system', developer: 'system', user: 'user', assistant: 'assistant' }

/** The parts of a request body. */
export function responsesParts(body: Json): Part[] {
  const request = objectOf(body)
  if (!request) return []
  const parts = partCollector(isMarked)
  for (const [i, value] of listOf(request.tools).entries()) {
    const tool = objectOf(value)
    if (!tool) continue
    parts.add('tool_schema', jsonText(tool), `/tools/${i}`, -1, wordOf(tool.name) ?? wordOf(tool.type))
    parts.mark(tool)
  }
  if (typeof request.instructions === 'string') parts.add('system', request.instructions, '/instructions', -1)
  const { input } = request
  if (typeof input === 'string') parts.add('user', input, '/input', 0)
  for (const [m, value] of listOf(input).entries()) {
    const item = objectOf(value)
    if (!item) continue
    const at = `/input/${m}`
    const type = wordOf(item.type) ?? 'message'
    if (type === 'message') {
      const role = wordOf(item.role)
      const kind = role !== undefined && Object.hasOwn(kinds, role) ? kinds[role] : undefined
      if (kind) content(parts, item.content, kind, `${at}/content`, m, undefined)
    } else if (type.endsWith('_call_output')) {
      content(parts, plainValueText(item.output) ?? item.output, 'tool_result', `${at}/output`, m, wordOf(item.call_id) ?? wordOf(item.id))
    }
    parts.mark(item)
  }
  return parts.done()
}

/** A string, or parts with texts. */
function content(parts: PartCollector, value: Json | undefined, kind: PartKind, at: string, m: number, name: string | undefined): void {
  if (typeof value === 'string') parts.add(kind, value, at, m, name)
  for (const [i, item] of listOf(value).entries()) {
    const part = objectOf(item)
    if (!part) continue
    if (typeof part.text === 'string') parts.add(kind, part.text, `${at}/${i}/text`, m, name)
    else if (typeof part.refusal === 'string') parts.add(kind, part.refusal, `${at}/${i}/refusal`, m, name)
    parts.mark(part)
  }
}

function isMarked(object: JsonObject): boolean {
  const mark = object.prompt_cache_breakpoint
  return mark !== undefined && mark !== null && mark !== false
}
