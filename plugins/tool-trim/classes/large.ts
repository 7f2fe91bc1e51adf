/**
 * Texts that are too large to be looked at line by line while everybody waits: beyond these, only void text is taken out, and no reference leads there.
 *
 * Harnesses cap what a tool may say far below. What was made to be slow takes some fifteen milliseconds at this size.
 */

const mostCharacters = 160_000
const mostLines = 8000

export function isLarge(text: string): boolean {
  if (text.length <= mostLines) return false
  if (text.length > mostCharacters) return true
  let lines = 1
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) if (++lines > mostLines) return true
  return false
}
