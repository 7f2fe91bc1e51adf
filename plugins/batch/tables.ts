/**
 * Tables of the batches, and their rows. Times are milliseconds since the epoch.
 *
 * A job is one batch. Its requests are items, in the order of submission; an item is `waiting`, `running` under a lease, or `done` for good. Files are what
 * clients upload, and what they download: the latter have no bytes of their own, they are told from the items.
 */

import type { Migration } from 'headgate/plugin'

export const migrations: readonly Migration[] = [
  {
    id: '1-batches',
    statements: [
      // caller: the key that made it. shared: its account, where that is one that several keys may share
      `CREATE TABLE batch_job (id TEXT PRIMARY KEY, caller TEXT NOT NULL, shared TEXT NOT NULL, shape TEXT NOT NULL, principal TEXT NOT NULL,
        headers TEXT NOT NULL, endpoint TEXT NOT NULL, status TEXT NOT NULL, metadata TEXT, input_file TEXT NOT NULL, output_file TEXT,
        error_file TEXT, created_at BIGINT NOT NULL, started_at BIGINT, closing_at BIGINT, ended_at BIGINT, expires_at BIGINT NOT NULL,
        total BIGINT NOT NULL, succeeded BIGINT NOT NULL, errored BIGINT NOT NULL, canceled BIGINT NOT NULL, expired BIGINT NOT NULL,
        input_bytes BIGINT NOT NULL, output_bytes BIGINT NOT NULL, error_bytes BIGINT NOT NULL, problems TEXT, lease_by TEXT, lease_until BIGINT)`,
      'CREATE INDEX batch_job_caller ON batch_job (caller, created_at, id)',
      'CREATE INDEX batch_job_shared ON batch_job (shared, created_at, id)',
      'CREATE INDEX batch_job_status ON batch_job (status, created_at)',
      'CREATE INDEX batch_job_ended ON batch_job (ended_at)',
      `CREATE TABLE batch_item (id TEXT PRIMARY KEY, batch TEXT NOT NULL, seq BIGINT NOT NULL, custom_id TEXT NOT NULL, path TEXT NOT NULL,
        body TEXT NOT NULL, state TEXT NOT NULL, outcome TEXT, status BIGINT, request_id TEXT, reply TEXT, tries BIGINT NOT NULL,
        not_before BIGINT NOT NULL, lease_by TEXT, lease_until BIGINT NOT NULL, done_at BIGINT)`,
      'CREATE INDEX batch_item_state ON batch_item (state, batch, seq)',
      'CREATE INDEX batch_item_seq ON batch_item (batch, seq)',
      `CREATE TABLE batch_file (id TEXT PRIMARY KEY, caller TEXT NOT NULL, shared TEXT NOT NULL, purpose TEXT NOT NULL, filename TEXT NOT NULL,
        bytes BIGINT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, batch TEXT)`,
      'CREATE INDEX batch_file_caller ON batch_file (caller, created_at, id)',
      'CREATE INDEX batch_file_shared ON batch_file (shared, created_at, id)',
      'CREATE INDEX batch_file_expires ON batch_file (expires_at)',
      'CREATE TABLE batch_chunk (id TEXT PRIMARY KEY, file TEXT NOT NULL, seq BIGINT NOT NULL, bytes BLOB NOT NULL)',
      'CREATE INDEX batch_chunk_file ON batch_chunk (file, seq)',
    ],
  },
]

export type Shape = 'simple' | 'openai' | 'anthropic'

/**
 *     validating ──▶ in_progress ──────────────▶ completed
 *         │               ├──▶ cancelling ─────▶ cancelled
 *         └──▶ failed     └──▶ expiring ───────▶ expired
 */
export type JobStatus = 'validating' | 'failed' | 'in_progress' | 'cancelling' | 'expiring' | 'completed' | 'cancelled' | 'expired'

export interface JobRow {
  readonly id: string
  readonly caller: string
  readonly shared: string
  readonly shape: Shape
  /** JSON of the principal; `null` where nobody said who calls. */
  readonly principal: string
  /** JSON of headers that each request is made with. */
  readonly headers: string
  readonly endpoint: string
  readonly status: JobStatus
  /** JSON. */
  readonly metadata: string | null
  readonly input_file: string
  readonly output_file: string | null
  readonly error_file: string | null
  readonly created_at: bigint
  readonly started_at: bigint | null
  readonly closing_at: bigint | null
  readonly ended_at: bigint | null
  readonly expires_at: bigint
  readonly total: bigint
  readonly succeeded: bigint
  readonly errored: bigint
  readonly canceled: bigint
  readonly expired: bigint
  readonly input_bytes: bigint
  readonly output_bytes: bigint
  readonly error_bytes: bigint
  /** JSON of what is wrong with the input. */
  readonly problems: string | null
}

/** How an item ended. */
export type ItemOutcome = 'succeeded' | 'errored' | 'canceled' | 'expired'

export interface ItemRow {
  readonly id: string
  readonly batch: string
  /** From 0, in the order of submission. */
  readonly seq: bigint
  readonly custom_id: string
  /** Path of the request in this gateway. */
  readonly path: string
  /** JSON of its body. */
  readonly body: string
  readonly state: 'waiting' | 'running' | 'done'
  readonly outcome: ItemOutcome | null
  /** HTTP status of the reply; absent when there was none. */
  readonly status: bigint | null
  readonly request_id: string | null
  /** JSON of the reply's body. */
  readonly reply: string | null
  /** How often it was begun. */
  readonly tries: bigint
}

export interface FileRow {
  readonly id: string
  readonly purpose: 'batch' | 'submission' | 'batch_output' | 'batch_error'
  readonly filename: string
  readonly bytes: bigint
  readonly created_at: bigint
  readonly expires_at: bigint
  /** The batch whose results these are. */
  readonly batch: string | null
}
