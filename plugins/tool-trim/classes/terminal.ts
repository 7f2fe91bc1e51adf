/**
 * `void`: what a terminal would not show. Colours and cursor movements (ANSI escapes), and what a progress bar wrote over with `\r`.
 *
 * Only for shells, and not for the text of a file: there escapes and `\r` are what an edit has to match. Of a line that was written over by a longer or equal one the last is kept: a shorter one leaves the rest of the longer on the screen, so
 * then nothing is taken out.
 */

import type { Trimmer } from '../trimmer.ts'
import { showsFile } from './shows-file.ts'

/** Select graphic rendition, erase, cursor movement and modes; titles up to their end. Nothing else is known to say nothing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it takes out
const escapes = /\x1b(?:\[[0-9;?]{0,24}[A-HJKSTfhlmnsu]|\][0-9]{1,4};[^\x07\x1b\n]{0,256}(?:\x07|\x1b\\)|\(B)/g

export const terminal: Trimmer = {
  name: 'terminal',
  class: 'void',
  encode(result) {
    const { text, kind } = result
    if (kind !== 'shell' || showsFile(result)) return undefined
    let out = text
    if (out.includes('\x1b')) out = out.replace(escapes, '')
    if (out.includes('\r')) out = withoutProgress(out)
    return out.length < text.length ? out : undefined
  },
  decode: (text) => text,
}

function withoutProgress(text: string): string {
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    const last = line.lastIndexOf('\r', line.length - 2)
    if (last < 0) continue
    const kept = line.slice(last + 1)
    const width = kept.endsWith('\r') ? kept.length - 1 : kept.length
    if (longestPart(line, last) <= width) lines[i] = kept
  }
  return lines.join('\n')
}

/** The longest of the parts between carriage returns before `end`. */
function longestPart(line: string, end: number): number {
  let longest = 0
  for (let from = 0; from <= end; ) {
    const next = line.indexOf('\r', from)
    longest = Math.max(longest, next - from)
    from = next + 1
  }
  return longest
}
