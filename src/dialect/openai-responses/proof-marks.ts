/**
 * Proofs of other dialects inside `encrypted_content`, the one field that this API has for such things.
 *
 * A proof of a thought belongs to its reasoning item. Others need a word more to find their way back on the next turn: one of a hidden thought, and one
 * that belongs to a call or a text (Gemini), which travels in a reasoning item of its own. The word stands behind the tagged proof, after a `#`, which no
 * proof holds.
 */

/** `hidden`: of a redacted thought. `next`: of the call that follows. `last`: of the text or call before. */
export type ProofMark = 'hidden' | 'next' | 'last'

const marks: readonly ProofMark[] = ['hidden', 'next', 'last']

/** A proof with its mark. */
export function withMark(value: string, mark: ProofMark): string {
  return `${value}#${mark}`
}

/** The proof and its mark. */
export function splitMark(value: string): { value: string; mark: ProofMark | undefined } {
  const at = value.lastIndexOf('#')
  const mark = at < 0 ? undefined : marks.find((word) => word === value.slice(at + 1))
  return mark === undefined ? { value, mark } : { value: value.slice(0, at), mark }
}
