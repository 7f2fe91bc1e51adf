/** The texts of a request, with their pointers. The API has no cache marks. Odd shapes are skipped. */

import { jsonText, listOf, objectOf, partCollector, wordOf } from 'headgate/dialect'
import type { Json, Part, PartKind } from 'headgate/plugin'

const kinds: Readonly<Record<string, PartKind>> = { system: 'system', user: 'user', assistant: 'assistant', tool: 'tool_result' }

/** The parts of a request body, in the order of the prompt. */
export function parts(body: Json): Part[] {
  const request = objectOf(body)
  const found = partCollector(() => false)
  for (const [i, item] of listOf(request?.tools).entries()) {
    const tool = objectOf(item)
    if (tool) found.add('tool_schema', jsonText(tool), `/tools/${i}`, -1, wordOf(objectOf(tool.function)?.name))
  }
  for (const [m, item] of listOf(request?.messages).entries()) {
    const message = objectOf(item)
    const kind = kinds[wordOf(message?.role) ?? '']
    if (!message || !kind) continue
    const at = `/messages/${m}/content`
    const name = wordOf(message.tool_call_id)
    if (typeof message.content === 'string') found.add(kind, message.content, at, m, name)
    for (const [i, inner] of listOf(message.content).entries()) {
      const text = objectOf(inner)?.text
      if (typeof text === 'string') found.add(kind, text, `${at}/${i}/text`, m, name)
    }
  }
  return found.done()
}
