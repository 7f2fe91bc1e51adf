/**
 * Standard output and error, colours, and text in columns.
 *
 * Writes are synchronous, because commands end with `process.exit`, which would cut what a pipe has not taken yet.
 */

import { writeSync } from 'node:fs'

/** Where a command writes; a test gives its own. */
export interface Output {
  readonly out: (text: string | Uint8Array) => void
  readonly err: (text: string) => void
  /** Standard output is a terminal. */
  readonly terminal: boolean
  /** Colours are welcome on standard output, on standard error. */
  readonly color: boolean
  readonly errColor: boolean
}

/** The process's own streams. `NO_COLOR` (any value but the empty one) turns colours off. */
export function processOutput(env: Readonly<Record<string, string | undefined>>): Output {
  const plain = (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb'
  const terminal = process.stdout.isTTY === true
  return {
    out: (text) => writeAll(1, text),
    err: (text) => writeAll(2, text),
    terminal,
    color: terminal && !plain,
    errColor: process.stderr.isTTY === true && !plain,
  }
}

function writeAll(fd: number, text: string | Uint8Array): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN') Bun.sleepSync(1)
      else if (code === 'EPIPE')
        process.exit(0) // `headgate explain | head`: the reader has what it wanted
      else throw error
    }
  }
}

export type Paint = (style: 'strong' | 'faint' | 'good' | 'bad' | 'warn', text: string) => string
const codes = { strong: 1, faint: 2, good: 32, bad: 31, warn: 33 } as const

/** Wraps a text in ANSI colours, or leaves it as it is. */
export function painter(color: boolean): Paint {
  return (style, text) => (color && text !== '' ? `\x1b[${codes[style]}m${text}\x1b[0m` : text)
}

/** Rows in columns, two spaces between them, without spaces at the ends of lines. Widths count code points. */
export function columns(rows: readonly (readonly string[])[], indent = ''): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell))
  return rows
    .map((row) => `${indent}${row.map((cell, i) => cell + ' '.repeat(widths[i]! - width(cell))).join('  ')}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('')
}

function width(text: string): number {
  return [...text].length
}

/** A text for one line of a terminal: no control characters, at most `limit` code units. */
export function oneLine(text: string, limit = 120): string {
  const plain = text.slice(0, limit + 1).replace(/[\p{Cc}\u2028\u2029]/gu, ' ')
  return plain.length > limit ? `${plain.slice(0, limit)}…` : plain
}
