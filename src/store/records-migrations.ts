/**
 * Migrations: which of a plugin's have run in this database, and what a statement of one may be.
 *
 * The same steps for both databases; the driver lends a transaction in which nobody else migrates. A migration that has run and was
 * changed afterwards is a mistake that nothing here can repair, so it is said.
 */

import { createHash } from 'node:crypto'
import type { Migration } from '../plugin/host.ts'
import { codeOf } from './records-text.ts'

/** What the steps need, inside a transaction that excludes all other migrations. */
export interface MigrationSession {
  run(text: string, values?: readonly (string | number)[]): Promise<readonly Readonly<Record<string, unknown>>[]>
  /** A placeholder of this database: `?1` or `$1`. */
  placeholder(n: number): string
  /** The portable statement in this database's words. */
  translate(statement: string): string
}

const ledger = `CREATE TABLE IF NOT EXISTS headgate_migrations (
  plugin TEXT NOT NULL, id TEXT NOT NULL, statements TEXT NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (plugin, id))`

/** @throws Error that names the migration when it is wrong, was changed, or fails. */
export async function runMigrations(
  session: MigrationSession,
  plugin: string,
  migrations: readonly Migration[],
  now: number,
): Promise<void> {
  checkMigrations(plugin, migrations)
  await session.run(session.translate(ledger))
  const { placeholder } = session
  const done = await session.run(`SELECT id, statements FROM headgate_migrations WHERE plugin = ${placeholder(1)}`, [plugin])
  const seen = new Map(done.map((row) => [row.id as string, row.statements as string]))
  for (const { id, statements } of migrations) {
    const print = fingerprint(statements)
    const before = seen.get(id)
    if (before === print) continue
    if (before !== undefined) {
      throw new Error(
        `migration ${JSON.stringify(id)} of ${plugin} has run in this database with other statements: leave it as it was and add a new one`,
      )
    }
    for (const statement of statements) {
      try {
        await session.run(session.translate(statement))
      } catch (error) {
        if (error instanceof Error) error.message = `migration ${JSON.stringify(id)} of ${plugin}: ${error.message}`
        throw error
      }
    }
    const row = [1, 2, 3, 4].map(placeholder).join(', ')
    await session.run(`INSERT INTO headgate_migrations (plugin, id, statements, applied_at) VALUES (${row})`, [plugin, id, print, now])
  }
}

/** Layout may change, words may not. */
function fingerprint(statements: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify(statements.map((s) => s.replace(/\s+/g, ' ').trim())))
    .digest('hex')
}

/** Words that only one of the databases knows, or that mean different things, and what to write. */
const foreign: readonly (readonly [RegExp, string])[] = [
  [/\b(autoincrement|auto_increment|(big|small)?serial|generated\s+\w+(\s+\w+)?\s+as\s+identity)\b/i, 'make ids in the plugin, as TEXT'],
  [/\w\s+((?:timestamp(?:tz)?|datetime|date|time)\s*(?:,|\)|not\b|null\b|default\b|primary\b|with\b|$))/i, 'store milliseconds as BIGINT'],
  [/\w\s+(jsonb?)\s*(?:,|\)|not\b|null\b|default\b|$)/i, 'store JSON as TEXT'],
  [/\b(varchar|char|character|nvarchar)\s*(\(|varying)/i, 'use TEXT'],
  [/\w\s+(numeric|decimal)\b/i, 'count in units of BIGINT'],
  [/\w\s+(real|float\d*)\b/i, 'use DOUBLE PRECISION'],
  [/\b(bytea)\b/i, 'use BLOB'],
  [/\b(strict|without\s+rowid)\s*$/i, 'leave it out'],
  [/\bconcurrently\b/i, 'leave it out'],
]

/** @throws TypeError for what is not portable or could not be kept apart. */
export function checkMigrations(plugin: string, migrations: readonly Migration[]): void {
  const ids = new Set<string>()
  for (const { id, statements } of migrations) {
    const where = `migration ${JSON.stringify(id)} of ${plugin}`
    if (typeof id !== 'string' || id === '') throw new TypeError(`a migration of ${plugin} has no id`)
    if (ids.has(id)) throw new TypeError(`${where} stands there twice`)
    ids.add(id)
    for (const statement of statements) {
      const code = codeOf(statement)
      if (/;\s*\S/.test(code)) throw new TypeError(`${where}: one statement per text`)
      if (!/^\s*(create|alter)\s+table\b/i.test(code)) continue
      for (const [word, fix] of foreign) {
        const found = word.exec(code)
        if (found) throw new TypeError(`${where}: ${(found[1] ?? found[0]).toUpperCase()} does not work on both databases; ${fix}`)
      }
    }
  }
}
