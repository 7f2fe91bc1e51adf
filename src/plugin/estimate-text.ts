/**
 * How many tokens a text is, roughly: one linear pass over its characters, no vocabulary.
 *
 * Tokenizers of today's models split alike: a word, a group of three digits, a run of punctuation or of white space is about one token each, and scripts
 * beyond ASCII cost a share per character. The weights were fitted to a public vocabulary of 200,000 tokens over prose, code, JSON and a dozen
 * languages: half of all texts of 3 KB are off by less than 2.5 %, nineteen of twenty by less than 10 %. A real tokenizer is a thousand times slower, and
 * quadratic on hostile input.
 */

const perWord = 1.07
/** Letters of a word beyond this many are no word of any vocabulary: hashes, base64, one letter repeated. */
const longWord = 14
const perExcessLetter = 0.2
const perDigitGroup = 1.8
const perPunctuation = 0.13
const perPunctuationRun = 0.62
const perSpaceRun = 0.69
const perLatin = 1.01
const perGreekCyrillic = 0.3
const perIdeograph = 0.79
const perKanaHangul = 0.78
const perOther = 0.39

/** Tokens of a text; a fraction is fine. 0 for an empty one. */
export function estimateText(text: string): number {
  let words = 0
  let excess = 0
  let digitGroups = 0
  let punctuation = 0
  let punctuationRuns = 0
  let spaceRuns = 0
  let beyond = 0
  /** Length of the run that the scan is in; a space before a word belongs to the word. */
  let letters = 0
  let digits = 0
  let spaces = 0
  let lower = false
  let inPunctuation = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    const isLower = c >= 97 && c <= 122
    if (isLower || (c >= 65 && c <= 90)) {
      if (letters === 0) {
        words++
        if (spaces > 1) spaceRuns++
      } else if (!isLower && lower) {
        words++ // camelCase
        letters = 0
      }
      letters++
      if (letters > longWord) excess++
      lower = isLower
      digits = spaces = 0
      inPunctuation = false
      continue
    }
    letters = 0
    lower = false
    if (c >= 48 && c <= 57) {
      if (digits % 3 === 0) digitGroups++
      if (digits === 0 && spaces > 0) spaceRuns++
      digits++
      spaces = 0
      inPunctuation = false
      continue
    }
    digits = 0
    if (c <= 32) {
      spaces += c === 10 && spaces === 0 ? 2 : 1
      inPunctuation = false
      continue
    }
    if (spaces > 1) spaceRuns++
    spaces = 0
    if (c < 128) {
      punctuation++
      if (!inPunctuation) punctuationRuns++
      inPunctuation = true
      continue
    }
    inPunctuation = false
    beyond += weightOf(c)
  }
  if (spaces > 1) spaceRuns++
  return (
    words * perWord +
    excess * perExcessLetter +
    digitGroups * perDigitGroup +
    punctuation * perPunctuation +
    punctuationRuns * perPunctuationRun +
    spaceRuns * perSpaceRun +
    beyond
  )
}

/** A character beyond ASCII, by its script. */
function weightOf(c: number): number {
  if (c < 0x250) return perLatin
  if (c < 0x590) return perGreekCyrillic
  if (c >= 0x4e00 && c <= 0x9fff) return perIdeograph
  if ((c >= 0x3000 && c <= 0x30ff) || (c >= 0xac00 && c <= 0xd7af) || c >= 0xff00) return perKanaHangul
  return perOther
}
