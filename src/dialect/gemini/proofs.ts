/**
 * Proofs of other dialects inside `thoughtSignature`, the one field that this API has for such things.
 *
 * Google's own stand on calls and texts, and are bytes: its SDKs refuse what is no base64, and its clients forget the thoughts but keep the
 * signatures of calls. So tagged proofs are written as base64, and the first call after thoughts carries these with it, each with its proof, so that
 * they find their way back whether or not the client keeps them (D01, D03).
 */

import type { Content, Proof, ReasoningContent } from '../conversation.ts'
import { inBase64, isTagged, readProof, tagProof } from '../proof.ts'
import { type JsonObject, listOf, objectOf, parseJson, textOf, wordOf } from '../shape.ts'

/** A thought that an upstream of another dialect vouches for. */
export interface CarriedThought {
  readonly text: string
  /** Tagged. */
  readonly signature: string
  readonly redacted: boolean
}

/** The value for the field; undefined when there is nothing to prove. */
export function signatureOf(tagged: string | undefined, thoughts: readonly CarriedThought[] = []): string | undefined {
  if (tagged !== undefined && !isTagged(tagged)) return tagged // Google's own
  if (thoughts.length === 0) return tagged === undefined ? undefined : inBase64(tagged)
  const value = JSON.stringify({ ...(tagged !== undefined && { call: tagged }), thoughts })
  return inBase64(tagProof({ dialect: '', upstream: '', value }))
}

/** True for a thought that a call must carry: the provider itself would not know it. */
export function isCarried(signature: string | undefined): signature is string {
  return signature !== undefined && isTagged(signature)
}

export interface ReadSignature {
  /** Of the part itself. */
  readonly proof: Proof | undefined
  /** Of the thoughts before it. */
  readonly thoughts: readonly ReasoningContent[]
}

/** What the field of a client's part holds. */
export function readSignature(value: string, dialect: string): ReadSignature {
  const proof = readProof(value, dialect)
  const carried = proof.dialect === '' ? objectOf(parseJson(proof.value)) : undefined
  if (!carried) return { proof, thoughts: [] }
  const call = wordOf(carried.call)
  const thoughts = listOf(carried.thoughts).flatMap((item) => thoughtOf(objectOf(item), dialect))
  return { proof: call === undefined ? undefined : readProof(call, dialect), thoughts }
}

function thoughtOf(item: JsonObject | undefined, dialect: string): ReasoningContent[] {
  const signature = textOf(item?.signature)
  if (signature === '') return []
  const redacted = item?.redacted === true
  return [{ type: 'reasoning', text: textOf(item?.text), proof: readProof(signature, dialect), ...(redacted && { redacted }) }]
}

/** Puts carried thoughts before the call that brought them, unless the client kept them itself; one that it kept without its proof gets it. */
export function addCarried(content: Content[], thoughts: readonly ReasoningContent[]): void {
  for (const thought of thoughts) {
    if (content.some((c) => c.type === 'reasoning' && c.proof?.value === thought.proof?.value)) continue
    const bare = content.findIndex((c) => c.type === 'reasoning' && !c.proof && c.text === thought.text)
    if (bare < 0) content.push(thought)
    else content[bare] = thought
  }
}
