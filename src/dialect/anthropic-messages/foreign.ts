/**
 * Proofs in a Messages request that another dialect's upstream made: where they are, so that they can be taken out before Anthropic reads them.
 */

import type { Json } from '../../plugin/request.ts'
import { isTagged } from '../proof.ts'
import { listOf, objectOf, textOf } from '../shape.ts'

/** Pointers of blocks with such a proof, last first; of the whole message where it would be left empty, which is a 400. */
export function foreignBlocks(body: Json): string[] {
  const pointers: string[] = []
  for (const [m, value] of listOf(objectOf(body)?.messages).entries()) {
    const blocks = listOf(objectOf(value)?.content)
    const found: string[] = []
    for (const [i, item] of blocks.entries()) {
      const block = objectOf(item)
      const proof = block?.type === 'thinking' ? block.signature : block?.type === 'redacted_thinking' ? block.data : undefined
      if (isTagged(textOf(proof))) found.push(`/messages/${m}/content/${i}`)
    }
    if (found.length > 0 && found.length === blocks.length) pointers.push(`/messages/${m}`)
    else pointers.push(...found)
  }
  return pointers.reverse()
}
