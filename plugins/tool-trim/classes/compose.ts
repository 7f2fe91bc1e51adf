/**
 * All classes one after the other, each held to its word: what a trimmer made counts only if its inverse gives its input back.
 *
 * Pure: the same result after the same history gives the same text. What is written in another way has to be 16 tokens and a twentieth shorter; void text
 * goes from 16 tokens on.
 */

import { estimateText, trimClasses } from 'headgate/plugin'
import type { SeenText, ToolResultText, Trim, TrimClass, TrimHistory, Trimmer } from '../trimmer.ts'
import { isLarge } from './large.ts'
import { references, shownLines } from './references.ts'

/** Shorter results are left alone: 64 tokens or so. */
const shortest = 200
const leastTokens = 16
const leastShare = 0.05
/** Characters of void text: 16 tokens or so. */
const leastVoid = 64
/** So many characters are more than 16 tokens in any script; then only the share counts, and twice the share of characters needs no estimate. */
const longEnough = 200

interface Step {
  readonly trimmer: Trimmer
  readonly before: string
  readonly after: string
}

/** @param trimmers of the classes that are switched on; they run by class, within a class in this order */
export function composeTrim(trimmers: readonly Trimmer[]): Trim {
  const ordered = trimClasses.flatMap((name) => trimmers.filter((trimmer) => trimmer.class === name))
  return (result, history) => {
    const steps: Step[] = []
    const refused: string[] = []
    /** How many steps took out void text only, and what was left then. */
    let voids = 0
    let emptied = result.text
    let text = result.text
    if (text.length >= shortest) {
      const large = isLarge(text)
      for (const trimmer of ordered) {
        if (large && trimmer.class !== 'void') continue
        const after = attempt(trimmer, { ...result, text }, history)
        if (after === undefined) continue
        if (after === null) {
          refused.push(trimmer.name)
          continue
        }
        steps.push({ trimmer, before: text, after })
        text = after
        if (trimmer.class === 'void') {
          voids = steps.length
          emptied = after
        }
      }
    }
    if (!worth(emptied, text)) {
      // nobody has to get used to what is not there
      steps.length = result.text.length - emptied.length >= leastVoid ? voids : 0
      text = steps.length > 0 ? emptied : result.text
    }
    return { text, by: steps.map((step) => step.trimmer.name), saved: () => savedBy(steps), refused, seen: seenAfter(result, steps) }
  }
}

/** The shorter text; undefined when there is none, null when its inverse does not hold. A trimmer that throws has broken its word too. */
function attempt(trimmer: Trimmer, result: ToolResultText, history: TrimHistory): string | undefined | null {
  try {
    const after = trimmer.encode(result, history)
    if (after === undefined || after.length >= result.text.length) return undefined
    if (trimmer.class === 'void' || trimmer.class === 'lossy-entry')
      return trimmer.encode({ ...result, text: after }, history) === undefined ? after : null
    const back = trimmer.decode(after, result, history)
    if (back === undefined) return null
    return back === result.text || trimmer.equal?.(result.text, back) === true ? after : null
  } catch {
    return null
  }
}

/** Whether a text is shorter by enough for a reader to meet another way of writing. */
function worth(before: string, after: string): boolean {
  const less = before.length - after.length
  if (less <= 0) return false
  if (less >= longEnough && less >= before.length * 2 * leastShare) return true
  const tokens = estimateText(before)
  return tokens - estimateText(after) >= Math.max(leastTokens, tokens * leastShare)
}

function savedBy(steps: readonly Step[]): Partial<Record<TrimClass, number>> {
  const saved: Partial<Record<TrimClass, number>> = {}
  for (const { trimmer, before, after } of steps) {
    const tokens = trimmer.saved?.(before, after) ?? estimateText(before) - estimateText(after)
    saved[trimmer.class] = (saved[trimmer.class] ?? 0) + tokens
  }
  return saved
}

/** What later results may refer to: the text before references were put in, and of it the lines that were not replaced. */
function seenAfter(result: ToolResultText, steps: readonly Step[]): SeenText {
  const refs = steps.filter((step) => step.trimmer.class === 'ref')
  if (refs.length === 0) {
    const last = steps.findLast(({ trimmer }) => trimmer.class === 'void' || trimmer.class === 'lossy-entry' || trimmer.class === 'value')
    return { ...result, from: 'result', text: last?.after ?? result.text }
  }
  // what a class of somebody else's put in is not known line by line
  const shown = refs.length === 1 && refs[0]!.trimmer === references ? shownLines(refs[0]!.after) : []
  return { ...result, from: 'result', text: refs[0]!.before, shown }
}
