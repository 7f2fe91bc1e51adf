/** Where a Chat request holds proofs of another dialect's upstream, which no Chat upstream understands (PROTOCOL §1.3; D03). */

import type { Json } from '../../plugin/request.ts'
import { isTagged } from '../proof.ts'
import { listOf, objectOf, textOf } from '../shape.ts'
import { thoughtSignature } from './decode-neutral.ts'

/** Pointers of the entries and members that hold them, last first. */
export function foreignInChat(body: Json): string[] {
  const found: string[] = []
  for (const [i, item] of listOf(objectOf(body)?.messages).entries()) {
    const message = objectOf(item)
    if (!message) continue
    const at = `/messages/${i}`
    const details = listOf(message.reasoning_details)
    const tagged = details.flatMap((value, k) => (holdsProof(value) ? [`${at}/reasoning_details/${k}`] : []))
    if (tagged.length > 0) found.push(...(tagged.length === details.length ? [`${at}/reasoning_details`] : tagged))
    if (signed(message)) found.push(`${at}/extra_content`)
    for (const [k, call] of listOf(message.tool_calls).entries()) if (signed(call)) found.push(`${at}/tool_calls/${k}/extra_content`)
  }
  return found.reverse()
}

function holdsProof(value: Json): boolean {
  const detail = objectOf(value)
  return isTagged(textOf(detail?.signature)) || isTagged(textOf(detail?.data))
}

function signed(value: Json): boolean {
  const holder = objectOf(value)
  return holder !== undefined && isTagged(thoughtSignature(holder) ?? '')
}
