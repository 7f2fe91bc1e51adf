/**
 * Issued keys in the gateway's records, shared by all instances: tables, and every statement about them.
 *
 * Each change of a key takes the next tick of its realm's clock inside the same transaction, so ticks become visible in their order and
 * `changed > last` misses nothing. A revoked key stays as a row without fields, so that others learn of it, and is removed a month later.
 */

import type { Migration, Records, SqlQuery } from 'headgate/plugin'
import { changed, type KeyStore } from './key-store.ts'
import type { KeyRecord } from './keys.ts'

export const migrations: readonly Migration[] = [
  {
    id: '1-keys',
    statements: [
      `CREATE TABLE auth_key (id TEXT PRIMARY KEY, realm TEXT NOT NULL, prefix TEXT NOT NULL, salt TEXT NOT NULL, hash TEXT NOT NULL,
        account TEXT NOT NULL, fields TEXT NOT NULL, created_at BIGINT NOT NULL, changed BIGINT NOT NULL, revoked_at BIGINT)`,
      'CREATE UNIQUE INDEX auth_key_prefix ON auth_key (realm, prefix)',
      'CREATE INDEX auth_key_changed ON auth_key (realm, changed)',
      'CREATE INDEX auth_key_created ON auth_key (realm, created_at, id)',
      'CREATE TABLE auth_clock (realm TEXT PRIMARY KEY, tick BIGINT NOT NULL)',
    ],
  },
]

/** Milliseconds after which the row of a revoked key goes. */
const month = 30 * 86_400_000

/** A key and when it was changed last. */
export interface KeyRow {
  readonly record: KeyRecord
  readonly changed: bigint
  readonly revoked: boolean
}

/** What the cache of a running gateway asks. */
export interface KeySource {
  /** The row of a public prefix. */
  find(prefix: string): Promise<KeyRow | undefined>
  /** The tick of the last change. */
  tick(): Promise<bigint>
  /** Rows changed after a tick, in the order of their changes; revoked ones too. */
  changes(after: bigint, limit: number): Promise<readonly KeyRow[]>
  /** The tick now, and the keys that were changed last. */
  recent(limit: number): Promise<{ readonly tick: bigint; readonly rows: readonly KeyRow[] }>
}

interface Row {
  readonly id: string
  readonly prefix: string
  readonly salt: string
  readonly hash: string
  readonly fields: string
  readonly created_at: bigint
  readonly changed: bigint
  readonly revoked_at: bigint | null
}

function rowOf(row: Row): KeyRow {
  const { id, prefix, salt, hash } = row
  const fields = JSON.parse(row.fields) as Partial<KeyRecord>
  const created = new Date(Number(row.created_at)).toISOString()
  const record = { name: '', ...fields, id, prefix, salt, hash, created }
  return { record, changed: row.changed, revoked: row.revoked_at !== null }
}

function fieldsOf({ id: _i, prefix: _p, salt: _s, hash: _h, created: _c, ...fields }: KeyRecord): string {
  return JSON.stringify(fields)
}

/** The keys of one realm: those of the plugin instance with that id, in whatever gateway shares the records. */
export function recordsKeySource({ sql }: Records, realm: string): KeySource {
  return {
    async find(prefix) {
      const rows = await sql<Row>`SELECT id, prefix, salt, hash, fields, created_at, changed, revoked_at
        FROM auth_key WHERE realm = ${realm} AND prefix = ${prefix}`
      return rows[0] && rowOf(rows[0])
    },
    async tick() {
      const [clock] = await sql<{ tick: bigint }>`SELECT tick FROM auth_clock WHERE realm = ${realm}`
      return clock?.tick ?? 0n
    },
    async changes(after, limit) {
      const rows = await sql<Row>`SELECT id, prefix, salt, hash, fields, created_at, changed, revoked_at
        FROM auth_key WHERE realm = ${realm} AND changed > ${after} ORDER BY changed LIMIT ${limit}`
      return rows.map(rowOf)
    },
    async recent(limit) {
      const [clock] = await sql<{ tick: bigint }>`SELECT tick FROM auth_clock WHERE realm = ${realm}`
      const rows = await sql<Row>`SELECT id, prefix, salt, hash, fields, created_at, changed, revoked_at
        FROM auth_key WHERE realm = ${realm} AND revoked_at IS NULL ORDER BY changed DESC LIMIT ${limit}`
      return { tick: clock?.tick ?? 0n, rows: rows.map(rowOf) }
    },
  }
}

