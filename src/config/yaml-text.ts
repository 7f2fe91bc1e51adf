/**
 * From text to the parser's document, and from the parser's words to plain ones.
 *
 * Knows nothing of what the file means. Never throws.
 */

import { type Document, type LineCounter, parseDocument } from 'yaml'
import { shield, unshield } from './interpolate.ts'

/** Something wrong with the YAML itself. */
export interface Fault {
  /** Offset into the text. */
  readonly offset: number
  readonly message: string
  readonly fix: string
}

export interface ParsedText {
  /** Absent when the text is not fit to be parsed. */
  readonly doc?: Document.Parsed
  readonly faults: readonly Fault[]
  /** What could be read is guesswork. */
  readonly broken: boolean
}

const maxText = 1024 * 1024

/** Parses a text as YAML 1.2 with merge keys. Strings in the document are still shielded. */
export function parseYaml(text: string, lineCounter: LineCounter): ParsedText {
  const whole = (message: string, fix: string): ParsedText => ({ faults: [{ offset: 0, message, fix }], broken: true })
  if (text.length > maxText) return whole(`the file has ${text.length} characters`, `keep it below ${maxText}`)
  try {
    // With logLevel `silent` the parser would keep quiet about a second document.
    const doc = parseDocument(shield(text), { lineCounter, prettyErrors: false, merge: true, uniqueKeys: true, logLevel: 'error' })
    const errors = doc.errors.map((error) => ({ offset: error.pos[0], ...sentence(error.code, unshield(error.message)) }))
    const warnings = doc.warnings.map((warning) => ({
      offset: warning.pos[0],
      message: plain(unshield(warning.message)),
      fix: 'write it without a tag',
    }))
    return { doc, faults: [...errors, ...warnings], broken: doc.errors.some((error) => error.code !== 'DUPLICATE_KEY') }
  } catch (error) {
    // The parser calls itself for each level: absurd nesting ends in a RangeError.
    const deep = error instanceof RangeError
    return whole(deep ? 'the file is nested too deeply' : 'the file is not YAML', 'see https://yaml.org for how to write it')
  }
}

/** The parser's words in plainer ones. */
function sentence(code: string, message: string): { message: string; fix: string } {
  switch (code) {
    case 'DUPLICATE_KEY':
      return { message: 'this key stands here twice', fix: 'keep one of them' }
    case 'TAB_AS_INDENT':
      return { message: 'a tab is used for indentation', fix: 'use spaces' }
    case 'BAD_INDENT':
      return { message: 'wrong indentation', fix: 'align it with its neighbours, with spaces' }
    case 'MULTIPLE_DOCS':
      return { message: 'the file holds several documents', fix: 'remove the --- and what follows it' }
    case 'MISSING_CHAR':
      return { message: plain(message).replace(/ (["'])quote$/, ' $1'), fix: 'close the quote or bracket' }
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return { message: plain(message), fix: 'check the indentation, and quote text that holds ": "' }
    default:
      return { message: plain(message), fix: 'see the YAML around this place' }
  }
}

function plain(message: string): string {
  const first = (message.split('\n')[0] ?? '').trim()
  return first === '' ? 'not valid YAML' : first[0]!.toLowerCase() + first.slice(1).replace(/\.$/, '')
}
