/**
 * Where the ledger is kept: in shared state where there is one, so that all instances have it, else in the records, so that it outlives a restart.
 */

import type { Host, Json } from 'headgate/plugin'

/** Values by key; each call fails with StoreUnavailable while the store is away. */
export interface KeyStore {
  get(key: string): Promise<Json | undefined>
  /** True when it was not there. */
  setIfAbsent(key: string, value: Json, ttl: number): Promise<boolean>
  set(key: string, value: Json, ttl: number): Promise<void>
}

const pruneEvery = 10 * 60_000

export async function keyStore(host: Host): Promise<KeyStore> {
  return (await isShared(host)) ? host.state : await inRecords(host)
}

/** Whether the state lives outside of this process: takes are synchronous where it does not. */
async function isShared({ state }: Host): Promise<boolean> {
  const taken = state.take('probe', 0, 1, 60_000)
  if (!(taken instanceof Promise)) return false
  await taken.catch(() => {})
  return true
}

async function inRecords(host: Host): Promise<KeyStore> {
  const { records } = host
  // names of tables are the same for all instances in the list: keys are not
  const own = `${host.id}\n`
  await records.migrate([
    {
      id: 'tool-trim-ledger',
      statements: [
        'CREATE TABLE tool_trim_ledger (id TEXT PRIMARY KEY, value TEXT NOT NULL, ends BIGINT NOT NULL)',
        'CREATE INDEX tool_trim_ledger_ends ON tool_trim_ledger (ends)',
      ],
    },
  ])
  host.task('prune', pruneEvery, async () => {
    await records.sql`DELETE FROM tool_trim_ledger WHERE ends < ${BigInt(host.now())}`
  })
  return {
    async get(key) {
      const now = BigInt(host.now())
      const [row] = await records.sql<{ value: string }>`SELECT value FROM tool_trim_ledger WHERE id = ${own + key} AND ends >= ${now}`
      return row && (JSON.parse(row.value) as Json)
    },
    async setIfAbsent(key, value, ttl) {
      const now = BigInt(host.now())
      const ends = BigInt(host.now() + ttl)
      const text = JSON.stringify(value)
      const rows = await records.sql<{ id: string }>`INSERT INTO tool_trim_ledger (id, value, ends) VALUES (${own + key}, ${text}, ${ends})
        ON CONFLICT (id) DO UPDATE SET value = excluded.value, ends = excluded.ends WHERE tool_trim_ledger.ends < ${now} RETURNING id`
      return rows.length > 0
    },
    async set(key, value, ttl) {
      const ends = BigInt(host.now() + ttl)
      const text = JSON.stringify(value)
      await records.sql`INSERT INTO tool_trim_ledger (id, value, ends) VALUES (${own + key}, ${text}, ${ends})
        ON CONFLICT (id) DO UPDATE SET value = excluded.value, ends = excluded.ends`
    },
  }
}
