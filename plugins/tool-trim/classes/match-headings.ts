/**
 * `byte`: matches of a search under the path that they share, as `rg --heading` prints them.
 *
 * `src/a.ts:12:text` `src/a.ts:15:more` become `src/a.ts` `12:text` `15:more`; context lines (`src/a.ts-13-text`) likewise. One harness writes paths of
 * lines that hold a colon from a folder on, and others in full: then the heading is the folder, a space and the rest (`/Users/ann/app/ src/a.ts`).
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
      const start = paths[i]
      if (start === undefined) {
        // a line that would be taken for one of a group
        if (startsWithNumber(lines[i]!)) return undefined
        out.push(lines[i]!)
        i++
        continue
      }
      const { path } = start
      let folder: string | undefined
      let to = i
      let last = i
      let gain = -path.length - 1
      for (; to < lines.length; to++) {
        const here = paths[to]
        if (here === undefined && lines[to] === '--') continue
        if (here?.path !== path) break
        if (here.folder !== undefined) {
          if (folder !== undefined && folder !== here.folder) break
          if (folder === undefined) gain -= here.folder.length + 1
          folder = here.folder
        }
        last = to
        gain += (here.folder?.length ?? 0) + path.length + 1
      }
      if (gain < leastGain || !agree(paths, lines, i, last, folder)) {
        for (; i <= last; i++) out.push(lines[i]!)
        continue
      }
      grouped = true
      out.push(folder ? `${folder} ${path}` : path)
      for (; i <= last; i++)
        out.push(paths[i] === undefined ? lines[i]! : lines[i]!.slice((paths[i]!.folder?.length ?? 0) + path.length + 1))
    }
    return grouped ? out.join('\n') : undefined
  },
  decode(text) {
    const lines = splitLines(text)
    const out: string[] = []
    let path: string | undefined
    let folder = ''
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!
      if (startsWithNumber(line)) {
        if (path === undefined) return undefined
        const separator = separatorOf(line)
        out.push((line.includes(':') ? '' : folder) + path + separator + line)
      } else if (i + 1 < lines.length && startsWithNumber(lines[i + 1]!) && line !== '--') {
        const cut = line.indexOf(' ') + 1
        folder = cut > 0 ? line.slice(0, cut - 1) : ''
        path = line.slice(cut)
      } else out.push(line)
    }
    return out.join('\n')
  },
}

/** What a line begins with: a path, and on context lines the folder before it, where they are written that way. */
interface Beginning {
  readonly path: string
  readonly folder?: string
}

/** Whether the folder of a group stands before all of its lines without a colon, and before no other. */
function agree(
  paths: readonly (Beginning | undefined)[],
  lines: readonly string[],
  from: number,
  last: number,
  folder: string | undefined,
): boolean {
  if (folder === undefined) return true
  for (let i = from; i <= last; i++) if (paths[i] && (paths[i]!.folder !== undefined) === lines[i]!.includes(':')) return false
  return true
}

/** What each line begins with, where a number follows; undefined when no line has a match. */
function pathsOf(lines: readonly string[]): (Beginning | undefined)[] | undefined {
  const paths = new Array<Beginning | undefined>(lines.length)
  let any = false
  for (let i = 0; i < lines.length; i++) {
    const path = pathOfMatch(lines[i]!)
    if (path === undefined) continue
    paths[i] = { path }
    any = true
  }
  if (!any) return undefined
  // context lines go by the path of a match next to them: a path may hold `-12-` itself
  for (let i = lines.length - 2; i >= 0; i--) paths[i] ??= contextOf(lines[i]!, paths[i + 1])
  for (let i = 1; i < lines.length; i++) paths[i] ??= contextOf(lines[i]!, paths[i - 1])
  return paths
}

function contextOf(line: string, next: Beginning | undefined): Beginning | undefined {
  if (next === undefined) return undefined
  const { path } = next
  const at = line.startsWith(path) ? 0 : line.slice(0, longestPath).indexOf(`/${path}-`) + 1
  const end = at + path.length
  if ((at === 0 && !line.startsWith(path)) || line.charCodeAt(end) !== 45 || numberEnd(line, end + 1, 45) === 0) return undefined
  if (at === 0) return { path }
  const folder = line.slice(0, at)
  return folder.startsWith('/') && !folder.includes(' ') ? { path, folder } : undefined
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
