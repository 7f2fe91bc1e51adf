/** What operators can ask of sessions, on the admin listener: a list, and one by its id. */

import { formatUsd, type Host } from 'headgate/plugin'
import type { Known } from './known.ts'
import { joinSummaries, type SessionLedger, type SessionSummary, summaryOf } from './ledger.ts'
import { inputOf } from './totals.ts'

const usualLimit = 50
const mostLimit = 200

export function sessionRoutes(host: Host, known: Known, ledger: SessionLedger | undefined): void {
  const find = async (id: string): Promise<SessionSummary | undefined> => {
    const here = known.get(id, host.now())
    const others = ledger ? await ledger.others(id) : []
    return joinSummaries(here ? [summaryOf(here), ...others] : others)
  }

  host.admin({
    method: 'GET',
    path: '/v1/sessions',
    summary: 'Sessions, the most recently used first: ?limit=50&key=…&account=…',
    async handler(request) {
      const { searchParams } = new URL(request.url)
      const limit = Number(searchParams.get('limit') ?? usualLimit)
      if (!Number.isInteger(limit) || limit < 1 || limit > mostLimit)
        return Response.json({ error: `limit is a whole number from 1 to ${mostLimit}` }, { status: 400 })
      const key = searchParams.get('key')
      const account = searchParams.get('account')
      const seen = new Map<string, number>()
      for (const session of known.list()) {
        if (seen.size >= mostLimit) break
        if (matches(session.owner, key, account)) seen.set(session.id, session.seen)
      }
      for (const [id, at] of ledger ? await ledger.recent() : []) seen.set(id, Math.max(at, seen.get(id) ?? 0))
      const newest = [...seen].sort((a, b) => b[1] - a[1])
      const found: object[] = []
      for (const [id] of newest) {
        if (found.length >= limit) break
        const session = await find(id)
        if (session && matches(session, key, account)) found.push(written(session, false))
      }
      return Response.json({ object: 'list', data: found })
    },
  })

  host.admin({
    method: 'GET',
    path: '/v1/sessions/:id',
    summary: 'One session: turns, spend, tokens, what its caches saved, its lanes',
    async handler(_request, { id }) {
      const session = id === undefined ? undefined : await find(id)
      if (!session) return Response.json({ error: 'no such session, or it is forgotten' }, { status: 404 })
      return Response.json(written(session, true))
    },
  })
}

function matches(owner: { readonly key: string; readonly account: string }, key: string | null, account: string | null): boolean {
  return (key === null || owner.key === key) && (account === null || owner.account === account)
}

/** A session as JSON. Amounts are exact decimal texts in USD. */
function written(session: SessionSummary, withLanes: boolean): object {
  const { totals } = session
  const input = inputOf(totals)
  return {
    id: session.id,
    object: 'session',
    parent: session.parent ?? null,
    source: session.source,
    key: session.key,
    account: session.account,
    first_seen: new Date(session.first).toISOString(),
    last_seen: new Date(session.seen).toISOString(),
    turns: session.turns,
    requests: { total: totals.requests, failed: totals.failed, from_response_cache: totals.fromCache, without_usage: totals.unmetered },
    spend_usd: formatUsd(totals.spend),
    requests_without_price: totals.unpriced,
    tokens: {
      input_uncached: totals.uncached,
      cache_read: totals.cacheRead,
      cache_write_5m: totals.cacheWrite5m,
      cache_write_1h: totals.cacheWrite1h,
      cache_write_other: totals.cacheWriteOther,
      output: totals.output,
    },
    cache: {
      hit_share: input === 0 ? null : Math.round((totals.cacheRead / input) * 1e6) / 1e6,
      warm_requests: totals.warm,
      warm_misses: totals.warmMisses,
    },
    savings: {
      cache_net_usd: formatUsd(totals.cacheNet),
      cache_gross_usd: formatUsd(totals.cacheGross),
      trim_usd: formatUsd(totals.trim),
      trimmed_tokens: totals.trimmedTokens,
      response_cache_usd: formatUsd(totals.response),
      requests_not_measurable: totals.unmeasured,
    },
    ...(withLanes ? { lanes: session.lanes.map(writtenLane) } : { lanes: session.lanes.length }),
  }
}

function writtenLane(lane: SessionSummary['lanes'][number]): object {
  return {
    id: lane.id,
    last_seen: new Date(lane.seen).toISOString(),
    upstream: lane.upstream ?? null,
    model: lane.model ?? null,
    input_tokens: lane.input ?? null,
    cache_read_tokens: lane.cacheRead ?? null,
    warm_until: lane.warmUntil === undefined ? null : new Date(lane.warmUntil).toISOString(),
  }
}
