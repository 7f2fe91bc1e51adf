/**
 * Globs as `when` and lists of models have them: `*` stands for any run of characters, `/` included; all else is literal, and case counts.
 *
 * Values come from clients, so the time is linear for each glob: a regular expression of many stars could take for ever.
 */

/** A test for "matches one of these globs", compiled once. */
export function globMatcher(globs: readonly string[]): (value: string) => boolean {
  const exact = new Set(globs.filter((g) => !g.includes('*')))
  const patterns = globs.filter((g) => g.includes('*')).map((g) => g.split('*'))
  return (value) => exact.has(value) || patterns.some((p) => matchPieces(p, value))
}

function matchPieces(pieces: readonly string[], value: string): boolean {
  const first = pieces[0]!
  const last = pieces[pieces.length - 1]!
  if (value.length < first.length + last.length || !value.startsWith(first) || !value.endsWith(last)) return false
  let from = first.length
  const limit = value.length - last.length
  for (let i = 1; i < pieces.length - 1; i++) {
    const at = value.indexOf(pieces[i]!, from)
    if (at < 0 || at + pieces[i]!.length > limit) return false
    from = at + pieces[i]!.length
  }
  return true
}
