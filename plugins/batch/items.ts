/**
 * Requests of batches in the records. An item is run by who holds its lease, and is done once: what settles it says which try of whom it was, so that a
 * process that was taken for dead changes nothing any more.
 *
 *     waiting ──claim──▶ running ──settle──▶ done
 *        ▲                  │ release (limited, failed), or the lease ran out
 *        └──────────────────┘
 */

import type { Records, SqlQuery } from 'headgate/plugin'
import type { Wanted } from './intake.ts'
import { isOutput, openaiLine } from './result-line.ts'
import type { ItemOutcome, ItemRow, JobRow } from './tables.ts'

export interface Settlement {
  readonly outcome: ItemOutcome
  readonly status: number | undefined
  readonly requestId: string | undefined
  /** JSON; absent when nothing was replied. */
  readonly reply: string | undefined
}

export function itemStore(records: Records, by: string) {
  const { sql } = records
  const rows = { isolation: 'rows' } as const
  return {
    /** Adds requests, whose places begin at `from`; those that are there stay as they are. */
    async add(query: SqlQuery, batch: string, from: number, wanted: readonly Wanted[]): Promise<void> {
      for (const [i, { custom_id, path, body }] of wanted.entries()) {
        const id = `${batch}/${from + i}`
        await query`INSERT INTO batch_item (id, batch, seq, custom_id, path, body, state, tries, not_before, lease_until)
          VALUES (${id}, ${batch}, ${from + i}, ${custom_id}, ${path}, ${body}, ${'waiting'}, ${0n}, ${0n}, ${0n}) ON CONFLICT (id) DO NOTHING`
      }
    },
    /** Takes up to `limit` items of a batch, in order. */
    claim: (batch: string, limit: number, now: number, until: number): Promise<ItemRow[]> =>
      sql<ItemRow>`UPDATE batch_item SET state = 'running', lease_by = ${by}, lease_until = ${BigInt(until)}, tries = tries + 1
        WHERE id IN (SELECT id FROM batch_item WHERE state = 'waiting' AND batch = ${batch} AND not_before <= ${BigInt(now)} ORDER BY seq LIMIT ${limit})
        AND state = 'waiting' AND EXISTS (SELECT id FROM batch_job WHERE batch_job.id = ${batch} AND status = 'in_progress') RETURNING *`,
    /** Keeps what this process runs. */
    async renew(until: number): Promise<void> {
      await sql`UPDATE batch_item SET lease_until = ${BigInt(until)} WHERE state = 'running' AND lease_by = ${by}`
    },
    /** Takes back what nobody keeps any more; how many. */
    async reclaim(now: number): Promise<number> {
      const back =
        await sql`UPDATE batch_item SET state = 'waiting', lease_by = ${null} WHERE state = 'running' AND lease_until < ${BigInt(now)} RETURNING id`
      return back.length
    },
    /** Puts one back, to be run at `notBefore`. Its try is not counted when nothing was tried. */
    async release({ id, tries }: ItemRow, notBefore: number, counts: boolean): Promise<void> {
      await sql`UPDATE batch_item SET state = 'waiting', lease_by = ${null}, not_before = ${BigInt(notBefore)}, tries = ${counts ? tries : tries - 1n}
        WHERE id = ${id} AND state = 'running' AND lease_by = ${by} AND tries = ${tries}`
    },
    /** Writes a result down, and forgets the request; the batch as it is then. Undefined when the item was no longer this process's. */
    settle: (
      { id, tries, batch, custom_id }: ItemRow,
      { outcome, status, requestId, reply }: Settlement,
      now: number,
    ): Promise<JobRow | undefined> =>
      records.transaction(async (query) => {
        const [done] =
          await query`UPDATE batch_item SET state = 'done', body = '', outcome = ${outcome}, status = ${status ?? null}, request_id = ${requestId ?? null},
          reply = ${reply ?? null}, done_at = ${BigInt(now)}, lease_by = ${null}
          WHERE id = ${id} AND state = 'running' AND lease_by = ${by} AND tries = ${tries} RETURNING id`
        if (!done) return undefined
        const line = {
          id,
          custom_id,
          outcome,
          status: status === undefined ? null : BigInt(status),
          request_id: requestId ?? null,
          reply: reply ?? null,
        }
        const bytes = BigInt(Buffer.byteLength(openaiLine(line)))
        const good = isOutput(outcome)
        const [job] =
          await query<JobRow>`UPDATE batch_job SET succeeded = succeeded + ${good ? 1n : 0n}, errored = errored + ${good ? 0n : 1n},
          output_bytes = output_bytes + ${good ? bytes : 0n}, error_bytes = error_bytes + ${good ? 0n : bytes} WHERE id = ${batch} RETURNING *`
        return job
      }, rows),
    /** Ends some of those that were not begun; how many. */
    close: (batch: string, outcome: 'canceled' | 'expired', now: number): Promise<number> =>
      records.transaction(async (query) => {
        const closed = await query<ItemRow>`UPDATE batch_item SET state = 'done', body = '', outcome = ${outcome}, done_at = ${BigInt(now)}
          WHERE id IN (SELECT id FROM batch_item WHERE state = 'waiting' AND batch = ${batch} ORDER BY seq LIMIT 500) AND state = 'waiting' RETURNING *`
        if (closed.length === 0) return 0
        const bytes = BigInt(closed.reduce((sum, item) => sum + Buffer.byteLength(openaiLine(item)), 0))
        const n = BigInt(closed.length)
        await query`UPDATE batch_job SET canceled = canceled + ${outcome === 'canceled' ? n : 0n}, expired = expired + ${outcome === 'expired' ? n : 0n},
          error_bytes = error_bytes + ${bytes} WHERE id = ${batch}`
        return closed.length
      }, rows),
    /** Those that are done, in their order, from behind the place `after`; without their requests. */
    done: (batch: string, after: number, limit: number) =>
      sql<Omit<ItemRow, 'body' | 'path'>>`SELECT id, batch, seq, custom_id, state, outcome, status, request_id, reply, tries FROM batch_item
        WHERE batch = ${batch} AND seq > ${after} AND state = 'done' ORDER BY seq LIMIT ${limit}`,
    /** Forgets some of the replies, of those that stand in the output or of the others; how many. */
    async forget(batch: string, output: boolean): Promise<number> {
      const gone = output
        ? await sql`UPDATE batch_item SET reply = ${null} WHERE id IN (SELECT id FROM batch_item WHERE batch = ${batch} AND reply IS NOT NULL
            AND outcome = 'succeeded' LIMIT 500) RETURNING seq`
        : await sql`UPDATE batch_item SET reply = ${null} WHERE id IN (SELECT id FROM batch_item WHERE batch = ${batch} AND reply IS NOT NULL
            AND outcome <> 'succeeded' LIMIT 500) RETURNING seq`
      return gone.length
    },
    /** Removes some of a batch; how many. */
    async remove(batch: string): Promise<number> {
      const gone = await sql`DELETE FROM batch_item WHERE id IN (SELECT id FROM batch_item WHERE batch = ${batch} LIMIT 500) RETURNING id`
      return gone.length
    },
  }
}

export type ItemStore = ReturnType<typeof itemStore>
