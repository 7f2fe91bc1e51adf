/**
 * Issued keys on the admin listener by the names that LiteLLM gives them: `/key/generate`, `/key/info`, `/key/update`, `/key/delete`, `/key/block`,
 * `/key/unblock` and `/key/list`, for scripts that manage keys of one.
 *
 * Translates fields and nothing else: keys, rules and stores are those of `/keys`. Fields that mean nothing here are refused, not swallowed.
 */

import { type Host, type PrincipalCap, type PrincipalLimit, parseDuration, StoreUnavailable } from 'headgate/plugin'
import type { KeyAdminOptions } from './key-admin.ts'
import { fieldProblem } from './key-fields.ts'
import type { KeyChanges } from './key-store.ts'
import { type CreateKeyOptions, createKey, type KeyRecord } from './keys.ts'

type Body = Readonly<Record<string, unknown>>

class Mistake extends Error {
  constructor(
    message: string,
    readonly status = 400,
  ) {
    super(message)
  }
}

/** Fields that say nothing about what a key may do; they are taken and not kept. */
const without = ['metadata', 'send_invite_email', 'key_type', 'key'] as const
const known = [
  'key_alias',
  'models',
  'duration',
  'max_budget',
  'budget_duration',
  'rpm_limit',
  'tpm_limit',
  'user_id',
  'team_id',
  'tags',
  'blocked',
]

export function addLitellmRoutes(host: Host, { store, keyPrefix, now, changed }: KeyAdminOptions): void {
  const add = (method: 'GET' | 'POST', path: string, summary: string, handler: (body: Body, query: URLSearchParams) => Promise<object>) =>
    host.admin({
      method,
      path,
      summary,
      async handler(request) {
        try {
          const body = method === 'GET' ? {} : await bodyOf(request)
          return Response.json(await handler(body, new URL(request.url).searchParams), { headers: { 'cache-control': 'no-store' } })
        } catch (error) {
          if (error instanceof Mistake) return mistake(error.status, error.message)
          if (error instanceof StoreUnavailable) return mistake(503, `nothing was done: ${error.message}`)
          throw error
        }
      },
    })
  /** By the key itself, its id or its public prefix. */
  const find = async (named: unknown): Promise<KeyRecord> => {
    const found = typeof named === 'string' ? await store.get(publicPart(named, keyPrefix)) : undefined
    if (!found) throw new Mistake('there is no such key, or it was deleted', 404)
    return found
  }
  const change = async (named: unknown, changes: KeyChanges): Promise<KeyRecord> => {
    const record = await store.change((await find(named)).id, changes)
    if (!record) throw new Mistake('there is no such key, or it was deleted', 404)
    await changed()
    return record
  }

  add('POST', '/key/generate', 'Makes a key; the reply is the only one that shows it', async (body) => {
    const fields = fieldsOf(body, now())
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
    const { key, record } = createKey({ name: '', ...given, keyPrefix, now: now() } as CreateKeyOptions)
    await store.add(record)
    await changed()
    host.log.info('API key made', { key: record.id })
    return { key, ...told(record) }
  })
  add('GET', '/key/info', 'One key, by ?key=', async (_body, query) => {
    const record = await find(query.get('key'))
    return { key: record.id, info: told(record) }
  })
  add('POST', '/key/update', 'Changes the fields that are named', async (body) => told(await change(body.key, fieldsOf(body, now()))))
  for (const [path, disabled] of [
    ['/key/block', true],
    ['/key/unblock', null],
  ] as const)
    add('POST', path, disabled ? 'Refuses a key for now' : 'Lets a key in again', async ({ key }) => told(await change(key, { disabled })))
  add('POST', '/key/delete', 'Revokes keys for ever', async ({ keys, key_aliases: names }) => {
    if (names !== undefined) throw new Mistake('keys are deleted by `keys`: names need not be unique')
    if (!Array.isArray(keys) || keys.length === 0 || keys.length > 100) throw new Mistake('keys must be a list of 1 to 100 keys')
    const records = await Promise.all(keys.map(find))
    for (const { id } of records) await store.revoke(id)
    await changed()
    return { deleted_keys: records.map(({ id }) => id) }
  })
  add('GET', '/key/list', 'Keys, without their secrets', async (_body, query) => {
    const after = query.get('after')
    const { keys, next } = await store.list({ limit: 100, ...(after !== null && { after }) })
    return { keys: keys.map(told), total_count: null, next: next ?? null }
  })
}

