/**
 * Deleting what is older than the operator keeps, a little at a time: other statements come in between, so that a month goes without a stall.
 *
 * Rows leave from the beginning of an instance's chain. What the chain went on from (`from_seq`, `from_hash`) is noted in the same
 * transaction, so that the rest can still be verified. Rows that are not in the daily sums yet stay.
 */

import type { Records } from 'headgate/plugin'
import { endOfInstance, rowId } from './tables.ts'

/** Rows of one transaction, and milliseconds between two. */
const chunk = 200
const pause = 20

/** Deletes exchanges that ended before `before`. Gives how many. */
export async function deleteExchanges(records: Records, before: number, signal: AbortSignal): Promise<number> {
  const heads = await records.sql<{ id: string }>`SELECT id FROM audit_head ORDER BY id`
  let deleted = 0
  for (const { id } of heads) {
    for (;;) {
      const count = await deleteSome(records, id, before)
      deleted += count
      if (signal.aborted) return deleted
      if (count < chunk) break
      await Bun.sleep(pause)
    }
  }
  return deleted
}

async function deleteSome(records: Records, instance: string, before: number): Promise<number> {
  return await records.transaction(async (sql) => {
    const [head] = await sql<{ from_seq: bigint; rolled: bigint }>`SELECT from_seq, rolled FROM audit_head WHERE id = ${instance}`
    if (!head) return 0
    const rows = await sql<{ id: string; seq: bigint; hash: string; ended_at: bigint }>`SELECT id, seq, hash, ended_at FROM audit_exchange
      WHERE id > ${rowId(instance, head.from_seq)} AND id < ${endOfInstance(instance)} ORDER BY id LIMIT ${chunk}`
    const young = rows.findIndex((row) => row.ended_at >= BigInt(before) || row.seq > head.rolled)
    const old = young < 0 ? rows : rows.slice(0, young)
    const last = old.at(-1)
    if (!last) return 0
    await sql`DELETE FROM audit_exchange WHERE id >= ${old[0]!.id} AND id <= ${last.id}`
    await sql`DELETE FROM audit_body WHERE id >= ${old[0]!.id} AND id <= ${last.id}`
    await sql`UPDATE audit_head SET from_seq = ${last.seq}, from_hash = ${last.hash} WHERE id = ${instance}`
    return old.length
  })
}

/** Deletes bodies that were kept before `before`. */
export async function deleteBodies(records: Records, before: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const rows = await records.sql<{ id: string }>`DELETE FROM audit_body WHERE id IN
      (SELECT id FROM audit_body WHERE at < ${BigInt(before)} ORDER BY at LIMIT ${chunk}) RETURNING id`
    if (rows.length < chunk) return
    await Bun.sleep(pause)
  }
}
