/**
 * How much a model should think: in words, or in tokens, and from one into the other (PROTOCOL §1.3, D04, I08).
 */

/** Weakest first. */
const words = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']

const budgets: Readonly<Record<string, number>> = { minimal: 1024, low: 2048, medium: 8192, high: 16384, xhigh: 32768, max: 32768 }

/** Tokens of thinking for a word; those of `medium` for one that is not known, 0 for `none`. */
export function budgetOfEffort(effort: string): number {
  return effort === 'none' ? 0 : (budgets[effort] ?? 8192)
}

/** The word for a budget of tokens; -1 (as the model likes) is `medium`. */
export function effortOfBudget(tokens: number): string {
  if (tokens < 0) return 'medium'
  if (tokens === 0) return 'none'
  if (tokens < 2000) return 'low'
  if (tokens < 8000) return 'medium'
  return tokens < 24000 ? 'high' : 'xhigh'
}

/** The word that a model knows and that is nearest; of two equally near the weaker. Undefined when it knows none. */
export function nearestEffort(effort: string, known: readonly string[]): string | undefined {
  if (known.includes(effort)) return effort
  const wanted = words.includes(effort) ? words.indexOf(effort) : words.indexOf('medium')
  let best: string | undefined
  let distance = Number.POSITIVE_INFINITY
  for (const word of words) {
    // `none` is no little thinking: it is never put for a word that wants some, nor the other way round
    if (!known.includes(word) || (word === 'none') !== (effort === 'none')) continue
    const far = Math.abs(words.indexOf(word) - wanted)
    if (far < distance) {
      best = word
      distance = far
    }
  }
  return best
}
