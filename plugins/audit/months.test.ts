/** Chains by month: each goes on from the one before, so that a month may leave at once and nothing else can be cut off unseen. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PluginKit, testPlugin } from 'headgate/testkit'
import { hashOf, newInstanceId } from './chain.ts'
import audit from './index.ts'
import { boundOf, boundsFrom, monthStart } from './months.ts'
import type { ExchangeRow } from './row.ts'
import { usageBy } from './usage.ts'
import { type ChainReport, verifyChains } from './verify.ts'

let folder: string
let kit: PluginKit
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-audit-'))
})
afterEach(async () => {
  await kit?.close()
  rmSync(folder, { recursive: true, force: true })
})

const rows = async (count: number): Promise<ExchangeRow[]> => {
  for (let tries = 0; tries < 500; tries++) {
    const found = await kit.stores.records.sql<ExchangeRow>`SELECT * FROM audit_exchange ORDER BY id`
    if (found.length >= count) return found
    await Bun.sleep(5)
  }
  throw new Error(`there are not ${count} rows`)
}
const verified = async (): Promise<ChainReport[]> => {
  const reports: ChainReport[] = []
  for await (const report of verifyChains(kit.stores.records.sql, undefined)) reports.push(report)
  return reports
}
const problems = async () => (await verified()).flatMap((r) => r.problems.map((p) => `${p.kind} ${p.message}`))

/** Two exchanges of one month, three of the next, one process. */
const overTwoMonths = async (more: object = {}) => {
  kit = await testPlugin(audit, {
    folder,
    startsAt: Date.UTC(2026, 9, 31, 23, 59),
    with: { sink: 'records', in_flight: './data/under', ...more },
  })
  for (let i = 0; i < 2; i++) await kit.chat()
  await rows(2)
  await kit.clock.advance(monthStart(kit.clock.now, 1) - kit.clock.now)
  for (let i = 0; i < 3; i++) await kit.chat()
  const all = await rows(5)
  await kit.clock.advance(10_000)
  return all
}

test('the end of a month that was written anew, with its head, is not what the next month goes on from', async () => {
  const all = await overTwoMonths()
  const { sql } = kit.stores.records
  const last = { ...all[1]!, cost: 1n }
  const hash = hashOf(last, all[0]!.hash, undefined)
  await sql`UPDATE audit_exchange SET cost = ${1n}, hash = ${hash} WHERE id = ${last.id}`
  await sql`UPDATE audit_head SET hash = ${hash} WHERE id = ${last.instance}`
  expect(await problems()).toEqual([`cut this chain goes on from row 2 of ${last.instance}, which is not as it was`])
})

test('a process begins a new chain with each month, which goes on from the one before', async () => {
  const all = await overTwoMonths()
  const [first, second] = [all[0]!.instance, all[4]!.instance]
  expect(all.map((r) => [r.instance, r.seq])).toEqual([
    [first, 1n],
    [first, 2n],
    [second, 1n],
    [second, 2n],
    [second, 3n],
  ])
  expect(first < boundOf(monthStart(Number(all[4]!.at)))).toBe(true)
  expect(second >= boundOf(monthStart(Number(all[4]!.at)))).toBe(true)
  expect(await verified()).toMatchObject([
    { instance: first, rows: 2, closed: true, problems: [] },
    { instance: second, rows: 3, closed: false, problems: [] },
  ])
  expect((await usageBy(kit.stores.records.sql, ['month'], {})).map((l) => l.sums.requests)).toEqual([2n, 3n])
})

test('a chain that is cut off, altered or taken away is found by the one that goes on from it', async () => {
  const all = await overTwoMonths()
  const { sql } = kit.stores.records
  const first = all[0]!.instance
  await sql`DELETE FROM audit_exchange WHERE id = ${all[1]!.id}`
  expect(await problems()).toContainEqual(expect.stringContaining(`goes on from row 2 of ${first}, which is not there`))
  await sql`DELETE FROM audit_exchange WHERE instance = ${first}`
  await sql`DELETE FROM audit_head WHERE id = ${first}`
  await sql`DELETE FROM audit_instance WHERE id = ${first}`
  expect(await problems()).toEqual([expect.stringContaining('which is not there')])
  await sql`UPDATE audit_instance SET goes_on = ${null}`
  expect((await problems()).length).toBeGreaterThan(0)
})

test('a month that is too old leaves, and what goes on from it still verifies', async () => {
  const all = await overTwoMonths({ keep: '1h' })
  const { sql } = kit.stores.records
  await kit.clock.advance(3_600_000)
  for (let tries = 0; tries < 200 && (await sql`SELECT id FROM audit_exchange`).length > 3; tries++) await Bun.sleep(5)
  expect(await rows(3)).toHaveLength(3)
  expect(await verified()).toMatchObject([
    { instance: all[0]!.instance, rows: 0, first: 3, last: 2, problems: [] },
    { rows: 3, problems: [] },
  ])
  // sums by day stay
  expect((await usageBy(sql, [], {}))[0]!.sums.requests).toBe(5n)
})

test('ids lie in the order of months, also at their borders', () => {
  const border = Date.UTC(2026, 11, 1)
  expect(newInstanceId(border - 1) < boundOf(border)).toBe(true)
  expect(newInstanceId(border) > boundOf(border)).toBe(true)
  expect(boundsFrom(border - 1).slice(1)).toEqual(boundsFrom(border).slice(0, 3))
  expect(boundsFrom(border)).toEqual([...boundsFrom(border)].sort())
})
