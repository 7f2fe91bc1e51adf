/**
 * Mistakes, warnings and advice about the config, each with its place in the file, what is wrong and what to do.
 *
 * This file formats them; it finds none. Nothing that is printed here may show a secret: excerpts of the file are masked.
 */

import { maskLine } from './secrets.ts'

export type Severity = 'error' | 'warning' | 'advice'

/** A path in the file: keys and list positions. */
export type Path = readonly (string | number)[]

/** Line and column count from 1; columns in UTF-16 code units. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface Diagnostic extends Position {
  readonly severity: Severity
  readonly file: string
  /** Like `plugins[2].with.requests`; empty for the file itself. */
  readonly path: string
  /** What is wrong. */
  readonly message: string
  /** What to do. */
  readonly fix: string
}

/** `['plugins', 2, 'with']` as `plugins[2].with`; keys that are no plain words in quotes. */
export function pathText(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) text += text === '' ? step : `.${step}`
    else text += `[${JSON.stringify(step)}]`
  }
  return text
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((d) => d.severity === 'error')
}

/** By file, then by place, then errors first. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const rank: Record<Severity, number> = { error: 0, warning: 1, advice: 2 }
  return diagnostics.toSorted(
    (a, b) =>
      (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column || rank[a.severity] - rank[b.severity],
  )
}

export interface FormatOptions {
  /** ANSI colours; off by default. */
  readonly color?: boolean
  /** Text of the file, or texts by file: where there is one, the line is shown with a caret below. */
  readonly text?: string | ReadonlyMap<string, string>
  /** Masked wherever they would appear. */
  readonly secrets?: ReadonlySet<string>
}

/** All diagnostics, sorted, one line each: `file:line:column  path  what is wrong  what to do`. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], options: FormatOptions = {}): string {
  const { text } = options
  const split = new Map<string, readonly string[] | undefined>()
  const linesOf = (file: string): readonly string[] | undefined => {
    const key = typeof text === 'string' ? '' : file
    if (!split.has(key)) split.set(key, (typeof text === 'string' ? text : text?.get(file))?.split(/\r\n|\r|\n/))
    return split.get(key)
  }
  return sortDiagnostics(diagnostics)
    .map((d) => formatOne(d, options, linesOf(d.file)))
    .join('\n')
}

const colours: Record<Severity, string> = { error: '31', warning: '33', advice: '36' }

function formatOne(d: Diagnostic, options: FormatOptions, lines: readonly string[] | undefined): string {
  const paint = (code: string, text: string): string => (options.color ? `\x1b[${code}m${text}\x1b[0m` : text)
  const place = `${d.file}:${d.line}:${d.column}`
  const word = d.severity === 'error' ? '' : `${d.severity}: `
  const parts = [
    paint('1', place),
    maskLine(d.path, options.secrets),
    paint(colours[d.severity], printable(maskLine(word + d.message, options.secrets))),
    printable(maskLine(d.fix, options.secrets)),
  ]
  let text = parts.filter((part) => part !== '').join('  ')
  const line = lines?.[d.line - 1]
  if (line !== undefined && line.trim() !== '' && line.length <= longestLine) {
    const gutter = String(d.line)
    const before = maskLine(line.slice(0, d.column - 1), options.secrets, true).replace(/[^\t]/g, ' ')
    const shown = printable(maskLine(line, options.secrets, true))
    text += `\n  ${paint('2', `${gutter} |`)} ${clip(shown)}\n  ${' '.repeat(gutter.length)} ${paint('2', '|')} ${
      before.length < maxExcerpt ? `${before}${paint(colours[d.severity], '^')}` : ''
    }`.trimEnd()
  }
  return text
}

/** Without control characters, which could act on a terminal. */
function printable(text: string): string {
  return text.replace(/[^\P{Cc}\t]/gu, '\ufffd')
}

const maxExcerpt = 160
/** Longer lines are not shown: masking looks at whole lines. */
const longestLine = 2000
function clip(line: string): string {
  return line.length > maxExcerpt ? `${line.slice(0, maxExcerpt)}…` : line
}
