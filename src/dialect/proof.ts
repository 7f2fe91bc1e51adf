/**
 * Opaque proofs (signatures of thinking, encrypted reasoning, thought signatures) on their way through another dialect.
 *
 * A proof is good only at the provider that made it. When it leaves in a dialect other than its maker's it is tagged with its
 * maker, travels verbatim in the field that the client's dialect has for such things, and comes back with the next turn. Only its maker gets it
 * again; for everybody else it and its block are left out (PROTOCOL §0.3, §1.3; D01, D03).
 */

import type { Proof } from './conversation.ts'

const mark = 'hg1.'

/** A proof as the client keeps it: `hg1.<dialect>.<upstream>.<value>`. */
export function tagProof(proof: Proof): string {
  return `${mark}${proof.dialect}.${proof.upstream}.${proof.value}`
}

/** The proof of a thought that nobody vouches for: clients give it back, and it is taken out before a provider could reject it. */
export const unsigned: string = tagProof({ dialect: '', upstream: '', value: '' })

/** The same where the client's dialect holds proofs to be bytes: base64, as Google's SDKs demand. */
export function inBase64(tagged: string): string {
  return Buffer.from(tagged).toString('base64')
}

/** `hg1.` in base64; the next character holds the rest of its last byte. */
const base64Mark = /^aGcxL[g-v]/

function plain(value: string): string {
  return base64Mark.test(value) ? Buffer.from(value, 'base64').toString() : value
}

/** Reads a proof out of a client's field. One without a tag was made in the client's own dialect, by an upstream that is not known. */
export function readProof(given: string, clientDialect: string): Proof {
  const value = plain(given)
  if (!value.startsWith(mark)) return { dialect: clientDialect, upstream: '', value }
  const dialectEnd = value.indexOf('.', mark.length)
  const upstreamEnd = value.indexOf('.', dialectEnd + 1)
  if (dialectEnd < 0 || upstreamEnd < 0) return { dialect: '', upstream: '', value }
  return {
    dialect: value.slice(mark.length, dialectEnd),
    upstream: value.slice(dialectEnd + 1, upstreamEnd),
    value: value.slice(upstreamEnd + 1),
  }
}

/** True for a value that was made by another dialect's upstream and tagged by us: no provider understands it as it is. */
export function isTagged(value: string): boolean {
  return value.startsWith(mark) || base64Mark.test(value)
}

/** True when a proof may be sent to an upstream: only its maker can read it. */
export function madeBy(proof: Proof | undefined, dialect: string, upstream: string): proof is Proof {
  return proof !== undefined && proof.dialect === dialect && proof.upstream === upstream
}

/** The bytes that every tagged proof holds; a body without them needs no look. */
export const proofMark: Uint8Array = new TextEncoder().encode(`"${mark}`)
/** The same for bodies that hold them in base64. */
export const proofMarkBase64: Uint8Array = new TextEncoder().encode('"aGcxL')
