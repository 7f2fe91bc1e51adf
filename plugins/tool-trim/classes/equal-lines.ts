/**
 * `byte`: a line that stands several times in a row is written once, with how often. `warning: x` five times becomes `warning: x` and `[line above 5 times in all]`.
 */

import type { Trimmer } from '../trimmer.ts'
import { splitLines } from './split-lines.ts'

const note = /^\[line above (\d{1,7}) times in all\]$/
const fewest = 4
const leastGain = 40
/** Characters that a decoded text may have. */
const longest = 1_000_000

export const equalLines: Trimmer = {
  name: 'equal-lines',
  class: 'byte',
  encode({ text }) {
    const lines = splitLines(text)
    const out: string[] = []
    let written = false
    for (let i = 0; i < lines.length; ) {
      const line = lines[i]!
      if (note.test(line)) return undefined
      let to = i + 1
      while (to < lines.length && lines[to] === line) to++
      if (to - i >= fewest && (to - i - 1) * (line.length + 1) >= leastGain) {
        out.push(line, `[line above ${to - i} times in all]`)
        written = true
      } else for (let k = i; k < to; k++) out.push(line)
      i = to
    }
    return written ? out.join('\n') : undefined
  },
  decode(text) {
    const out: string[] = []
    let length = 0
    for (const line of splitLines(text)) {
      const times = line.startsWith('[line above ') ? note.exec(line) : null
      const last = out.at(-1)
      if (!times || last === undefined) out.push(line)
      else {
        // a text of somebody else's may claim any number
        length += Number(times[1]) * (last.length + 1)
        if (length > longest) return undefined
        for (let k = 1; k < Number(times[1]); k++) out.push(last)
      }
    }
    return out.join('\n')
  },
}
