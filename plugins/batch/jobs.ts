/**
 * Batches in the records: made, found, listed, cancelled, and the steps of their life. Each step says the state that it starts from, so that two processes
 * that take it at the same time take it once.
 */

import type { Records, SqlQuery } from 'headgate/plugin'
import { newId } from './ids.ts'
import type { Problem } from './intake.ts'
import type { Owner } from './owner.ts'
import type { JobRow, JobStatus, Shape } from './tables.ts'

export interface NewJob {
  readonly shape: Shape
  /** JSON. */
  readonly principal: string
  readonly headers: string
  readonly metadata: string | null
  /** What the client calls the operation. */
  readonly endpoint: string
  readonly inputFile: string
  /** Requests, where they were counted. */
  readonly total: number
  readonly now: number
  readonly expiresAt: number
}

const finals: Partial<Record<JobStatus, JobStatus>> = { in_progress: 'completed', cancelling: 'cancelled', expiring: 'expired' }

export function jobStore(records: Records) {
  const { sql } = records
  return {
    async create(owner: Owner, job: NewJob): Promise<JobRow> {
      const id = newId(job.shape === 'anthropic' ? 'msgbatch_' : 'batch_')
      const zero = 0n
      const [row] =
        await sql<JobRow>`INSERT INTO batch_job (id, caller, shared, shape, principal, headers, endpoint, status, metadata, input_file,
          created_at, expires_at, total, succeeded, errored, canceled, expired, input_bytes, output_bytes, error_bytes)
        VALUES (${id}, ${owner.caller}, ${owner.shared}, ${job.shape}, ${job.principal}, ${job.headers}, ${job.endpoint}, ${'validating'}, ${job.metadata},
          ${job.inputFile}, ${BigInt(job.now)}, ${BigInt(job.expiresAt)}, ${job.total}, ${zero}, ${zero}, ${zero}, ${zero}, ${zero}, ${zero}, ${zero})
        RETURNING *`
      return row!
    },
    async find({ caller, sees }: Owner, shape: Shape, id: string): Promise<JobRow | undefined> {
      const [row] =
        await sql<JobRow>`SELECT * FROM batch_job WHERE id = ${id} AND shape = ${shape} AND (caller = ${caller} OR shared = ${sees})`
      return row
    },
    /** The newest first. `before`: those newer than that one, the oldest of them last. */
    async list(
      { caller, sees }: Owner,
      shape: Shape,
      { limit, after, before }: { readonly limit: number; readonly after?: string | undefined; readonly before?: string | undefined },
    ): Promise<JobRow[]> {
      const placeOf = async (id: string) => {
        const [row] = await sql<{ created_at: bigint }>`SELECT created_at FROM batch_job WHERE id = ${id}`
        return row?.created_at
      }
      if (before !== undefined) {
        const at = (await placeOf(before)) ?? -1n
        const rows = await sql<JobRow>`SELECT * FROM batch_job WHERE shape = ${shape} AND (caller = ${caller} OR shared = ${sees})
          AND (created_at > ${at} OR (created_at = ${at} AND id > ${before})) ORDER BY created_at, id LIMIT ${limit}`
        return rows.reverse()
      }
      const at = (after === undefined ? undefined : await placeOf(after)) ?? 9_000_000_000_000_000n
      return await sql<JobRow>`SELECT * FROM batch_job WHERE shape = ${shape} AND (caller = ${caller} OR shared = ${sees})
        AND (created_at < ${at} OR (created_at = ${at} AND id < ${after ?? ''})) ORDER BY created_at DESC, id DESC LIMIT ${limit}`
    },
    /** How many of an owner are not over. */
    async open({ caller, sees }: Owner): Promise<bigint> {
      const [row] = await sql<{
        n: bigint
      }>`SELECT count(*) AS n FROM batch_job WHERE (caller = ${caller} OR shared = ${sees}) AND ended_at IS NULL`
      return row!.n
    },
    /** Whether a batch is still to be made of a file. */
    async uses(file: string): Promise<boolean> {
      const rows = await sql`SELECT id FROM batch_job WHERE status = 'validating' AND input_file = ${file} LIMIT 1`
      return rows.length > 0
    },
    /** Those that there is something to do for: the oldest of each caller, then the second of each …, so that nobody's many keep another's one waiting. */
    working: () =>
      sql<JobRow>`SELECT * FROM (SELECT batch_job.*, row_number() OVER (PARTITION BY caller ORDER BY created_at, id) AS turn FROM batch_job
        WHERE status IN ('validating', 'in_progress', 'cancelling', 'expiring')) AS ranked ORDER BY turn, created_at, id LIMIT 300`,
    /** Begins to cancel, or to let expire. Undefined when it was over, or on its way there. */
    async stop(id: string, status: 'cancelling' | 'expiring', now: number): Promise<JobRow | undefined> {
      const [row] = await sql<JobRow>`UPDATE batch_job SET status = ${status}, closing_at = ${BigInt(now)}, lease_by = ${null},
        total = CASE WHEN status = 'validating' AND total = 0 THEN (SELECT count(*) FROM batch_item WHERE batch = ${id}) ELSE total END
        WHERE id = ${id} AND status IN ('validating', 'in_progress') RETURNING *`
      return row
    },
    /** Takes one that is to be validated, for this process alone, or keeps it. */
    async lease(query: SqlQuery, id: string, by: string, now: number, until: number): Promise<boolean> {
      const rows = await query`UPDATE batch_job SET lease_by = ${by}, lease_until = ${BigInt(until)}
        WHERE id = ${id} AND status = 'validating' AND (lease_by IS NULL OR lease_by = ${by} OR lease_until < ${BigInt(now)}) RETURNING id`
      return rows.length > 0
    },
    /** Its requests are all there and in order. */
    async begin(id: string, by: string, total: number, bytes: number, now: number): Promise<boolean> {
      const rows =
        await sql`UPDATE batch_job SET status = 'in_progress', total = ${total}, input_bytes = ${BigInt(bytes)}, started_at = ${BigInt(now)},
        lease_by = ${null} WHERE id = ${id} AND status = 'validating' AND lease_by = ${by} RETURNING id`
      return rows.length > 0
    },
    async fail(id: string, problems: readonly Problem[], now: number): Promise<void> {
      await sql`UPDATE batch_job SET status = 'failed', problems = ${JSON.stringify(problems)}, total = ${0n}, ended_at = ${BigInt(now)}, lease_by = ${null}
        WHERE id = ${id} AND status = 'validating'`
    },
    /** Ends it when nothing is left to be done; its result files are there from then on. True when it was this call. */
    finish: (job: JobRow, now: number, expiresAt: number): Promise<boolean> =>
      records.transaction(
        async (query) => {
          const { id, status } = job
          const final = finals[status]
          if (final === undefined) return false
          const [row] = await query<JobRow>`UPDATE batch_job SET status = ${final}, ended_at = ${BigInt(now)}, input_bytes = ${0n}
            WHERE id = ${id} AND status = ${status} AND succeeded + errored + canceled + expired >= total RETURNING *`
          if (!row) return false
          if (row.shape !== 'openai') return true
          const output = row.output_bytes > 0n ? newId('file-') : null
          const error = row.error_bytes > 0n ? newId('file-') : null
          for (const [file, purpose, bytes] of [
            [output, 'batch_output', row.output_bytes],
            [error, 'batch_error', row.error_bytes],
          ] as const) {
            if (file === null) continue
            const name = `${id}_${purpose === 'batch_output' ? 'output' : 'error'}.jsonl`
            await query`INSERT INTO batch_file (id, caller, shared, purpose, filename, bytes, created_at, expires_at, batch)
              VALUES (${file}, ${row.caller}, ${row.shared}, ${purpose}, ${name}, ${bytes}, ${BigInt(now)}, ${BigInt(expiresAt)}, ${id})`
          }
          await query`UPDATE batch_job SET output_file = ${output}, error_file = ${error} WHERE id = ${id}`
          return true
        },
        { isolation: 'rows' },
      ),
    /** A file of its results is gone. */
    async forget(id: string, output: boolean): Promise<void> {
      if (output) await sql`UPDATE batch_job SET output_bytes = ${0n} WHERE id = ${id}`
      else await sql`UPDATE batch_job SET error_bytes = ${0n} WHERE id = ${id}`
    },
    /** One whose time is over, if any. */
    async old(before: number): Promise<string | undefined> {
      const [row] = await sql<{ id: string }>`SELECT id FROM batch_job WHERE ended_at < ${BigInt(before)} ORDER BY ended_at LIMIT 1`
      return row?.id
    },
    /** Without its items. */
    async remove(id: string): Promise<void> {
      await sql`DELETE FROM batch_file WHERE batch = ${id}`
      await sql`DELETE FROM batch_job WHERE id = ${id}`
    },
  }
}

export type JobStore = ReturnType<typeof jobStore>
