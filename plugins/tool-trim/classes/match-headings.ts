/**
 * `byte`: matches of a search under the path that they share, as `rg --heading` prints them.
 *
 * `src/a.ts:12:text` `src/a.ts:15:more` become `src/a.ts` `12:text` `15:more`; context lines (`src/a.ts-13-text`) likewise.
 */

import type { Trimmer } from '../trimmer.ts'
import { showsFile } from './shows-file.ts'
import { splitLines } from './split-lines.ts'

const longestPath = 300
/** A group has to save so many characters in all. */
const leastGain = 24

export const matchHeadings: Trimmer = {
  name: 'match-headings',
  class: 'byte',
  encode(result) {
    if (showsFile(result)) return undefined
    const { text } = result
    const lines = splitLines(text)
    const paths = pathsOf(lines)
    if (!paths) return undefined
    const out: string[] = []
    let grouped = false
    for (let i = 0; i < lines.length; ) {
      const path = paths[i]
      if (path === undefined) {
        // a line that would be taken for one of a group
        if (startsWithNumber(lines[i]!)) return undefined
        out.push(lines[i]!)
        i++
        continue
      }
      let to = i + 1
      let last = i
      let count = 1
      for (; to < lines.length && (paths[to] === path || lines[to] === '--'); to++) {
        if (paths[to] !== path) continue
        last = to
        count++
      }
      if ((count - 1) * (path.length + 1) < leastGain) {
        for (; i <= last; i++) out.push(lines[i]!)
        continue
      }
      grouped = true
      out.push(path)
      for (; i <= last; i++) out.push(lines[i] === '--' ? '--' : lines[i]!.slice(path.length + 1))
    }
    return grouped ? out.join('\n') : undefined
  },
  decode(text) {
    const lines = splitLines(text)
    const out: string[] = []
    let path: string | undefined
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!
      if (startsWithNumber(line)) {
        if (path === undefined) return undefined
        out.push(path + separatorOf(line) + line)
      } else if (i + 1 < lines.length && startsWithNumber(lines[i + 1]!) && line !== '--') path = line
      else out.push(line)
    }
    return out.join('\n')
  },
}

/** The path that each line begins with, where a number follows; undefined when no line has one. */
function pathsOf(lines: readonly string[]): (string | undefined)[] | undefined {
  const paths = new Array<string | undefined>(lines.length)
  let any = false
  for (let i = 0; i < lines.length; i++) {
    const path = pathOfMatch(lines[i]!)
    if (path === undefined) continue
    paths[i] = path
    any = true
  }
  if (!any) return undefined
  // context lines go by the path of a match next to them: a path may hold `-12-` itself
  for (let i = lines.length - 2; i >= 0; i--) paths[i] ??= sameFile(lines[i]!, paths[i + 1])
  for (let i = 1; i < lines.length; i++) paths[i] ??= sameFile(lines[i]!, paths[i - 1])
  return paths
}

function sameFile(line: string, path: string | undefined): string | undefined {
  if (path === undefined || line.charCodeAt(path.length) !== 45 || !line.startsWith(path)) return undefined
  return numberEnd(line, path.length + 1, 45) > 0 ? path : undefined
}

function pathOfMatch(line: string): string | undefined {
  const first = line.charCodeAt(0)
  if (first === 58 || first === 45 || first <= 32) return undefined
  let dotted = false
  const most = Math.min(line.length, longestPath)
  for (let i = 1; i < most; i++) {
    const c = line.charCodeAt(i)
    if (c <= 32) return undefined
    if (c === 46 || c === 47) dotted = true
    if (c === 58 && numberEnd(line, i + 1, 58) > 0) return dotted && !startsWithNumber(line) ? line.slice(0, i) : undefined
  }
  return undefined
}

/** Where the digits from `i` end, if that separator stands behind them; else 0. */
function numberEnd(line: string, i: number, separator: number): number {
  const from = i
  while (i < from + 8 && isDigit(line.charCodeAt(i))) i++
  return i > from && line.charCodeAt(i) === separator ? i : 0
}

/** `12:` or `12-`. */
function startsWithNumber(line: string): boolean {
  return isDigit(line.charCodeAt(0)) && (numberEnd(line, 0, 58) > 0 || numberEnd(line, 0, 45) > 0)
}

function separatorOf(line: string): string {
  let i = 0
  while (isDigit(line.charCodeAt(i))) i++
  return line[i]!
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}
