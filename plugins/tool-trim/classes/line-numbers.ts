/**
 * `byte`: line numbers without padding. The first numbered line stays as the tool wrote it and so says how they were written; each after it becomes
 * `12<tab>text`, as `cat -n` would write it.
 *
 * `     1→import a` `     2→import b` become `     1→import a` `2<tab>import b`.
 */

import type { Trimmer } from '../trimmer.ts'
import { linesOf, type NumberFormat, numberAt, numberOf, prefixOf, tabbedNumber } from './numbered-lines.ts'
import { splitLines } from './split-lines.ts'

/** Fewer lines are not worth a second way to write them. */
const fewestNumbered = 8

export const lineNumbers: Trimmer = {
  name: 'line-numbers',
  class: 'byte',
  encode({ text }) {
    const { lines, numbers, starts, formats } = linesOf(text)
    if (formats.size === 0) return undefined
    let shortened = 0
    const out: string[] = []
    let format: NumberFormat | undefined
    let last = 0
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!
      const number = numbers[i]!
      if (number === 0) {
        out.push(line)
        continue
      }
      const own = formats.get(i)
      // a run that another way of writing begins has to say so anew
      if (own !== undefined && format && !(number > last && prefixOf(number, format) === prefixOf(number, own))) format = undefined
      if (!format) {
        out.push(line)
        const next = numberAt(line)!.format
        if (next.separator !== '.' && next.separator !== ':' && next.separator !== '|' && tells(line, starts[i]!, next)) format = next
        last = number
        continue
      }
      last = number
      shortened++
      out.push(`${number}\t${line.slice(starts[i]!)}`)
    }
    return shortened < fewestNumbered ? undefined : out.join('\n')
  },
  decode(text) {
    const lines = text.split('\n')
    let format: NumberFormat | undefined
    let last = 0
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!
      const tabbed = format === undefined ? 0 : tabbedNumber(line)
      if (tabbed > last) {
        last = tabbed
        lines[i] = prefixOf(tabbed, format!) + line.slice(line.indexOf('\t') + 1)
        continue
      }
      const number = numberOf(line)
      if (number === 0 || i + 1 === lines.length || tabbedNumber(lines[i + 1]!) !== number + 1) continue
      format = numberAt(line)!.format
      last = number
    }
    return lines.join('\n')
  },
  saved(before, after) {
    const { lines, formats } = linesOf(before)
    const shorter = splitLines(after)
    let tokens = 0
    let each: readonly [padded: number, separator: number] = [0, 0]
    for (let i = 0; i < lines.length; i++) {
      const format = formats.get(i)
      if (format) each = [format.pad === ' ' ? 2 : 1, separatorTokens.get(format.separator) ?? 0]
      if (lines[i] !== shorter[i]) tokens += each[1] + (lines[i]!.startsWith('  ') || lines[i]!.startsWith('0') ? each[0] : 0)
    }
    return tokens
  },
}

/** Tokens that a separator takes more than a tab, which often is one with what follows: counted with a public vocabulary. */
const separatorTokens = new Map([
  ['→', 0.63],
  [': ', 0.93],
  ['. ', 0.85],
  ['| ', 0.9],
])

/** Whether a line alone says how it and those after it are written: a space behind `1:` may belong to the text. */
function tells(line: string, start: number, format: NumberFormat): boolean {
  return format.width + format.separator.length === start && (format.separator.length === 1 || line.charCodeAt(start) !== 32)
}
