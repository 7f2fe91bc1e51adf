/**
 * Exact token counts for a simulated provider: a public vocabulary of 200,000 tokens, each text counted once.
 *
 * Long runs without a break are cut, for the merge of a vocabulary is quadratic in them. Only for measuring: never on a request's path.
 */

import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'

const counted = new Map<bigint, number>()
/** Characters without white space after which a run is cut. */
const longestRun = 400

/** Tokens of a text. */
export function tokensOf(text: string): number {
  const key = Bun.hash.wyhash(text) as bigint
  const known = counted.get(key)
  if (known !== undefined) return known
  let total = 0
  for (let from = 0; from < text.length; ) {
    const to = Math.min(text.length, from + 20_000)
    total += countPiece(text.slice(from, to))
    from = to
  }
  counted.set(key, total)
  return total
}

function countPiece(piece: string): number {
  if (!/[^\s]{401}|(.)\1{200}/s.test(piece)) return countTokens(piece, { allowedSpecial: 'all' })
  let total = 0
  for (let from = 0; from < piece.length; from += longestRun)
    total += countTokens(piece.slice(from, from + longestRun), { allowedSpecial: 'all' })
  return total
}
