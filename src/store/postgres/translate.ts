/**
 * The few words that PostgreSQL spells differently, in one place.
 *
 * `BLOB` is `BYTEA`. Columns of `TEXT` are ordered and compared by their bytes (`COLLATE "C"`), as in SQLite, whatever the database's
 * language is. Texts in quotes and comments are left alone.
 */

import { codeOf } from '../records-text.ts'

/** A statement of a migration in PostgreSQL's words. */
export function translate(statement: string): string {
  const code = codeOf(statement)
  if (!/^\s*(create|alter)\s+table\b/i.test(code)) return statement
  let out = ''
  let at = 0
  for (const found of code.matchAll(/\bBLOB\b|(?<!\bAS\s+)(?<=[\w"\s]\s)\bTEXT\b(?!\s+COLLATE\b)/gi)) {
    out += statement.slice(at, found.index) + (found[0].toUpperCase() === 'BLOB' ? 'BYTEA' : 'TEXT COLLATE "C"')
    at = found.index + found[0].length
  }
  return out + statement.slice(at)
}
