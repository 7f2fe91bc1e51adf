/**
 * Which results are cleared when the provider's cache is lost anyway: old ones that are no reads, and reads of a file that was read again since. What was
 * cleared stays cleared. Pure.
 */

import { globMatcher } from 'headgate/plugin'
import type { Policy } from './policy.ts'
import type { TextRecord, UnitRecord } from './record.ts'

/** Characters of a result that is worth it: some 64 tokens, and what stands in its place. */
const fewest = 300

/** Names of the results to clear, those that are cleared already among them; none when there is nothing new to clear. @param warm results that stay */
export function chooseMasks(
  policy: Policy,
  records: readonly UnitRecord[],
  turn: number,
  warm: ReadonlySet<string> = new Set(),
): ReadonlySet<string> | undefined {
  const { mask } = policy
  if (!mask) return undefined
  const mayRunAgain = globMatcher(mask.tools)
  const texts = records.flatMap((record) => record.texts)
  const masked = new Set<string>()
  let fresh = 0
  for (const text of texts) {
    if (text.masked) masked.add(text.id)
    else if (
      !text.fixed &&
      !warm.has(text.id) &&
      text.characters >= fewest &&
      text.turn <= turn - mask.turns &&
      isOld(text, texts, mayRunAgain)
    ) {
      masked.add(text.id)
      fresh++
    }
  }
  return fresh > 0 ? masked : undefined
}

function isOld(text: TextRecord, texts: readonly TextRecord[], mayRunAgain: (tool: string) => boolean): boolean {
  const { kind, tool, read } = text.facts
  if (kind === 'api') return mayRunAgain(tool)
  if (!read) return true
  return texts.some((later) => later.ordinal > text.ordinal && !later.fixed && later.facts.read?.path === read.path)
}
