/**
 * `derivable`: of line numbers only every tenth. Lines between them keep the tab in front, so that they can be counted.
 *
 * Works on what `line-numbers` wrote: `19<tab>a` `20<tab>b` `21<tab>c` become `<tab>a` `20<tab>b` `<tab>c`.
 */

import type { Trimmer } from '../trimmer.ts'
import { numberOf, tabbedNumber } from './numbered-lines.ts'
import { splitLines } from './split-lines.ts'

const every = 10
const fewestNumbered = 8

export const sparseNumbers: Trimmer = {
  name: 'sparse-numbers',
  class: 'derivable',
  encode({ text }) {
    const out: string[] = []
    let last = 0
    let dropped = 0
    for (const line of splitLines(text)) {
      const number = numberOf(line)
      if (number > 0 && number === last + 1 && number % every !== 0 && tabbedNumber(line) === number) {
        out.push(line.slice(line.indexOf('\t')))
        dropped++
      } else out.push(line)
      last = number
    }
    return dropped < fewestNumbered ? undefined : out.join('\n')
  },
  decode(text) {
    const out: string[] = []
    let last = 0
    for (const line of splitLines(text)) {
      if (last > 0 && line.startsWith('\t')) {
        last++
        out.push(last + line)
        continue
      }
      last = numberOf(line)
      out.push(line)
    }
    return out.join('\n')
  },
}
