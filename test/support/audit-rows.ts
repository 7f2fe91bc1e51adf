/**
 * Many audit records, made by the database itself: as a gateway of a thousand keys would have written them over ninety days, one chain a month, with
 * sums and zones entered by the plugin's own statements. Hashes are filled in, not computed: these chains do not verify.
 *
 * Rare on purpose: the tier `vip`, the upstream `spare`, the operation `embeddings`, the code `context_length_exceeded`, costs of 5 USD and more.
 */

import { dayLength, enterDay } from '../../plugins/audit/daily.ts'
import { boundsFrom, monthStart } from '../../plugins/audit/months.ts'
import { migrations, rowId } from '../../plugins/audit/tables.ts'
import { enterZones } from '../../plugins/audit/zones.ts'
import { postgresDriver } from '../../src/store/postgres/driver.ts'
import type { RecordsDriver } from '../../src/store/records-driver.ts'
import { sqliteDriver } from '../../src/store/sqlite/driver.ts'

export const days = 90
/** Rows of one statement. */
const chunk = 20_000

const detail = JSON.stringify({
  ip: '192.0.2.1',
  path: '/v1/chat/completions',
  price: { input: '3', output: '15', cache_read: '0.3', cache_write: '3.75' },
  attempts: [
    { upstream: 'openai', model: 'model-7', status: 200, at: 0.5, head: 210.3, first_content: 214.9, ms: 812.4, cost_usd: '0.00007375' },
  ],
  timings: { admitted: 0.1, body: 0.2, head: 210.3, first_content: 214.9, end: 812.9 },
  bytes_in: 1043,
  bytes_out: 8210,
})

export interface Filled {
  /** First moment of the records, and the one after the last: whole days, milliseconds since the epoch. */
  readonly from: number
  readonly to: number
  readonly rows: number
}

/** A key, and a session and a trace that exist, by number. */
export const keyName = (k: number) => `key_${String(k).padStart(8, '0')}`

/** Opens a database and makes the tables, divided by month where it can. `where` as in gateway.yaml, with an absolute path. */
export async function openFilled(where: string, now: number): Promise<RecordsDriver> {
  const path = where.startsWith('sqlite:') ? where.slice('sqlite:'.length) : undefined
  const driver = path === undefined ? postgresDriver({ url: where }) : sqliteDriver({ path })
  await driver.open()
  await driver.migrate('audit', migrations)
  for (let month = -4; month <= 0; month++)
    for (const table of ['audit_exchange', 'audit_body']) await driver.divide(table, boundsFrom(monthStart(now, month)))
  return driver
}

/**
 * Fills tables that exist and are empty.
 * @param now the records end with the day before; told how many rows there are after each day
 */
export async function fillAudit(
  driver: RecordsDriver,
  rows: number,
  now: number,
  told: (rows: number) => void = () => {},
): Promise<Filled> {
  const to = Math.floor(now / dayLength) * dayLength
  const from = to - days * dayLength
  const perDay = Math.floor(rows / days)
  const step = dayLength / perDay
  const series = driver.kind === 'postgres' ? pg : sqlite
  let instance = ''
  let seq = 0
  for (let day = 0; day < days; day++) {
    const begin = from + day * dayLength
    if (day === 0 || new Date(begin).getUTCDate() === 1) {
      instance = `${begin.toString(36).padStart(9, '0')}aaaaaaaa`
      seq = 0
    }
    const after = rowId(instance, seq)
    for (let done = 0; done < perDay; done += chunk) {
      const first = day * perDay + done
      const last = day * perDay + Math.min(done + chunk, perDay) - 1
      await driver.sql(
        series,
        BigInt(first),
        BigInt(last),
        `${instance}.`,
        BigInt(seq + done - first + 1),
        instance,
        BigInt(from),
        step,
        BigInt(from),
        step,
        detail,
      )
    }
    seq += perDay
    const end = rowId(instance, seq)
    await enterDay(driver.sql, begin / dayLength, after, end)
    await enterZones(driver.sql, after, end)
    const at = BigInt(begin + dayLength)
    await driver.sql`INSERT INTO audit_instance (id, plugin, host, pid, started_at) VALUES (${instance}, ${'audit'}, ${'h'}, ${1n}, ${BigInt(begin)})
      ON CONFLICT (id) DO NOTHING`
    await driver.sql`INSERT INTO audit_head (id, seq, hash, beat_at, closed_at, from_seq, from_hash, rolled, done)
      VALUES (${instance}, ${BigInt(seq)}, ${'x'}, ${at}, ${at}, ${0n}, ${'x'}, ${BigInt(seq)}, ${true})
      ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, rolled = excluded.rolled, beat_at = excluded.beat_at, closed_at = excluded.closed_at`
    told((day + 1) * perDay)
  }
  return { from, to, rows: perDay * days }
}

