/** Lists in the forms that people and programs read: a table, JSON, CSV. */

import { UsageError } from './args.ts'
import { columns, oneLine } from './terminal.ts'

export const forms = ['table', 'json', 'csv'] as const
export type Form = (typeof forms)[number]

/** The form that `-o` names. @throws UsageError */
export function formOf(text: string | undefined, fallback: Form): Form {
  if (text === undefined) return fallback
  const form = forms.find((name) => name === text)
  if (!form) throw new UsageError(`-o ${JSON.stringify(text)} is no form; there are ${forms.join(', ')}`)
  return form
}

/** One line of CSV (RFC 4180). A text that a spreadsheet would run as a formula gets an apostrophe before it. */
export function csvLine(values: readonly unknown[]): string {
  const cell = (value: unknown): string => {
    if (value === undefined || value === null) return ''
    const plain = typeof value === 'object' ? JSON.stringify(value) : String(value)
    const text = typeof value === 'string' && /^[=+@\t\r]|^-[^0-9.]/.test(plain) ? `'${plain}` : plain
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  return `${values.map(cell).join(',')}\r\n`
}

/** A table whose columns without content are left out. Numbers stand at the right. */
export function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const used = head.map((_, i) => rows.some((row) => row[i] !== undefined && row[i] !== null && row[i] !== ''))
  const keep = <T>(row: readonly T[]) => row.filter((_, i) => used[i])
  const texts = rows.map((row) => row.map((value) => (value === undefined || value === null ? '' : oneLine(String(value), 60))))
  const right = head.map((_, i) => rows.every((row) => row[i] === undefined || /^-?[0-9.]*$|^unknown$/.test(String(row[i] ?? ''))))
  const widths = head.map((name, i) => Math.max(name.length, ...texts.map((row) => row[i]!.length)))
  const all = [head, ...texts].map((row) => row.map((text, i) => (right[i] ? text.padStart(widths[i]!) : text)))
  return columns(all.map(keep))
}
