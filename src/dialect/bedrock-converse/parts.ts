/** The texts of a Converse request, with their pointers. What lies at or before the last `cachePoint` is `cached`. Odd shapes are skipped. */

import type { Json, Part, PartKind } from '../../plugin/request.ts'
import { type PartCollector, partCollector } from '../part-collector.ts'
import { jsonText, listOf, objectOf, wordOf } from '../shape.ts'

/** The parts of a request body. */
export function converseParts(body: Json): Part[] {
  const request = objectOf(body)
  const parts = partCollector((object) => objectOf(object.cachePoint) !== undefined)
  for (const [i, value] of listOf(objectOf(request?.toolConfig)?.tools).entries()) {
    const tool = objectOf(value)
    const spec = objectOf(tool?.toolSpec)
    if (spec) parts.add('tool_schema', jsonText(spec), `/toolConfig/tools/${i}/toolSpec`, -1, wordOf(spec.name))
    if (tool) parts.mark(tool)
  }
  blocks(request?.system, 'system', '/system', -1, undefined, parts)
  for (const [m, value] of listOf(request?.messages).entries()) {
    const message = objectOf(value)
    const kind = message?.role === 'assistant' ? 'assistant' : 'user'
    blocks(message?.content, kind, `/messages/${m}/content`, m, undefined, parts)
  }
  return parts.done()
}

function blocks(value: Json | undefined, kind: PartKind, at: string, m: number, name: string | undefined, parts: PartCollector): void {
  for (const [i, item] of listOf(value).entries()) {
    const block = objectOf(item)
    if (!block) continue
    if (typeof block.text === 'string') parts.add(kind, block.text, `${at}/${i}/text`, m, name)
    const result = objectOf(block.toolResult)
    if (result) blocks(result.content, 'tool_result', `${at}/${i}/toolResult/content`, m, wordOf(result.toolUseId), parts)
    parts.mark(block)
  }
}