/** Numbers without a visible order, from the number of a row: each step takes other bits. */
const facts = `SELECT n, (n * 2654435761 % 4294967296) / 65536 % 1000 AS k, (n * 2246822519 % 4294967296) / 65536 AS r,
  (n * 3266489917 % 4294967296) / 65536 AS s, (n * 668265263 % 4294967296) / 65536 AS t FROM g`
const bad = 'CASE WHEN n % 300007 = 11 THEN 3 WHEN r % 100 < 4 THEN 1 WHEN r % 100 = 4 THEN 2 ELSE 0 END'
const texts = (series: readonly string[]) => [
  ...series.slice(0, -1),
  `${series.at(-1)}, f AS (${facts}), e AS (SELECT f.*, ${bad} AS bad, CASE WHEN s % 100 = 0 THEN r % 60 ELSE (k * 7 + t % 5 * 11) % 60 END AS m FROM f)
  INSERT INTO audit_exchange (id, v, instance, seq, request_id, trace_id, at, ended_at, caller, account, tier, end_user, session, turn, operation, dialect,
    model_asked, model_served, upstream, status, ending, code, stream, stream_state, usage_source, input, cache_read, cache_write, output, reasoning,
    cost, cost_least, saved, attempts, first_ms, total_ms, detail, saved_gross, hash)
  SELECT CAST(`,
  ' AS TEXT) || substr(CAST(1000000000000 + n + CAST(',
  ' AS BIGINT) AS TEXT), 2), 2, CAST(',
  ` AS TEXT), 0, 'req_' || CAST(4000000000000 + n AS TEXT) || 'abcdefg',
    CASE WHEN r % 4 = 0 THEN 'trace_' || CAST(n * 2654435761 % 4294967296 AS TEXT) || CAST(n AS TEXT) END, CAST(`,
  ' AS BIGINT) + CAST(n * CAST(',
  ' AS DOUBLE PRECISION) AS BIGINT), CAST(',
  ' AS BIGINT) + CAST(n * CAST(',
  ` AS DOUBLE PRECISION) AS BIGINT) + 800, 'key_' || substr(CAST(100000000 + k AS TEXT), 2),
    CASE WHEN k % 10 < 3 THEN 'acct_' || CAST(k / 10 AS TEXT) ELSE 'key_' || substr(CAST(100000000 + k AS TEXT), 2) END,
    CASE WHEN n % 200003 = 7 THEN 'vip' WHEN k < 700 THEN 'paid' WHEN k < 990 THEN 'free' ELSE 'trial' END,
    CASE WHEN t % 5 = 0 THEN 'user_' || CAST((r * 7919 + s) % 100000 AS TEXT) END,
    'ses_' || CAST(n / 4000 * 7368787 % 4294967296 AS TEXT) || 'x' || CAST(s % 2000 AS TEXT), 1,
    CASE WHEN n % 50021 = 0 THEN 'embeddings' WHEN t % 3 = 0 THEN 'messages' WHEN t % 3 = 1 THEN 'responses' ELSE 'chat' END, 'openai-chat',
    'vendor/model-' || CAST(m AS TEXT), 'model-' || CAST(m AS TEXT) || '-2026-01-01',
    CASE WHEN n % 100003 = 5 THEN 'spare' WHEN m % 3 = 0 THEN 'anthropic' WHEN m % 3 = 1 THEN 'openai' ELSE 'google' END,
    CASE WHEN bad = 0 THEN 200 WHEN bad = 1 THEN 429 WHEN bad = 2 THEN 502 ELSE 400 END,
    CASE WHEN bad = 0 THEN 'finished' WHEN bad = 2 THEN 'failed' ELSE 'refused' END,
    CASE WHEN bad = 1 THEN 'rate_limited' WHEN bad = 2 THEN 'upstream_error' WHEN bad = 3 THEN 'context_length_exceeded' END, t % 2 = 0, 'completed',
    'reported', 100 + r % 5000, s % 20000, 0, 10 + t % 900, 0,
    CASE WHEN n % 250007 = 3 THEN 5000000000000 + n WHEN bad <> 0 THEN 0 WHEN r % 200 = 0 THEN NULL
      ELSE (100 + r % 5000) * 3000000 + s % 20000 * 300000 + (10 + t % 900) * 15000000 END,
    CASE WHEN bad = 0 AND r % 200 = 0 AND n % 250007 <> 3 THEN 0 END, s % 20000 * 2700000, 1, 200 + s % 400, 800 + t % 4000, CAST(`,
  ` AS TEXT), s % 20000 * 2700000, 'KkVhaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' FROM e`,
]
const make = (series: readonly string[]) => Object.assign(texts(series), { raw: texts(series) }) as unknown as TemplateStringsArray
const sqlite = make(['WITH RECURSIVE g(n) AS (SELECT CAST(', ' AS BIGINT) UNION ALL SELECT n + 1 FROM g WHERE n < ', ')'])
const pg = make(['WITH g AS (SELECT n FROM generate_series(CAST(', ' AS BIGINT), CAST(', ' AS BIGINT)) AS n)'])
