/**
 * The migration that brought what was saved, chains that go on from one another, and what makes long records quick to ask: sums by session and by
 * month, and zones. Fills them from what was there. Its texts may never change: they have run in databases.
 */

import type { Migration } from 'headgate/plugin'

const sums = `requests BIGINT NOT NULL, refused BIGINT NOT NULL, failed BIGINT NOT NULL, input BIGINT NOT NULL, cache_read BIGINT NOT NULL,
  cache_write BIGINT NOT NULL, output BIGINT NOT NULL, reasoning BIGINT NOT NULL, cost BIGINT NOT NULL, cost_least BIGINT NOT NULL,
  unknown BIGINT NOT NULL, saved BIGINT NOT NULL, saved_gross BIGINT NOT NULL, trim_saved BIGINT NOT NULL, trimmed BIGINT NOT NULL`

const facets = ['tier', 'upstream', 'operation', 'thread', 'model_asked']

export const savingsAndSums: Migration = {
  id: '3-savings-and-sums',
  statements: [
    'ALTER TABLE audit_exchange ADD COLUMN saved_gross BIGINT',
    'ALTER TABLE audit_exchange ADD COLUMN trim_saved BIGINT',
    'ALTER TABLE audit_exchange ADD COLUMN trimmed BIGINT',
    'ALTER TABLE audit_exchange ADD COLUMN cache_status TEXT',
    'ALTER TABLE audit_exchange ADD COLUMN cache_attribution TEXT',
    // a chain that goes on from another: the id and the hash of that one's last row
    'ALTER TABLE audit_instance ADD COLUMN goes_on TEXT',
    'ALTER TABLE audit_instance ADD COLUMN goes_on_hash TEXT',
    // who asks for a key and a model need not look at each of the key's exchanges
    'DROP INDEX audit_exchange_caller',
    'CREATE INDEX audit_exchange_caller ON audit_exchange (caller, at, model_asked)',
    // what did not go well is a small part of all, and asked for together with everything
    'CREATE INDEX audit_exchange_code ON audit_exchange (code, at, model_asked, caller, tier) WHERE code IS NOT NULL',
    'CREATE INDEX audit_exchange_status ON audit_exchange (status, at, model_asked, caller, tier) WHERE status <> 200',
    'CREATE INDEX audit_exchange_user ON audit_exchange (end_user, at) WHERE end_user IS NOT NULL',
    'CREATE INDEX audit_exchange_account ON audit_exchange (account, at) WHERE account <> caller',
    'ALTER TABLE audit_daily ADD COLUMN saved_gross BIGINT NOT NULL DEFAULT 0',
    'ALTER TABLE audit_daily ADD COLUMN trim_saved BIGINT NOT NULL DEFAULT 0',
    'ALTER TABLE audit_daily ADD COLUMN trimmed BIGINT NOT NULL DEFAULT 0',
    // the same sums by month: who asks for a month by key and model reads one row where the days have thirty
    `INSERT INTO audit_daily (cut, day, account, caller, tier, model, upstream, thread, requests, refused, failed, input, cache_read, cache_write,
      output, reasoning, cost, cost_least, unknown, saved)
      SELECT 'month', substr(day, 1, 7), account, caller, tier, model, upstream, thread, sum(requests), sum(refused), sum(failed), sum(input),
        sum(cache_read), sum(cache_write), sum(output), sum(reasoning), sum(cost), sum(cost_least), sum(unknown), sum(saved)
      FROM audit_daily WHERE cut = 'all' GROUP BY substr(day, 1, 7), account, caller, tier, model, upstream, thread`,
    // by session, as long as the exchanges are kept; day: days since 1970
    `CREATE TABLE audit_session (day BIGINT NOT NULL, session TEXT NOT NULL, account TEXT NOT NULL, caller TEXT NOT NULL, tier TEXT NOT NULL,
      model TEXT NOT NULL, upstream TEXT NOT NULL, thread TEXT NOT NULL, ${sums},
      PRIMARY KEY (day, session, account, caller, tier, model, upstream, thread))`,
    `INSERT INTO audit_session (day, session, account, caller, tier, model, upstream, thread, requests, refused, failed, input, cache_read, cache_write,
      output, reasoning, cost, cost_least, unknown, saved, saved_gross, trim_saved, trimmed)
      SELECT at / 86400000, coalesce(session, ''), coalesce(account, ''), coalesce(caller, ''), coalesce(tier, ''),
        CASE WHEN attempts > 0 OR ending = 'finished' THEN coalesce(model_asked, '') ELSE '' END, coalesce(upstream, ''), coalesce(thread, ''),
        count(*), sum(CASE WHEN ending = 'refused' THEN 1 ELSE 0 END),
        sum(CASE WHEN ending = 'refused' OR ending = 'finished' OR ending = 'abandoned' THEN 0 ELSE 1 END), sum(coalesce(input, 0)),
        sum(coalesce(cache_read, 0)), sum(coalesce(cache_write, 0)), sum(coalesce(output, 0)), sum(coalesce(reasoning, 0)), sum(coalesce(cost, 0)),
        sum(coalesce(cost_least, 0)), sum(CASE WHEN cost_least IS NULL THEN 0 ELSE 1 END), sum(coalesce(saved, 0)), 0, 0, 0
      FROM audit_exchange JOIN audit_head ON audit_head.id = audit_exchange.instance WHERE audit_exchange.seq <= audit_head.rolled
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8`,
    // which five minutes hold what there are few kinds of, and the greatest cost in them: zones.ts
    'CREATE TABLE audit_zone (facet TEXT NOT NULL, zone BIGINT NOT NULL, most BIGINT NOT NULL, PRIMARY KEY (facet, zone))',
    `INSERT INTO audit_zone (facet, zone, most) SELECT '', at - at % 300000, max(coalesce(cost, 0)) FROM audit_exchange GROUP BY 2`,
    ...facets.map(
      (column) => `INSERT INTO audit_zone (facet, zone, most) SELECT '${column}=' || ${column}, at - at % 300000, max(coalesce(cost, 0))
        FROM audit_exchange WHERE ${column} IS NOT NULL GROUP BY 1, 2`,
    ),
  ],
}
