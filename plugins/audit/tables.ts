/**
 * The tables of `audit`.
 *
 * `audit_exchange` is append-only: its rows form one hash chain per instance, a process of a gateway. `audit_daily` holds sums over them, and
 * `audit_head.rolled` says up to which row of an instance they are in. Rows leave from the beginning of a chain only (`from_seq`, `from_hash`).
 *
 * An instance begins in a month and ends with it at the latest, and its id begins with its time: so ids lie in the order of months, and where the
 * database can (PostgreSQL) a month is a partition by ranges of `id`, which stays the one primary key. See `months.ts`.
 */

import type { Migration } from 'headgate/plugin'
import { answersAndArms } from './tables-arms.ts'
import { savingsAndSums } from './tables-sums.ts'

export const migrations: readonly Migration[] = [
  {
    id: '1-exchanges',
    statements: [
      `CREATE TABLE audit_instance (id TEXT PRIMARY KEY, plugin TEXT NOT NULL, host TEXT NOT NULL, pid BIGINT NOT NULL, started_at BIGINT NOT NULL)`,
      // what changes of an instance stands apart: its first row may wait in the spool when this is written
      `CREATE TABLE audit_head (id TEXT PRIMARY KEY, seq BIGINT NOT NULL, hash TEXT NOT NULL, beat_at BIGINT NOT NULL, closed_at BIGINT,
        from_seq BIGINT NOT NULL, from_hash TEXT NOT NULL, rolled BIGINT NOT NULL, done BOOLEAN NOT NULL)`,
      `CREATE TABLE audit_exchange (id TEXT PRIMARY KEY, v INTEGER NOT NULL, instance TEXT NOT NULL, seq BIGINT NOT NULL, thread TEXT,
        request_id TEXT NOT NULL, trace_id TEXT, reply_id TEXT, at BIGINT NOT NULL, ended_at BIGINT NOT NULL, caller TEXT, account TEXT, tier TEXT,
        end_user TEXT, session TEXT, turn BIGINT, operation TEXT NOT NULL, dialect TEXT NOT NULL, model_asked TEXT, model_served TEXT, upstream TEXT,
        status BIGINT NOT NULL, ending TEXT NOT NULL, code TEXT, answered_by TEXT, stream BOOLEAN NOT NULL, stream_state TEXT NOT NULL,
        usage_source TEXT NOT NULL, input BIGINT, cache_read BIGINT, cache_write BIGINT, output BIGINT, reasoning BIGINT,
        cost BIGINT, cost_least BIGINT, saved BIGINT, attempts BIGINT NOT NULL, first_ms BIGINT, total_ms BIGINT NOT NULL, detail TEXT NOT NULL,
        hash TEXT NOT NULL)`,
      'CREATE INDEX audit_exchange_at ON audit_exchange (at)',
      'CREATE INDEX audit_exchange_request ON audit_exchange (request_id)',
      'CREATE INDEX audit_exchange_reply ON audit_exchange (reply_id) WHERE reply_id IS NOT NULL',
      'CREATE INDEX audit_exchange_trace ON audit_exchange (trace_id) WHERE trace_id IS NOT NULL',
      'CREATE INDEX audit_exchange_caller ON audit_exchange (caller, at)',
      'CREATE INDEX audit_exchange_model ON audit_exchange (model_asked, at)',
      'CREATE INDEX audit_exchange_session ON audit_exchange (session, at) WHERE session IS NOT NULL',
      "CREATE INDEX audit_exchange_ending ON audit_exchange (ending, at) WHERE ending <> 'finished'",
      // each exchange is in every cut once: see daily.ts
      `CREATE TABLE audit_daily (cut TEXT NOT NULL, day TEXT NOT NULL, account TEXT NOT NULL, caller TEXT NOT NULL, tier TEXT NOT NULL, model TEXT NOT NULL,
        upstream TEXT NOT NULL, thread TEXT NOT NULL, requests BIGINT NOT NULL, refused BIGINT NOT NULL, failed BIGINT NOT NULL, input BIGINT NOT NULL,
        cache_read BIGINT NOT NULL, cache_write BIGINT NOT NULL, output BIGINT NOT NULL, reasoning BIGINT NOT NULL, cost BIGINT NOT NULL,
        cost_least BIGINT NOT NULL, unknown BIGINT NOT NULL, saved BIGINT NOT NULL,
        PRIMARY KEY (cut, day, account, caller, tier, model, upstream, thread))`,
      'CREATE TABLE audit_body (id TEXT PRIMARY KEY, at BIGINT NOT NULL, request TEXT, reply TEXT)',
      'CREATE INDEX audit_body_at ON audit_body (at)',
    ],
  },
  {
    id: '2-outbox',
    // records on their way to a webhook; sink: the plugin instance that brings them
    statements: [
      'CREATE TABLE audit_outbox (id TEXT PRIMARY KEY, sink TEXT NOT NULL, line TEXT NOT NULL)',
      'CREATE INDEX audit_outbox_sink ON audit_outbox (sink, id)',
    ],
  },
  savingsAndSums,
  answersAndArms,
]

/** Ids of rows sort as their numbers do: `<instance>.<seq>`. */
export function rowId(instance: string, seq: number | bigint): string {
  return `${instance}.${seq.toString().padStart(12, '0')}`
}

/** Greater than the id of any row of the instance. */
export function endOfInstance(instance: string): string {
  return `${instance}/`
}
