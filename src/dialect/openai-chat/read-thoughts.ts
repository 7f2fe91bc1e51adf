/**
 * The thoughts of an assistant message and their proofs, out of `reasoning_details` and the plain members (PROTOCOL §1.3; D01, D03,
 * C19).
 */

import type { ReasoningContent } from '../conversation.ts'
import { isTagged, readProof } from '../proof.ts'
import { type JsonObject, listOf, objectOf, textOf, wordOf } from '../shape.ts'
import { detailProof } from './reasoning-details.ts'

/** In order. A text that nobody vouches for has no proof. */
export function readThoughts(message: JsonObject): ReasoningContent[] {
  const thoughts: ReasoningContent[] = []
  let open = ''
  const details = listOf(message.reasoning_details)
  const detailed = details.some((item) => (textOf(objectOf(item)?.text) || textOf(objectOf(item)?.summary)) !== '')
  const plain = textOf(message.reasoning_content) || textOf(message.reasoning)
  // clients that keep only the plain text beside the proofs: it belongs to the first of them
  if (!detailed) open = plain
  for (const item of details) {
    const detail = objectOf(item)
    if (!detail) continue
    open += textOf(detail.text) || textOf(detail.summary)
    const proof = detailProof(detail)
    if (!proof) continue
    const said = wordOf(detail.signature) ?? textOf(detail.data)
    const redacted = proof.hidden && open === ''
    // one of another dialect's was put there by us; one without a tag is known only with its whole entry
    const made = readProof(isTagged(said) ? said : proof.value, 'openai-chat')
    thoughts.push({ type: 'reasoning', text: open, proof: made, ...(redacted && { redacted }) })
    open = ''
  }
  if (open !== '') thoughts.push({ type: 'reasoning', text: open })
  return thoughts
}
