/**
 * Deleting what is older than the operator keeps, without a stall: where the database has parts, whole months at once; else rows, a few at a time,
 * so that other statements come in between.
 *
 * Rows leave from the beginning of a chain. What the chain went on from (`from_seq`, `from_hash`) is noted in the same transaction, so that the
 * rest can still be verified. Rows that are not in the sums yet stay. Sums by session and zones go with the records; sums by day stay.
 */

import type { Records, SqlQuery } from 'headgate/plugin'
import { dayLength } from './daily.ts'
import { boundOf, monthStart } from './months.ts'
import { endOfInstance, rowId } from './tables.ts'

/** Rows of one transaction, and milliseconds between two. */
const chunk = 200
const pause = 20
/** Rows of one transaction at least, and milliseconds that it is to take. */
const fewest = 10
const moment = 10
/** Rows of sums, which have no indexes. */
const sumsChunk = 1000

export interface Keeping {
  /** Milliseconds for which exchanges and bodies are kept; undefined: for ever. */
  readonly keep: number | undefined
  readonly keepBodies: number | undefined
}

/** Deletes what is too old. Gives how many months left at once, and how many records one by one. */
export async function deleteOld(
  records: Records,
  { keep, keepBodies }: Keeping,
  now: number,
  signal: AbortSignal,
): Promise<{ months: number; records: number }> {
  if (keepBodies !== undefined) {
    const months = await records.dropParts('audit_body', boundOf(monthStart(now - keepBodies)))
    if (months === undefined) await deleteBodies(records, now - keepBodies, signal)
  }
  if (keep === undefined) return { months: 0, records: 0 }
  const month = monthStart(now - keep)
  const months = await dropMonths(records, month)
  const deleted = months === undefined ? await deleteExchanges(records, now - keep, signal) : 0
  const gone = months === undefined ? now - keep : month
  await deleteSessions(records, Math.floor(gone / dayLength), signal)
  await deleteZones(records, gone, signal)
  return { months: months ?? 0, records: deleted }
}

/** Drops the parts of months before one; undefined where there are none. */
async function dropMonths(records: Records, month: number): Promise<number | undefined> {
  const bound = boundOf(month)
  // an earlier version's process may still go on with a chain of then
  const [busy] = await records.sql<{ id: string }>`SELECT audit_instance.id FROM audit_instance
    LEFT JOIN audit_head ON audit_head.id = audit_instance.id WHERE audit_instance.id < ${bound} AND (done IS NULL OR done = ${false})
    ORDER BY audit_instance.id LIMIT 1`
  return await records.dropParts('audit_exchange', busy?.id ?? bound, forget)
}

/** Notes of chains that leave as a whole that nothing of them is left. */
async function forget(sql: SqlQuery, until: string): Promise<void> {
  const heads = await sql<{ id: string; from_seq: bigint }>`SELECT id, from_seq FROM audit_head WHERE id < ${until} ORDER BY id`
  for (const { id, from_seq } of heads) {
    const [last] = await sql<{ seq: bigint; hash: string }>`SELECT seq, hash FROM audit_exchange
      WHERE id > ${rowId(id, from_seq)} AND id < ${endOfInstance(id)} ORDER BY id DESC LIMIT 1`
    if (!last) continue
    await sql`UPDATE audit_head SET seq = ${last.seq}, hash = ${last.hash}, from_seq = ${last.seq}, from_hash = ${last.hash} WHERE id = ${id}`
  }
}

/** Deletes exchanges that ended before `before`. Gives how many. */
export async function deleteExchanges(records: Records, before: number, signal: AbortSignal): Promise<number> {
  const heads = await records.sql<{ id: string }>`SELECT id FROM audit_head ORDER BY id`
  let deleted = 0
  let size = fewest
  for (const { id } of heads) {
    for (;;) {
      const began = performance.now()
      const count = await deleteSome(records, id, before, size)
      deleted += count
      if (signal.aborted) return deleted
      if (count < size) break
      // pages that nobody has looked at for a month come from the disk: as many rows as go in a moment, and twice that long for the others
      const took = performance.now() - began
      size = Math.round(Math.min(chunk, size * 2, Math.max(fewest, (size * moment) / took)))
      await Bun.sleep(Math.max(pause, took * 2))
    }
  }
  return deleted
}

async function deleteSome(records: Records, instance: string, before: number, size: number): Promise<number> {
  return await records.transaction(async (sql) => {
    const [head] = await sql<{ from_seq: bigint; rolled: bigint }>`SELECT from_seq, rolled FROM audit_head WHERE id = ${instance}`
    if (!head) return 0
    const rows = await sql<{ id: string; seq: bigint; hash: string; ended_at: bigint }>`SELECT id, seq, hash, ended_at FROM audit_exchange
      WHERE id > ${rowId(instance, head.from_seq)} AND id < ${endOfInstance(instance)} ORDER BY id LIMIT ${size}`
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
async function deleteBodies(records: Records, before: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const rows = await records.sql<{ id: string }>`DELETE FROM audit_body WHERE id IN
      (SELECT id FROM audit_body WHERE at < ${BigInt(before)} ORDER BY at LIMIT ${chunk}) RETURNING id`
    if (rows.length < chunk) return
    await Bun.sleep(pause)
  }
}

/** Deletes sums by session of days (since 1970) before one. */
async function deleteSessions(records: Records, before: number, signal: AbortSignal): Promise<void> {
  const { sql } = records
  while (!signal.aborted) {
    const [first] = await sql<{ day: bigint; session: string }>`SELECT day, session FROM audit_session ORDER BY day, session LIMIT 1`
    if (!first || first.day >= BigInt(before)) return
    const { day } = first
    const [end] = await sql<{
      session: string
    }>`SELECT session FROM audit_session WHERE day = ${day} ORDER BY session LIMIT 1 OFFSET ${sumsChunk}`
    if (!end) await sql`DELETE FROM audit_session WHERE day = ${day}`
    else if (end.session > first.session) await sql`DELETE FROM audit_session WHERE day = ${day} AND session < ${end.session}`
    else await sql`DELETE FROM audit_session WHERE day = ${day} AND session = ${first.session}`
    await Bun.sleep(pause)
  }
}

/** Deletes zones before a time, one kind after the other; those of all exchanges last, for they say whether there is something to do. */
async function deleteZones({ sql }: Records, before: number, signal: AbortSignal): Promise<void> {
  const [oldest] = await sql<{ zone: bigint }>`SELECT zone FROM audit_zone WHERE facet = ${''} ORDER BY zone LIMIT 1`
  // once an hour is enough
  if (!oldest || Number(oldest.zone) > before - 3_600_000) return
  const end = BigInt(Math.floor(before))
  const deleteFacet = async (facet: string): Promise<void> => {
    while (!signal.aborted) {
      const rows = await sql`DELETE FROM audit_zone WHERE facet = ${facet} AND zone IN
        (SELECT zone FROM audit_zone WHERE facet = ${facet} AND zone < ${end} ORDER BY zone LIMIT ${sumsChunk}) RETURNING zone`
      if (rows.length < sumsChunk) return
      await Bun.sleep(pause)
    }
  }
  for (let after = ''; ; ) {
    const [next] = await sql<{ facet: string }>`SELECT facet FROM audit_zone WHERE facet > ${after} ORDER BY facet LIMIT 1`
    if (!next || signal.aborted) break
    await deleteFacet(next.facet)
    after = next.facet
  }
  await deleteFacet('')
}
