/**
 * Whether a request is certainly longer than a model can read.
 *
 * No tokenizer in use joins words across white space into one token, so a prompt has at least as many tokens as words. Only what is longer by that
 * count is refused here; what is too long by less, the provider tells. Pure.
 */

import type { Part } from 'headgate/plugin'

/** Runs of characters between white space in the texts of a prompt: fewer than its tokens by any tokenizer. */
export function fewestTokens(parts: readonly Part[]): number {
  let words = 0
  for (const { kind, text } of parts) {
    if (kind === 'tool_schema') continue // providers rewrite schemas
    let inside = 0
    const { length } = text
    for (let i = 0; i < length; i++) {
      const c = text.charCodeAt(i)
      // most white space is a blank or a line break; what looks like one beyond ASCII is rare, and counted as none: fewer words
      const next = c > 32 && c !== 0xa0 && c !== 0x3000 ? 1 : 0
      words += next & ~inside
      inside = next
    }
  }
  return words
}
