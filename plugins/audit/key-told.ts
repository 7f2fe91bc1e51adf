/**
 * `GET <path>`: what a key may know of itself: who it is, what restricts it, and what it has used; never the key. In the shape of the gateways whose
 * clients ask for it.
 */

import { exactNumber, formatUsd, type Host, type Json, type PrincipalValue, type RouteCall } from 'headgate/plugin'
import type { AuditConfig } from './config.ts'
import { dayLength } from './daily.ts'
import { usageBy } from './usage.ts'

/** Picodollars of a key: ever, and in the day, week (from Monday) and month (UTC) that run. */
interface Used {
  readonly requests: number
  readonly total: bigint
  readonly daily: bigint
  readonly weekly: bigint
  readonly monthly: bigint
}

export function addKeyInfo(host: Host, { paths, style }: AuditConfig['key_info']): void {
  for (const path of paths)
    host.route({
      method: 'GET',
      path,
      summary: 'What the key that asks may do, and what it has used',
      async handler(_request, _params, { principal, refuse }: RouteCall) {
        if (!principal || principal.kind === 'anonymous') return refuse('missing_api_key', 'No key was given whose info there could be.')
        const used = await usedBy(host, principal.id)
        const told = style === 'openrouter' ? { data: openrouterKey(principal, used) } : litellmKey(principal, used)
        return Response.json(told, { headers: { 'cache-control': 'no-store' } })
      },
    })
}

async function usedBy(host: Host, caller: string): Promise<Used> {
  const now = host.now()
  const today = Math.floor(now / dayLength) * dayLength
  // 1970 began on a Thursday
  const week = today - ((Math.floor(now / dayLength) + 3) % 7) * dayLength
  const month = Date.UTC(new Date(now).getUTCFullYear(), new Date(now).getUTCMonth())
  const sums = { requests: 0, total: 0n, daily: 0n, weekly: 0n, monthly: 0n }
  for (const { group, sums: one } of await usageBy(host.records.sql, ['day'], { caller })) {
    const at = Date.parse(group[0]!)
    sums.requests += Number(one.requests)
    sums.total += one.cost
    if (at >= today) sums.daily += one.cost
    if (at >= week) sums.weekly += one.cost
    if (at >= month) sums.monthly += one.cost
  }
  return sums
}

const usd = (pico: bigint): Json => exactNumber(formatUsd(pico))

/** The cap in money of a key, and what is left of it. */
function capOf({ caps }: PrincipalValue, used: Used): { limit: Json; left: Json; reset: 'daily' | 'monthly' | null } {
  const cap = caps?.find((one) => one.usd !== undefined)
  if (!cap) return { limit: null, left: null, reset: null }
  const spent = cap.per === 'day' ? used.daily : cap.per === 'month' ? used.monthly : used.total
  const limit = picoOf(cap.usd!)
  const left = limit > spent ? limit - spent : 0n
  return { limit: usd(limit), left: usd(left), reset: cap.per === 'day' ? 'daily' : cap.per === 'month' ? 'monthly' : null }
}

/** Picodollars of a decimal text; caps are checked when they are set. */
function picoOf(text: string): bigint {
  const [whole = '0', part = ''] = text.split('.')
  return BigInt(whole) * 10n ** 12n + BigInt(part.padEnd(12, '0').slice(0, 12))
}

const iso = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString())
const windows = ({ limits = [] }: PrincipalValue) => limits.map(({ window, ...rest }) => ({ window_seconds: window / 1000, ...rest }))

function openrouterKey(principal: PrincipalValue, used: Used): Record<string, Json> {
  const { id, name, account, tier, tags, models, limits, caps } = principal
  const { limit, left, reset } = capOf(principal, used)
  const minute = limits?.find((one) => one.requests !== undefined)
  return {
    id,
    label: name ?? id,
    name: name ?? null,
    account,
    tier: tier ?? null,
    tags,
    models: models ?? null,
    limits: windows(principal) as Json,
    caps: (caps ?? []) as unknown as Json,
    usage: usd(used.total),
    usage_daily: usd(used.daily),
    usage_weekly: usd(used.weekly),
    usage_monthly: usd(used.monthly),
    requests: used.requests,
    limit,
    limit_remaining: left,
    limit_reset: reset,
    is_free_tier: false,
    is_provisioning_key: false,
    is_management_key: false,
    expires_at: iso(principal.expiresAt),
    ...(minute && { rate_limit: { requests: minute.requests!, interval: `${minute.window / 1000}s` } }),
  }
}

function litellmKey(principal: PrincipalValue, used: Used): Record<string, Json> {
  const { id, name, account, tier, tags, models, limits, expiresAt } = principal
  const { limit } = capOf(principal, used)
  const perMinute = (what: 'requests' | 'tokens') => limits?.find((one) => one.window === 60_000 && one[what] !== undefined)?.[what] ?? null
  return {
    key: id,
    info: {
      key_name: id,
      key_alias: name ?? null,
      spend: usd(used.total),
      max_budget: limit,
      models: models ?? [],
      rpm_limit: perMinute('requests'),
      tpm_limit: perMinute('tokens'),
      expires: iso(expiresAt),
      user_id: account,
      team_id: null,
      metadata: { tags, tier: tier ?? null },
      blocked: null,
    },
  }
}
