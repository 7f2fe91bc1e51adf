/**
 * `lossy-entry`: lines of a command's output that most readers skip, said to have been there: passing tests, log lines that differ in numbers only, and frames
 * of libraries in a stack. Never in the text of a file; never a line that speaks of a failure. There is no way back.
 */

import type { ToolResultText, Trimmer } from '../trimmer.ts'
import { showsFile } from './shows-file.ts'
import { splitLines } from './split-lines.ts'

const bad = /fail|error|warn|panic|exception|fatal|denied|assert|✗|✘|×|❌/i
const passing =
  /^\s*(?:[\w@.:/-]{0,80}\s)?(?:✓|✔|√|\(pass\)|PASS\b|--- PASS:|ok \d+ -|PASSED\b)|^(?:test )?\S.{0,300}(?:\.\.\. ok| PASSED(?: +\[ *\d+%\])?)$/
const frame = /^\s+(?:at |File "|\d+: |in )/
const library =
  /node_modules\/|node:internal|site-packages\/|dist-packages\/|\/usr\/lib\/|\/rustc\/|\/go\/pkg\/mod\/|\.cargo\/registry\/|<anonymous>|java\.base\//
const longestLine = 600

export const passingTests = dropping('passing-tests', 4, 'lines of passing tests', (line) => passing.test(line) && !bad.test(line))
export const libraryFrames = dropping('library-frames', 3, 'frames of libraries', (line) => frame.test(line) && library.test(line))

/** Runs of at least so many lines of a kind become one line that counts them. */
function dropping(name: string, fewest: number, what: string, isOne: (line: string) => boolean): Trimmer {
  return {
    name,
    class: 'lossy-entry',
    encode(result) {
      if (!isOutput(result)) return undefined
      const lines = splitLines(result.text)
      const out: string[] = []
      let dropped = false
      for (let i = 0; i < lines.length; ) {
        let to = i
        while (to < lines.length && lines[to]!.length <= longestLine && isOne(lines[to]!)) to++
        if (to - i >= fewest) {
          out.push(`[${to - i} ${what} left out]`)
          dropped = true
        } else for (let k = i; k < to; k++) out.push(lines[k]!)
        if (to === i) out.push(lines[to++]!)
        i = to
      }
      return dropped ? out.join('\n') : undefined
    },
    decode: () => undefined,
  }
}

const fewestAlike = 6

export const logTemplates: Trimmer = {
  name: 'log-templates',
  class: 'lossy-entry',
  encode(result) {
    if (!isOutput(result)) return undefined
    const lines = splitLines(result.text)
    const out: string[] = []
    let dropped = false
    for (let i = 0; i < lines.length; ) {
      const template = templateOf(lines[i]!)
      let to = i + 1
      if (template !== undefined) while (to < lines.length && templateOf(lines[to]!) === template) to++
      if (to - i >= fewestAlike) {
        out.push(lines[i]!, `[${to - i - 2} lines like the one above, but for numbers, left out]`, lines[to - 1]!)
        dropped = true
      } else for (let k = i; k < to; k++) out.push(lines[k]!)
      i = to
    }
    return dropped ? out.join('\n') : undefined
  },
  decode: () => undefined,
}

/** A line less its numbers; undefined for one that is to stay. */
function templateOf(line: string): string | undefined {
  if (line.length < 20 || line.length > longestLine || !/\d/.test(line) || bad.test(line)) return undefined
  const template = line.replace(/[A-Za-z0-9]+/g, (word) => (/\d/.test(word) && /^(?:\d.*|[0-9a-f]+)$/i.test(word) ? '#' : word))
  // what is numbers alone is a table, not a log
  return /[a-z]{3}/i.test(template) ? template : undefined
}

function isOutput(result: ToolResultText): boolean {
  return result.kind === 'shell' && !showsFile(result)
}
