/**
 * Audit records, made by the database, on SQLite and on PostgreSQL: what operators ask of them is answered in time. The million of the promise and the
 * ten million of `bun run bench:audit` take too long for each run.
 *
 * HEADGATE_AUDIT_ROWS sets how many (100,000 by default). No table is analyzed: answers must be quick before PostgreSQL has statistics, too.
 */

import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answerHead, answerLine, answers } from '../support/audit-questions.ts'
import { fillAudit, openFilled } from '../support/audit-rows.ts'
import { postgresMissing, startPostgres } from '../support/postgres-server.ts'

const rows = Number(process.env.HEADGATE_AUDIT_ROWS ?? 100_000)
setDefaultTimeout(120_000 + rows / 4)
/** Milliseconds, p95: what is promised for ten million on a machine that does nothing else, twice over. */
const limit = 600

const folder = mkdtempSync(join(tmpdir(), 'headgate-questions-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function asked(where: string, kind: string): Promise<void> {
  const now = Date.UTC(2026, 10, 21, 12)
  const driver = await openFilled(where, now)
  try {
    const filled = await fillAudit(driver, rows, now)
    const all = await answers(driver.sql, filled, rows < 500_000 ? 4 : 10)
    console.log([answerHead(`${kind}, ${filled.rows} records, milliseconds`), ...all.map(answerLine)].join('\n'))
    expect(all.filter((a) => a.p95 > limit).map(answerLine)).toEqual([])
    // what is rare is there, and found
    const lines = Object.fromEntries(all.map((a) => [a.name, a.lines]))
    expect(lines['50 of a tier, one in 200,000']).toBe(Math.min(50, Math.floor((filled.rows - 8) / 200_003) + 1))
    expect(lines['50 above 1 USD, one in 250,000']).toBe(Math.min(50, Math.floor((filled.rows - 4) / 250_007) + 1))
    if (rows >= 500_000) expect(lines['50 of a key']).toBe(50)
    expect(lines['spend per day of a month']).toBe(31)
    expect(lines['a month by key']).toBe(1000)
  } finally {
    await driver.close()
  }
}

test('SQLite', async () => await asked(`sqlite:${join(folder, 'audit.db')}`, 'SQLite'))

describe.skipIf(postgresMissing !== undefined)(postgresMissing ?? 'a real PostgreSQL', () => {
  test('PostgreSQL', async () => {
    const server = await startPostgres()
    try {
      await asked(server.url, 'PostgreSQL')
    } finally {
      await server.stop()
    }
  })
})
