/** Where a Responses request holds proofs of another dialect's upstream, which OpenAI does not understand (PROTOCOL §1.3; D03). */

import type { Json } from '../../plugin/request.ts'
import { isTagged } from '../proof.ts'
import { listOf, objectOf, textOf } from '../shape.ts'

/**
 * Pointers of the items that hold them, last first: a thought without its proof is nothing that this API takes. Thoughts that nobody vouches for are
 * among them (`unsigned`): the API would look for them under their ids, and answer 404.
 */
export function foreignInResponses(body: Json): string[] {
  const found: string[] = []
  for (const [i, item] of listOf(objectOf(body)?.input).entries()) {
    if (isTagged(textOf(objectOf(item)?.encrypted_content))) found.push(`/input/${i}`)
  }
  return found.reverse()
}
