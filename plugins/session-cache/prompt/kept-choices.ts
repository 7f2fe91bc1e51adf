/**
 * What was chosen for a lane and must outlive a restart: it changes the bytes of marks and keys. Written when it is chosen, which is once per lane at
 * most, and for all recent lanes when the process ends in order; read once by a process that meets a lane it does not know. Durable records that can't be
 * reached cost money only.
 */

import type { Host, SqlQuery } from 'headgate/plugin'

export interface Choice {
  /** When the lane's last request came: milliseconds since the epoch. */
  readonly at: number
  readonly long: boolean
  readonly key?: string | undefined
}

export interface KeptChoices {
  find(lane: string): Promise<Choice | undefined>
  put(lane: string, choice: Choice): void
  /** Keeps all of these before the process ends. Never rejects. */
  putAll(choices: Iterable<readonly [lane: string, choice: Choice]>): Promise<void>
}

const migrations = [
  {
    id: '1',
    statements: ['CREATE TABLE session_cache_lane (lane TEXT PRIMARY KEY, at BIGINT NOT NULL, long INTEGER NOT NULL, cache_key TEXT)'],
  },
]
/** Milliseconds that a look may take. */
const patience = 250
const day = 86_400_000

export function keptChoices(host: Host): KeptChoices {
  let ready: Promise<void> | undefined
  const tables = () => {
    ready ??= host.records.migrate(migrations).catch((error: unknown) => {
      ready = undefined
      throw error
    })
    return ready
  }
  host.task('forget-choices', day, async () => {
    if (ready === undefined) return
    await tables()
    await host.records.sql`DELETE FROM session_cache_lane WHERE at < ${BigInt(host.now() - 7 * day)}`
  })
  const read = async (lane: string): Promise<Choice | undefined> => {
    await tables()
    const rows = await host.records.sql<{ at: bigint; long: number; cache_key: string | null }>`
      SELECT at, long, cache_key FROM session_cache_lane WHERE lane = ${lane}`
    const row = rows[0]
    return row && { at: Number(row.at), long: row.long === 1, ...(row.cache_key !== null && { key: row.cache_key }) }
  }
  const write = async (sql: SqlQuery, lane: string, { at, long, key }: Choice): Promise<void> => {
    await sql`
      INSERT INTO session_cache_lane (lane, at, long, cache_key) VALUES (${lane}, ${BigInt(Math.round(at))}, ${long ? 1 : 0}, ${key ?? null})
      ON CONFLICT (lane) DO UPDATE SET at = excluded.at, long = excluded.long, cache_key = excluded.cache_key`
  }
  return {
    async find(lane) {
      try {
        const asked = read(lane)
        asked.catch(() => {})
        return await Promise.race([asked, Bun.sleep(patience).then(() => undefined)])
      } catch {
        return undefined
      }
    },
    put(lane, choice) {
      tables()
        .then(() => write(host.records.sql, lane, choice))
        .catch((error: unknown) => host.log.debug('a choice was not kept', { error: String(error) }))
    },
    async putAll(choices) {
      const all = [...choices]
      if (all.length === 0) return
      try {
        await tables()
        await host.records.transaction(async (sql) => {
          for (const [lane, choice] of all) await write(sql, lane, choice)
        })
      } catch (error) {
        host.log.debug('choices were not kept', { error: String(error) })
      }
    },
  }
}
