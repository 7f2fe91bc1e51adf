/** Globs over model ids: `*` stands for any characters, `/` included; all else is literal and case counts. */

/** A test for any of `globs`, compiled once. */
export function matchesAny(globs: readonly string[]): (text: string) => boolean {
  const exact = new Set(globs.filter((glob) => !glob.includes('*')))
  const wild = globs.filter((glob) => glob.includes('*')).map((glob) => glob.split('*'))
  return (text) => exact.has(text) || wild.some((pieces) => fits(pieces, text))
}

/** Leftmost match of each literal piece in turn: linear, where a regular expression of many stars could be exponential. */
function fits(pieces: readonly string[], text: string): boolean {
  const first = pieces[0]!
  const last = pieces[pieces.length - 1]!
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  const end = text.length - last.length
  let at = first.length
  for (let i = 1; i < pieces.length - 1; i++) {
    const found = text.indexOf(pieces[i]!, at)
    if (found < 0 || found + pieces[i]!.length > end) return false
    at = found + pieces[i]!.length
  }
  return true
}
