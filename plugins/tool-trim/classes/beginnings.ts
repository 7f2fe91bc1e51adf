/**
 * `byte`: what lines in a row begin with is said once. `…` stands for it in the lines below.
 *
 * `src/app/a.ts` `src/app/b.ts` `src/app/c.ts` become `src/app/…` `…a.ts` `…b.ts` `…c.ts`. Only beginnings that are a path or a label, never those of code.
 */

import type { Trimmer } from '../trimmer.ts'
import { showsFile } from './shows-file.ts'
import { splitLines } from './split-lines.ts'

const ditto = '…'
const shortestBeginning = 10
const longestBeginning = 240
const fewestLines = 3
const leastGain = 40

export const beginnings: Trimmer = {
  name: 'beginnings',
  class: 'byte',
  encode(result) {
    if (showsFile(result)) return undefined
    const { text } = result
    if (text.includes(`\n${ditto}`) || text.includes(`${ditto}\n`) || text.startsWith(ditto)) return undefined
    const lines = splitLines(text)
    const out: string[] = []
    let grouped = false
    for (let i = 0; i < lines.length; ) {
      const group = groupAt(lines, i)
      if (group.length === 0) {
        for (; i < group.to; i++) out.push(lines[i]!)
        continue
      }
      grouped = true
      out.push(lines[i]!.slice(0, group.length) + ditto)
      for (; i < group.to; i++) out.push(ditto + lines[i]!.slice(group.length))
    }
    return grouped ? out.join('\n') : undefined
  },
  decode(text) {
    const lines = splitLines(text)
    const out: string[] = []
    let beginning: string | undefined
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!
      if (line.startsWith(ditto)) {
        if (beginning === undefined) return undefined
        out.push(beginning + line.slice(1))
      } else if (line.endsWith(ditto) && lines[i + 1]?.startsWith(ditto)) beginning = line.slice(0, -1)
      else {
        beginning = undefined
        out.push(line)
      }
    }
    return out.join('\n')
  },
}

/** Lines from `i` on that begin alike, to their best end; with a length of 0, lines that are to stay as they are. */
function groupAt(lines: readonly string[], i: number): { readonly to: number; readonly length: number } {
  const first = lines[i]!
  let length = Math.min(first.length, longestBeginning)
  let best = 0
  let found: { to: number; length: number } | undefined
  for (let k = i + 1; k < lines.length; k++) {
    const line = lines[k]!
    let same = 0
    const most = Math.min(length, line.length)
    while (same < most && line.charCodeAt(same) === first.charCodeAt(same)) same++
    if (same < length) length = cut(first, same)
    if (length < shortestBeginning) break
    const gain = (k - i + 1) * (length - 1) - length - 2
    if (k - i + 1 >= fewestLines && gain >= best) {
      best = gain
      found = { to: k + 1, length }
    } else if (found && gain < best / 2) break
  }
  if (!found) return { to: i + 1, length: 0 }
  return best >= leastGain && isBeginning(first.slice(0, found.length)) ? found : { to: found.to, length: 0 }
}

/** The longest beginning of at most so many characters that ends where a name ends. */
function cut(line: string, length: number): number {
  while (length > 0 && !endsName(line.charCodeAt(length - 1))) length--
  return length
}

/** `/`, `:`, white space, `>`, `]`, `|` */
function endsName(code: number): boolean {
  return code === 47 || code === 58 || code === 32 || code === 9 || code === 62 || code === 93 || code === 124
}

const path = /^(?:[ MADRCU?!]{2} )?[\w@.~+$()[\]-]*\/[\w@.~+$()[\]/-]*$/
const label = /^[\w@[(][^{}"'`;=<]*[:>\]|] ?$/

function isBeginning(text: string): boolean {
  return path.test(text) || label.test(text)
}
