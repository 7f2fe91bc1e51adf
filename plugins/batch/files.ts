/**
 * Files in the records: written in pieces, so that none of them keeps the database busy, and read in pieces.
 *
 * A file that is being written is nobody's until its last piece is in; what a crash leaves is swept away within hours. Results have no pieces: see `results.ts`.
 */

import type { Records } from 'headgate/plugin'
import { newId } from './ids.ts'
import type { Owner } from './owner.ts'
import type { FileRow } from './tables.ts'

const pieceSize = 256 * 1024
/** Milliseconds that writing one may take. */
const writingTime = 3_600_000

export interface NewFile {
  readonly purpose: 'batch' | 'submission'
  readonly filename: string
  readonly now: number
  readonly expiresAt: number
}

export interface Page {
  readonly limit: number
  /** Id of the one before the first. */
  readonly after?: string | undefined
  readonly ascending?: boolean | undefined
  readonly purpose?: string | undefined
}

export function fileStore(records: Records) {
  const { sql } = records
  const remove = async (id: string): Promise<void> => {
    for (;;) {
      const rows = await sql`DELETE FROM batch_chunk WHERE id IN (SELECT id FROM batch_chunk WHERE file = ${id} LIMIT 40) RETURNING seq`
      if (rows.length === 0) break
    }
    await sql`DELETE FROM batch_file WHERE id = ${id}`
  }
  return {
    /** Writes a file; durable when it resolves. */
    async write(owner: Owner, file: NewFile, bytes: Uint8Array): Promise<FileRow> {
      const id = newId('file-')
      const made = BigInt(file.now)
      await sql`INSERT INTO batch_file (id, caller, shared, purpose, filename, bytes, created_at, expires_at, batch)
        VALUES (${id}, ${owner.caller}, ${owner.shared}, ${'writing'}, ${file.filename}, ${BigInt(bytes.length)}, ${made},
          ${BigInt(file.now + writingTime)}, ${null})`
      for (let seq = 0, at = 0; at < bytes.length; seq++, at += pieceSize) {
        const key = `${id}/${String(seq).padStart(8, '0')}`
        await sql`INSERT INTO batch_chunk (id, file, seq, bytes) VALUES (${key}, ${id}, ${seq}, ${bytes.subarray(at, at + pieceSize)})`
      }
      const [row] =
        await sql<FileRow>`UPDATE batch_file SET purpose = ${file.purpose}, expires_at = ${BigInt(file.expiresAt)} WHERE id = ${id}
        RETURNING id, purpose, filename, bytes, created_at, expires_at, batch`
      return row!
    },
    /** A file of this owner that clients may know of. */
    async find({ caller, sees }: Owner, id: string): Promise<FileRow | undefined> {
      const [row] = await sql<FileRow>`SELECT id, purpose, filename, bytes, created_at, expires_at, batch FROM batch_file
        WHERE id = ${id} AND (caller = ${caller} OR shared = ${sees}) AND purpose IN ('batch', 'batch_output', 'batch_error')`
      return row
    },
    async list({ caller, sees }: Owner, { limit, after, ascending, purpose }: Page): Promise<FileRow[]> {
      const [from] = after === undefined ? [] : await sql<{ created_at: bigint }>`SELECT created_at FROM batch_file WHERE id = ${after}`
      const all = purpose ?? null
      if (ascending) {
        const at = from?.created_at ?? -1n
        return await sql<FileRow>`SELECT id, purpose, filename, bytes, created_at, expires_at, batch FROM batch_file
          WHERE (caller = ${caller} OR shared = ${sees}) AND purpose IN ('batch', 'batch_output', 'batch_error') AND purpose = COALESCE(${all}, purpose)
          AND (created_at > ${at} OR (created_at = ${at} AND id > ${after ?? ''})) ORDER BY created_at, id LIMIT ${limit}`
      }
      const at = from?.created_at ?? 9_000_000_000_000_000n
      return await sql<FileRow>`SELECT id, purpose, filename, bytes, created_at, expires_at, batch FROM batch_file
        WHERE (caller = ${caller} OR shared = ${sees}) AND purpose IN ('batch', 'batch_output', 'batch_error') AND purpose = COALESCE(${all}, purpose)
        AND (created_at < ${at} OR (created_at = ${at} AND id < ${after ?? ''})) ORDER BY created_at DESC, id DESC LIMIT ${limit}`
    },
    /** The pieces of a file, one at a time. */
    async *pieces(id: string): AsyncGenerator<Uint8Array> {
      for (let seq = 0; ; seq++) {
        const [row] = await sql<{ bytes: Uint8Array }>`SELECT bytes FROM batch_chunk WHERE file = ${id} AND seq = ${seq}`
        if (!row) return
        yield row.bytes
      }
    },
    remove,
    /** Removes files whose time is over, some at a time; how many. */
    async sweep(now: number): Promise<number> {
      const rows = await sql<{ id: string }>`SELECT id FROM batch_file WHERE expires_at < ${BigInt(now)} ORDER BY expires_at LIMIT 50`
      for (const { id } of rows) await remove(id)
      return rows.length
    },
    /** Bytes that are kept for an owner: files, requests and results. */
    async stored({ caller, sees }: Owner): Promise<bigint> {
      const [files] = await sql<{ n: bigint }>`SELECT coalesce(sum(bytes), 0) AS n FROM batch_file
        WHERE (caller = ${caller} OR shared = ${sees}) AND batch IS NULL`
      const [jobs] = await sql<{ n: bigint }>`SELECT coalesce(sum(input_bytes + output_bytes + error_bytes), 0) AS n FROM batch_job
        WHERE caller = ${caller} OR shared = ${sees}`
      return files!.n + jobs!.n
    },
  }
}

export type FileStore = ReturnType<typeof fileStore>
