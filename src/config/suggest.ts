/**
 * "Did you mean": the nearest of a list of known words.
 *
 * Pure text distance; knows nothing of config.
 */

/** Damerau-Levenshtein distance (adjacent swaps count one), in edits; stops counting above `limit`. */
export function distance(a: string, b: string, limit = Number.POSITIVE_INFINITY): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    let least = i
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let d = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, before[j - 2]! + 1)
      row.push(d)
      if (d < least) least = d
    }
    if (least > limit) return limit + 1
    before = last
    last = row
  }
  return last[b.length]!
}

/** The nearest known word, when it is near enough to be meant; case and `-`/`_` count little. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > 100) return undefined
  const limit = word.length <= 2 ? 1 : word.length <= 5 ? 2 : 3
  const plain = simplify(word)
  let best: string | undefined
  let bestDistance = limit + 1
  for (const candidate of known) {
    const d = distance(plain, simplify(candidate), limit)
    if (d < bestDistance && d < Math.max(candidate.length, 2)) {
      best = candidate
      bestDistance = d
    }
  }
  return best
}

function simplify(word: string): string {
  return word.toLowerCase().replaceAll('-', '_')
}
