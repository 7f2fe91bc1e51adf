/**
 * The tables of `budget`.
 *
 * `budget_ledger` is append-only, and `balance` is the sum of its amounts: whatever changes one changes the other in the same transaction. What is settled
 * while the store is away waits in `budget_waiting`, outside of both, until it is entered.
 */

import type { Migration } from 'headgate/plugin'

export const migrations: readonly Migration[] = [
  {
    id: '1-accounts',
    statements: [
      // held: what open holds reserve. included: the part of the balance that is credit of the month `term`, of which `granted` was given so far
      `CREATE TABLE budget_account (id TEXT PRIMARY KEY, balance BIGINT NOT NULL, held BIGINT NOT NULL, included BIGINT NOT NULL,
        granted BIGINT NOT NULL, term TEXT NOT NULL, settings TEXT NOT NULL, created_at BIGINT NOT NULL)`,
      `CREATE TABLE budget_ledger (id TEXT PRIMARY KEY, account TEXT NOT NULL, at BIGINT NOT NULL, kind TEXT NOT NULL, amount BIGINT NOT NULL,
        request_id TEXT, model TEXT, input_tokens BIGINT, output_tokens BIGINT, cost BIGINT, markup TEXT, price TEXT, source TEXT, unknown TEXT,
        caller TEXT, note TEXT)`,
      'CREATE INDEX budget_ledger_account ON budget_ledger (account, at, id)',
      `CREATE TABLE budget_hold (id TEXT PRIMARY KEY, account TEXT NOT NULL, amount BIGINT NOT NULL, takes TEXT NOT NULL, instance TEXT NOT NULL,
        expires_at BIGINT NOT NULL, created_at BIGINT NOT NULL, request_id TEXT NOT NULL, model TEXT NOT NULL)`,
      'CREATE INDEX budget_hold_expires ON budget_hold (expires_at)',
      'CREATE INDEX budget_hold_instance ON budget_hold (instance)',
      'CREATE TABLE budget_counter (id TEXT PRIMARY KEY, used BIGINT NOT NULL, held BIGINT NOT NULL, ends_at BIGINT NOT NULL)',
      'CREATE INDEX budget_counter_ends ON budget_counter (ends_at)',
      'CREATE TABLE budget_waiting (id TEXT PRIMARY KEY, at BIGINT NOT NULL, settlement TEXT NOT NULL)',
      'CREATE INDEX budget_waiting_at ON budget_waiting (at, id)',
    ],
  },
]

/** `held` of an account: nobody reserves more than there is. `never`: the end of what does not end. */
export const never = 9_000_000_000_000_000n

export interface AccountRow {
  readonly id: string
  readonly balance: bigint
  readonly held: bigint
  readonly included: bigint
  readonly granted: bigint
  readonly term: string
  readonly settings: string
}
