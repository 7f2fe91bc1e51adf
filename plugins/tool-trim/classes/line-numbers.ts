/**
 * `byte`: line numbers without padding. The first numbered line stays as the tool wrote it and so says how they were written; each after it becomes
 * `12<tab>text`, as `cat -n` would write it.
 *
 * `     1→import a` `     2→import b` become `     1→import a` `2<tab>import b`.
 */

import type { Trimmer } from '../trimmer.ts'
import { linesOf, type NumberFormat, numberAt, prefixOf } from './numbered-lines.ts'

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
      const at = numberAt(line)
      if (!at) continue
      const digits = String(at.number).length
      if (format && at.format.separator === '\t' && at.format.width === digits && at.number > last) {
        lines[i] = prefixOf(at.number, format) + line.slice(digits + 1)
        last = at.number
      } else if (i + 1 < lines.length && lines[i + 1]!.startsWith(`${at.number + 1}\t`)) {
        format = at.format
        last = at.number
      }
    }
    return lines.join('\n')
  },
}

/** Whether a line alone says how it and those after it are written: a space behind `1:` may belong to the text. */
function tells(line: string, start: number, format: NumberFormat): boolean {
  return format.width + format.separator.length === start && (format.separator.length === 1 || line.charCodeAt(start) !== 32)
}
