/**
 * How many tokens a text of JSON, or of its plain form, takes: for the difference of the two. An estimate of each text is off by how its quotes, brackets
 * and white space are written, and that is all that differs between them.
 *
 * Splits as the tokenizers of today's models do: a sign or a space goes with the word behind it, signs in a row are one piece with the line ends behind
 * them, digits go by three. The weights were fitted to a public vocabulary of 200,000 tokens over layouts of lists and records. Pure, linear.
 */

const perPiece = 1.2
const perSigns = 0.81
/** A colon or comma in front of a word is seldom one token with it. */
const perColonWord = 0.41
const perCommaWord = 0.08

const colon = 58
const comma = 44

export function jsonTokens(text: string): number {
  let [pieces, signs, colons, commas] = [0, 0, 0, 0]
  const end = text.length
  for (let i = 0; i < end; ) {
    const c = text.charCodeAt(i)
    if (isDigit(c)) {
      const most = Math.min(end, i + 3)
      while (i < most && isDigit(text.charCodeAt(i))) i++
      pieces++
      continue
    }
    if (isSpace(c)) {
      let to = i
      let line = -1
      for (; to < end && isSpace(text.charCodeAt(to)); to++) if (text.charCodeAt(to) !== 32 && text.charCodeAt(to) !== 9) line = to
      if (line >= 0) {
        pieces++
        i = line + 1
        continue
      }
      // the last space goes with what stands behind it, unless that is a number
      if (to - i > 1 || to === end || isDigit(text.charCodeAt(to))) {
        pieces++
        i = to - i > 1 && to < end ? to - 1 : to
        continue
      }
      i++
      if (!isLetter(text.charCodeAt(i))) {
        i = pastSigns(text, i)
        signs++
        continue
      }
    } else if (!isLetter(c)) {
      i++
      if (!isLetter(text.charCodeAt(i))) {
        i = pastSigns(text, i)
        signs++
        continue
      }
      if (c === colon) colons++
      else if (c === comma) commas++
    }
    while (i < end && isLetter(text.charCodeAt(i))) i++
    pieces++
  }
  return pieces * perPiece + signs * perSigns + colons * perColonWord + commas * perCommaWord
}

/** Behind signs, and the line ends behind them. */
function pastSigns(text: string, at: number): number {
  let i = at
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (isSpace(c) || isDigit(c) || isLetter(c)) break
  }
  while (text.charCodeAt(i) === 10 || text.charCodeAt(i) === 13) i++
  return i
}

const isDigit = (c: number): boolean => c >= 48 && c <= 57
const isSpace = (c: number): boolean => c === 32 || (c >= 9 && c <= 13)
/** Everything beyond ASCII is taken for a letter: it is the same in both texts. */
const isLetter = (c: number): boolean => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c > 127