/** What of a key may be looked up by: a whole key is never compared, nor kept. */
function publicPart(named: string, prefix: string): string {
  return named.startsWith(prefix) ? named.slice(0, prefix.length + 8) : named
}

async function bodyOf(request: Request): Promise<Body> {
  const text = await request.text()
  let value: unknown
  try {
    value = text === '' ? {} : JSON.parse(text.slice(0, 64 * 1024))
  } catch {
    throw new Mistake('the body is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Mistake('the body must be an object')
  return value as Body
}

/** LiteLLM's fields as those of a key; null takes one away. @throws Mistake */
function fieldsOf(body: Body, at: number): KeyChanges {
  const stray = Object.keys(body).find((name) => !known.includes(name) && !(without as readonly string[]).includes(name))
  if (stray !== undefined) throw new Mistake(`${JSON.stringify(stray.slice(0, 60))} can not be set here; there are: ${known.join(', ')}`)
  const fields: Record<string, unknown> = {}
  const copy = (from: string, to: string) => {
    if (body[from] !== undefined) fields[to] = body[from]
  }
  copy('key_alias', 'name')
  copy('tags', 'tags')
  copy('user_id', 'account')
  copy('team_id', 'account')
  if (body.blocked !== undefined) fields.disabled = body.blocked === true ? true : null
  // an empty list means all there
  if (body.models !== undefined) fields.models = Array.isArray(body.models) && body.models.length === 0 ? null : body.models
  if (body.duration !== undefined)
    fields.expires = body.duration === null ? null : new Date(at + milliseconds(body.duration, 'duration')).toISOString()
  if (body.max_budget !== undefined) fields.caps = body.max_budget === null ? null : [capOf(body.max_budget, body.budget_duration)]
  if (body.rpm_limit !== undefined || body.tpm_limit !== undefined) fields.limits = limitOf(body.rpm_limit, body.tpm_limit)
  const problem = fieldProblem(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)))
  if (problem !== undefined) throw new Mistake(problem.slice(1))
  return fields as KeyChanges
}

function milliseconds(text: unknown, field: string): number {
  const ms =
    typeof text === 'string' ? parseDuration(text.replace(/^(\d+)mo$/, (_, months: string) => `${Number(months) * 30}d`)) : undefined
  if (ms === undefined) throw new Mistake(`${field} must be a duration such as 30d`)
  return ms
}

/** Budgets begin anew with days and months; what LiteLLM counts from when a key was made is not there. */
function capOf(usd: unknown, every: unknown): PrincipalCap {
  if (typeof usd !== 'number' || !(usd >= 0 && usd <= 4_500_000)) throw new Mistake('max_budget must be an amount of USD')
  const per =
    every === undefined || every === null
      ? 'total'
      : every === '1d' || every === '24h'
        ? 'day'
        : every === '30d' || every === '1mo'
          ? 'month'
          : undefined
  if (per === undefined) throw new Mistake('budget_duration must be 1d or 30d: budgets begin anew with days and months (UTC)')
  // picodollars and no further
  return { per, usd: usd.toFixed(12).replace(/\.?0+$/, '') }
}

function limitOf(requests: unknown, tokens: unknown): PrincipalLimit[] | null {
  const limit = { window: 60_000, ...(requests != null && { requests }), ...(tokens != null && { tokens }) }
  return Object.keys(limit).length === 1 ? null : [limit as PrincipalLimit]
}

/** A key by LiteLLM's names. */
function told({ id, prefix, name, account, tags, models, limits, caps, expires, disabled, created }: KeyRecord): object {
  const minute = limits?.find(({ window }) => window === 60_000)
  const cap = caps?.find(({ usd }) => usd !== undefined)
  return {
    token: id,
    key_name: `${prefix}...`,
    key_alias: name === '' ? null : name,
    models: models ?? [],
    max_budget: cap ? Number(cap.usd) : null,
    budget_duration: cap?.per === 'day' ? '1d' : cap?.per === 'month' ? '30d' : null,
    rpm_limit: minute?.requests ?? null,
    tpm_limit: minute?.tokens ?? null,
    user_id: account ?? null,
    tags: tags ?? [],
    expires: expires ?? null,
    blocked: disabled ?? null,
    created_at: created,
  }
}

function mistake(status: number, message: string): Response {
  return Response.json(
    { error: { message, type: status === 404 ? 'not_found_error' : 'bad_request_error', param: null, code: String(status) } },
    { status },
  )
}
