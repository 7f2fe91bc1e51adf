/** Which way SQLite goes to the rows: what is asked again and again may not walk through all that a busy day has. */

import { expect, test } from 'bun:test'
import type { SqlQuery, SqlValue } from 'headgate/plugin'
import { armsOf } from './arms.ts'
import { enterDay } from './daily.ts'
import { eachInItsFolder, kit, rows, start } from './records.fixture.ts'
import { template } from './statement.ts'
import { usageBy } from './usage.ts'
import { enterZones } from './zones.ts'

eachInItsFolder()

/** Runs statements, and notes by which index each reads the exchanges. */
function watched(sql: SqlQuery): { readonly sql: SqlQuery; readonly ways: string[] } {
  const ways: string[] = []
  const run = async (texts: TemplateStringsArray, ...values: SqlValue[]) => {
    const plan = await sql<{ detail: string }>(template([`EXPLAIN QUERY PLAN ${texts[0]}`, ...texts.slice(1)]), ...values)
    for (const { detail } of plan) {
      const way = /^(?:SEARCH|SCAN) audit_exchange(?: USING (?:COVERING )?INDEX (\w+))?/.exec(detail)
      if (way) ways.push(way[1] ?? 'all of them')
    }
    return await sql(texts, ...values)
  }
  return { sql: run as SqlQuery, ways }
}

const byId = 'sqlite_autoindex_audit_exchange_1'

test('sums and zones of a few rows are made of those rows', async () => {
  await start()
  await kit.chat()
  const [row] = await rows(1)
  const { sql, ways } = watched(kit.stores.records.sql)
  await enterDay(sql, Math.floor(Number(row!.at) / 86_400_000), `${row!.instance}.`, row!.id)
  await enterZones(sql, `${row!.instance}.`, row!.id)
  expect(ways).toEqual(Array.from({ length: 11 }, () => byId))
})

test.each([
  ['a month', { from: Date.UTC(2020, 0), to: Date.UTC(2040, 0) }],
  ['a key', { caller: 'key_example', from: Date.UTC(2020, 0) }],
  ['a model', { model: 'test-model' }],
  ['an account', { account: 'acct_example', tier: 'paid' }],
])('the usage of %s looks at the rows that are in no sum yet', async (_, filter) => {
  await start()
  await kit.chat()
  await rows(1)
  const { sql, ways } = watched(kit.stores.records.sql)
  expect((await usageBy(sql, [], filter))[0]!.sums.requests).toBe(1n)
  expect(ways).toEqual([byId])
})

test('so does the comparison of what was trimmed with what was not', async () => {
  await start()
  await kit.chat()
  await rows(1)
  const { sql, ways } = watched(kit.stores.records.sql)
  await armsOf(sql, { from: Date.UTC(2020, 0) })
  expect(ways).toEqual([byId])
})
