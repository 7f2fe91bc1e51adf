/**
 * What pieces of text weigh in tokens, by script. Data for `token-table.ts`; fitted to a public vocabulary of 200,000 tokens.
 */

export const perWord = 1.07
/** Letters of a word beyond this many are no word of any vocabulary: hashes, base64, one letter repeated. */
export const longWord = 14
export const perExcessLetter = 0.2
export const perDigitGroup = 1.8
export const perPunctuation = 0.13
export const perPunctuationRun = 0.62
export const perSpaceRun = 0.69
/** A Latin letter with a mark: of Western Europe (é ü ñ) and Vietnam (ơ ư), and others (ł ş ř), which vocabularies know fewer words with. */
export const perWesternLetter = 0.55
export const perMarkedLetter = 1.4
/** Vietnamese letters: nearly all words have one, and vocabularies know the words. */
export const perVietnameseLetter = 0.06
/** What stands outside the strings of a JSON text: one run of quotes, brackets, colons and commas. */
export const perStructure = 0.5
/** A byte that is no UTF-8 becomes a replacement character. */
export const perBroken = 1

/** Characters of a script, by the first bytes of their UTF-8 form. */
export interface Script {
  /** First byte, from and to. */
  readonly lead: readonly [number, number]
  /** Second byte, from and to; all when absent. */
  readonly second?: readonly [number, number]
  readonly weight: number
}

/** The first that matches counts. */
export const scripts: readonly Script[] = [
  // two bytes
  { lead: [0xc2, 0xc2], weight: 1 }, // signs of Latin-1: « » § ° ·
  { lead: [0xc9, 0xcb], weight: 1.2 }, // phonetic
  { lead: [0xcc, 0xcc], weight: 0.9 }, // combining marks
  { lead: [0xcd, 0xcf], weight: 0.42 }, // Greek, Coptic
  { lead: [0xd0, 0xd3], weight: 0.31 }, // Cyrillic
  { lead: [0xd4, 0xd5], weight: 0.35 }, // Armenian
  { lead: [0xd6, 0xd7], weight: 0.47 }, // Hebrew
  { lead: [0xd8, 0xdb], weight: 0.41 }, // Arabic
  { lead: [0xdc, 0xdf], weight: 1.2 }, // Syriac, Thaana, N'Ko
  // three bytes
  { lead: [0xe0, 0xe0], second: [0xa4, 0xa5], weight: 0.35 }, // Devanagari
  { lead: [0xe0, 0xe0], second: [0xa6, 0xa7], weight: 0.4 }, // Bengali
  { lead: [0xe0, 0xe0], second: [0xae, 0xaf], weight: 0.35 }, // Tamil
  { lead: [0xe0, 0xe0], second: [0xb8, 0xb9], weight: 0.48 }, // Thai
  { lead: [0xe0, 0xe0], second: [0xa8, 0xb7], weight: 0.52 }, // Gurmukhi, Gujarati, Oriya, Telugu, Kannada, Malayalam, Sinhala
  { lead: [0xe0, 0xe0], weight: 0.9 }, // Lao, Tibetan, Samaritan
  { lead: [0xe1, 0xe1], second: [0x80, 0x82], weight: 0.55 }, // Burmese
  { lead: [0xe1, 0xe1], second: [0x83, 0x83], weight: 0.34 }, // Georgian
  { lead: [0xe1, 0xe1], second: [0x84, 0x87], weight: 1 }, // Hangul letters
  { lead: [0xe1, 0xe1], second: [0x88, 0x8e], weight: 1.9 }, // Ethiopic
  { lead: [0xe1, 0xe1], second: [0x9e, 0x9f], weight: 0.7 }, // Khmer
  { lead: [0xe1, 0xe1], weight: 1.5 },
  { lead: [0xe2, 0xe2], second: [0x80, 0x80], weight: 0.8 }, // dashes, quotes, bullets, ellipsis
  { lead: [0xe2, 0xe2], second: [0x81, 0x83], weight: 1.6 },
  { lead: [0xe2, 0xe2], second: [0x86, 0x87], weight: 1 }, // arrows
  { lead: [0xe2, 0xe2], second: [0x88, 0x8b], weight: 1.5 }, // mathematics
  { lead: [0xe2, 0xe2], second: [0x94, 0x95], weight: 0.45 }, // boxes, in runs
  { lead: [0xe2, 0xe2], weight: 1.5 }, // signs
  { lead: [0xe3, 0xe3], second: [0x80, 0x83], weight: 0.75 }, // kana and their punctuation
  { lead: [0xe3, 0xe3], second: [0x84, 0x8f], weight: 1.2 },
  { lead: [0xe3, 0xe3], weight: 2 }, // rare ideographs
  { lead: [0xe4, 0xe4], second: [0x80, 0xb7], weight: 2 },
  { lead: [0xe4, 0xe9], weight: 0.83 }, // ideographs
  { lead: [0xea, 0xea], second: [0xb0, 0xbf], weight: 0.74 }, // Hangul
  { lead: [0xeb, 0xec], weight: 0.74 },
  { lead: [0xed, 0xed], weight: 0.74 },
  { lead: [0xea, 0xea], weight: 2 },
  { lead: [0xee, 0xee], weight: 2 }, // private use
  { lead: [0xef, 0xef], second: [0xbc, 0xbd], weight: 0.8 }, // full-width forms
  { lead: [0xef, 0xef], second: [0xb8, 0xb8], weight: 0.5 }, // variation selectors
  { lead: [0xef, 0xef], weight: 1 },
  // four bytes
  { lead: [0xf0, 0xf0], second: [0x9f, 0x9f], weight: 1.6 }, // emoji
  { lead: [0xf0, 0xf0], weight: 2.6 },
  { lead: [0xf1, 0xf4], weight: 3 },
]
