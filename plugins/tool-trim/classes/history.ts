/**
 * What stands in the prompt before a tool result, as far as references may reach: the texts of the last results, what the model wrote into its calls, and
 * messages between them. Bounded by results and by characters. Knows no class.
 */

import type { GrowingHistory, SeenText } from '../trimmer.ts'
import { isLarge } from './large.ts'

export interface HistoryBounds {
  /** References reach so many results back. */
  readonly results: number
  readonly characters: number
}

export const usualBounds: HistoryBounds = { results: 20, characters: 1_500_000 }

/** Shorter texts hold nothing that a reference could stand for. */
const shortest = 100

export function growingHistory(bounds: HistoryBounds = usualBounds): GrowingHistory {
  const seen: SeenText[] = []
  let characters = 0
  return {
    seen,
    add(text) {
      if (text.text.length < shortest || isLarge(text.text)) return
      seen.push(text)
      characters += text.text.length
      let drop = 0
      // those that the next result may refer to
      const oldest = text.ordinal + (text.from === 'result' ? 1 : 0) - bounds.results
      while (drop < seen.length && (characters > bounds.characters || seen[drop]!.ordinal < oldest)) {
        characters -= seen[drop]!.text.length
        drop++
      }
      if (drop > 0) seen.splice(0, drop)
    },
  }
}

/**
 * The texts that the model wrote into a call: its arguments that are strings, each by its name, one level deep.
 * @param input the arguments as a value
 * @param ordinal of the call's result
 */
export function seenOfCall(tool: string, input: unknown, facts: Omit<SeenText, 'from' | 'text' | 'tool' | 'part' | 'shown'>): SeenText[] {
  if (typeof input === 'string') return input.length < shortest ? [] : [{ ...facts, tool, from: 'call', text: input }]
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return []
  const texts: SeenText[] = []
  for (const [part, value] of Object.entries(input)) {
    if (typeof value === 'string' && value.length >= shortest) texts.push({ ...facts, tool, from: 'call', part, text: value })
  }
  return texts
}