/** The same keys, as the command line and the admin API change them. `now` in milliseconds since the epoch. */
export function recordsKeyStore(records: Records, realm: string, now: () => number): KeyStore {
  const { sql } = records
  const get = async (query: SqlQuery, idOrPrefix: string) => {
    const rows = await query<Row>`SELECT id, prefix, salt, hash, fields, created_at, changed, revoked_at
      FROM auth_key WHERE realm = ${realm} AND (id = ${idOrPrefix} OR prefix = ${idOrPrefix}) AND revoked_at IS NULL`
    return rows[0] && rowOf(rows[0]).record
  }
  const tick = async (query: SqlQuery): Promise<bigint> => {
    const rows = await query<{ tick: bigint }>`INSERT INTO auth_clock (realm, tick) VALUES (${realm}, ${1n})
      ON CONFLICT (realm) DO UPDATE SET tick = auth_clock.tick + 1 RETURNING tick`
    return rows[0]!.tick
  }
  return {
    async list({ after, limit = 1000, account } = {}) {
      const [, at = '-1', id = ''] = /^(\d{1,15})\.(.*)$/s.exec(after ?? '') ?? []
      const from = BigInt(at)
      const all = account ?? null
      const rows = await sql<Row>`SELECT id, prefix, salt, hash, fields, created_at, changed, revoked_at FROM auth_key
        WHERE realm = ${realm} AND revoked_at IS NULL AND (created_at > ${from} OR (created_at = ${from} AND id > ${id}))
        AND account = COALESCE(${all}, account) ORDER BY created_at, id LIMIT ${limit}`
      const keys = rows.map((row) => rowOf(row).record)
      const last = rows[limit - 1]
      return last ? { keys, next: `${last.created_at}.${last.id}` } : { keys }
    },
    get: (idOrPrefix) => get(sql, idOrPrefix),
    async add(record) {
      const { id, prefix, salt, hash, account = id } = record
      const created = BigInt(Date.parse(record.created))
      await records.transaction(async (query) => {
        await query`INSERT INTO auth_key (id, realm, prefix, salt, hash, account, fields, created_at, changed, revoked_at)
          VALUES (${id}, ${realm}, ${prefix}, ${salt}, ${hash}, ${account}, ${fieldsOf(record)}, ${created}, ${await tick(query)}, ${null})`
      })
    },
    change: (id, changes) =>
      records.transaction(async (query) => {
        const found = await get(query, id)
        if (!found || found.id !== id) return undefined
        const made = changed(found, changes)
        await query`UPDATE auth_key SET fields = ${fieldsOf(made)}, account = ${made.account ?? id}, changed = ${await tick(query)} WHERE id = ${id}`
        return made
      }),
    revoke: (id) =>
      records.transaction(async (query) => {
        const found = await get(query, id)
        if (!found || found.id !== id) return false
        const at = BigInt(now())
        // what lets nobody in any more is not kept: neither hash nor names
        await query`UPDATE auth_key SET revoked_at = ${at}, salt = ${''}, hash = ${''}, fields = ${'{}'}, changed = ${await tick(query)}
          WHERE id = ${id}`
        await query`DELETE FROM auth_key WHERE realm = ${realm} AND revoked_at < ${at - BigInt(month)}`
        return true
      }),
  }
}
