/**
 * What a call of a tool says about its result: what kind of tool it was, which file or command it named, and whether it read a file.
 *
 * Names are those of the harnesses that we know; an unknown tool is told by its arguments. When in doubt it is no API tool, for only of those may the
 * layout of a result be changed. Pure.
 */

import { globMatcher, type Json, type ToolResultFacts } from 'headgate/plugin'
import type { Call } from './read-unit.ts'

export type Kind = ToolResultFacts['kind']

/** What a call says, without the position of its result. */
export interface CallFacts {
  readonly tool: string
  readonly kind: Kind
  readonly path?: string
  readonly command?: string
  /** Set when the result shows a file: which, and which part of it; an empty `part` is all of it. */
  readonly read?: { readonly path: string; readonly part: string }
}

/** Tools by kind, as an operator names them; globs. */
export type ToolKinds = Readonly<Partial<Record<Kind, readonly string[]>>>

const shells = new Set(
  'bash shell sh zsh powershell exec execcommand runcommand runterminalcmd runinterminal terminal executecommand runshellcommand command localshell shellcommand bashoutput writestdin unifiedexec containerexec executebash runbash taskoutput'.split(
    ' ',
  ),
)
const readers = new Set(
  'read readfile view viewfile open openfile cat getfile getfilecontents readmanyfiles notebookread readtextfile fsread showfile'.split(
    ' ',
  ),
)
const files = new Set(
  'rg ripgrep write writefile edit editfile multiedit notebookedit replace strreplace strreplaceeditor strreplacebasededittool applypatch patch create createfile grep greptool glob ls list listdir listdirectory listfiles find findfiles search searchfiles searchfilecontent codebasesearch searchdir insert undoedit deletefile'.split(
    ' ',
  ),
)

/** @param kinds tools that the operator knows better */
export function factsOf(kinds: ToolKinds): (call: Call | undefined, name: string | undefined) => CallFacts {
  const own = (['shell', 'file', 'api'] as const).flatMap((kind) => {
    const globs = kinds[kind]
    return globs && globs.length > 0 ? [{ kind, matches: globMatcher(globs) }] : []
  })
  return (call, name) => {
    const tool = call?.tool ?? name ?? ''
    const input = inputOf(call?.input)
    const plain = tool.toLowerCase().replace(/[^a-z0-9]/g, '')
    const command = commandOf(input)
    const path = textIn(input, paths)
    const kind = own.find(({ matches }) => matches(tool))?.kind ?? kindOf(tool, plain, call, command, path)
    const read = readOf(kind, plain, input, path, command)
    return {
      tool,
      kind,
      ...(path !== undefined && { path }),
      ...(command !== undefined && kind !== 'api' && { command }),
      ...(read && { read }),
    }
  }
}

function kindOf(tool: string, plain: string, call: Call | undefined, command: string | undefined, path: string | undefined): Kind {
  if (tool.startsWith('mcp__')) return 'api'
  if (shells.has(plain)) return 'shell'
  if (readers.has(plain) || files.has(plain)) return 'file'
  // what a tool gave of which nothing is known may be anything
  if (!call) return 'shell'
  if (command !== undefined) return 'shell'
  return path === undefined ? 'api' : 'file'
}

type Input = { readonly [key: string]: Json | undefined }

const paths = ['file_path', 'filePath', 'path', 'absolute_path', 'filename', 'file_name', 'notebook_path', 'target_file', 'file']

function inputOf(input: Json | undefined): Input {
  return typeof input === 'object' && input !== null && !Array.isArray(input) ? (input as Input) : {}
}

function textIn(input: Input, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = input[name]
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}

function commandOf(input: Input): string | undefined {
  for (const name of ['command', 'cmd', 'script']) {
    const value = input[name]
    if (typeof value === 'string' && value !== '') return value
    if (!Array.isArray(value)) continue
    const words = value.filter((word) => typeof word === 'string')
    // ["bash", "-lc", "…"]
    const shell = words.length === 3 && /^(?:\S*\/)?(?:ba|z|da)?sh$/.test(words[0]!) && words[1]!.startsWith('-')
    if (words.length > 0) return shell ? words[2]! : words.join(' ')
  }
  return undefined
}

const parts = [
  'offset',
  'limit',
  'start',
  'end',
  'start_line',
  'end_line',
  'startLine',
  'endLine',
  'view_range',
  'line_start',
  'line_end',
  'pages',
]

function readOf(
  kind: Kind,
  plain: string,
  input: Input,
  path: string | undefined,
  command: string | undefined,
): CallFacts['read'] | undefined {
  if (kind === 'file' && path !== undefined) {
    const views = plain.startsWith('strreplace') && input.command === 'view'
    if (!readers.has(plain) && !views) return undefined
    const part = parts.flatMap((name) =>
      input[name] === undefined || input[name] === null ? [] : [`${name}=${JSON.stringify(input[name])}`],
    )
    return { path, part: part.join(' ') }
  }
  if (kind !== 'shell' || command === undefined) return undefined
  return shellRead(command)
}

/** Reads of one file by a command, nothing behind it: `cat a`, `sed -n '1,80p' a`, `nl -ba a`, `head -50 a`. */
const showing = /^(?:cd [^;&|\n]+&&\s*)?(cat|nl|bat|less|more|head|tail|sed)\s+([^|;&<>\n`$]+)$/

function shellRead(command: string): CallFacts['read'] | undefined {
  const m = showing.exec(command.trim())
  if (!m) return undefined
  const words = m[2]!.trim().split(/\s+/)
  const path = words.pop()!.replace(/^['"]|['"]$/g, '')
  if (path === '' || path.startsWith('-')) return undefined
  const whole = (m[1] === 'cat' || m[1] === 'nl' || m[1] === 'bat') && words.every((word) => word.startsWith('-'))
  return { path, part: whole ? '' : command }
}

/** What a mask names: the file, else the command, else nothing. One line. */
export function argumentOf({ path, command }: Pick<CallFacts, 'path' | 'command'>): string {
  const line = (path ?? command ?? '').replace(/[\s[\]"]+/g, ' ').trim()
  return line.length > 80 ? `${line.slice(0, 79)}…` : line
}
