/** The texts of a Completions request: its prompts, and the suffix. Prompts that are lists of tokens are no text. */

import type { Json, Part } from '../../plugin/request.ts'
import { partCollector } from '../part-collector.ts'
import { listOf, objectOf } from '../shape.ts'

/** The texts of a request: its prompt, or each of several. Prompts of token ids have none. */
export function completionsParts(body: Json): Part[] {
  const request = objectOf(body)
  const parts = partCollector(() => false)
  if (typeof request?.prompt === 'string') parts.add('user', request.prompt, '/prompt', 0)
  for (const [i, item] of listOf(request?.prompt).entries()) {
    if (typeof item === 'string') parts.add('user', item, `/prompt/${i}`, i)
  }
  if (typeof request?.suffix === 'string') parts.add('user', request.suffix, '/suffix', 0)
  return parts.done()
}
