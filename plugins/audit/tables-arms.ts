/**
 * The migration that brought what given answers spare, who was left alone to compare with, and what can't be measured. Enters the exchanges that are in the
 * sums into the new ones, too. Its texts may never change: they have run in databases.
 */

import type { Migration } from 'headgate/plugin'

const added = ['calls', 'treated', 'control', 'no_usage', 'no_price', 'hits', 'response_saved', 'no_response']
/** What can be told of exchanges that were recorded before. */
const told = ['calls', 'no_usage', 'no_price', 'hits', 'no_response']
const keys = ['account', 'caller', 'tier', 'model', 'upstream', 'thread']
const older = `requests, refused, failed, input, cache_read, cache_write, output, reasoning, cost, cost_least, unknown, saved, saved_gross, trim_saved,
  trimmed`
const zeros = '0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0'
const plus = (table: string) => told.map((name) => `${name} = ${table}.${name} + excluded.${name}`).join(', ')

const called = "upstream IS NOT NULL AND operation <> 'count_tokens'"
const unmeasured = `${called} AND (saved IS NULL OR (trimmed > 0 AND trim_saved IS NULL))`
const again = "cache_status = 'hit' OR cache_status = 'joined'"
const count = (condition: string) => `sum(CASE WHEN ${condition} THEN 1 ELSE 0 END)`

const sessions = `INSERT INTO audit_session (day, session, ${keys.join(', ')}, ${older}, ${told.join(', ')})
  SELECT at / 86400000, coalesce(session, ''), coalesce(account, ''), coalesce(caller, ''), coalesce(tier, ''),
    CASE WHEN attempts > 0 OR ending = 'finished' THEN coalesce(model_asked, '') ELSE '' END, coalesce(upstream, ''), coalesce(thread, ''), ${zeros},
    ${count(called)}, ${count(`${unmeasured} AND usage_source <> 'reported'`)}, ${count(`${unmeasured} AND usage_source = 'reported'`)},
    ${count(again)}, ${count(again)}
  FROM audit_exchange JOIN audit_head ON audit_head.id = audit_exchange.instance
  WHERE audit_exchange.seq <= audit_head.rolled AND (upstream IS NOT NULL OR cache_status IS NOT NULL) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
  ON CONFLICT (day, session, ${keys.join(', ')}) DO UPDATE SET ${plus('audit_session')}`

/** `2026-11-21` of days since 1970, in whole numbers: the databases have no common word for it. */
const dated = `SELECT n, substr(CAST(10000 + y + CASE WHEN mp >= 10 THEN 1 ELSE 0 END AS TEXT), 2) || '-'
    || substr(CAST(100 + CASE WHEN mp < 10 THEN mp + 3 ELSE mp - 9 END AS TEXT), 2) || '-' || substr(CAST(101 + doy - (153 * mp + 2) / 5 AS TEXT), 2) AS text
  FROM (SELECT n, y, doy, (5 * doy + 2) / 153 AS mp
    FROM (SELECT n, yoe + era * 400 AS y, doe - (365 * yoe + yoe / 4 - yoe / 100) AS doy
      FROM (SELECT n, era, doe, (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365 AS yoe
        FROM (SELECT n, era, n + 719468 - era * 146097 AS doe FROM (SELECT n, (n + 719468) / 146097 AS era FROM (SELECT DISTINCT day AS n FROM audit_session) a) b) c) d) e) f`

function daily(cut: string, apart: readonly string[], day = 'text'): string {
  const own = keys.map((key) => (apart.includes(key) ? `s.${key}` : "''"))
  return `INSERT INTO audit_daily (cut, day, ${keys.join(', ')}, ${older}, ${told.join(', ')})
    SELECT '${cut}', ${day}, ${own.join(', ')}, ${zeros}, ${told.map((name) => `sum(s.${name})`).join(', ')}
    FROM audit_session s JOIN (${dated}) days ON days.n = s.day WHERE s.calls + s.hits > 0
    GROUP BY ${[day, ...own.filter((key) => key !== "''")].join(', ')}
    ON CONFLICT (cut, day, ${keys.join(', ')}) DO UPDATE SET ${plus('audit_daily')}`
}

export const answersAndArms: Migration = {
  id: '4-answers-and-arms',
  statements: [
    'ALTER TABLE audit_exchange ADD COLUMN response_saved BIGINT',
    ...['audit_daily', 'audit_session'].flatMap((table) =>
      added.map((name) => `ALTER TABLE ${table} ADD COLUMN ${name} BIGINT NOT NULL DEFAULT 0`),
    ),
    sessions,
    daily('model', ['tier', 'model', 'upstream', 'thread']),
    daily('caller', ['account', 'caller', 'tier', 'thread']),
    daily('all', keys),
    daily('month', keys, 'substr(text, 1, 7)'),
  ],
}
