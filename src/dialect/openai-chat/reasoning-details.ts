/**
 * `reasoning_details`: how Chat carries proofs of thoughts. The form is OpenRouter's, which clients send back as they got it.
 *
 * Towards clients a proof of any maker stands in `signature` (beside the whole text that it proves) or in `data` (a hidden thought).
 * From an upstream a whole entry is the proof, for it can be given back only with its format and id: it travels packed (§1.3; D01,
 * D03).
 */

import type { Json } from '../../plugin/request.ts'
import { type JsonObject, objectOf, parseJson, textOf, wordOf } from '../shape.ts'

/** The entry that tells a client the proof of a thought. `index` counts the entries of a reply. */
export function clientDetail(signature: string, text: string, redacted: boolean, index: number): JsonObject {
  if (redacted) return { type: 'reasoning.encrypted', data: signature, format: 'unknown', index }
  return { type: 'reasoning.text', text, signature, format: 'unknown', index }
}

export interface DetailProof {
  /** The entry without its text, packed. */
  readonly value: string
  /** The entry says nothing that can be read. */
  readonly hidden: boolean
}

/** The proof in an entry of an upstream's reply; undefined when it has none. */
export function detailProof(detail: JsonObject): DetailProof | undefined {
  const hidden = wordOf(detail.data) !== undefined
  if (!hidden && wordOf(detail.signature) === undefined) return undefined
  const { text: _, summary: __, ...rest } = detail
  return { value: Buffer.from(JSON.stringify(rest)).toString('base64url'), hidden }
}

/** The entries to send back to the upstream that made a proof; empty when it is not one of ours. */
export function entriesOf(value: string, text: string): JsonObject[] {
  const detail = objectOf(parseJson(Buffer.from(value, 'base64url').toString()) as Json | undefined)
  if (!detail) return []
  if (wordOf(detail.data) === undefined) return [{ ...detail, text }]
  const format = textOf(detail.format) || 'unknown'
  return text === '' ? [detail] : [{ type: 'reasoning.summary', summary: text, format }, detail]
}
